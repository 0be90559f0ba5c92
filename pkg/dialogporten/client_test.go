package dialogporten_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const dialogsPath = "/api/v1/serviceowner/dialogs"

// theDialog, before and after are a dialog and two of its revisions.
var (
	theDialog = uuid.MustParse("0197823f-91b7-712c-ba01-44e375b5bc79")
	before    = uuid.MustParse("f0000000-0000-4000-8000-000000000001")
	after     = uuid.MustParse("f0000000-0000-4000-8000-000000000002")
)

// received is a request as the service saw it.
type received struct {
	method, uri, body string
	header            http.Header
}

// newClient gives a client of a service that answers everything alike.
func newClient(t *testing.T, status int, etag, body string) (*received, *dialogporten.Client) {
	t.Helper()
	seen := &received{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		*seen = received{method: r.Method, uri: r.RequestURI, body: string(raw), header: r.Header}
		if etag != "" {
			w.Header().Set("Etag", etag)
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return seen, dialogporten.New(server.URL+"/", server.Client())
}

func TestWritesAreSentExactly(t *testing.T) {
	t.Parallel()
	activity := uuid.MustParse("019bd5eb-4239-7a40-a823-7735059ef136")
	at := time.Date(2026, 3, 2, 9, 15, 30, 120000000, time.FixedZone("CET", 3600))
	path := dialogsPath + "/" + theDialog.String()
	tests := map[string]struct {
		write               func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error)
		status              int
		method, uri, body   string
		ifMatch, etagNeeded bool
	}{
		"create": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return c.Create(t.Context(), dialogporten.CreateDialog{ID: theDialog, ServiceResource: "r", Party: "p"}, true)
			},
			201, http.MethodPost, dialogsPath + "?isSilentUpdate=true",
			`{"id":"` + theDialog.String() + `","serviceResource":"r","party":"p","isApiOnly":false}`, false, true,
		},
		"update": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return c.Update(t.Context(), theDialog, before, dialogporten.UpdateDialog{Status: dialogporten.StatusDraft}, false)
			},
			204, http.MethodPut, path + "?isSilentUpdate=false", `{"isApiOnly":false,"status":"Draft"}`, true, true,
		},
		"restore": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return c.Restore(t.Context(), theDialog, before, true)
			},
			204, http.MethodPost, path + "/actions/restore?isSilentUpdate=true", "", true, true,
		},
		"move": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return c.UpdateFormSavedTime(t.Context(), theDialog, activity, at, before)
			},
			204, http.MethodPost, path + "/activities/" + activity.String() + "/actions/updateFormSavedActivityTime",
			`"2026-03-02T08:15:30.12Z"`, true, true,
		},
		"delete": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return uuid.Nil, c.Delete(t.Context(), theDialog, before, false)
			},
			204, http.MethodDelete, path + "?isSilentUpdate=false", "", true, false,
		},
		"purge": {
			func(t *testing.T, c *dialogporten.Client) (uuid.UUID, error) {
				t.Helper()
				return uuid.Nil, c.Purge(t.Context(), theDialog, before, true)
			},
			204, http.MethodPost, path + "/actions/purge?isSilentUpdate=true", "", true, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, client := newClient(t, test.status, after.String(), "")
			revision, err := test.write(t, client)
			require.NoError(t, err)
			require.Equal(t, test.method+" "+test.uri, seen.method+" "+seen.uri)
			require.Equal(t, test.body, seen.body)
			wantMatch := ""
			if test.ifMatch {
				wantMatch = before.String()
			}
			require.Equal(t, wantMatch, seen.header.Get("If-Match"))
			if test.body != "" {
				require.Equal(t, "application/json", seen.header.Get("Content-Type"))
			}
			if test.etagNeeded {
				require.Equal(t, after, revision)
			}

			for _, etag := range []string{"", `"` + after.String() + `"`, "W/1", "*"} {
				_, client := newClient(t, test.status, etag, "")
				_, err := test.write(t, client)
				require.Equal(t, test.etagNeeded, errors.Is(err, dialogporten.ErrNoRevision), "ETag %q", etag)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	seen, client := newClient(t, 200, before.String(), `{"id":"`+theDialog.String()+`","revision":"`+before.String()+`","deletedAt":"2026-03-02T08:15:30Z","newMember":1}`)
	dialog, err := client.Get(t.Context(), theDialog)
	require.NoError(t, err)
	require.Equal(t, "GET "+dialogsPath+"/"+theDialog.String(), seen.method+" "+seen.uri)
	require.True(t, dialog.IsDeleted())
	require.Equal(t, before, dialog.Revision)

	_, client = newClient(t, 404, "", `{"status":404,"errors":{"DialogEntity":["x"]}}`)
	dialog, err = client.Get(t.Context(), theDialog)
	require.NoError(t, err)
	require.Nil(t, dialog)
}

func TestErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	problem := func(key, text string) string {
		return fmt.Sprintf(`{"title":"t","detail":"d","traceId":"00-0af7-b7ad-01","errors":{%q:[%q]}}`, key, text)
	}
	tests := map[string]struct {
		status                                       int
		body                                         string
		exists, conflict, precondition, gone, absent bool
	}{
		"id taken":           {status: 422, body: problem("Dialog", "Key ('Id')=(0197823f-91b7-712c-ba01-44e375b5bc79) already exists."), exists: true},
		"key taken, deleted": {status: 422, body: problem("Dialog", "Key ('Org', 'IdempotentKey')=(ttd, k) already exists."), exists: true},
		"key taken":          {status: 409, body: problem("IdempotentKey", "'k' already exists with DialogId 'x'"), exists: true, conflict: true},
		"activity taken":     {status: 422, body: problem("DialogActivity", "Key ('Id')=(x) already exists.")},
		"date":               {status: 422, body: problem("DueAt", "Must be in the future")},
		"write race":         {status: 409, body: problem("", "The request conflicted with a concurrent operation. Please try again."), conflict: true},
		"revision":           {status: 412, body: `{"title":"Precondition failed."}`, precondition: true},
		"deleted":            {status: 410, body: problem("DialogEntity", "is removed"), gone: true},
		"unknown":            {status: 404, body: problem("DialogEntity", "was not found"), absent: true},
		"maintenance":        {status: 503, body: "Service Unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newClient(t, test.status, "", test.body)
			err := client.Purge(t.Context(), theDialog, before, true)
			var answered *dialogporten.Error
			require.ErrorAs(t, err, &answered)
			require.Equal(t, test.status, answered.HTTPStatus())
			require.Equal(t, test.exists, dialogporten.IsAlreadyExists(err))
			require.Equal(t, test.conflict, dialogporten.IsConflict(err))
			require.Equal(t, test.precondition, dialogporten.IsPreconditionFailed(err))
			require.Equal(t, test.gone, dialogporten.IsGone(err))
			require.Equal(t, test.absent, dialogporten.IsNotFound(err))
		})
	}
	require.False(t, dialogporten.IsAlreadyExists(nil))
}

func TestErrorsQuoteNothingThatWasSent(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, 422, "", `{"title":"Kari","detail":"13897197123","traceId":"Kari Testperson",
		"errors":{"ActorId":["Unable to look up name for actor id: urn:altinn:person:identifier-no:13897197123"],"":["x"],"odd":"no list"}}`)
	_, err := client.Create(t.Context(), dialogporten.CreateDialog{ID: theDialog}, true)
	require.EqualError(t, err, `create dialog `+theDialog.String()+`: dialogporten answered 422 ["", ActorId, odd]`)
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	_, err := dialogporten.New(server.URL, server.Client()).Get(t.Context(), theDialog)
	var answered *dialogporten.Error
	require.ErrorAs(t, err, &answered)
	require.InDelta(t, time.Hour, answered.RetryAfter, float64(time.Minute))
}

func TestABodyThatIsTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	seen, client := newClient(t, 201, after.String(), "")
	large := strings.Repeat("x", 20_000_000)
	_, err := client.Create(t.Context(), dialogporten.CreateDialog{ExternalReference: &large}, true)
	var answered *dialogporten.Error
	require.ErrorAs(t, err, &answered)
	require.Equal(t, http.StatusRequestEntityTooLarge, answered.Status)
	require.Empty(t, seen.method)
}

func TestSearchByLabel(t *testing.T) {
	t.Parallel()
	seen, client := newClient(t, 200, "", `{"items":[{"id":"`+theDialog.String()+`"}],"hasNextPage":false}`)
	page, err := client.SearchByLabel(t.Context(), "urn:altinn:integration:storage:50001337/x")
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, dialogsPath+"?deleted=Include&orderBy=createdAt_asc"+
		"&serviceOwnerLabels=urn%3Aaltinn%3Aintegration%3Astorage%3A50001337%2Fx", seen.uri)

	_, client = newClient(t, 404, "", "")
	page, err = client.SearchByLabel(t.Context(), "x")
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

func TestSearchAllFollowsTokens(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("continuationToken"))
		switch len(asked) {
		case 1:
			_, _ = fmt.Fprintf(w, `{"items":[{"id":"%s"},{"id":"%s"}],"hasNextPage":true,"continuationToken":"t 1"}`, before, after)
		default:
			_, _ = fmt.Fprintf(w, `{"items":[{"id":"%s"}],"hasNextPage":false}`, theDialog)
		}
	}))
	t.Cleanup(server.Close)
	client := dialogporten.New(server.URL, server.Client())
	query := dialogporten.SearchQuery{Labels: []string{"urn:altinn:integration:storage:*"}, CreatedAfter: time.Unix(0, 0)}
	var ids []uuid.UUID
	for item, err := range client.SearchAll(t.Context(), query) {
		require.NoError(t, err)
		ids = append(ids, item.ID)
	}
	require.Equal(t, []uuid.UUID{before, after, theDialog}, ids)
	require.Equal(t, []string{"", "t 1"}, asked)
}

func TestSearchAllEndsWithAnError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"items":[],"hasNextPage":true}`:                         dialogporten.ErrNoContinuation,
		`{"items":[],"hasNextPage":true,"continuationToken":"t"}`: dialogporten.ErrNoContinuation, // the same for ever
	} {
		_, client := newClient(t, 200, "", body)
		var got error
		for _, err := range client.SearchAll(t.Context(), dialogporten.SearchQuery{}) {
			got = err
		}
		require.ErrorIs(t, got, want)
	}
}
