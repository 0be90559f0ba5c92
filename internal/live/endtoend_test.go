package live_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/httpserver"
	"github.com/altinn/dialogsync/internal/live"
)

func TestFromAnAppsEventToItsDialog(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	const secret = "7f0c8a1e"
	endpoint := httptest.NewServer(httpserver.Handler(httpserver.Config{
		Metrics: http.NotFoundHandler(), Intake: &httpserver.Intake{Accepter: p.inbox, EventsSecret: secret, Log: p.log},
	}))
	t.Cleanup(endpoint.Close)
	platform := httptest.NewServer(p.sim.Handler())
	t.Cleanup(platform.Close)
	subscribe := `{"endPoint":"` + endpoint.URL + "/events/" + secret + `","resourceFilter":"urn:altinn:resource:app_ttd_innsending"}`
	answer, err := http.Post(platform.URL+"/events/api/v1/subscriptions", "application/json", bytes.NewBufferString(subscribe))
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, answer.Body)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	require.Eventually(t, func() bool { return p.sim.Events.Counts().Validated == 1 }, time.Minute, time.Millisecond, "the validation event is answered")

	p.work(t, 8)
	things := make([]thing, 20)
	for i := range things {
		things[i] = p.put(t, newThing())
		require.NoError(t, p.sim.Events.Publish(t.Context(), events.Event{
			Type: events.TypeInstanceCreated, Org: "ttd", App: "innsending", PartyID: int32(partyID), InstanceGUID: things[i].guid,
		}))
	}
	require.Eventually(t, func() bool {
		for _, th := range things {
			if p.title(t, th) == "none" {
				return false
			}
		}
		return len(p.rows(t)) == 0
	}, time.Minute, 5*time.Millisecond)
	report, err := p.sim.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%+v", report)
}

func TestWorkersThatStumbleDeliverEverything(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Rest: 10 * time.Millisecond,
		Jitter: func() float64 { return .0001 },
	})
	p.wellness(t)
	p.work(t, 8)
	some := .2
	p.fault(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectStatusAfter, Status: http.StatusInternalServerError, Probability: &some},
		faults.Rule{Service: "storage", Effect: faults.EffectReset, Probability: &some})
	things := make([]thing, 60)
	for i := range things {
		things[i] = p.put(t, newThing())
		p.accept(t, things[i].webhook(), things[i].command())
	}
	require.Eventually(t, func() bool {
		require.NoError(t, p.gate.Refresh(t.Context()))
		require.NoError(t, p.keeper.Keep(t.Context()))
		return len(p.rows(t)) == 0
	}, 2*time.Minute, 10*time.Millisecond)
	assert.Empty(t, p.quarantine(t), "a failing system burns no item")
	for _, th := range things {
		assert.Contains(t, p.title(t, th), "utgave 1")
	}
}

// BenchmarkEventToDialog brings events of instances without a dialog all the way, with one worker process.
func BenchmarkEventToDialog(b *testing.B) {
	p := newPlant(b)
	commands := make([]live.Command, b.N)
	for i := range commands {
		th := newThing()
		th.guid = uuid.New()
		commands[i] = p.put(b, th).command()
	}
	p.accept(b, commands...)
	b.ResetTimer()
	p.work(b, 32)
	require.Eventually(b, func() bool {
		var left int
		require.NoError(b, p.pool.QueryRow(b.Context(), "select count(*) from inbox").Scan(&left))
		return left == 0
	}, 10*time.Minute, 10*time.Millisecond)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "dialogs/s")
}
