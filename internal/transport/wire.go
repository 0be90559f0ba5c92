package transport

import (
	"net"
	"net/http"
	"time"
)

// Limits of a connection. An answer's own limit is the attempt's deadline.
const (
	dialTimeout         = 10 * time.Second
	keepAlive           = 30 * time.Second
	tlsHandshakeTimeout = 10 * time.Second
	idleTimeout         = 60 * time.Second // below the four minutes after which cloud load balancers drop silently
	pingAfter           = 20 * time.Second
	pingTimeout         = 10 * time.Second
)

// Wire is the bottom of the stack: HTTP with as many kept connections a host as there are requests in flight. Go's
// default of two a host halves the throughput. It ignores proxy variables of the environment, since a proxy would be
// one more host that sees tokens.
func Wire(concurrency int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:        0, // no bound across hosts
		MaxIdleConnsPerHost: max(concurrency, 1),
		IdleConnTimeout:     idleTimeout,
		TLSHandshakeTimeout: tlsHandshakeTimeout,
	}
}
