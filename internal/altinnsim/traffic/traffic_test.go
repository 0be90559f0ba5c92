package traffic_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/traffic"
)

func TestEndpointsHaveNoIds(t *testing.T) {
	t.Parallel()
	const id = "6f3da581-76f9-412c-ba01-44e375b5bc79"
	for path, want := range map[string]string{
		"/storage/api/v1/instances":                                               "/storage/api/v1/instances",
		"/storage/api/v1/instances/50001337/" + id + "/events/" + id:              "/storage/api/v1/instances/{partyId}/{guid}/events/{eventId}",
		"/storage/api/v1/applications/skd/a1-213-2638:1/texts/nb":                 "/storage/api/v1/applications/{org}/{app}/texts/{language}",
		"/storage/api/v1/applications":                                            "/storage/api/v1/applications",
		"/api/v1/serviceowner/dialogs/" + id + "/activities/" + id + "/actions/x": "/api/v1/serviceowner/dialogs/{dialogId}/activities/{activityId}/actions/x",
		"/api/v1/serviceowner/dialogs/" + id + "/context/labels/urn:a:b":          "/api/v1/serviceowner/dialogs/{dialogId}/context/labels/{label}",
		"/register/api/v1/dialogporten/parties/query":                             "/register/api/v1/dialogporten/parties/query",
		"/api/v1/serviceowner/dialogs/" + id + "/transmissions/" + id:             "/api/v1/serviceowner/dialogs/{dialogId}/transmissions/{transmissionId}",
	} {
		assert.Equal(t, want, traffic.Endpoint(path))
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	c := traffic.New()
	c.Add(traffic.Line{Service: "storage", Method: "GET", Endpoint: "/a", Status: 200}, 2*time.Millisecond)
	c.Add(traffic.Line{Service: "storage", Method: "GET", Endpoint: "/a", Status: 200}, 4*time.Millisecond)
	c.Add(traffic.Line{Service: "storage", Method: "PUT", Endpoint: "/a", Status: traffic.Reset}, 0)
	c.Add(traffic.Line{Service: "register", Method: "POST", Endpoint: "/b", Status: 206}, 0)
	assert.Equal(t, 3, c.Count("storage", "", ""))
	assert.Equal(t, 2, c.Count("", "GET", "/a"))
	assert.Equal(t, 4, c.Total())
	s := c.Summary()
	assert.Len(t, s.Requests, 3)
	assert.Equal(t, "register", s.Requests[0].Service)
	assert.Equal(t, 2, s.Requests[1].Count)
	assert.InDelta(t, 2, s.Rates["storage"].MeanMs, 0.001)
	c.Reset()
	assert.Zero(t, c.Total())
}

func TestEndpointsHaveRates(t *testing.T) {
	t.Parallel()
	c := traffic.New()
	for i := range 3 {
		c.Add(traffic.Line{Service: "storage", Method: "GET", Endpoint: "/a", Status: 200 + i}, time.Duration(i)*time.Millisecond)
	}
	c.Add(traffic.Line{Service: "storage", Method: "PUT", Endpoint: "/a", Status: 200}, 0)
	s := c.Summary()
	require.Len(t, s.Endpoints, 2)
	assert.Equal(t, "GET", s.Endpoints[0].Method)
	assert.Equal(t, 3, s.Endpoints[0].Requests)
	assert.InDelta(t, 1, s.Endpoints[0].MeanMs, 0.001)
	assert.InDelta(t, 2, s.Endpoints[0].MaxMs, 0.001)
}

// Paths that nobody has do not make the counters grow without end.
func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	c := traffic.New()
	for i := range 10_000 {
		c.Add(traffic.Line{Service: "storage", Method: "GET", Endpoint: "/" + strconv.Itoa(i), Status: 404}, 0)
	}
	assert.Equal(t, 10_000, c.Total())
	assert.Less(t, len(c.Summary().Requests), 4200)
	assert.Positive(t, c.Count("storage", "GET", "other"))
}

func TestItemsAreCountedByEndpoint(t *testing.T) {
	t.Parallel()
	c := traffic.New()
	item, dialog, other := uuid.New(), uuid.New(), uuid.New()
	for range 3 {
		c.Touched("GET", "/i", item)
	}
	c.Touched("PUT", "/i", item)
	c.Touched("POST", "/d", dialog)
	c.Touched("GET", "/list")
	assert.Equal(t, map[string]int{"GET /i": 3, "PUT /i": 1, "POST /d": 1}, c.Item(item, dialog, other))
	busiest, known, forgotten := c.Busiest(1)
	assert.Equal(t, []traffic.Busy{{ID: item, Requests: 4}}, busiest)
	assert.Equal(t, 2, known)
	assert.Zero(t, forgotten)
	for i := range 20 {
		c.Touched("GET", "/"+strconv.Itoa(i), other)
	}
	assert.Equal(t, 12, c.Item(other)["other"], "eight are told apart")
	c.Reset()
	assert.Empty(t, c.Item(item))
}
