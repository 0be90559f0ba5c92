package dialogporten_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
)

// Whatever a body is, it is answered: created, or refused with a body that can be read; and what is created can be read.
func FuzzBodies(f *testing.F) {
	service := dialogporten.New(dialogporten.Config{})
	const fixed = "019bc14f-ef80-7000-8010-cbea9ac623b7"
	good := `{"id":"` + fixed + `","serviceResource":"urn:altinn:resource:app_ttd_x","party":"` + orgParty + `","status":1,"content":{"title":` +
		`{"value":[{"value":"\u00e6\ud83d\ude00","languageCode":"nb"}]}},"guiActions":[{"action":"x","url":"https://x.no/%C3%A5/../%zz","priority":1,` +
		`"title":[{"value":"y","languageCode":"en_GB"}]}],"dueAt":"2099-01-01T00:00:00.1234567+01:00","progress":"12"}`
	for _, body := range []string{
		good, `{`, `null`, `[{"op":"add","path":"/searchTags/-","value":{"value":"abc"}},{"op":"move","from":"/a","path":""}]`,
		`[{"op":"test","path":"/content/title/value/0","value":null}]`, `{"status":2,"content":{"title":{"value":[]}},"attachments":[{"urls":[{}]}]}`,
	} {
		f.Add(body)
	}
	serve := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, body string) {
		serve("POST", dialogs, good)
		for _, target := range []string{"POST ", "PUT /" + fixed, "PATCH /" + fixed, "POST /" + fixed + "/activities", "POST /" + fixed + "/transmissions"} {
			method, path, _ := strings.Cut(target, " ")
			w := serve(method, dialogs+path, body)
			if w.Body.Len() > 0 {
				require.True(t, json.Valid(w.Body.Bytes()), "%s %s", target, w.Body)
			}
			if w.Code == 201 && target == "POST " {
				var id string
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &id))
				require.True(t, json.Valid(serve("GET", dialogs+"/"+id, "").Body.Bytes()))
				require.Equal(t, 204, serve("POST", dialogs+"/"+id+"/actions/purge", "").Code)
			}
		}
		require.True(t, json.Valid(serve("GET", dialogs+"/"+fixed, "").Body.Bytes()))
	})
}
