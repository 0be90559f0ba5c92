package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
)

const eventsSecret = "7f0c8a1e-hunter2"

// newSubscriber gives a world of eight apps, four of them forms of older platforms, with the events service of the platform, and
// an endpoint that answers while well is true.
func newSubscriber(t *testing.T) (r *rig, endpoint string, well *atomic.Bool) {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Events: events.Settings{AllowHTTP: true, Speed: 100}})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	r = &rig{sim: sim, platform: server.URL, database: dbtest.URL(t)}
	r.pool, err = db.Open(t.Context(), r.database, 2)
	require.NoError(t, err)
	t.Cleanup(r.pool.Close)
	r.environ = append(environment(r.database, r.platform), "DIALOGSYNC_EVENTS_SECRET="+eventsSecret)
	r.generate(t)

	well = &atomic.Bool{}
	well.Store(true)
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/events/"+eventsSecret || !well.Load() {
			http.NotFound(w, q)
		}
	}))
	t.Cleanup(sink.Close)
	return r, sink.URL, well
}

func (r *rig) subscriptions(t *testing.T, args ...string) ([]subscriptionReport, result) {
	t.Helper()
	got := r.run(t, append(append([]string{"subscription"}, args...), "-o", "json")...)
	require.NotContains(t, got.both(), "hunter2", "the secret is shown nowhere")
	var reports []subscriptionReport
	if got.code == exitOK || got.code == exitPartly {
		require.NoError(t, json.Unmarshal([]byte(got.out), &reports))
	}
	return reports, got
}

func TestSubscriptionsAreMadeOnceForEveryAppWithEvents(t *testing.T) {
	t.Parallel()
	r, endpoint, _ := newSubscriber(t)
	plan, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--dry-run")
	require.Equal(t, exitOK, got.code, got.err)
	require.NotEmpty(t, plan)
	assert.Empty(t, r.sim.Events.Subscriptions(), "nothing is changed")

	made, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--reason", "live sync", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, made, len(plan))
	for _, s := range made {
		assert.Equal(t, "created", s.Action)
		assert.True(t, s.Validated, "the endpoint has answered")
		assert.Equal(t, endpoint+"/events/***", s.Endpoint)
		assert.Equal(t, time.Hour, s.CompleteFrom.Sub(*s.Created))
		assert.NotContains(t, s.App, "/a1-")
		assert.NotContains(t, s.App, "/a2-")
	}
	for _, s := range r.sim.Events.Subscriptions() {
		assert.Equal(t, endpoint+"/events/"+eventsSecret, s.EndPoint)
	}
	again, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--reason", "live sync", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	for _, s := range again {
		assert.Equal(t, "kept", s.Action)
	}
	assert.Len(t, r.sim.Events.Subscriptions(), len(made))

	listed, got := r.subscriptions(t, "list")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, listed, len(made))
	var actions int
	require.NoError(t, r.pool.QueryRow(t.Context(), `select count(*) from operator_action where action = 'subscription create'
		and reason = 'live sync' and target not like '%hunter2%' and detail->>'subscriptions' = $1`, strconv.Itoa(len(made))).Scan(&actions))
	assert.Equal(t, 1, actions, "kept ones are no change")
}

func TestAnEndpointThatDidNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	r, endpoint, well := newSubscriber(t)
	well.Store(false)
	app := r.app(t)
	made, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--app", app, "--reason", "x", "--yes", "--wait", "10ms")
	require.Equal(t, exitOK, got.code, got.err)
	require.Len(t, made, 1)
	assert.False(t, made[0].Validated)
	assert.Contains(t, got.err, "1 are not validated")
	well.Store(true)
	again, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--app", app, "--reason", "x", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Equal(t, made[0].ID, again[0].ID)
	assert.True(t, again[0].Validated)
}

// app is the id of an app that has events.
func (r *rig) app(t *testing.T) string {
	t.Helper()
	plan, got := r.subscriptions(t, "create", "--endpoint", "https://sync.example.no", "--dry-run")
	require.Equal(t, exitOK, got.code, got.err)
	return plan[0].App
}

func TestSubscriptionsAreDeletedByNumberAndByEndpoint(t *testing.T) {
	t.Parallel()
	r, endpoint, _ := newSubscriber(t)
	made, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--reason", "x", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	id := r.run(t, "subscription", "list").out
	assert.NotContains(t, id, "hunter2")

	first := strings.Fields(strings.Split(id, "\n")[1])[0]
	would, got := r.subscriptions(t, "delete", first, "--dry-run")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, would, 1)
	_, got = r.subscriptions(t, "delete", first, "--reason", "x", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, r.sim.Events.Subscriptions(), len(made)-1)
	_, got = r.subscriptions(t, "delete", first, "--reason", "x", "--yes")
	assert.Equal(t, exitNotFound, got.code)

	_, got = r.subscriptions(t, "delete", "--all-for-endpoint", "https://elsewhere.example.no", "--reason", "x", "--yes")
	require.Equal(t, exitOK, got.code, got.err)
	assert.Len(t, r.sim.Events.Subscriptions(), len(made)-1)
	require.NoError(t, r.sim.Faults.Set([]faults.Rule{{Service: "events", Method: http.MethodDelete, Effect: faults.EffectStatus, Status: 400, Count: 1}}))
	deleted, got := r.subscriptions(t, "delete", "--all-for-endpoint", endpoint, "--reason", "x", "--yes")
	assert.Equal(t, exitPartly, got.code)
	assert.Len(t, deleted, len(made)-1)
	assert.Len(t, r.sim.Events.Subscriptions(), 1)
}

func TestWhatCannotBeSubscribedTo(t *testing.T) {
	t.Parallel()
	r, endpoint, _ := newSubscriber(t)
	for name, tt := range map[string]struct {
		args []string
		code int
	}{
		"no https":       {[]string{"create", "--endpoint", "ftp://x.example", "--reason", "x", "--yes"}, exitUsage},
		"with a query":   {[]string{"create", "--endpoint", "https://x.example/?a=b", "--reason", "x", "--yes"}, exitUsage},
		"with a secret":  {[]string{"create", "--endpoint", "https://x.example/events/abc", "--reason", "x", "--yes"}, exitUsage},
		"no reason":      {[]string{"create", "--endpoint", endpoint, "--yes"}, exitUsage},
		"nobody to ask":  {[]string{"create", "--endpoint", endpoint, "--reason", "x"}, exitUsage},
		"unknown app":    {[]string{"create", "--endpoint", endpoint, "--app", "ttd/none", "--dry-run"}, exitNotFound},
		"unknown org":    {[]string{"create", "--endpoint", endpoint, "--org", "none", "--dry-run"}, exitNotFound},
		"nothing named":  {[]string{"delete", "--reason", "x", "--yes"}, exitUsage},
		"both named":     {[]string{"delete", "1", "--all-for-endpoint", endpoint, "--reason", "x", "--yes"}, exitUsage},
		"no number":      {[]string{"delete", "x", "--reason", "x", "--yes"}, exitUsage},
		"unknown number": {[]string{"delete", "4711", "--reason", "x", "--yes"}, exitNotFound},
	} {
		_, got := r.subscriptions(t, tt.args...)
		assert.Equal(t, tt.code, got.code, "%s: %s", name, got.err)
	}
	assert.Empty(t, r.sim.Events.Subscriptions())

	require.NoError(t, r.sim.Faults.Set([]faults.Rule{{Service: "events", Method: http.MethodPost, Effect: faults.EffectStatus, Status: 403, Count: 1}}))
	made, got := r.subscriptions(t, "create", "--endpoint", endpoint, "--reason", "x", "--yes")
	assert.Equal(t, exitPartly, got.code)
	assert.Len(t, r.sim.Events.Subscriptions(), len(made)-1, "an app that refuses us does not stop the others")
}

func TestMaskedEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://x.example/events/s3cret":    "https://x.example/events/***",
		"https://x.example/a/events/s3cret/": "https://x.example/a/events/***",
		"https://x.example/s3cret?code=y":    "https://x.example/***",
		"https://x.example":                  "https://x.example",
		"https://user:pw@x.example/a":        "https://x.example/***",
		"rubbish":                            "***",
		"%zz":                                "***",
	} {
		assert.Equal(t, want, maskEndpoint(endpoint))
	}
}
