package events_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/events"
)

func TestASubscriptionLeavesOutWhatItDoesNotFilterBy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "/events/api/v1/subscriptions", r.URL.Path)
		// An empty filter would match nothing, without an error (Storage reference 15.3).
		assert.JSONEq(t, `{"endPoint":"https://x.example/events/s","resourceFilter":"urn:altinn:resource:app_ttd_demo_skjema"}`, string(body))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":1619,"endPoint":"https://x.example/events/s","resourceFilter":"urn:altinn:resource:app_ttd_demo_skjema",
			"consumer":"/org/ttd","createdBy":"/org/ttd","created":"2026-03-02T08:00:00.25Z","validated":false,"includeSubunits":false}`)
	}))
	defer server.Close()
	made, err := events.New(server.URL, nil).Subscribe(t.Context(), "ttd/demo_skjema", "https://x.example/events/s")
	require.NoError(t, err)
	assert.EqualValues(t, 1619, made.ID)
	assert.Equal(t, "ttd/demo_skjema", made.AppID())
	assert.True(t, made.OfAllEventsOf("ttd/demo_skjema"))
	assert.False(t, made.Created.IsZero())

	made.TypeFilter = "app.instance.created"
	assert.False(t, made.OfAllEventsOf("ttd/demo_skjema"), "it is only to some")
	assert.Empty(t, (&events.Subscription{ResourceFilter: "urn:altinn:resource:other"}).AppID())
}

func TestAnswersThatAreNoSubscriptions(t *testing.T) {
	t.Parallel()
	status := http.StatusNotFound
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode("refused")
	}))
	defer server.Close()
	client := events.New(server.URL, nil)
	require.ErrorIs(t, client.Delete(t.Context(), 1), events.ErrNoSubscription)
	status = http.StatusForbidden
	for name, call := range map[string]func() error{
		"delete":    func() error { return client.Delete(t.Context(), 1) },
		"subscribe": func() error { _, err := client.Subscribe(t.Context(), "a/b", "https://x"); return err },
		"list":      func() error { _, err := client.List(t.Context()); return err },
	} {
		var answer interface{ HTTPStatus() int }
		require.ErrorAs(t, call(), &answer, name)
		assert.Equal(t, http.StatusForbidden, answer.HTTPStatus())
	}
}
