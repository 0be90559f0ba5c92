package traffic_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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
