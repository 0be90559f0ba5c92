package live_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/telemetry"
)

func TestEventsAreCountedByHowTheyEnded(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	metrics, err := telemetry.NewMetrics()
	require.NoError(t, err)
	measured, err := live.NewEventMetrics(metrics.Meter("dialogsync"))
	require.NoError(t, err)
	require.NoError(t, live.RegisterBacklog(metrics.Meter("dialogsync"), p.pool))
	p.inbox = live.NewInbox(p.pool, jobs.EnqueueEvents(p.client), p.gate, measured)
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Metrics: measured, Jitter: func() float64 { return 0 },
	})
	delivered, stuck := p.put(t, newThing()), newThing()
	stuck.party = 77
	p.put(t, stuck)
	p.accept(t, delivered.command(), delivered.command(), delivered.webhook())
	p.deliver(t)
	p.accept(t, stuck.webhook())
	p.deliver(t)

	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	text := recorder.Body.String()
	for _, line := range []string{
		`dialogsync_events_accepted_total{intake="bus",source="a3-app-instances"} 2`,
		`dialogsync_events_total{end="delivered",intake="bus",source="a3-app-instances"} 1`,
		`dialogsync_events_total{end="coalesced",intake="bus",source="a3-app-instances"} 1`,
		`dialogsync_events_total{end="coalesced",intake="webhook",source="a3-app-instances"} 1`,
		`dialogsync_events_total{end="retried",intake="webhook",source="a3-app-instances"} 1`,
		`dialogsync_items_total{outcome="created",source="a3-app-instances",stream="live"} 1`,
		`dialogsync_event_to_dialog_seconds_count{intake="bus",source="a3-app-instances"} 2`,
		`dialogsync_inbox_events{source="a3-app-instances"} 1`,
		`dialogsync_inbox_parked{source="a3-app-instances"} 0`,
		`dialogsync_inbox_oldest_seconds{source="a3-app-instances"} `,
	} {
		assert.True(t, strings.Contains(text, line), line) //nolint:testifylint // the text is long
	}
}
