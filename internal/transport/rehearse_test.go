package transport_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/transport"
)

func TestRehearsalSendsReadsOnly(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(200))
	var rehearsal transport.Rehearsal
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{}, SubscriptionKey: "key", Rehearsal: &rehearsal})

	send(t, c, http.MethodGet, server.URL+"/api/v1/serviceowner/dialogs/1", "")
	send(t, c, http.MethodPost, server.URL+"/register/api/v1/dialogporten/parties/query", `{"data":[]}`)
	send(t, c, http.MethodPost, server.URL+"/api/v1/serviceowner/dialogs", `{}`)
	send(t, c, http.MethodPut, server.URL+"/api/v1/serviceowner/dialogs/1", `{}`)
	send(t, c, http.MethodPatch, server.URL+"/api/v1/serviceowner/dialogs/1", `[]`)
	send(t, c, http.MethodDelete, server.URL+"/api/v1/serviceowner/dialogs/1", "")

	require.Equal(t, 2, s.count())
	require.Len(t, rehearsal.Planned(), 4)
}

func TestRehearsalShowsWhatWouldBeSent(t *testing.T) {
	t.Parallel()
	_, server := serve(t, status(500))
	var rehearsal transport.Rehearsal
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{}, SubscriptionKey: "key", Rehearsal: &rehearsal})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		server.URL+"/api/v1/serviceowner/dialogs/0197823f-91b7-712c-ba01-44e375b5bc79?isSilentUpdate=true&x=1&x=2",
		strings.NewReader(`{"status": "Draft"}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "f0000000-0000-4000-8000-ffffffffffff")

	response, err := c.Do(r)

	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	shown, err := json.Marshal(rehearsal.Planned())
	require.NoError(t, err)
	require.JSONEq(t, `[{
		"method": "PUT",
		"path": "/api/v1/serviceowner/dialogs/0197823f-91b7-712c-ba01-44e375b5bc79",
		"query": {"isSilentUpdate": "true", "x": ["1", "2"]},
		"headers": {"Content-Type": "application/json", "If-Match": "f0000000-0000-4000-8000-ffffffffffff"},
		"body": {"status": "Draft"}
	}]`, string(shown))
}

func TestRehearsalAnswersPlausibly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path, body string
		status             int
		answer             string
	}{
		"create": {
			http.MethodPost, "/api/v1/serviceowner/dialogs", `{"id":"0197823f-91b7-712c-ba01-44e375b5bc79"}`,
			201, `"0197823f-91b7-712c-ba01-44e375b5bc79"`,
		},
		"update":      {http.MethodPut, "/api/v1/serviceowner/dialogs/1", `{}`, 204, ""},
		"purge":       {http.MethodPost, "/api/v1/serviceowner/dialogs/1/actions/purge", "", 204, ""},
		"data values": {http.MethodPut, "/storage/api/v1/instances/1/2/datavalues", `{}`, 200, "{}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, transport.Config{BaseURL: "http://nowhere.invalid", Rehearsal: &transport.Rehearsal{}})
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http://nowhere.invalid"+test.path, strings.NewReader(test.body))
			require.NoError(t, err)

			response, err := c.Do(r)

			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, test.status, response.StatusCode)
			require.Equal(t, test.answer, string(body))
			_, err = uuid.Parse(response.Header.Get("ETag"))
			require.NoError(t, err)
		})
	}
}

func TestRehearsalTakesOtherAnswers(t *testing.T) {
	t.Parallel()
	rehearsal := transport.Rehearsal{Answer: func(r *http.Request, _ []byte) *http.Response {
		return &http.Response{StatusCode: http.StatusConflict, Body: http.NoBody, Request: r}
	}}
	c := client(t, transport.Config{BaseURL: "http://nowhere.invalid", Rehearsal: &rehearsal})

	response := send(t, c, http.MethodPost, "http://nowhere.invalid/correspondence", "raw bytes")

	require.Equal(t, http.StatusConflict, response.StatusCode)
	require.Equal(t, &transport.OmittedBody{Bytes: 9}, rehearsal.Planned()[0].Omitted)
}
