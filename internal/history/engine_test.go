package history_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/throttle"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m}, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

// patience is how long a condition may take on a busy machine.
const patience = 5 * time.Minute

// The world of these tests: four days that end yesterday.
var (
	newest = time.Now().UTC().Truncate(history.Day).AddDate(0, 0, -1)
	oldest = newest.AddDate(0, 0, -4)
)

// engine is a history engine with real parts: PostgreSQL, and the simulated platform over HTTP.
type engine struct {
	pool      *pgxpool.Pool
	sim       *altinnsim.Sim
	backfills *history.Backfills
	keeper    *history.Keeper
	walker    *history.Walker
	deliverer *delivery.Deliverer
	stopping  chan struct{}
	enqueued  *counter
	// tieStarts counts first pages of ties.
	tieStarts counter
	// tiePage, once set, is called before each page of a tie.
	tiePage atomic.Pointer[func()]
	// destination, once set, is told of all exchanges.
	destination atomic.Pointer[throttle.Destination]
}

// counter stands in River's place: it counts what is enqueued, and the tests call the walker themselves.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
}

// generated makes n instances of both sources, with ties, deletions and missing parties.
func generated(n int) generator.Options {
	o := generator.Defaults()
	o.Instances, o.From, o.To, o.End, o.Orgs, o.AppsPerOrg = n, oldest, newest, newest, 3, 2
	o.SoftDeleted, o.HardDeleted, o.MissingParties, o.Ties, o.FlatWeek = 0.05, 0.03, 0, 0.4, true
	return o
}

func newEngine(t *testing.T, world generator.Options, tune ...func(*history.WalkerConfig)) *engine {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	_, err = sim.Generate(world)
	require.NoError(t, err)
	e := &engine{pool: dbtest.New(t), sim: sim, stopping: make(chan struct{}), enqueued: &counter{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); strings.HasPrefix(query.Get("lastChanged"), "eq:") {
			if query.Get("continuationToken") == "" {
				e.tieStarts.add(1)
			}
			if look := e.tiePage.Load(); look != nil {
				(*look)()
			}
		}
		sim.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := func(service string) (*http.Client, *transport.Health) {
		health := transport.NewHealth(service)
		hc := transport.NewClient(transport.Config{
			Service: service, BaseURL: server.URL, Health: health, Observe: e.observed, AttemptTimeout: 5 * time.Second,
			Retry: transport.RetryPolicy{Attempts: 2, Initial: time.Millisecond, MaxWait: 5 * time.Millisecond},
		})
		t.Cleanup(hc.CloseIdleConnections)
		return hc, health
	}
	storageHTTP, storageHealth := client("storage")
	registerHTTP, registerHealth := client("register")
	dialogsHTTP, dialogsHealth := client("dialogporten")
	store := storage.New(server.URL, storageHTTP)
	e.deliverer = &delivery.Deliverer{
		Storage: store, Catalog: storage.NewCatalog(store), Register: register.New(server.URL, registerHTTP),
		Dialogs:  dialogporten.New(server.URL, dialogsHTTP),
		Settings: mapping.Settings{AltinnHost: "tt02.altinn.no", AdapterURL: "https://platform.tt02.altinn.no/storage/dialogporten"},
		Now:      time.Now, ReadClock: db.New(e.pool).DatabaseNow,
	}
	config := history.WalkerConfig{
		Worker: "test", PageSize: 20, Concurrency: 8, SliceTime: time.Minute, Lease: 5 * time.Second, Rest: 20 * time.Millisecond,
	}
	for _, f := range tune {
		f(&config)
	}
	log := zaptest.NewLogger(t)
	e.walker = &history.Walker{
		Pool: e.pool, Storage: store, Delivery: e.deliverer, Health: []history.HealthCheck{storageHealth, registerHealth, dialogsHealth}, Log: log,
		Config: config, Stopping: e.stopping,
	}
	enqueue := func(_ context.Context, _ pgx.Tx, _ int64, n int) error {
		e.enqueued.add(n)
		return nil
	}
	e.backfills = &history.Backfills{Pool: e.pool, Orgs: store, Enqueue: enqueue}
	e.keeper = &history.Keeper{Pool: e.pool, Orgs: store, Enqueue: enqueue, Log: log}
	return e
}

func orderOf(source ledger.Source) history.Order {
	return history.Order{
		Source: source, Range: history.Range{From: oldest, To: newest}, Parallel: history.DefaultParallel,
		MaxFailureShare: history.DefaultMaxFailureShare, Reason: "test", Operator: "tester",
	}
}

func historyOf(source ledger.Source) stream.Stream {
	return stream.Stream{Source: source, Direction: stream.History}
}

func (e *engine) order(t *testing.T, order history.Order) int64 {
	t.Helper()
	made, err := e.backfills.Create(t.Context(), order)
	require.NoError(t, err)
	require.Len(t, made, 1)
	return made[0].ID
}

// work does slices until nothing can be claimed, as River's jobs would.
func (e *engine) work(t *testing.T, id int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		end, err := e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, e.keeper.Keep(t.Context()))
		return !end.Again && end.Rest == 0 && over(e.progress(t, id))
	}, patience, time.Millisecond)
}

func over(p history.Progress) bool {
	return p.State == history.StateComplete || p.State == history.StateFailed
}

func (e *engine) progress(t *testing.T, id int64) history.Progress {
	t.Helper()
	found, err := history.ReadProgress(t.Context(), e.pool, &id)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// requireEqual holds A3 instances and their dialogs against each other, item by item.
func (e *engine) requireEqual(t *testing.T) {
	t.Helper()
	const a3 = 3
	report, err := e.sim.DiffIn(t.Context(), diff.Scope{MainVersion: a3})
	require.NoError(t, err)
	require.Zero(t, report.Differing, "%+v", report.Differences)
}

// creates is how many creates of an item's dialog reached Dialogporten.
func (e *engine) creates(guid uuid.UUID) int {
	n := 0
	for _, entry := range e.sim.Story(guid.String()) {
		if entry.Service == altinnsim.ServiceDialogporten && entry.Method == http.MethodPost && entry.Path == "/api/v1/serviceowner/dialogs" {
			n++
		}
	}
	return n
}

// guids are all instances of a source in the world, by a listing of our own.
func (e *engine) listed(t *testing.T, source ledger.Source) []storage.Listed {
	t.Helper()
	orgs, err := e.walker.Storage.Orgs(t.Context())
	require.NoError(t, err)
	var all []storage.Listed
	for _, org := range orgs {
		q := storage.Query{Org: org, From: oldest, To: newest, Size: 5000}
		a3 := 3
		if source == ledger.A3AppInstances {
			q.MainVersionInclude = &a3
		} else {
			q.MainVersionExclude = &a3
		}
		page, err := e.walker.Storage.ListInstances(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, page.NextToken)
		all = append(all, page.Instances...)
	}
	return all
}

func (e *engine) fault(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, e.sim.Faults.Set(rules))
}

func TestBackfillBringsEverythingOverAndAccountsForIt(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(600))
	var total int64
	for _, source := range history.InstanceSources() {
		id := e.order(t, orderOf(source))
		e.work(t, id)

		p := e.progress(t, id)
		assert.Equal(t, history.StateComplete, p.State)
		assert.InDelta(t, 1, p.Share, 1e-9)
		assert.Equal(t, oldest, p.BackTo)
		assert.True(t, p.Accounts.Balanced(), "%+v", p.Accounts)
		assert.EqualValues(t, len(e.listed(t, source)), p.Accounts.Seen)
		total += p.Accounts.Seen

		coverage, err := history.ReadCoverage(t.Context(), e.pool, historyOf(source))
		require.NoError(t, err)
		watermark, ok := coverage.Watermark()
		assert.True(t, ok)
		assert.True(t, watermark.Equal(oldest))
		for _, org := range coverage.Orgs {
			assert.Len(t, coverage.Closed[org], 1, "adjoining windows melt into one range")
			assert.Empty(t, coverage.Holes(org))
		}
	}
	assert.EqualValues(t, 600, total)
	report, err := e.sim.Diff(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Differing, "%+v", report.Differences)
	for _, source := range history.InstanceSources() {
		for _, item := range e.listed(t, source) {
			assert.LessOrEqual(t, e.creates(item.ID.GUID), 1)
		}
	}
}

func TestSecondWalkFindsEverythingThereAndWritesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(200))
	e.work(t, e.order(t, orderOf(ledger.A3AppInstances)))
	writes := e.sim.Requests.Count(altinnsim.ServiceDialogporten, "", "")

	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	p := e.progress(t, id)
	assert.Equal(t, p.Accounts.Seen, p.Accounts.Unchanged+p.Accounts.Skipped)
	assert.True(t, p.Accounts.Balanced())

	// Without the ledger the dialogs themselves tell: they are read and found equal (Invariant 2).
	_, err := e.pool.Exec(t.Context(), "delete from ledger")
	require.NoError(t, err)
	id = e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	p = e.progress(t, id)
	assert.Equal(t, p.Accounts.Seen, p.Accounts.Unchanged+p.Accounts.Skipped, "%+v", p.Accounts)
	puts := e.sim.Requests.Count(altinnsim.ServiceDialogporten, http.MethodPut, "")
	assert.Zero(t, puts, "an update that would change nothing is not sent")
	assert.Greater(t, e.sim.Requests.Count(altinnsim.ServiceDialogporten, "", ""), writes)
	e.requireEqual(t)
}

// migrateAnew migrates a form anew that is there already, which removes the old instance.
func (e *engine) migrateAnew(t *testing.T) (old storage.Listed, anew altinn.InstanceID) {
	t.Helper()
	forms := e.listed(t, ledger.A2ArchivedForms)
	i := slices.IndexFunc(forms, func(l storage.Listed) bool {
		return l.Instance.DataValues["A2ArchRef"] != "" && !l.Instance.IsSoftDeleted() && !l.Instance.IsHardDeleted()
	})
	require.GreaterOrEqual(t, i, 0)
	old = forms[i]
	form := map[string]any{}
	require.NoError(t, json.Unmarshal(old.Raw, &form))
	anew = altinn.InstanceID{PartyID: old.ID.PartyID, GUID: uuid.New()}
	form["id"], form["data"] = anew.String(), []any{}
	raw, err := json.Marshal(form)
	require.NoError(t, err)
	_, _, err = e.sim.Storage.MigrateInstance(raw)
	require.NoError(t, err)
	_, err = e.sim.Storage.MigrateEvents(anew.GUID, nil)
	require.NoError(t, err)
	return old, anew
}

// toldAnew is how many events tell live to look at a form that was migrated anew.
func (e *engine) toldAnew(t *testing.T, form storage.Listed) (n int) {
	t.Helper()
	const events = "select count(*) from inbox where intake = 'anew' and instance_guid = $1 and party_id = $2"
	require.NoError(t, e.pool.QueryRow(t.Context(), events, form.ID.GUID, form.ID.PartyID).Scan(&n))
	return n
}

// What the ledger knows of a form outlives being met unchanged: by that the form is asked for when it was migrated anew. That it cannot be
// read holds up nothing.
func TestMigratedAnewAfterItWasMetUnchanged(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(100))
	for range 2 {
		e.work(t, e.order(t, orderOf(ledger.A2ArchivedForms)))
	}
	old, anew := e.migrateAnew(t)
	e.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Method: http.MethodGet, Path: old.ID.GUID.String(), Effect: faults.EffectStatus,
		Status: http.StatusInternalServerError,
	})
	e.work(t, e.order(t, orderOf(ledger.A2ArchivedForms)))
	_, alive := e.sim.Dialogporten.Dialog(dialogid.V7(anew.GUID, old.Instance.Created.Time))
	assert.True(t, alive)
	assert.Equal(t, 1, e.toldAnew(t, old))
}

// As after a crash between the recording of two items of one form at the same moment and the second look for such.
func TestTwoItemsOfAFormAreFoundByLaterWalks(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60))
	e.work(t, e.order(t, orderOf(ledger.A2ArchivedForms)))
	old, anew := e.migrateAnew(t)
	result, err := e.deliverer.Deliver(t.Context(), delivery.Item{
		Source: ledger.A2ArchivedForms, ID: anew, Created: old.Instance.Created.Time, Migration: true, Attempt: 4,
	})
	require.NoError(t, err)
	_, err = ledger.Record(t.Context(), db.New(e.pool), []ledger.Entry{result.Entry()})
	require.NoError(t, err)
	e.work(t, e.order(t, orderOf(ledger.A2ArchivedForms)))
	assert.Equal(t, 1, e.toldAnew(t, old))
}

// Descending pages of Storage lose rows that share a time; many share one here, more than fit into a page.
func TestTiesLargerThanAPageLoseNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(300), func(c *history.WalkerConfig) { c.PageSize = 7 })
	noon := newest.Add(-36 * time.Hour)
	for i, item := range e.listed(t, ledger.A3AppInstances) {
		if i%2 == 0 {
			require.NoError(t, e.sim.Storage.SetLastChanged(item.ID.GUID, noon))
		}
	}
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)

	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	assert.True(t, p.Accounts.Balanced())
	for _, item := range e.listed(t, ledger.A3AppInstances) {
		assert.LessOrEqual(t, e.creates(item.ID.GUID), 1)
	}
}

func TestManySlicesShareABackfill(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(400))
	order := orderOf(ledger.A3AppInstances)
	order.Parallel = 3
	id := e.order(t, order)
	var slices sync.WaitGroup
	for range 6 { // more than may walk at once
		slices.Go(func() {
			for range 1000 {
				end, err := e.walker.Slice(t.Context(), id)
				//nolint:testifylint // as below
				if !assert.NoError(t, err) || !end.Again && end.Rest == 0 && e.progress(t, id).Windows.Pending == 0 {
					return
				}
				held, err := db.New(e.pool).HeldWindows(t.Context(), id)
				assert.NoError(t, err) //nolint:testifylint // require must not be called beside the test
				assert.LessOrEqual(t, held, int64(order.Parallel))
			}
		})
	}
	slices.Wait()
	e.work(t, id)
	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	for _, item := range e.listed(t, ledger.A3AppInstances) {
		assert.LessOrEqual(t, e.creates(item.ID.GUID), 1)
	}
}

func TestItemWithoutPartyIsQuarantinedAndStopsNothing(t *testing.T) {
	t.Parallel()
	world := generated(300)
	world.MissingParties = 0.05
	e := newEngine(t, world)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)

	detail, err := history.ReadDetail(t.Context(), e.pool, id, 100)
	require.NoError(t, err)
	assert.Equal(t, history.StateComplete, detail.State)
	assert.Positive(t, detail.Accounts.Quarantined)
	assert.True(t, detail.Accounts.Balanced())
	require.Len(t, detail.Quarantine, int(detail.Accounts.Quarantined))
	for _, q := range detail.Quarantine {
		assert.Equal(t, "party_not_found", q.Reason)
		assert.Regexp(t, `^\d+/[0-9a-f-]{36}$`, q.ItemKey)
		assert.NotRegexp(t, `\d{11}`, q.Detail)
	}
	e.requireEqual(t) // no dialog for any of them, not to anybody else either

	exceptions, err := db.New(e.pool).QuarantineSince(t.Context(), db.QuarantineSinceParams{Source: ledger.A3AppInstances, BackTo: &oldest})
	require.NoError(t, err)
	assert.Equal(t, detail.Accounts.Quarantined, exceptions, "they stand beside the watermark")
}

func TestDestinationDownMakesTheBackfillWaitAndBlamesNoItem(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]faults.Rule{
		"hangs up":           {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectOutage},
		"refuses us":         {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusForbidden},
		"is in maintenance":  {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusServiceUnavailable},
		"is broken":          {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusInternalServerError},
		"storage lists not":  {Service: altinnsim.ServiceStorage, Path: "/instances$", Effect: faults.EffectStatus, Status: http.StatusBadGateway},
		"storage reads not":  {Service: altinnsim.ServiceStorage, Path: "/events$", Effect: faults.EffectOutage},
		"register is broken": {Service: altinnsim.ServiceRegister, Effect: faults.EffectOutage},
		"refuses every body": {
			Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusBadRequest,
			ContentType: "application/problem+json", Body: `{"errors":{"dto.party":["no"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, generated(150))
			id := e.order(t, orderOf(ledger.A3AppInstances))
			e.fault(t, rule)
			require.Eventually(t, func() bool {
				_, err := e.walker.Slice(t.Context(), id)
				require.NoError(t, err)
				return e.progress(t, id).Waiting != ""
			}, 30*time.Second, time.Millisecond)
			for range 5 {
				_, err := e.walker.Slice(t.Context(), id)
				require.NoError(t, err)
			}
			p := e.progress(t, id)
			assert.Equal(t, history.StateRunning, p.State)
			assert.NotNil(t, p.Since)
			assert.Zero(t, p.Accounts.Quarantined, "no item is to blame")
			assert.Zero(t, p.Windows.Failed)

			e.fault(t)
			e.work(t, id)
			p = e.progress(t, id)
			assert.Empty(t, p.Waiting)
			assert.Zero(t, p.Accounts.Quarantined)
			assert.True(t, p.Accounts.Balanced())
			assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
		})
	}
}

func TestOperatorTakesABackfillPastARangeWhereMostItemsAreBad(t *testing.T) {
	t.Parallel()
	world := generated(120)
	world.MissingParties = 0.9
	e := newEngine(t, world)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	require.Eventually(t, func() bool {
		_, err := e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
		return e.progress(t, id).Waiting != ""
	}, 10*time.Second, time.Millisecond)
	assert.Contains(t, e.progress(t, id).Waiting, "failed alike: party_not_found")

	require.NoError(t, e.backfills.Resume(t.Context(), id, "tester", "they really have no party", new(1.0)))
	e.work(t, id)
	p := e.progress(t, id)
	assert.Equal(t, history.StateComplete, p.State)
	assert.Greater(t, p.Accounts.Quarantined, p.Accounts.Seen/2)
	e.requireEqual(t)
}

func TestOneItemThatNeverSucceedsIsBlamedInTheEnd(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(150))
	items := e.listed(t, ledger.A3AppInstances)
	i := slices.IndexFunc(items, func(l storage.Listed) bool { return !l.Instance.IsSoftDeleted() && !l.Instance.IsHardDeleted() })
	bad := items[i].ID
	e.fault(t, faults.Rule{Service: altinnsim.ServiceStorage, Path: bad.GUID.String() + "/events$", Effect: faults.EffectStatus, Status: http.StatusInternalServerError})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)

	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateComplete, detail.State)
	require.Len(t, detail.Quarantine, 1)
	assert.Equal(t, bad.String(), detail.Quarantine[0].ItemKey)
	assert.Equal(t, "http_500", detail.Quarantine[0].Reason)
	assert.True(t, detail.Accounts.Balanced())
}

// Answers that are lost after their effect: the repeat finds it and changes nothing (Invariant 2).
func TestLostAnswersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(300))
	e.fault(t,
		faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectResetAfter, Probability: new(0.15)},
		faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatusAfter, Status: http.StatusBadGateway, Probability: new(0.1)},
		faults.Rule{Service: altinnsim.ServiceStorage, Method: http.MethodPut, Effect: faults.EffectResetAfter, Probability: new(0.1)},
		faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectOverlap, Probability: new(0.05)},
	)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	e.fault(t)
	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	assert.True(t, p.Accounts.Balanced())
	assert.Zero(t, p.Accounts.Quarantined)
	e.requireEqual(t)
}

func TestPauseEndsASliceWithItsCheckpointAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(600), func(c *history.WalkerConfig) { c.PageSize = 50 })
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(30 * time.Millisecond)})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	var slice sync.WaitGroup
	slice.Go(func() {
		_, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
	})
	require.Eventually(t, func() bool { return e.progress(t, id).Accounts.Seen > 20 }, patience, time.Millisecond)
	require.NoError(t, e.backfills.Pause(t.Context(), id, "tester", "test"))
	slice.Wait() // by itself

	paused := e.progress(t, id)
	assert.Equal(t, history.StatePaused, paused.State)
	assert.Zero(t, paused.Windows.Walking)
	assert.Less(t, paused.Accounts.Seen, int64(len(e.listed(t, ledger.A3AppInstances))))
	end, err := e.walker.Slice(t.Context(), id)
	require.NoError(t, err)
	assert.False(t, end.Again, "nothing is claimed while paused")

	e.fault(t)
	require.NoError(t, e.backfills.Resume(t.Context(), id, "tester", "test", nil))
	e.work(t, id)
	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	assert.True(t, p.Accounts.Balanced())
	var conflict *history.StateError
	require.ErrorAs(t, e.backfills.Pause(t.Context(), id, "tester", "too late"), &conflict)
	assert.Equal(t, history.StateComplete, conflict.State)
}

// Invariant 5: what a presumed-dead slice still writes does not count.
func TestSliceThatWasPresumedDeadCannotRecord(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(400), func(c *history.WalkerConfig) { c.PageSize = 50 })
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(20 * time.Millisecond)})
	order := orderOf(ledger.A3AppInstances)
	order.Parallel = 2
	id := e.order(t, order)
	var first sync.WaitGroup
	first.Go(func() {
		_, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
	})
	require.Eventually(t, func() bool { return e.progress(t, id).Accounts.Seen > 10 }, patience, time.Millisecond)
	// Its leases are taken away as if it had not been heard of, again and again, and another slice walks the same windows.
	for range 20 {
		_, err := e.pool.Exec(t.Context(), `update backfill_window set lease_until = clock_timestamp() - interval '1 hour' where state = 'walking'`)
		require.NoError(t, err)
		_, err = e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
	}
	first.Wait()
	e.fault(t)
	e.work(t, id)
	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen, "each item is counted once, however many walked")
	assert.True(t, p.Accounts.Balanced())
}

// Invariant 4: an item that is deleted between its listing and its record is delivered again, from its source.
func TestDeletionDuringAPageWins(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(100), func(c *history.WalkerConfig) { c.PageSize = 200 })
	items := e.listed(t, ledger.A3AppInstances)
	i := slices.IndexFunc(items, func(l storage.Listed) bool { return !l.Instance.IsSoftDeleted() && !l.Instance.IsHardDeleted() })
	victim := items[i]
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(300 * time.Millisecond)})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	var slice sync.WaitGroup
	slice.Go(func() {
		_, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
	})
	// The create is on its way; meanwhile the instance is deleted and live, which sees no dialog yet, records that.
	require.Eventually(t, func() bool { return e.creates(victim.ID.GUID) > 0 || e.hasEvents(victim.ID.GUID) }, patience, time.Millisecond)
	require.NoError(t, e.sim.Storage.HardDelete(victim.ID.GUID))
	result, err := e.deliverer.Deliver(t.Context(), delivery.Item{
		Source: ledger.A3AppInstances, ID: victim.ID, AppID: victim.Instance.AppID, Created: victim.Instance.Created.Time, Attempt: 1,
	})
	require.NoError(t, err)
	_, err = ledger.Record(t.Context(), db.New(e.pool), []ledger.Entry{{
		ItemID: result.ItemID, DialogID: result.DialogID, Instance: victim.ID, Source: ledger.A3AppInstances,
		ReadAt: result.ReadAt, Outcome: result.Outcome, State: result.State, MappingVersion: mapping.Version,
	}})
	require.NoError(t, err)
	slice.Wait()
	e.fault(t)
	e.work(t, id)

	_, alive := e.sim.Dialogporten.Dialog(result.DialogID)
	assert.False(t, alive, "what was deleted stays deleted")
	found, err := ledger.Lookup(t.Context(), db.New(e.pool), []uuid.UUID{result.ItemID})
	require.NoError(t, err)
	assert.Equal(t, ledger.DialogAbsent, found[result.ItemID].State)
}

func (e *engine) hasEvents(guid uuid.UUID) bool {
	return slices.ContainsFunc(e.sim.Story(guid.String()), func(entry story.Entry) bool { return entry.Service == altinnsim.ServiceStorage })
}

func TestItemsThatMoveDuringTheWalkAreCountedOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(300), func(c *history.WalkerConfig) { c.PageSize = 10 })
	items := e.listed(t, ledger.A3AppInstances)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectLatency, Latency: faults.Duration(2 * time.Millisecond)})
	var slice sync.WaitGroup
	slice.Go(func() { e.workQuietly(t, id) })
	// Every third item is touched while the walk goes on: some before they are met, which then leave the range.
	now := time.Now()
	for i, item := range items {
		if i%3 == 0 {
			require.NoError(t, e.sim.Storage.SetLastChanged(item.ID.GUID, now.Add(-time.Minute)))
		}
	}
	slice.Wait()
	e.fault(t)
	e.work(t, id)
	p := e.progress(t, id)
	assert.True(t, p.Accounts.Balanced())
	assert.LessOrEqual(t, p.Accounts.Seen, int64(len(items)))
	for i, item := range items {
		assert.LessOrEqual(t, e.creates(item.ID.GUID), 1)
		if i%3 != 0 && !item.Instance.IsHardDeleted() {
			assert.Equal(t, 1, e.creates(item.ID.GUID), "what did not move is there")
		}
	}
}

func (e *engine) workQuietly(t *testing.T, id int64) {
	t.Helper()
	for range 500 {
		end, err := e.walker.Slice(t.Context(), id)
		if !assert.NoError(t, err) || !end.Again && end.Rest == 0 {
			return
		}
	}
}

func TestGivenItemsAreDeliveredWhateverTheirDay(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60))
	items := e.listed(t, ledger.A3AppInstances)
	order := orderOf(ledger.A3AppInstances)
	order.Range = history.Range{}
	for _, item := range items[:10] {
		order.Items = append(order.Items, item.ID.String())
	}
	order.Items = append(order.Items, items[0].ID.String(), "50001337/"+uuid.NewString()) // twice, and one that does not exist
	id := e.order(t, order)
	e.work(t, id)

	p := e.progress(t, id)
	assert.Equal(t, history.StateComplete, p.State)
	assert.EqualValues(t, 11, p.Accounts.Seen)
	assert.EqualValues(t, 1, p.Accounts.Quarantined)
	coverage, err := history.ReadCoverage(t.Context(), e.pool, historyOf(ledger.A3AppInstances))
	require.NoError(t, err)
	assert.Empty(t, coverage.Closed, "given items cover no range")
}

func TestNewOrganisationIsTakenIn(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60))
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	late := generated(40)
	late.Seed, late.Orgs = 2, 5
	_, err := e.sim.Generate(late)
	require.NoError(t, err)

	require.NoError(t, e.keeper.DiscoverOrgs(t.Context()))
	assert.Equal(t, history.StateRunning, e.progress(t, id).State, "it is not complete without them")
	coverage, err := history.ReadCoverage(t.Context(), e.pool, historyOf(ledger.A3AppInstances))
	require.NoError(t, err)
	_, ok := coverage.Watermark()
	assert.False(t, ok)
	e.work(t, id)
	coverage, err = history.ReadCoverage(t.Context(), e.pool, historyOf(ledger.A3AppInstances))
	require.NoError(t, err)
	back, ok := coverage.Watermark()
	assert.True(t, ok)
	assert.True(t, back.Equal(oldest))
}

func TestWindowWhoseAccountsDoNotBalanceStaysOpen(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(30))
	id := e.order(t, orderOf(ledger.A3AppInstances))
	_, err := e.pool.Exec(t.Context(), `update backfill_window set seen = 1 where id = (select min(id) from backfill_window)`)
	require.NoError(t, err)
	e.work(t, id)

	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateFailed, detail.State)
	require.Len(t, detail.Troubled, 1)
	assert.Contains(t, detail.Troubled[0].Failure, "do not balance")
	coverage, err := history.ReadCoverage(t.Context(), e.pool, historyOf(ledger.A3AppInstances))
	require.NoError(t, err)
	_, ok := coverage.Watermark()
	assert.False(t, ok, "the watermark does not pass it")
}

func TestStorageThatRefusesTheQueryFailsTheWindowForGood(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(30))
	id := e.order(t, orderOf(ledger.A3AppInstances))
	day := newest.AddDate(0, 0, -2).Format(time.DateOnly)
	e.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: "/instances$", Query: "org=skd.*gte%3A" + day, Effect: faults.EffectStatus,
		Status: http.StatusBadRequest, ContentType: "application/json", Body: `"Org or AppId must be defined."`,
	})
	e.work(t, id)
	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateFailed, detail.State)
	require.Len(t, detail.Troubled, 1)
	assert.Contains(t, detail.Troubled[0].Failure, "400")

	e.fault(t)
	require.NoError(t, e.backfills.Resume(t.Context(), id, "tester", "mended", nil))
	e.work(t, id)
	assert.Equal(t, history.StateComplete, e.progress(t, id).State)
}

func TestStoppingEndsSlicesAtOnceAndNothingIsLost(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(300), func(c *history.WalkerConfig) { c.PageSize = 100 })
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(30 * time.Millisecond)})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	var slice sync.WaitGroup
	slice.Go(func() {
		_, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
	})
	require.Eventually(t, func() bool { return e.progress(t, id).Windows.Walking > 0 }, patience, time.Millisecond)
	close(e.stopping)
	slice.Wait()
	assert.Zero(t, e.progress(t, id).Windows.Walking, "the window is given back, not left to its lease")

	e.walker.Stopping = make(chan struct{})
	e.fault(t)
	e.work(t, id)
	p := e.progress(t, id)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
}

func TestRefusedOrdersCreateNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(20))
	tests := map[string]struct {
		change func(*history.Order)
		says   string
	}{
		"unknown organisation": {func(o *history.Order) { o.Orgs = []string{"nobody"} }, "unknown organisation nobody"},
		"from older than to":   {func(o *history.Order) { o.Range.From, o.Range.To = o.Range.To, o.Range.From }, "--from must not be older"},
		"malformed key":        {func(o *history.Order) { o.Range, o.Items = history.Range{}, []string{"17"} }, "a key is <partyId>/<instanceGuid>"},
		"items and a range":    {func(o *history.Order) { o.Items = []string{"1/" + uuid.NewString()} }, "leave out --from, --to"},
		"in the future": {func(o *history.Order) {
			o.Range = history.Range{From: newest.AddDate(0, 0, 9), To: newest.AddDate(0, 0, 10)}
		}, "belongs to live sync"},
		"no reason":              {func(o *history.Order) { o.Reason = " " }, "--reason is needed"},
		"no windows at all":      {func(o *history.Order) { o.Parallel = 0 }, "--parallel"},
		"a rate of nothing":      {func(o *history.Order) { o.RatePerS = new(0.0) }, "--rate"},
		"a source of no history": {func(o *history.Order) { o.Source = ledger.DialogServices }, "has no history"},
	}
	for name, tt := range tests {
		order := orderOf(ledger.A3AppInstances)
		tt.change(&order)
		_, err := e.backfills.Create(t.Context(), order)
		var refused *history.OrderError
		require.ErrorAs(t, err, &refused, name)
		require.ErrorContains(t, err, tt.says, name)
		if name == "no reason" {
			continue // a dry run needs none
		}
		_, err = e.backfills.Preview(t.Context(), order)
		require.ErrorAs(t, err, &refused, "a dry run refuses the same: %s", name)
	}
	id := e.order(t, orderOf(ledger.A3AppInstances))
	overlapping := orderOf(ledger.A3AppInstances)
	overlapping.Orgs, overlapping.Range.From = []string{e.progress(t, id).Orgs[0]}, newest.Add(-time.Hour)
	_, err := e.backfills.Create(t.Context(), overlapping)
	var conflict *history.ConflictError
	require.ErrorAs(t, err, &conflict)
	assert.Equal(t, id, conflict.Backfill)
	other := orderOf(ledger.A2ArchivedForms)
	e.order(t, other) // another source does not overlap

	all, err := history.ReadProgress(t.Context(), e.pool, nil)
	require.NoError(t, err)
	assert.Len(t, all, 2)
}
