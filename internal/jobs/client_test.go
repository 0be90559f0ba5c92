package jobs_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m}, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

// plant is a small simulated world, and what workers of it share.
type plant struct {
	pool           *pgxpool.Pool
	sim            *altinnsim.Sim
	deliverer      *delivery.Deliverer
	store          *storage.Client
	inserter       *river.Client[pgx.Tx]
	oldest, newest time.Time
	log            *zap.Logger
}

func newPlant(t *testing.T, instances int) *plant {
	t.Helper()
	newest := time.Now().UTC().Truncate(history.Day).AddDate(0, 0, -1)
	p := &plant{pool: dbtest.New(t), newest: newest, oldest: newest.AddDate(0, 0, -3), log: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))}
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	p.sim = sim
	world := altinnsim.DefaultOptions()
	world.Instances, world.From, world.To, world.End, world.Orgs, world.AppsPerOrg = instances, p.oldest, newest, newest, 2, 2
	world.A1, world.A2, world.MissingParties, world.FlatWeek = 0, 0, 0, true
	_, err = sim.Generate(world)
	require.NoError(t, err)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{Service: service, BaseURL: server.URL})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	p.store = storage.New(server.URL, client("storage"))
	p.deliverer = &delivery.Deliverer{
		Storage: p.store, Catalog: storage.NewCatalog(p.store), Register: register.New(server.URL, client("register")),
		Dialogs:  dialogporten.New(server.URL, client("dialogporten")),
		Settings: mapping.Settings{AltinnHost: "tt02.altinn.no", AdapterURL: "https://platform.tt02.altinn.no/storage/dialogporten"},
		Now:      time.Now, ReadClock: db.New(p.pool).DatabaseNow,
	}
	p.inserter, err = jobs.NewInserter(p.pool)
	require.NoError(t, err)
	return p
}

// patience is how long a condition may take on a busy machine.
const patience = 5 * time.Minute

// worker is one process.
type worker struct {
	client   *river.Client[pgx.Tx]
	stopping chan struct{}
}

// start lets a worker begin. It is stopped hard at the end of the test, if the test has not done so.
func (p *plant) start(t *testing.T, name string) *worker {
	t.Helper()
	w := &worker{stopping: make(chan struct{})}
	walker := &history.Walker{
		Pool: p.pool, Storage: p.store, Delivery: p.deliverer, Log: p.log, Stopping: w.stopping,
		Config: history.WalkerConfig{Worker: name, PageSize: 20, Concurrency: 4, Rest: 50 * time.Millisecond},
	}
	keeper := &history.Keeper{Pool: p.pool, Orgs: p.store, Log: p.log}
	var err error
	gate := stream.NewGate(stream.GateConfig{Pool: p.pool, Worker: name, Log: p.log})
	w.client, err = jobs.NewClient(p.pool, keeper, jobs.Config{HistorySlots: 2, Walker: walker, Log: p.log, Live: jobs.Live{
		Events: live.NewEvents(live.EventsConfig{Pool: p.pool, Deliverer: p.deliverer, Gate: gate, Log: p.log}),
		Keeper: &live.Keeper{Pool: p.pool, Gate: gate, Log: p.log},
		Poller: &live.Poller{
			Pool: p.pool, Storage: p.store, Delivery: p.deliverer, Gate: gate, Log: p.log, Stopping: w.stopping,
			Config: live.PollConfig{Worker: name},
		},
		EventSlots: 4,
	}})
	require.NoError(t, err)
	require.NotNil(t, keeper.Enqueue)
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, w.client.Start(ctx))
	t.Cleanup(func() {
		select {
		case <-w.client.Stopped():
		default:
			assert.NoError(t, w.client.StopAndCancel(ctx))
		}
	})
	return w
}

func (p *plant) order(t *testing.T) int64 {
	t.Helper()
	backfills := &history.Backfills{Pool: p.pool, Orgs: p.store, Enqueue: jobs.EnqueueSlices(p.inserter)}
	made, err := backfills.Create(t.Context(), history.Order{
		Source: ledger.A3AppInstances, Range: history.Range{From: p.oldest, To: p.newest}, Parallel: 2, MaxFailureShare: 0.5,
		Reason: "test", Operator: "kari",
	})
	require.NoError(t, err)
	return made[0].ID
}

func (p *plant) progress(t *testing.T, id int64) history.Progress {
	t.Helper()
	found, err := history.ReadProgress(t.Context(), p.pool, &id)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// awaitComplete waits for the end of a backfill and holds source and dialogs against each other.
func (p *plant) awaitComplete(t *testing.T, id int64, instances int) {
	t.Helper()
	require.Eventually(t, func() bool { return p.progress(t, id).State == history.StateComplete }, patience, 10*time.Millisecond)
	done := p.progress(t, id)
	assert.EqualValues(t, instances, done.Accounts.Seen)
	assert.True(t, done.Accounts.Balanced(), "%+v", done.Accounts)
	assert.Zero(t, done.Accounts.Quarantined)
	report, err := p.sim.DiffIn(t.Context(), diff.Scope{})
	require.NoError(t, err)
	assert.Zero(t, report.Differing, "%+v", report.Differences)
}

// count counts rows of River's jobs.
func (p *plant) count(t *testing.T, where string) (n int64) {
	t.Helper()
	require.NoError(t, p.pool.QueryRow(t.Context(), "select count(*) from river_job where "+where).Scan(&n))
	return n
}

func TestBackfillRunsToItsEndThroughJobs(t *testing.T) {
	t.Parallel()
	const instances = 120
	p := newPlant(t, instances)
	id := p.order(t) // before any worker is there: the order waits in PostgreSQL
	assert.EqualValues(t, 2, p.count(t, "kind = 'history_slice' and queue = 'history'"))
	first, second := p.start(t, "first"), p.start(t, "second")
	p.awaitComplete(t, id, instances)

	for _, w := range []*worker{first, second} {
		close(w.stopping)
		require.NoError(t, jobs.Stop(t.Context(), w.client))
	}
	assert.Zero(t, p.count(t, "state = 'running'"))
	assert.Zero(t, p.count(t, "state in ('retryable', 'discarded', 'cancelled')"), "no job failed")
	assert.Positive(t, p.count(t, "kind = 'history_slice' and state = 'completed'"))
	assert.Positive(t, p.count(t, "kind = 'history_keep' and state = 'completed'"))
	assert.Positive(t, p.count(t, "kind = 'discover_orgs' and state = 'completed'"), "it looks for new organisations as soon as it starts")
}

// slowly makes every create take its time, so that slices are at work when something happens.
func (p *plant) slowly(t *testing.T) {
	t.Helper()
	require.NoError(t, p.sim.Faults.Set([]faults.Rule{{
		Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(200 * time.Millisecond),
	}}))
}

func (p *plant) awaitWalking(t *testing.T, id int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		now := p.progress(t, id)
		return now.Windows.Walking > 0 && now.Accounts.Seen > 0
	}, patience, time.Millisecond)
}

func TestStopEndsSlicesInGoodOrder(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(t *testing.T, w *worker){
		"told in time": func(t *testing.T, w *worker) {
			t.Helper()
			close(w.stopping)
			require.NoError(t, jobs.Stop(t.Context(), w.client))
		},
		"no time left": func(t *testing.T, w *worker) {
			t.Helper()
			over, cancel := context.WithCancel(t.Context())
			cancel()
			if err := jobs.Stop(over, w.client); err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded, "on a busy machine it may take longer than is waited for")
				<-w.client.Stopped()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const instances = 400
			p := newPlant(t, instances)
			id := p.order(t)
			p.slowly(t)
			w := p.start(t, "first")
			p.awaitWalking(t, id)
			stop(t, w)

			stopped := p.progress(t, id)
			assert.Equal(t, history.StateRunning, stopped.State)
			assert.Zero(t, stopped.Windows.Walking, "windows are given back, not left to their leases")
			assert.Less(t, stopped.Accounts.Seen, int64(instances))
			assert.Zero(t, p.count(t, "state = 'running'"))

			require.NoError(t, p.sim.Faults.Set(nil))
			p.start(t, "second")
			p.awaitComplete(t, id, instances)
		})
	}
}

// A window rests when a service fails; the jobs come back by themselves.
func TestJobsOutliveAnOutage(t *testing.T) {
	t.Parallel()
	const instances = 60
	p := newPlant(t, instances)
	require.NoError(t, p.sim.Faults.Set([]faults.Rule{{
		Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusUnauthorized,
	}}))
	id := p.order(t)
	p.start(t, "only")
	require.Eventually(t, func() bool { return p.progress(t, id).Waiting != "" }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return p.count(t, "kind = 'history_slice' and metadata ? 'snoozes'") > 0 }, patience, 10*time.Millisecond)
	assert.Zero(t, p.count(t, "state in ('retryable', 'discarded')"), "waiting is no failure")
	require.NoError(t, p.sim.Faults.Set(nil))
	p.awaitComplete(t, id, instances)
}

var errSecondThoughts = errors.New("second thoughts")

func TestSlicesAreEnqueuedWithTheirTransactionOrNotAtAll(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	inserter, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	enqueue := jobs.EnqueueSlices(inserter)
	p := &plant{pool: pool}
	slices := func(n int, end error) error {
		return db.InTx(t.Context(), pool, func(tx pgx.Tx, _ *db.Queries) error {
			if err := enqueue(t.Context(), tx, 17, n); err != nil {
				return err
			}
			return end
		})
	}
	require.ErrorIs(t, slices(3, errSecondThoughts), errSecondThoughts)
	assert.Zero(t, p.count(t, "true"))

	require.NoError(t, slices(0, nil))
	assert.Zero(t, p.count(t, "true"))

	// No uniqueness: a job that was killed would block its successors.
	require.NoError(t, slices(3, nil))
	require.NoError(t, slices(2, nil))
	assert.EqualValues(t, 5, p.count(t, `kind = 'history_slice' and queue = 'history' and state = 'available' and args @> '{"backfill_id": 17}'`))
	waiting, err := db.New(pool).WaitingSlices(t.Context(), 17)
	require.NoError(t, err)
	assert.EqualValues(t, 5, waiting, "the keeper's own count finds them")
	waiting, err = db.New(pool).WaitingSlices(t.Context(), 18)
	require.NoError(t, err)
	assert.Zero(t, waiting)
}
