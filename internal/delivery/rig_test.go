package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
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
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// One owner with one app. What may never be seen in an error stands here too.
const (
	app           = "ttd/innsending"
	partyID int64 = 50001337
	userID  int64 = 20001001

	personNumber = "57915600745"
	personName   = "KRASS KOMPOSISJON"
	secretTitle  = "Søknad om skilsmisse"

	storageInstances = "/storage/api/v1/instances/"
	dialogsAPI       = "/api/v1/serviceowner/dialogs"
)

// rig is a Deliverer before a simulated platform, over HTTP.
type rig struct {
	sim       *altinnsim.Sim
	url       string
	deliverer *delivery.Deliverer
}

func newRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	r := &rig{sim: sim}
	r.deliverer = r.worker(t, server.URL, 2)
	r.url = server.URL

	sim.Orgs.Put(world.Organisation{Code: "ttd", Number: "991825827", Name: world.Texts{NB: "Testdepartementet"}})
	sim.Orgs.PutResources(world.Resource{ID: "app_ttd_innsending", Org: "ttd", OrgNumber: "991825827", Type: "AltinnApp"})
	require.NoError(t, sim.Register.Put([]json.RawMessage{raw(t, map[string]any{
		"partyUuid": "7e570000-0000-4000-b000-000000000001", "partyId": partyID, "partyType": "person", "displayName": personName,
		"externalUrn": "urn:altinn:person:identifier-no:" + personNumber, "personIdentifier": personNumber,
		"user": map[string]any{"userId": userID},
	})}))
	r.putApp(t, settings...)
	for _, language := range [...]string{"nb", "nn", "en"} {
		require.NoError(t, sim.Storage.PutTexts(raw(t, map[string]any{"org": "ttd", "appId": app, "language": language, "resources": []any{}})))
	}
	return r
}

// watched is another address of the platform: before is called before each request that comes in there, for one at a time.
func (r *rig) watched(t *testing.T, before func(*http.Request)) (url string) {
	t.Helper()
	platform := r.sim.Handler()
	var turn sync.Mutex // a delivery asks for several things side by side
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		turn.Lock()
		before(q)
		turn.Unlock()
		platform.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// worker is a Deliverer with caches of its own. attempts is how often it sends one request.
func (*rig) worker(t *testing.T, url string, attempts int) *delivery.Deliverer {
	t.Helper()
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{
			Service: service, BaseURL: url, AttemptTimeout: 10 * time.Second,
			Retry: transport.RetryPolicy{Attempts: attempts, Initial: time.Millisecond, MaxWait: 5 * time.Millisecond},
		})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	store := storage.New(url, client("storage"))
	return &delivery.Deliverer{
		Storage: store, Catalog: storage.NewCatalog(store), Register: register.New(url, client("register")),
		Dialogs:  dialogporten.New(url, client("dialogporten")),
		Settings: mapping.Settings{AltinnHost: "tt02.altinn.no", AdapterURL: "https://platform.tt02.altinn.no/storage/dialogporten"},
		Now:      time.Now, ReadClock: clock,
	}
}

// clock stands for the database's.
func clock(context.Context) (time.Time, error) { return time.Now(), nil }

func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

// putApp puts the application in place, with these settings on.
func (r *rig) putApp(t *testing.T, settings ...string) {
	t.Helper()
	on := map[string]bool{}
	for _, name := range settings {
		on[name] = true
	}
	require.NoError(t, r.sim.Storage.PutApplication(raw(t, map[string]any{
		"id": app, "org": "ttd", "title": map[string]string{"nb": secretTitle}, "dataTypes": []any{},
		"messageBoxConfig": map[string]any{"syncAdapterSettings": on},
	})))
}

// thing is one instance of the tests, as it is to be put into Storage.
type thing struct {
	guid    uuid.UUID
	created time.Time
	app     string
	party   int64
	text    string // a presentation text, which the title ends with
	values  map[string]string
	soft    bool
	hard    bool
	archive bool
	saved   time.Time // of the one Saved event; zero: none
	user    int64
}

func newThing() thing {
	created := time.Now().UTC().Add(-48 * time.Hour).Truncate(time.Second).Add(123456700)
	return thing{guid: uuid.New(), created: created, app: app, party: partyID, text: "utgave 1", user: userID}
}

func (th thing) id() altinn.InstanceID { return altinn.InstanceID{PartyID: th.party, GUID: th.guid} }

func (th thing) dialogID() uuid.UUID { return dialogid.V7(th.guid, th.created) }

// item is what live would order.
func (th thing) item() delivery.Item {
	return delivery.Item{ID: th.id(), AppID: th.app, Created: th.created, Attempt: 1}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// put writes the instance and its events as they are now.
func (r *rig) put(t *testing.T, th thing) thing {
	t.Helper()
	now := time.Now()
	key := th.id().String()
	status := map[string]any{"isArchived": th.archive, "isSoftDeleted": th.soft || th.hard, "isHardDeleted": th.hard, "readStatus": "Read"}
	if th.archive {
		status["archived"] = stamp(th.created.Add(time.Hour))
	}
	require.NoError(t, r.sim.Storage.PutInstance(raw(t, map[string]any{
		"id": key, "instanceOwner": map[string]any{"partyId": number(th.party), "personNumber": personNumber},
		"appId": th.app, "org": "ttd", "status": status, "data": []any{}, "dataValues": th.values,
		"presentationTexts": map[string]string{"text": th.text, "navn": personName},
		"process": map[string]any{
			"started":     stamp(th.created),
			"currentTask": map[string]any{"elementId": "Task_1", "altinnTaskType": "data", "started": stamp(th.created)},
		},
		"created": stamp(th.created), "createdBy": number(userID), "lastChanged": stamp(now), "lastChangedBy": number(userID),
	})))
	event := func(n int, kind string, at time.Time) json.RawMessage {
		return raw(t, map[string]any{
			"id": uuid.NewSHA1(th.guid, []byte{byte(n)}), "instanceId": key, "created": stamp(at), "eventType": kind,
			"instanceOwnerPartyId": number(th.party), "user": map[string]any{"userId": th.user, "authenticationLevel": 3},
		})
	}
	events := []json.RawMessage{event(0, "Created", th.created)}
	if !th.saved.IsZero() {
		events = append(events, event(1, "Saved", th.created.Add(time.Hour)), event(2, "Saved", th.saved))
	}
	require.NoError(t, r.sim.Storage.PutEvents(th.guid, events))
	return th
}

func (r *rig) fault(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, r.sim.Faults.Set(rules))
}

func (r *rig) deliver(t *testing.T, item delivery.Item) delivery.Result {
	t.Helper()
	result, err := r.deliverer.Deliver(t.Context(), item)
	require.NoError(t, err)
	return result
}

// expect delivers and says what must come of it.
func (r *rig) expect(t *testing.T, item delivery.Item, outcome ledger.Outcome, state ledger.DialogState) delivery.Result {
	t.Helper()
	result := r.deliver(t, item)
	assert.Equal(t, outcome, result.Outcome, "%+v", result)
	assert.Equal(t, state, result.State)
	return result
}

// skipped delivers and says why nothing must come of it.
func (r *rig) skipped(t *testing.T, item delivery.Item, reason string) delivery.Result {
	t.Helper()
	result := r.deliver(t, item)
	assert.Equal(t, ledger.Skipped, result.Outcome)
	assert.Equal(t, reason, result.Reason)
	return result
}

// dialog is a dialog as Dialogporten has it; nil when there is none.
func (r *rig) dialog(t *testing.T, id uuid.UUID) *dialogporten.Dialog {
	t.Helper()
	body, found := r.sim.Dialogporten.Dialog(id)
	if !found {
		return nil
	}
	var dialog dialogporten.Dialog
	require.NoError(t, json.Unmarshal(body, &dialog))
	return &dialog
}

// title is a dialog's, in its first language.
func title(d *dialogporten.Dialog) string { return d.Content.Title.Value[0].Value }

// putDialog puts a dialog in place that others made.
func (r *rig) putDialog(t *testing.T, id uuid.UUID, change map[string]any) {
	t.Helper()
	dialog := map[string]any{
		"id": id, "revision": uuid.New(), "org": "ttd", "serviceResource": "urn:altinn:resource:app_ttd_innsending", "serviceResourceType": "altinnapp",
		"party": "urn:altinn:person:identifier-no:" + personNumber, "status": "Draft",
		"createdAt": "2025-06-18T08:54:53.623376Z", "updatedAt": "2025-06-18T08:54:53.623376Z", "contentUpdatedAt": "2025-06-18T08:54:53.623376Z",
		"content": map[string]any{"title": map[string]any{
			"mediaType": "text/plain", "value": []any{map[string]any{"languageCode": "nb", "value": "old"}},
		}},
	}
	maps.Copy(dialog, change)
	require.NoError(t, r.sim.Dialogporten.Put([]json.RawMessage{raw(t, dialog)}))
}

func labels(values ...string) map[string]any {
	var list []any
	for _, value := range values {
		list = append(list, map[string]any{"value": value})
	}
	return map[string]any{"serviceOwnerContext": map[string]any{"revision": uuid.New(), "serviceOwnerLabels": list}}
}

// mark is where a story stands now; since gives what came after.
func (r *rig) mark(th thing) int {
	if entries := r.sim.Story(th.guid.String()); len(entries) > 0 {
		return entries[len(entries)-1].Sequence
	}
	return 0
}

func (r *rig) since(th thing, mark int) []story.Entry {
	return slices.DeleteFunc(r.sim.Story(th.guid.String()), func(e story.Entry) bool { return e.Sequence <= mark })
}

// steps writes requests in a few words, such as `GET dialog`.
func steps(entries []story.Entry) []string {
	words := make([]string, 0, len(entries))
	for _, e := range entries {
		words = append(words, e.Method+" "+thingOf(e))
	}
	return words
}

func thingOf(e story.Entry) string {
	rest, inStorage := strings.CutPrefix(e.Path, storageInstances)
	parts := strings.Split(rest, "/")
	switch {
	case inStorage && len(parts) > 2:
		return parts[2]
	case inStorage:
		return "instance"
	case e.Path == dialogsAPI && e.Method == http.MethodGet:
		return "search"
	case strings.Contains(e.Path, "/actions/"):
		return e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	}
	return "dialog"
}

// writes are the requests that would change something.
func writes(entries []story.Entry) []string {
	return steps(slices.DeleteFunc(slices.Clone(entries), func(e story.Entry) bool { return e.Method == http.MethodGet }))
}

// revisionOf is the If-Match of a request.
func revisionOf(e story.Entry) string {
	value, _ := e.Headers["If-Match"].(string)
	return value
}

// requireNoPerson fails when an error tells who somebody is, or what about.
func requireNoPerson(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	failure := delivery.Describe(err)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), failure.Reason, failure.Detail} {
		assert.NotContains(t, text, personNumber)
		assert.NotContains(t, strings.ToUpper(text), personName)
		assert.NotContains(t, text, secretTitle)
		assert.NotContains(t, text, "utgave 1")
	}
}
