package altinnsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequestsAreCountedByItem(t *testing.T) {
	t.Parallel()
	c, all := delivered(t, 40)
	item := all[0]
	for range 100 {
		c.do(t, http.MethodGet, "/storage/api/v1/instances/"+item.ID, "")
	}
	c.do(t, http.MethodGet, "/storage/api/v1/instances/"+item.ID+"/events", "")
	var seen struct {
		Counts map[string]int `json:"counts"`
	}
	c.get(t, "/_sim/items/"+item.ID, &seen)
	assert.GreaterOrEqual(t, seen.Counts["GET /storage/api/v1/instances/{partyId}/{guid}"], 100)
	assert.Positive(t, seen.Counts["GET /storage/api/v1/instances/{partyId}/{guid}/events"])
	if c.urns["urn:altinn:party:id:"+item.InstanceOwner.PartyID] != "" && !item.Status.IsHardDeleted {
		assert.Equal(t, 1, seen.Counts["POST /api/v1/serviceowner/dialogs"], "the dialog's belong to it")
	}

	var stats struct {
		Items struct {
			Known     int `json:"known"`
			Forgotten int `json:"forgotten"`
			Busiest   []struct {
				Item     string `json:"item"`
				Requests int    `json:"requests"`
			} `json:"busiest"`
		} `json:"items"`
		Traffic struct {
			Endpoints []struct {
				Service, Method, Endpoint string
				Requests                  int
			} `json:"endpoints"`
		} `json:"traffic"`
	}
	c.get(t, "/_sim/stats?busiest=2", &stats)
	require.Len(t, stats.Items.Busiest, 2)
	assert.Equal(t, item.ID, stats.Items.Busiest[0].Item)
	assert.GreaterOrEqual(t, stats.Items.Busiest[0].Requests, 101)
	assert.GreaterOrEqual(t, stats.Items.Known, 40)
	assert.Zero(t, stats.Items.Forgotten)
	creates := 0
	for _, e := range stats.Traffic.Endpoints {
		if e.Method == http.MethodPost && strings.HasSuffix(e.Endpoint, "/dialogs") {
			creates += e.Requests
		}
	}
	alive, deleted := c.Dialogporten.Count()
	assert.GreaterOrEqual(t, creates, alive+deleted)
	assert.Equal(t, http.StatusBadRequest, c.do(t, http.MethodGet, "/_sim/stats?busiest=x", "").status)
}
