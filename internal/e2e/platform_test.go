package e2e

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
)

// platform is the simulated platform on a port that stays the same while it is down.
type platform struct {
	*altinnsim.Sim

	address string
	server  *http.Server
	// creates counts the requests to make a dialog, whatever became of them.
	creates atomic.Int64
}

func newPlatform(t *testing.T, options altinnsim.Options) *platform {
	t.Helper()
	options.Record = story.Hashes
	sim, err := altinnsim.New(options)
	require.NoError(t, err)
	p := &platform{Sim: sim, address: "127.0.0.1:0"}
	p.up(t)
	t.Cleanup(func() {
		p.down(t)
		sim.Close()
	})
	return p
}

// url is where the platform's services are.
func (p *platform) url() string { return "http://" + p.address }

// up makes the platform answer.
func (p *platform) up(t *testing.T) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", p.address)
	require.NoError(t, err)
	p.address = listener.Addr().String()
	handler := p.Handler()
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/v1/serviceowner/dialogs" {
			p.creates.Add(1)
		}
		handler.ServeHTTP(w, r)
	})}
	go func(server *http.Server) { _ = server.Serve(listener) }(p.server)
}

// down hangs up on everybody and refuses connections. What the platform holds stays.
func (p *platform) down(t *testing.T) {
	t.Helper()
	require.NoError(t, p.server.Close())
}

// fail replaces the fault rules; none makes all well.
func (p *platform) fail(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, p.Faults.Set(rules))
}

// slow makes every answer take so long.
func slow(d time.Duration) faults.Rule {
	return faults.Rule{Effect: faults.EffectLatency, Latency: faults.Duration(d)}
}
