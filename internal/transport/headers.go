package transport

import (
	"net/http"

	"github.com/altinn/dialogsync/internal/telemetry"
)

// Header names that the stack sets.
const (
	headerSubscriptionKey = "Ocp-Apim-Subscription-Key"
	headerTraceParent     = "Traceparent"
	headerUserAgent       = "User-Agent"
)

const userAgent = "dialogsync"

// headers puts the gateway key and the trace on requests to trusted hosts.
type headers struct {
	next            http.RoundTripper
	hosts           Hosts
	subscriptionKey string
}

func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	clone := r.Clone(r.Context())
	if clone.Header.Get(headerUserAgent) == "" {
		clone.Header.Set(headerUserAgent, userAgent)
	}
	if h.hosts.Trusted(r.URL) {
		if h.subscriptionKey != "" {
			clone.Header.Set(headerSubscriptionKey, h.subscriptionKey)
		}
		if trace := telemetry.TraceID(r.Context()); trace != "" {
			clone.Header.Set(headerTraceParent, telemetry.TraceParent(trace))
		}
	}
	return h.next.RoundTrip(clone)
}
