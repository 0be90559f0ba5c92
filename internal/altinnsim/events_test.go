package altinnsim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

func TestEventsOfTheSimulator(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{Events: events.Settings{AllowHTTP: true}})
	t.Cleanup(r.Close)
	var received atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received.Add(1) }))
	t.Cleanup(endpoint.Close)
	until := func(condition func(events.Counts) bool) {
		t.Helper()
		require.Eventually(t, func() bool { return condition(r.Events.Counts()) }, 30*time.Second, time.Millisecond)
	}
	body := fmt.Sprintf(`{"endPoint":%q,"resourceFilter":"urn:altinn:resource:app_ttd_demo"}`, endpoint.URL)
	require.Equal(t, http.StatusCreated, r.do(t, http.MethodPost, "/events/api/v1/subscriptions", body).status)
	until(func(c events.Counts) bool { return c.Validated == 1 })
	publish := func() {
		t.Helper()
		require.NoError(t, r.Events.Publish(t.Context(), events.Event{
			Type: events.TypeInstanceCreated, Org: "ttd", App: "demo", PartyID: 50001337, InstanceGUID: uuid.New(),
		}))
	}
	publish()
	until(func(c events.Counts) bool { return c.Delivered == 1 })

	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/events", `{"lose":1}`).status)
	publish()
	until(func(c events.Counts) bool { return c.Lost == 1 })
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/events", `{"lose":2}`).status)
	require.Equal(t, http.StatusNoContent, r.do(t, http.MethodPut, "/_sim/events", `{"double":1,"shuffle":"1ms","policies":{"digdir":["*"]}}`).status)
	publish()
	until(func(c events.Counts) bool { return c.Delivered == 3 })
	assert.Equal(t, int64(4), received.Load(), "the validation and three pushes")

	var seen struct {
		Settings    events.Settings       `json:"settings"`
		Counts      events.Counts         `json:"counts"`
		Subscribers []events.Subscription `json:"subscriptions"`
	}
	r.get(t, "/_sim/events", &seen)
	assert.True(t, seen.Settings.AllowHTTP, "as at the start")
	assert.Equal(t, 1, seen.Counts.Doubled)
	assert.Len(t, seen.Subscribers, 1)
	var stats struct {
		Events events.Counts `json:"events"`
	}
	r.get(t, "/_sim/stats", &stats)
	assert.Equal(t, 3, stats.Events.Published)
	assert.Equal(t, 1, r.Requests.Count(altinnsim.ServiceEvents, http.MethodPost, "/events/api/v1/subscriptions"))

	require.NoError(t, r.Faults.Set([]faults.Rule{{Service: altinnsim.ServiceEvents, Effect: faults.EffectStatus, Status: 502}}))
	assert.Equal(t, http.StatusBadGateway, r.do(t, http.MethodGet, "/events/api/v1/subscriptions", "").status)
	r.Reset()
	assert.Equal(t, events.Counts{}, r.Events.Counts())
	assert.Empty(t, r.Events.Settings().Policies)
}

func TestPartiesComeLateToTheSimulator(t *testing.T) {
	t.Parallel()
	r := setup(t, altinnsim.Options{})
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	r.Freeze(now)
	require.Equal(t, http.StatusNoContent,
		r.do(t, http.MethodPut, "/_sim/parties/late", `[{"partyId":54000179,"from":"2026-03-10T12:01:00Z"}]`).status)
	get := func() int { return r.do(t, http.MethodGet, "/register/api/v1/parties/54000179", "").status }
	assert.Equal(t, http.StatusNotFound, get())
	r.Freeze(now.Add(time.Minute))
	assert.Equal(t, http.StatusOK, get())
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodPut, "/_sim/parties/late", `{}`).status)
}
