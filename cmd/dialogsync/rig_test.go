package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience is how long a condition may take on a busy machine before a test gives up.
const patience = time.Minute

// rig is what the program works between: a database of the test's own and a simulated platform.
type rig struct {
	sim      *altinnsim.Sim
	platform string
	database string
	pool     *pgxpool.Pool
	environ  []string
}

// newRig gives a migrated database and an empty platform.
func newRig(t *testing.T) *rig {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	r := &rig{sim: sim, platform: server.URL, database: dbtest.URL(t)}
	r.pool, err = db.Open(t.Context(), r.database, 4)
	require.NoError(t, err)
	t.Cleanup(r.pool.Close)
	r.environ = environment(r.database, r.platform)
	return r
}

func environment(database, platform string) []string {
	return []string{
		"USER=kari", "DIALOGSYNC_ENVIRONMENT=local", "DIALOGSYNC_DATABASE_URL=" + database, "DIALOGSYNC_PLATFORM_URL=" + platform,
		"DIALOGSYNC_DIALOGPORTEN_URL=" + platform, "DIALOGSYNC_ALTINN_HOST=tt02.altinn.no", "DIALOGSYNC_HTTP_ADDR=127.0.0.1:0",
		"DIALOGSYNC_ADAPTER_URL=https://platform.tt02.altinn.no/storage/dialogporten",
	}
}

// The range that every made-up world lies in.
const (
	newestDay = "2025-03-03"
	oldestDay = "2025-03-01"
)

// worldEnd is the end of the newest day.
func worldEnd() time.Time { return time.Date(2025, time.March, 4, 0, 0, 0, 0, time.UTC) }

// generateOptions say what a made-up world is like.
type generateOptions = altinnsim.GenerateOptions

// newWorld gives a rig with instances of all three versions of Altinn in three days of two organisations.
func newWorld(t *testing.T, alter ...func(*generateOptions)) *rig {
	t.Helper()
	r := newRig(t)
	r.generate(t, alter...)
	return r
}

func (r *rig) generate(t *testing.T, alter ...func(*generateOptions)) {
	t.Helper()
	options := altinnsim.DefaultOptions()
	options.Instances, options.Orgs, options.AppsPerOrg, options.FlatWeek, options.PeakDays = 90, 2, 2, true, 0
	options.To, options.End, options.Days = worldEnd(), worldEnd(), 3
	options.MissingParties = 0
	for _, change := range alter {
		change(&options)
	}
	_, err := r.sim.Generate(options)
	require.NoError(t, err)
}

// missingParties makes some owners unknown to Register.
func missingParties(o *generateOptions) { o.MissingParties = 0.1 }

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

// both is all that a command printed.
func (r result) both() string { return r.out + r.err }

// run executes a command line that nobody can be asked at.
func (r *rig) run(t *testing.T, args ...string) result {
	t.Helper()
	return runWith(t.Context(), r.environ, args...)
}

func runWith(ctx context.Context, environ []string, args ...string) result {
	var out, err bytes.Buffer
	code := run(ctx, args, streams{in: strings.NewReader(""), out: &out, err: &err}, environ)
	return result{code: code, out: out.String(), err: err.String()}
}

// ok runs a command that must succeed and gives what it printed on stdout.
func (r *rig) ok(t *testing.T, args ...string) string {
	t.Helper()
	got := r.run(t, args...)
	require.Equal(t, exitOK, got.code, "%v: %s", args, got.both())
	return got.out
}

// readJSON runs a command with `-o json` and reads what it printed.
func (r *rig) readJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out := r.ok(t, append(args, "-o", "json")...)
	require.NoError(t, json.Unmarshal([]byte(out), into), out)
}

// order is the command line of a backfill of the whole world.
func order(more ...string) []string {
	return append([]string{
		"backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--reason", "phase 1", "--yes",
	}, more...)
}

// create orders a backfill and gives its number as the command line takes it.
func (r *rig) create(t *testing.T, more ...string) string {
	t.Helper()
	var made struct {
		ID json.Number `json:"id"`
	}
	r.readJSON(t, &made, order(more...)...)
	require.NotEmpty(t, made.ID.String())
	return made.ID.String()
}

func (r *rig) stateOf(t *testing.T, id string) string {
	t.Helper()
	var shown struct {
		State string `json:"state"`
	}
	r.readJSON(t, &shown, "backfill", "show", id)
	return shown.State
}

// tables counts the rows of everything that an order could leave something in.
func (r *rig) tables(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range []string{
		"backfill", "backfill_window", "coverage", "ledger", "operator_action", "organisation", "quarantine", "river_job", "watermark",
	} {
		var n int
		require.NoError(t, r.pool.QueryRow(t.Context(), "select count(*) from "+pgx.Identifier{table}.Sanitize()).Scan(&n))
		counts[table] = n
	}
	return counts
}

// actions are what the database keeps of who did what, oldest first.
func (r *rig) actions(t *testing.T) []string {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), "select operator || ': ' || action || ' ' || target || ': ' || reason from operator_action order by id")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

func (r *rig) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := r.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// instances are the world's instances that fulfil a condition, in a stable order.
func (r *rig) instances(t *testing.T, condition func(storage.Item) bool) []storage.Item {
	t.Helper()
	var found []storage.Item
	r.sim.Storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		if condition(item) {
			found = append(found, item)
		}
		return true
	})
	slices.SortFunc(found, func(a, b storage.Item) int { return strings.Compare(a.Row.Key(), b.Row.Key()) })
	return found
}

// one is an instance that is alive, of Altinn 3, and has an owner.
func (r *rig) one(t *testing.T) storage.Item {
	t.Helper()
	found := r.instances(t, func(item storage.Item) bool {
		_, known := r.sim.Register.ByPartyID(item.Row.Party)
		return known && item.Row.Version == 3 && !item.Row.Flags.Has(storage.SoftDeleted) && item.Row.Created != item.Row.LastChanged
	})
	require.NotEmpty(t, found)
	return found[0]
}

// dialogID is the dialog that belongs to an instance.
func dialogID(item storage.Item) uuid.UUID { return storage.DialogID(item.Row.GUID, item.Row.Created) }

// syncedBuffer is a buffer that a worker writes to while a test reads.
type syncedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// background is a command that runs beside the test.
type background struct {
	out, err syncedBuffer
	stop     context.CancelFunc
	done     chan struct{}
	code     int
}

// start runs a command until it ends or the test does.
func (r *rig) start(t *testing.T, args ...string) *background {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &background{stop: cancel, done: make(chan struct{})}
	environ := slices.Clone(r.environ)
	go func() {
		defer close(b.done)
		b.code = run(ctx, args, streams{in: strings.NewReader(""), out: &b.out, err: &b.err}, environ)
	}()
	t.Cleanup(func() {
		cancel()
		<-b.done
	})
	return b
}

// ended waits until the command is over and gives its exit code.
func (b *background) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-b.done:
		return b.code
	case <-time.After(patience):
		require.FailNow(t, "the command does not end", "stdout: %s\nstderr: %s", b.out.String(), b.err.String())
		return 0
	}
}

// worker starts a small worker.
func (r *rig) worker(t *testing.T) *background {
	t.Helper()
	b := r.start(t, "worker", "--name", "tester", "--history-slots", "2", "--concurrency", "4", "--page-size", "20", "--rest", "1s")
	t.Cleanup(func() {
		b.stop()
		assert.Equal(t, exitOK, b.ended(t), b.err.String())
	})
	return b
}

// walked waits until a backfill is over, and gives the state that it ended in.
func (r *rig) walked(t *testing.T, id string) string {
	t.Helper()
	state := ""
	await(t, "backfill "+id+" to end", func() bool {
		require.NoError(t, r.pool.QueryRow(t.Context(), "select state from backfill where id = $1::text::bigint", id).Scan(&state))
		return over(state)
	})
	return state
}

// await looks until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-timeout.C:
			require.FailNow(t, "waited in vain for "+what)
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		}
	}
}

// lines are those of a text, without the last empty one.
func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
