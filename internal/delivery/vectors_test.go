package delivery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// vectorFolder is where the reference's test vectors lie, seen from this package.
const vectorFolder = "../../../shared/reference/vectors/app-instances"

type vector struct {
	Name  string      `json:"name"`
	Kind  string      `json:"kind"`
	Given vectorGiven `json:"given"`
	Want  struct {
		Outcome string       `json:"outcome"`
		Reads   string       `json:"reads"`
		Calls   []vectorCall `json:"calls"`
	} `json:"want"`
}

type vectorGiven struct {
	Now    time.Time `json:"now"`
	Config struct {
		AltinnBaseURI                 string `json:"altinnBaseUri"`
		AdapterBaseURI                string `json:"adapterBaseUri"`
		EnableSubmissionTransmissions bool   `json:"enableSubmissionTransmissions"`
	} `json:"config"`
	Command struct {
		AppID             string      `json:"appId"`
		PartyID           string      `json:"partyId"`
		InstanceID        string      `json:"instanceId"`
		InstanceCreatedAt altinn.Time `json:"instanceCreatedAt"`
		IsMigration       bool        `json:"isMigration"`
	} `json:"command"`
	Attempt           int                          `json:"attempt"`
	ApplicationCached bool                         `json:"applicationCached"`
	Application       json.RawMessage              `json:"application"`
	Texts             map[string]json.RawMessage   `json:"texts"`
	Instance          json.RawMessage              `json:"instance"`
	Events            json.RawMessage              `json:"events"`
	ExistingDialog    json.RawMessage              `json:"existingDialog"`
	SearchResult      []json.RawMessage            `json:"searchResult"`
	Parties           map[string][]json.RawMessage `json:"parties"`
	ETags             []string                     `json:"etags"`
}

type vectorCall struct {
	Service  string            `json:"service"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Query    map[string]string `json:"query"`
	IfMatch  string            `json:"ifMatch"`
	Body     json.RawMessage   `json:"body"`
	BodyMode string            `json:"bodyMode"`
	Optional bool              `json:"optional"`
}

// given is a platform that has exactly what a vector gives, and keeps what is written to it.
type given struct {
	vectorGiven

	mu    sync.Mutex
	reads int
	calls []vectorCall
	etags int
}

func absent(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

// answer writes JSON, or what a service says of something it does not have.
func answer(w http.ResponseWriter, value, missing json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	if absent(value) {
		w.WriteHeader(http.StatusNotFound)
		value = missing
	}
	_, _ = w.Write(value) // the test is over if this fails
}

func (g *given) handler(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	const instance, dialogs = "/storage/api/v1/instances/{party}/{guid}", dialogsAPI
	read := func(pattern string, handler func(w http.ResponseWriter, q *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
			g.mu.Lock()
			g.reads++
			g.mu.Unlock()
			handler(w, q)
		})
	}
	read("GET "+instance, func(w http.ResponseWriter, q *http.Request) {
		answer(w, g.Instance, raw(t, "Unable to find instance "+q.PathValue("guid")))
	})
	read("GET "+instance+"/events", func(w http.ResponseWriter, _ *http.Request) {
		if absent(g.Events) {
			answer(w, nil, nil)
			return
		}
		answer(w, raw(t, map[string]any{"instanceEvents": g.Events}), nil)
	})
	read("GET /storage/api/v1/applications/{org}/{app}", func(w http.ResponseWriter, q *http.Request) {
		answer(w, g.Application, raw(t, "Could not find an application with appId="+q.PathValue("org")+"/"+q.PathValue("app")))
	})
	read("GET /storage/api/v1/applications/{org}/{app}/texts/{language}", func(w http.ResponseWriter, q *http.Request) {
		answer(w, g.Texts[q.PathValue("language")], raw(t, map[string]any{"title": "Not Found", "status": http.StatusNotFound}))
	})
	read("POST /register/api/v1/dialogporten/parties/query", func(w http.ResponseWriter, q *http.Request) {
		var asked struct {
			Data []string `json:"data"`
		}
		assert.NoError(t, json.NewDecoder(q.Body).Decode(&asked))
		found := []json.RawMessage{}
		for _, urn := range asked.Data {
			found = append(found, g.Parties[urn]...)
		}
		answer(w, raw(t, map[string]any{"data": found}), nil)
	})
	read("GET "+dialogs, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, raw(t, map[string]any{"items": g.SearchResult, "hasNextPage": false}), nil)
	})
	read("GET "+dialogs+"/{id}", func(w http.ResponseWriter, q *http.Request) {
		var existing struct {
			ID string `json:"id"`
		}
		if !absent(g.ExistingDialog) {
			assert.NoError(t, json.Unmarshal(g.ExistingDialog, &existing))
		}
		if existing.ID == q.PathValue("id") {
			answer(w, g.ExistingDialog, nil)
			return
		}
		answer(w, nil, raw(t, map[string]any{
			"title": "Resource not found.", "status": http.StatusNotFound, "errors": map[string][]string{"DialogEntity": {"not found"}},
		}))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) { g.write(t, w, q) })
	return mux
}

// write keeps a request that would change something and answers that it did, with the next ETag where one is needed.
func (g *given) write(t *testing.T, w http.ResponseWriter, q *http.Request) {
	t.Helper()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		t.Errorf("read request: %v", err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	call := vectorCall{Service: "dialogporten", Method: q.Method, Path: q.URL.Path, IfMatch: q.Header.Get("If-Match"), Body: body}
	if strings.HasPrefix(q.URL.Path, "/storage/") {
		call.Service = "storage"
	}
	for name, values := range q.URL.Query() {
		if call.Query == nil {
			call.Query = map[string]string{}
		}
		call.Query[name] = strings.ToLower(strings.Join(values, ","))
	}
	g.calls = append(g.calls, call)
	needsNone := q.Method == http.MethodDelete || strings.HasSuffix(q.URL.Path, "/purge")
	if call.Service == "dialogporten" && !needsNone && assert.Less(t, g.etags, len(g.ETags)) {
		w.Header().Set("ETag", g.ETags[g.etags])
		g.etags++
	}
	switch {
	case call.Service == "storage":
		w.WriteHeader(http.StatusOK)
	case q.Method == http.MethodPost && q.URL.Path == dialogsAPI:
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(vectorFolder, "*.json"))
	require.NoError(t, err)
	if len(paths) == 0 {
		t.Skip("no test vectors in ../shared/reference/vectors")
	}
	played := 0
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var kind struct {
			Kind string `json:"kind"`
		}
		require.NoError(t, json.Unmarshal(content, &kind), path)
		if kind.Kind != "sync" {
			continue
		}
		played++
		var v vector
		require.NoError(t, json.Unmarshal(content, &v), path)
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			play(t, v)
		})
	}
	assert.Positive(t, played)
}

func play(t *testing.T, v vector) {
	t.Helper()
	g := &given{vectorGiven: v.Given}
	server := httptest.NewServer(g.handler(t))
	t.Cleanup(server.Close)
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{Service: service, BaseURL: server.URL, Retry: transport.RetryPolicy{Attempts: 1}})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	store := storage.New(server.URL, client("storage"))
	deliverer := &delivery.Deliverer{
		Storage: store, Catalog: storage.NewCatalog(store), Register: register.New(server.URL, client("register")),
		Dialogs: dialogporten.New(server.URL, client("dialogporten")),
		Settings: mapping.Settings{
			AltinnHost: strings.TrimPrefix(v.Given.Config.AltinnBaseURI, "https://"), AdapterURL: v.Given.Config.AdapterBaseURI,
			SubmissionTransmissions: v.Given.Config.EnableSubmissionTransmissions,
		},
		Now: func() time.Time { return v.Given.Now }, ReadClock: clock,
	}
	command := v.Given.Command
	if v.Given.ApplicationCached {
		_, err := deliverer.Catalog.Application(t.Context(), command.AppID)
		require.NoError(t, err)
	}
	g.reads = 0
	id, err := altinn.ParseInstanceID(command.PartyID + "/" + command.InstanceID)
	require.NoError(t, err)
	result, err := deliverer.Deliver(t.Context(), delivery.Item{
		ID: id, AppID: command.AppID, Created: command.InstanceCreatedAt.Time, Migration: command.IsMigration, Attempt: v.Given.Attempt,
	})

	assert.Equal(t, v.Want.Outcome, outcomeOf(result, err), "%+v %v", result, err)
	if v.Want.Reads == "none" {
		assert.Zero(t, g.reads)
	}
	requireCalls(t, v.Want.Calls, g.calls)
}

// outcomeOf is a delivery's end in the vectors' words.
func outcomeOf(result delivery.Result, err error) string {
	var own *delivery.Error
	var mapped *mapping.Error
	switch {
	case err == nil && result.WaitingForPDF:
		return "waitForPdf"
	case err == nil:
		return "ok"
	case errors.As(err, &own) && own.Reason == string(mapping.ReasonPartyNotFound):
		return "partyNotFound"
	case errors.As(err, &own) && own.Reason == delivery.ReasonUserSuppliedMissing:
		return "userSuppliedDialogIdMissing"
	case errors.As(err, &own) && (own.Reason == delivery.ReasonEventsMissing || own.Reason == string(mapping.ReasonApplicationMissing)):
		return "missingSource"
	case errors.As(err, &mapped) && mapped.Reason == mapping.ReasonActorUnresolvable:
		return "actorUnresolvable"
	}
	return "another error"
}

// requireCalls compares writes in their order; one that is optional may be missing.
func requireCalls(t *testing.T, want, got []vectorCall) {
	t.Helper()
	for _, call := range want {
		name := call.Method + " " + call.Path
		if len(got) == 0 || got[0].Method != call.Method || got[0].Path != call.Path {
			require.True(t, call.Optional, "%s is missing, or not in its place: %v", name, shown(got))
			continue
		}
		made := got[0]
		got = got[1:]
		assert.Equal(t, call.Service, made.Service, name)
		assert.Equal(t, call.IfMatch, made.IfMatch, name)
		for key, value := range call.Query {
			call.Query[key] = strings.ToLower(value)
		}
		assert.Equal(t, call.Query, made.Query, name)
		requireBody(t, call, made.Body)
	}
	require.Empty(t, shown(got), "writes that nobody wants")
}

func shown(calls []vectorCall) []string {
	names := make([]string, 0, len(calls))
	for _, call := range calls {
		names = append(names, call.Method+" "+call.Path)
	}
	return names
}

// requireBody compares as the vectors' README says.
func requireBody(t *testing.T, want vectorCall, body []byte) {
	t.Helper()
	if absent(want.Body) {
		assert.Empty(t, body, want.Path)
		return
	}
	var wanted, made any
	require.NoError(t, json.Unmarshal(want.Body, &wanted))
	require.NoError(t, json.Unmarshal(body, &made), "%s", body)
	if want.BodyMode == "" {
		assert.Equal(t, plain("exact", "", wanted), plain("exact", "", made), want.Path)
		return
	}
	w, m := wanted.(map[string]any), made.(map[string]any)
	names := schema(want.Method)
	for name := range m {
		assert.Contains(t, names, name, "a member that the API does not have")
	}
	if want.BodyMode == "subset" {
		names = nil
		for name := range w {
			names = append(names, name)
		}
	}
	for _, name := range names {
		assert.Equal(t, plain("", name, w[name]), plain("", name, m[name]), "%s: %s", want.Path, name)
	}
}

// plain is a value in the one form that equal ones share: nothing for null, empty lists and false (but in exact bodies), an
// instant for a time, lower case for an enum and a UUID.
func plain(mode, name string, value any) any {
	switch value := value.(type) {
	case string:
		return plainText(mode, name, value)
	case bool:
		if !value && mode != "exact" {
			return nil
		}
		return value
	case []any:
		list := make([]any, 0, len(value))
		for _, entry := range value {
			list = append(list, plain(mode, "", entry))
		}
		if len(list) == 0 && mode != "exact" {
			return nil
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for member, content := range value {
			if kept := plain(mode, member, content); kept != nil {
				object[member] = kept
			}
		}
		return object
	}
	return value
}

func plainText(mode, name, value string) any {
	switch name {
	case "status", "type", "systemLabel", "priority", "httpMethod", "consumerType", "actorType":
		return strings.ToLower(value)
	case "dialog.id":
		if id, err := uuid.Parse(value); err == nil {
			return id
		}
	}
	if strings.HasSuffix(name, "At") || name == "visibleFrom" || mode == "exact" && name == "" {
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return at.UTC().Truncate(altinn.Resolution)
		}
	}
	return value
}

// schema are the members of the API's CreateDialog and UpdateDialog.
func schema(method string) []string {
	names := []string{
		"progress", "extendedStatus", "externalReference", "dueAt", "process", "precedingProcess", "expiresAt", "isApiOnly", "status",
		"content", "searchTags", "attachments", "transmissions", "guiActions", "apiActions", "activities",
	}
	if method == http.MethodPost {
		names = append(names, "id", "idempotentKey", "serviceResource", "party", "visibleFrom", "createdAt", "updatedAt", "systemLabel",
			"serviceOwnerContext")
	}
	return names
}

// A difference must be found, or the comparison is worth nothing.
func TestComparisonOfVectorsTellsDifferences(t *testing.T) {
	t.Parallel()
	same := func(a, b string) bool {
		var x, y any
		require.NoError(t, json.Unmarshal([]byte(a), &x))
		require.NoError(t, json.Unmarshal([]byte(b), &y))
		return assert.ObjectsAreEqual(plain("", "", x), plain("", "", y))
	}
	for _, pair := range [][2]string{
		{`{"a":null,"b":[],"c":false}`, `{}`},
		{`{"dueAt":"2025-06-18T08:54:53.6233769Z"}`, `{"dueAt":"2025-06-18T10:54:53.6233769+02:00"}`},
		{`{"status":"Draft"}`, `{"status":"DRAFT"}`},
	} {
		assert.True(t, same(pair[0], pair[1]), fmt.Sprint(pair))
	}
	for _, pair := range [][2]string{
		{`{"a":""}`, `{}`},
		{`{"a":0}`, `{}`},
		{`{"a":[1,2]}`, `{"a":[2,1]}`},
		{`{"dueAt":"2025-06-18T08:54:53.6233769Z"}`, `{"dueAt":"2025-06-18T08:54:53.623376Z"}`},
		{`{"value":"Draft"}`, `{"value":"DRAFT"}`},
		{`{"a":true}`, `{}`},
	} {
		assert.False(t, same(pair[0], pair[1]), fmt.Sprint(pair))
	}
}
