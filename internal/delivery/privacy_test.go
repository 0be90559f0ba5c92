package delivery_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/delivery"
)

// Invariant 12: services quote what they were sent and what they hold, and none of that may reach an error's text.
func TestErrorsNameNoPerson(t *testing.T) {
	t.Parallel()
	person := personName + " " + personNumber + " " + secretTitle
	problem := fmt.Sprintf(`{"title":%[1]q,"detail":%[1]q,"status":400,"traceId":%[1]q,"errors":{"dto.party":[%[1]q],"Dialog":[%[1]q]}}`, person)
	answers := map[string]faults.Rule{
		"refused with a problem":       {Effect: faults.EffectStatus, Status: http.StatusBadRequest, ContentType: "application/problem+json", Body: problem},
		"forbidden with a problem":     {Effect: faults.EffectStatus, Status: http.StatusForbidden, ContentType: "application/problem+json", Body: problem},
		"unprocessable with a problem": {Effect: faults.EffectStatus, Status: http.StatusUnprocessableEntity, ContentType: "application/problem+json", Body: problem},
		"broken, in words":             {Effect: faults.EffectStatus, Status: http.StatusInternalServerError, ContentType: "text/plain", Body: person},
		"down, with a page":            {Effect: faults.EffectOutage, Status: http.StatusServiceUnavailable, ContentType: "text/html", Body: "<html>" + person},
		"not found, as a text":         {Effect: faults.EffectStatus, Status: http.StatusNotFound, ContentType: "application/json", Body: fmt.Sprintf("%q", "Unable to find instance 1/2: "+person)},
		"a text for an object":         {Effect: faults.EffectStatus, Status: http.StatusOK, ContentType: "application/json", Body: fmt.Sprintf("%q", person)},
		"words for JSON":               {Effect: faults.EffectStatus, Status: http.StatusOK, ContentType: "text/plain", Body: person},
		"ids that are names": {Effect: faults.EffectStatus, Status: http.StatusOK, ContentType: "application/json", Body: fmt.Sprintf(
			`{"id":%[1]q,"revision":%[1]q,"data":%[1]q,"created":%[1]q,"lastChanged":%[1]q,"instanceEvents":[{"id":"x","created":%[1]q,"eventType":"Created"}]}`, person)},
		"half an answer": {Effect: faults.EffectTruncate},
		"no answer":      {Effect: faults.EffectReset},
	}
	endpoints := map[string]faults.Rule{
		"dialog":      {Service: "dialogporten", Method: http.MethodGet, Path: "/dialogs/"},
		"instance":    {Service: "storage", Method: http.MethodGet, Path: "/instances/[^/]+/[^/]+$"},
		"events":      {Service: "storage", Path: "/events$"},
		"application": {Service: "storage", Path: "/applications/ttd/innsending$"},
		"texts":       {Service: "storage", Path: "/texts/"},
		"register":    {Service: "register"},
		"id":          {Service: "storage", Method: http.MethodPut},
		"create":      {Service: "dialogporten", Method: http.MethodPost, Path: "/dialogs$"},
		"update":      {Service: "dialogporten", Method: http.MethodPut},
		"delete":      {Service: "dialogporten", Method: http.MethodDelete},
		"purge":       {Service: "dialogporten", Path: "/actions/purge$"},
		"restore":     {Service: "dialogporten", Path: "/actions/restore$"},
		"search":      {Service: "dialogporten", Method: http.MethodGet, Path: "/dialogs$"},
	}
	for endpoint, where := range endpoints {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			failed := 0
			for name, rule := range answers {
				r := newRig(t)
				th := r.put(t, newThing())
				item := th.item()
				r.stage(t, &th, endpoint)
				if endpoint == "search" {
					item = delivery.Item{ID: th.id()}
				}
				rule.Service, rule.Method, rule.Path = where.Service, where.Method, where.Path
				r.fault(t, rule)
				worker := r.worker(t, r.url, 1)
				if _, err := worker.Deliver(t.Context(), item); err != nil {
					t.Logf("%s: %v", name, err)
					requireNoPerson(t, err)
					failed++
				}
			}
			assert.Greater(t, failed, len(answers)/2, "the endpoint was not asked")
		})
	}
}

// stage sets an instance up so that its next delivery asks the endpoint.
func (r *rig) stage(t *testing.T, th *thing, endpoint string) {
	t.Helper()
	switch endpoint {
	case "update", "delete", "purge", "restore", "search":
		r.deliver(t, th.item())
	}
	switch endpoint {
	case "update":
		th.text += " igjen"
		r.put(t, *th)
	case "delete":
		require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
	case "purge":
		require.NoError(t, r.sim.Storage.HardDelete(th.guid))
	case "restore":
		require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
		r.deliver(t, th.item())
		require.NoError(t, r.sim.Storage.Undelete(th.guid))
	case "search":
		require.NoError(t, r.sim.Storage.Remove(th.guid))
	}
}

func TestActorThatNobodyKnowsIsNotNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.user = 29999999
	r.put(t, th)
	_, err := r.deliverer.Deliver(t.Context(), th.item())
	requireNoPerson(t, err)
}
