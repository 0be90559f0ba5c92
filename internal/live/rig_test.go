package live_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m}, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

const (
	app     = "ttd/innsending"
	a2App   = "ttd/a2-1234-1"
	partyID = int64(50001337)
	userID  = int64(20001001)
)

// plant is the event side of one worker before a simulated platform.
type plant struct {
	pool      *pgxpool.Pool
	sim       *altinnsim.Sim
	deliverer *delivery.Deliverer
	gate      *stream.Gate
	client    *river.Client[pgx.Tx]
	inbox     *live.Inbox
	events    *live.Events
	keeper    *live.Keeper
	log       *zap.Logger

	mu     sync.Mutex
	before func(*http.Request)
}

// newPlant makes a plant. Its pauses between tries take no time, so that a test goes through them at once.
func newPlant(t testing.TB) *plant {
	t.Helper()
	p := &plant{pool: dbtest.New(t), log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))}
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1, Events: events.Settings{AllowHTTP: true, Double: .3}})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	p.sim = sim
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		before := p.before
		p.mu.Unlock()
		if before != nil {
			before(r)
		}
		sim.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{Service: service, BaseURL: server.URL, Retry: transport.RetryPolicy{Attempts: 1}})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	store := storage.New(server.URL, client("storage"))
	p.deliverer = &delivery.Deliverer{
		Storage: store, Catalog: storage.NewCatalog(store), Register: register.New(server.URL, client("register")),
		Dialogs: dialogporten.New(server.URL, client("dialogporten")),
		Settings: mapping.Settings{
			AltinnHost: "tt02.altinn.no", AdapterURL: "https://platform.tt02.altinn.no/storage/dialogporten", SubmissionTransmissions: true,
		},
		Now: time.Now, ReadClock: db.New(p.pool).DatabaseNow,
	}
	sim.Orgs.Put(world.Organisation{Code: "ttd", Number: "991825827", Name: world.Texts{NB: "Testdepartementet"}})
	sim.Orgs.PutResources(world.Resource{ID: "app_ttd_innsending", Org: "ttd", OrgNumber: "991825827", Type: "AltinnApp"},
		world.Resource{ID: "app_ttd_a2-1234-1", Org: "ttd", OrgNumber: "991825827", Type: "AltinnApp"})
	p.putParty(t, partyID)
	p.putApp(t, app)
	p.putApp(t, a2App)

	p.gate = p.newGate(t)
	p.client, err = jobs.NewInserter(p.pool)
	require.NoError(t, err)
	p.assemble()
	t.Cleanup(func() { p.inbox.Wait() })
	return p
}

func (p *plant) newGate(t testing.TB) *stream.Gate {
	t.Helper()
	gate := stream.NewGate(stream.GateConfig{Pool: p.pool, Worker: "worker", Log: p.log})
	require.NoError(t, gate.Refresh(t.Context()))
	return gate
}

func (p *plant) assemble() {
	enqueue := jobs.EnqueueEvents(p.client)
	p.inbox = live.NewInbox(p.pool, enqueue, p.gate, nil)
	p.keeper = &live.Keeper{Pool: p.pool, Enqueue: enqueue, Queue: jobs.QueueOf, Gate: p.gate, Log: p.log}
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Rest: time.Millisecond,
		Jitter: func() float64 { return 0 },
	})
}

// work runs workers until the test ends.
func (p *plant) work(t testing.TB, workers int) {
	t.Helper()
	registered := river.NewWorkers()
	jobs.AddEventWorkers(registered, p.events)
	client, err := river.NewClient(riverpgxv5.New(p.pool), &river.Config{
		Queues: map[string]river.QueueConfig{
			jobs.QueueEvents: {MaxWorkers: workers, FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond},
			jobs.QueueForms:  {MaxWorkers: workers, FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond},
		},
		Workers: registered,
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		require.NoError(t, client.StopAndCancel(ctx))
	})
}

// watch has something done before each request; nil ends it.
func (p *plant) watch(before func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = before
}

func raw(t testing.TB, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func (p *plant) putParty(t testing.TB, id int64) {
	t.Helper()
	number := strconv.FormatInt(id, 10)
	require.NoError(t, p.sim.Register.Put([]json.RawMessage{raw(t, map[string]any{
		"partyUuid": uuid.NewSHA1(uuid.Nil, []byte(number)), "partyId": id, "partyType": "organization", "displayName": "FORNUFTIG",
		"externalUrn": "urn:altinn:organization:identifier-no:310702641", "organizationIdentifier": "310702641",
		"user": map[string]any{"userId": userID},
	})}))
}

// putApp puts an application in place; dataTypes may make PDFs.
func (p *plant) putApp(t testing.TB, id string, dataTypes ...map[string]any) {
	t.Helper()
	if dataTypes == nil {
		dataTypes = []map[string]any{}
	}
	require.NoError(t, p.sim.Storage.PutApplication(raw(t, map[string]any{
		"id": id, "org": "ttd", "title": map[string]string{"nb": "Innsending"}, "dataTypes": dataTypes,
	})))
	for _, language := range [...]string{"nb", "nn", "en"} {
		require.NoError(t, p.sim.Storage.PutTexts(raw(t, map[string]any{"org": "ttd", "appId": id, "language": language, "resources": []any{}})))
	}
}

// thing is one instance as it is to be put into Storage.
type thing struct {
	guid    uuid.UUID
	app     string
	party   int64
	created time.Time
	text    string
	soft    bool
	hard    bool
	archive bool
	// submitted: its one form is sent in, and makes a PDF.
	submitted bool
}

func newThing() thing {
	return thing{
		guid: uuid.New(), app: app, party: partyID, text: "utgave 1",
		created: time.Now().UTC().Add(-48 * time.Hour).Truncate(time.Second).Add(123456700),
	}
}

func (th thing) id() altinn.InstanceID { return altinn.InstanceID{PartyID: th.party, GUID: th.guid} }

func (th thing) dialogID() uuid.UUID { return dialogid.V7(th.guid, th.created) }

// command is what the bus would say; webhook is what Altinn Events would.
func (th thing) command() live.Command {
	return live.Command{ID: th.id(), AppID: th.app, Created: th.created, Intake: live.IntakeBus}
}

func (th thing) webhook() live.Command {
	return live.Command{ID: th.id(), AppID: th.app, Intake: live.IntakeWebhook}
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// put writes the instance and its events as they are now.
func (p *plant) put(t testing.TB, th thing) thing {
	t.Helper()
	key, user := th.id().String(), strconv.FormatInt(userID, 10)
	status := map[string]any{"isArchived": th.archive, "isSoftDeleted": th.soft || th.hard, "isHardDeleted": th.hard, "readStatus": "Read"}
	if th.archive {
		status["archived"] = stamp(th.created.Add(time.Hour))
	}
	data := []any{}
	if th.submitted {
		data = append(data, map[string]any{
			"id": uuid.NewSHA1(th.guid, []byte("form")), "dataType": "model", "contentType": "application/xml",
			"created": stamp(th.created), "lastChanged": stamp(th.created), "lastChangedBy": user, "createdBy": user,
			"selfLinks": map[string]any{"platform": "https://platform.tt02.altinn.no/x", "apps": "https://ttd.apps.tt02.altinn.no/x"},
		})
	}
	require.NoError(t, p.sim.Storage.PutInstance(raw(t, map[string]any{
		"id": key, "instanceOwner": map[string]any{"partyId": strconv.FormatInt(th.party, 10)},
		"appId": th.app, "org": "ttd", "status": status, "data": data,
		"presentationTexts": map[string]string{"text": th.text},
		"process": map[string]any{
			"started":     stamp(th.created),
			"currentTask": map[string]any{"elementId": "Task_1", "altinnTaskType": "data", "started": stamp(th.created)},
		},
		"created": stamp(th.created), "createdBy": user, "lastChanged": stamp(time.Now()), "lastChangedBy": user,
	})))
	event := func(n int, kind string, at time.Time) json.RawMessage {
		return raw(t, map[string]any{
			"id": uuid.NewSHA1(th.guid, []byte{byte(n)}), "instanceId": key, "created": stamp(at), "eventType": kind,
			"instanceOwnerPartyId": strconv.FormatInt(th.party, 10), "user": map[string]any{"userId": userID, "authenticationLevel": 3},
		})
	}
	events := []json.RawMessage{event(0, "Created", th.created)}
	if th.submitted {
		events = append(events, event(1, "Submited", th.created.Add(time.Minute)))
	}
	require.NoError(t, p.sim.Storage.PutEvents(th.guid, events))
	return th
}

func (p *plant) fault(t testing.TB, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, p.sim.Faults.Set(rules))
}

func (p *plant) accept(t testing.TB, commands ...live.Command) {
	t.Helper()
	require.NoError(t, p.inbox.Accept(t.Context(), commands...))
}

// row is a row of the inbox.
type row struct {
	ID, Job       int64
	Attempt, Held int
	Failure       string
}

func (p *plant) rows(t testing.TB) []row {
	t.Helper()
	found, err := p.pool.Query(t.Context(), "select id, coalesce(job_id, 0) as job, attempt, held, coalesce(failure, '') as failure from inbox order by id")
	require.NoError(t, err)
	rows, err := pgx.CollectRows(found, pgx.RowToStructByName[row])
	require.NoError(t, err)
	return rows
}

// deliver does the job of the oldest row.
func (p *plant) deliver(t testing.TB) live.End {
	t.Helper()
	rows := p.rows(t)
	require.NotEmpty(t, rows)
	end, err := p.events.Deliver(t.Context(), rows[0].ID, rows[0].Job)
	require.NoError(t, err)
	return end
}

func (p *plant) quarantine(t testing.TB) []db.QuarantineListRow {
	t.Helper()
	rows, err := db.New(p.pool).QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 100})
	require.NoError(t, err)
	return rows
}

func (p *plant) ledger(t testing.TB, th thing) (ledger.Entry, bool) {
	t.Helper()
	found, err := ledger.Lookup(t.Context(), db.New(p.pool), []uuid.UUID{th.dialogID()})
	require.NoError(t, err)
	entry, ok := found[th.dialogID()]
	return entry, ok
}

// title is the dialog's, or what stands in its place.
func (p *plant) title(t testing.TB, th thing) string {
	t.Helper()
	body, found := p.sim.Dialogporten.Dialog(th.dialogID())
	if !found {
		return "none"
	}
	var dialog dialogporten.Dialog
	require.NoError(t, json.Unmarshal(body, &dialog))
	if dialog.IsDeleted() {
		return "deleted"
	}
	return dialog.Content.Title.Value[0].Value
}

// writes counts the requests that would have changed the item's dialog.
func (p *plant) writes(th thing) int {
	n := 0
	for _, e := range p.sim.Story(th.guid.String()) {
		if e.Method != http.MethodGet && strings.HasPrefix(e.Path, "/api/") {
			n++
		}
	}
	return n
}

func (p *plant) pause(t testing.TB, paused bool) {
	t.Helper()
	change, order := stream.Resume, stream.Order{Operator: "kari", Reason: "test"}
	if paused {
		change = stream.Pause
	}
	require.NoError(t, change(t.Context(), p.pool, stream.Stream{Source: ledger.A3AppInstances, Direction: stream.Live}, order))
	require.NoError(t, p.gate.Refresh(t.Context()))
}
