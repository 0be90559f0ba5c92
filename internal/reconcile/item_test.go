package reconcile_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/reconcile"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m}, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

// rig is what one item is put right with: PostgreSQL, and the simulated platform over HTTP.
type rig struct {
	pool      *pgxpool.Pool
	sim       *altinnsim.Sim
	deliverer *delivery.Deliverer
	// item is a plain instance of the world, without a dialog yet.
	item delivery.Item

	mu     sync.Mutex
	before func(*http.Request)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	world := altinnsim.DefaultOptions()
	world.Instances, world.Orgs, world.AppsPerOrg, world.A1, world.A2 = 40, 2, 1, 0, 0
	world.SoftDeleted, world.HardDeleted, world.MissingParties = 0, 0, 0
	_, err = sim.Generate(world)
	require.NoError(t, err)

	r := &rig{pool: dbtest.New(t), sim: sim}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if before := r.hook(); before != nil {
			before(q)
		}
		sim.Handler().ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	r.deliverer = deliverer(t, r.pool, server.URL, nil)
	store := r.deliverer.Storage
	orgs, err := store.Orgs(t.Context())
	require.NoError(t, err)
	page, err := store.ListInstances(t.Context(), storage.Query{
		Org: orgs[0], From: time.Now().AddDate(-1, 0, 0), To: time.Now(), Size: 1,
	})
	require.NoError(t, err)
	require.NotEmpty(t, page.Instances)
	first := page.Instances[0]
	r.item = delivery.Item{ID: first.ID, AppID: first.Instance.AppID, Created: first.Instance.Created.Time, Attempt: 1}
	return r
}

// deliverer makes one of the platform at url; with a rehearsal it sends nothing that changes something.
func deliverer(t *testing.T, pool *pgxpool.Pool, url string, rehearsal *transport.Rehearsal) *delivery.Deliverer {
	t.Helper()
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{
			Service: service, BaseURL: url, Retry: transport.RetryPolicy{Attempts: 1}, Rehearsal: rehearsal,
		})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	store := storage.New(url, client("storage"))
	return &delivery.Deliverer{
		Storage: store, Catalog: storage.NewCatalog(store), Register: register.New(url, client("register")),
		Dialogs:  dialogporten.New(url, client("dialogporten")),
		Settings: mapping.Settings{AltinnHost: "tt02.altinn.no", AdapterURL: "https://platform.tt02.altinn.no/storage/dialogporten"},
		Now:      time.Now, ReadClock: db.New(pool).DatabaseNow,
	}
}

func (r *rig) hook() func(*http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.before
}

// watch has something done before requests; nil ends it.
func (r *rig) watch(before func(*http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

func (r *rig) itemID() uuid.UUID { return dialogid.V7(r.item.ID.GUID, r.item.Created) }

func (r *rig) sync(t *testing.T, item delivery.Item) (delivery.Result, error) {
	t.Helper()
	return reconcile.SyncItem(t.Context(), r.pool, r.deliverer, item, reconcile.Asked{Operator: "kari", Reason: "a resident called"})
}

func (r *rig) ledger(t *testing.T) (ledger.Entry, bool) {
	t.Helper()
	found, err := ledger.Lookup(t.Context(), db.New(r.pool), []uuid.UUID{r.itemID()})
	require.NoError(t, err)
	entry, ok := found[r.itemID()]
	return entry, ok
}

func (r *rig) quarantine(t *testing.T) []db.QuarantineListRow {
	t.Helper()
	rows, err := db.New(r.pool).QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 10})
	require.NoError(t, err)
	return rows
}

func (r *rig) fault(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	require.NoError(t, r.sim.Faults.Set(rules))
}

func TestSyncItemRecordsWhatCameOfItAndWhoAskedForIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, want := range []ledger.Outcome{ledger.Created, ledger.Unchanged} {
		before, err := db.New(r.pool).DatabaseNow(t.Context())
		require.NoError(t, err)
		result, err := r.sync(t, r.item)
		require.NoError(t, err)
		assert.Equal(t, want, result.Outcome)
		entry, found := r.ledger(t)
		require.True(t, found)
		assert.Equal(t, want, entry.Outcome)
		assert.Equal(t, ledger.DialogAlive, entry.State)
		assert.Equal(t, ledger.A3AppInstances, entry.Source)
		assert.EqualValues(t, mapping.Version, entry.MappingVersion)
		assert.True(t, result.SourceChanged.Equal(entry.SourceChanged))
		assert.False(t, entry.ReadAt.Before(before), "the reading is dated by the database")
		assert.True(t, entry.RecordedAt.After(entry.ReadAt))
		assert.Equal(t, result.DialogID, entry.DialogID)
	}
	asked := []string{"kari", "item sync", r.item.ID.String(), "a resident called"}
	assert.Equal(t, [][]string{asked, asked}, r.actions(t))
}

// actions are who asked for what, oldest first.
func (r *rig) actions(t *testing.T) [][]string {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), "select array[operator, action, target, reason] from operator_action order by id")
	require.NoError(t, err)
	actions, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
	require.NoError(t, err)
	return actions
}

// setAside sets an item aside as history would have done.
func (r *rig) setAside(t *testing.T, source ledger.Source, key string) {
	t.Helper()
	require.NoError(t, ledger.Quarantine(t.Context(), db.New(r.pool), []ledger.Quarantined{{
		Source: source, ItemKey: key, Class: "permanent", Reason: "http_400", Detail: "it was refused", Attempts: 1,
	}}))
}

func TestSyncItemReleasesWhatWasInQuarantine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	own := r.item.ID
	asked := r.item
	asked.ID = altinn.InstanceID{PartyID: 1, GUID: own.GUID} // the platform knows the party, not the operator
	other := "50001337/" + uuid.NewString()
	r.setAside(t, ledger.A3AppInstances, own.String())
	r.setAside(t, ledger.A3AppInstances, asked.ID.String())
	r.setAside(t, ledger.A2ArchivedForms, own.String()) // when it failed, nobody could tell the source
	r.setAside(t, ledger.A3AppInstances, other)

	_, err := r.sync(t, asked)
	require.NoError(t, err)
	rows := r.quarantine(t)
	require.Len(t, rows, 1)
	assert.Equal(t, other, rows[0].ItemKey)
}

func TestSkipReleasesFromQuarantineToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setAside(t, ledger.A3AppInstances, r.item.ID.String())
	require.NoError(t, r.sim.Storage.Remove(r.item.ID.GUID))
	result, err := r.sync(t, r.item)
	require.NoError(t, err)
	assert.Equal(t, delivery.ReasonGone, result.Reason)
	assert.Empty(t, r.quarantine(t))
	entry, found := r.ledger(t)
	require.True(t, found)
	assert.Equal(t, ledger.Skipped, entry.Outcome)
	assert.Equal(t, delivery.ReasonGone, entry.Reason)
	assert.Equal(t, ledger.DialogAbsent, entry.State)
}

func TestFaultOfTheItemIsQuarantined(t *testing.T) {
	t.Parallel()
	problem := faults.Rule{
		Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusBadRequest,
		ContentType: "application/problem+json", Body: `{"status":400,"errors":{"dto.party":["57915600745 is not a party"]}}`,
	}
	for name, tt := range map[string]struct {
		spoil         func(t *testing.T, r *rig)
		class, reason string
	}{
		"its party is unknown": {func(t *testing.T, r *rig) {
			t.Helper()
			r.sim.Register.Withhold(int32(r.item.ID.PartyID))
		}, "transient", "party_not_found"},
		"its dialog is refused": {func(t *testing.T, r *rig) {
			t.Helper()
			r.fault(t, problem)
		}, "permanent", "http_400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tt.spoil(t, r)
			for attempts := int32(1); attempts <= 2; attempts++ {
				_, err := r.sync(t, r.item)
				require.Error(t, err)
				rows := r.quarantine(t)
				require.Len(t, rows, 1)
				row := rows[0]
				assert.Equal(t, attempts, row.Attempts)
				assert.Equal(t, ledger.A3AppInstances, row.Source)
				assert.Equal(t, r.item.ID.String(), row.ItemKey)
				assert.Equal(t, tt.class, row.Class)
				assert.Equal(t, tt.reason, row.Reason)
				assert.NotEmpty(t, row.Detail)
				assert.NotRegexp(t, `[0-9]{11}`, strings.ReplaceAll(row.Detail, r.item.ID.String(), ""))
				require.NotNil(t, row.ItemID)
				assert.Equal(t, r.itemID(), *row.ItemID)
				require.NotNil(t, row.AppID)
				assert.Equal(t, r.item.AppID, *row.AppID)
				require.NotNil(t, row.InstanceCreated)
				assert.True(t, r.item.Created.Truncate(time.Microsecond).Equal(*row.InstanceCreated))
			}
			assert.Len(t, r.actions(t), 2)

			// Once it is mended, it is delivered and let out.
			r.fault(t)
			r.sim.Register.Reveal(int32(r.item.ID.PartyID))
			result, err := r.sync(t, r.item)
			require.NoError(t, err)
			assert.Equal(t, ledger.Created, result.Outcome)
			assert.Empty(t, r.quarantine(t))
		})
	}
}

// The party in the key that was asked for may be wrong; the item's own key is known once its instance is read, and it is the
// one that history quarantines under.
func TestFailedItemIsKeptUnderItsOwnKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setAside(t, ledger.A3AppInstances, r.item.ID.String())
	r.sim.Register.Withhold(int32(r.item.ID.PartyID))
	asked := r.item
	asked.ID.PartyID = 1
	_, err := r.sync(t, asked)
	require.Error(t, err)
	rows := r.quarantine(t)
	require.Len(t, rows, 1, "one item, one row")
	assert.Equal(t, r.item.ID.String(), rows[0].ItemKey)
	assert.EqualValues(t, 2, rows[0].Attempts)
}

// Invariant 8: no item is to blame for a system that fails.
func TestFaultOfASystemLeavesNoTrace(t *testing.T) {
	t.Parallel()
	status := func(service string, code int) faults.Rule {
		return faults.Rule{Service: service, Effect: faults.EffectStatus, Status: code}
	}
	for name, rule := range map[string]faults.Rule{
		"Dialogporten is in maintenance":    status("dialogporten", http.StatusServiceUnavailable),
		"Dialogporten refuses our token":    status("dialogporten", http.StatusUnauthorized),
		"Dialogporten refuses our scope":    status("dialogporten", http.StatusForbidden),
		"Dialogporten is broken":            status("dialogporten", http.StatusInternalServerError),
		"Dialogporten has had enough":       status("dialogporten", http.StatusTooManyRequests),
		"Storage does not answer":           {Service: "storage", Effect: faults.EffectOutage},
		"Storage could not read":            {Effect: faults.EffectReadFailed},
		"Register is broken":                status("register", http.StatusBadGateway),
		"others keep writing to the dialog": {Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fault(t, rule)
			_, err := r.sync(t, r.item)
			require.Error(t, err)
			assert.Empty(t, r.quarantine(t))
			_, found := r.ledger(t)
			assert.False(t, found)
			assert.Len(t, r.actions(t), 1, "who asked is kept all the same")
		})
	}
}

func TestInterruptedSyncLeavesNoTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.watch(func(q *http.Request) {
		if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/dialogs") {
			cancel()
		}
	})
	_, err := reconcile.SyncItem(ctx, r.pool, r.deliverer, r.item, reconcile.Asked{Operator: "kari", Reason: "test"})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, r.quarantine(t))
	_, found := r.ledger(t)
	assert.False(t, found)
}

func TestKeyThatNothingIsKnownOfIsNotQuarantined(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.sync(t, delivery.Item{ID: altinn.InstanceID{PartyID: 50001337, GUID: uuid.New()}})
	var fault *delivery.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, delivery.ReasonCreatedUnknown, fault.Reason)
	assert.Empty(t, r.quarantine(t), "a slip of the finger is no item")
}

// Invariant 4: whoever read first must look again. A slow delivery creates the dialog of an instance that is removed in the
// meantime, which another has seen and recorded: nothing was there to purge then.
func TestOvertakenItemIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := *r.deliverer // caches are shared, which makes no difference
	once := sync.OnceFunc(func() {
		r.watch(nil)
		if err := r.sim.Storage.HardDelete(r.item.ID.GUID); err != nil {
			t.Error(err)
			return
		}
		result, err := reconcile.SyncItem(t.Context(), r.pool, &other, r.item, reconcile.Asked{Operator: "live", Reason: "event"})
		if assert.NoError(t, err) {
			assert.Equal(t, delivery.ReasonHardDeleted, result.Reason)
		}
	})
	r.watch(func(q *http.Request) {
		if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/dialogs") {
			once()
		}
	})
	result, err := r.sync(t, r.item)
	require.NoError(t, err)
	assert.Equal(t, ledger.Purged, result.Outcome)
	_, alive := r.sim.Dialogporten.Dialog(r.itemID())
	assert.False(t, alive, "what was deleted stays deleted")
	entry, _ := r.ledger(t)
	assert.Equal(t, ledger.Purged, entry.Outcome)
	assert.Equal(t, ledger.DialogAbsent, entry.State)
}

func TestItemThatOthersKeepDeliveringIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setAside(t, ledger.A3AppInstances, r.item.ID.String())
	reads := 0
	r.watch(func(q *http.Request) {
		if q.Method != http.MethodGet || !strings.HasSuffix(q.URL.Path, "/"+r.item.ID.GUID.String()) {
			return
		}
		reads++
		now, err := db.New(r.pool).DatabaseNow(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		_, err = ledger.Record(t.Context(), db.New(r.pool), []ledger.Entry{{
			ItemID: r.itemID(), DialogID: r.itemID(), Instance: r.item.ID, Source: ledger.A3AppInstances, ReadAt: now,
			Outcome: ledger.Updated, State: ledger.DialogAlive, MappingVersion: mapping.Version,
		}})
		assert.NoError(t, err)
	})
	_, err := r.sync(t, r.item)
	require.ErrorContains(t, err, "others kept delivering it")
	assert.Equal(t, 5, reads)
	entry, _ := r.ledger(t)
	assert.Equal(t, ledger.Updated, entry.Outcome, "theirs stands")
	assert.Len(t, r.quarantine(t), 1, "and is not taken for ours")
}

func TestItemIsNotTouchedWhenNobodyCanRecordWhoAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.pool.Exec(t.Context(), "drop table operator_action")
	require.NoError(t, err)
	_, err = r.sync(t, r.item)
	require.Error(t, err)
	assert.Zero(t, r.sim.Requests.Count("dialogporten", "", ""))
}
