package live_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// syncRuns is how many sequences are tried; shrinking takes as many more as it needs.
const syncRuns = 15

// syncHistory is how many instances there were before live began.
const syncHistory = 3

// TestWhateverHappensTheTargetFollowsTheSource: changes, deletions, events that come twice, late or never, rows that become visible
// late, pauses, two processes that deliver events, poll and walk history at once, either of which may be held up between any two
// requests and taken for dead. The target never goes back to an older version, what was accepted is delivered, accounts balance
// at every step, and in the end every dialog is as its instance (Invariants 1 to 7).
func TestWhateverHappensTheTargetFollowsTheSource(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.PageSize = 3 })
	p.pass(-40 * 24 * time.Hour)
	platform := httptest.NewServer(p.sim.Handler())
	t.Cleanup(platform.Close)
	processes := []*syncProcess{newSyncProcess(t, p, platform.URL, "one"), newSyncProcess(t, p, platform.URL, "two")}
	runs, failing := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > syncRuns && !failing {
			return
		}
		failing = true
		m := beginSync(t, rt, p, processes)
		defer m.end()
		rt.Repeat(m.actions())
		m.settle()
		m.agree()
		failing = false
	})
}

// syncProcess is a worker process whose requests can be held up.
type syncProcess struct {
	events *live.Events
	poller *live.Poller
	walker *history.Walker
	gate   *turnstile
	// ended is closed when what it is at is done; nil: it is at nothing.
	ended chan struct{}
	err   error
}

// turnstile holds a request up, before it is sent or before its answer is taken.
type turnstile struct {
	mu       sync.Mutex
	count    int
	stopAt   int
	answered bool
	// match, if set, counts only such requests.
	match   func(*http.Request) bool
	stopped chan struct{}
	wake    chan struct{}
}

func (g *turnstile) set(stopAt int, answered bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count, g.stopAt, g.answered, g.match = 0, stopAt, answered, nil
	g.stopped, g.wake = make(chan struct{}), make(chan struct{})
}

func (g *turnstile) passed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}

// enter counts a request and tells whether it is the one to be held up.
func (g *turnstile) enter(r *http.Request) (held, answered bool, stopped, wake chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.match != nil && !g.match(r) {
		return false, false, nil, nil
	}
	g.count++
	return g.count == g.stopAt, g.answered, g.stopped, g.wake
}

// heldUp is a transport behind a turnstile.
type heldUp struct {
	gate *turnstile
	next http.RoundTripper
}

func (h heldUp) RoundTrip(r *http.Request) (*http.Response, error) {
	held, answered, stopped, wake := h.gate.enter(r)
	hold := func() {
		close(stopped)
		select {
		case <-wake:
		case <-r.Context().Done():
		}
	}
	if held && !answered {
		hold()
	}
	response, err := h.next.RoundTrip(r)
	if held && answered {
		hold()
	}
	return response, err
}

func newSyncProcess(t *testing.T, p *polling, url, name string) *syncProcess {
	t.Helper()
	pr := &syncProcess{gate: &turnstile{}}
	client := func(service string) *http.Client {
		hc := transport.NewClient(transport.Config{
			Service: service, BaseURL: url, Retry: transport.RetryPolicy{Attempts: 1}, AttemptTimeout: time.Hour,
		})
		t.Cleanup(hc.CloseIdleConnections)
		hc.Transport = heldUp{pr.gate, hc.Transport}
		return hc
	}
	deliverer := *p.deliverer
	deliverer.Storage = storage.New(url, client("storage"))
	deliverer.Catalog = storage.NewCatalog(deliverer.Storage)
	deliverer.Register = register.New(url, client("register"))
	deliverer.Dialogs = dialogporten.New(url, client("dialogporten"))
	pr.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: &deliverer, Gate: p.gate, Log: p.log, Rest: time.Millisecond, Jitter: func() float64 { return 0 },
	})
	config := p.config
	config.Worker, config.Lease = name, time.Hour
	pr.poller = &live.Poller{
		Pool: p.pool, Storage: deliverer.Storage, Delivery: &deliverer, Gate: p.gate, Log: p.log, Config: config, Now: p.clock,
		Stopping: make(chan struct{}),
	}
	pr.walker = &history.Walker{
		Pool: p.pool, Storage: deliverer.Storage, Delivery: &deliverer, Log: p.log, Stopping: make(chan struct{}),
		Config: history.WalkerConfig{Worker: name, PageSize: 2, Concurrency: 2, Lease: time.Hour, Rest: time.Millisecond},
	}
	return pr
}

// syncThing is an instance and what is to be said of its dialog.
type syncThing struct {
	thing

	edition int
	// shown is the latest edition that its dialog has had.
	shown int
	gone  bool
	late  bool
	// accepted is when the last event on it was, by the database's clock; zero: none was.
	accepted time.Time
}

// syncModel is one sequence.
type syncModel struct {
	t         *testing.T
	rt        *rapid.T
	p         *polling
	processes []*syncProcess
	things    []*syncThing
	backfill  int64
	paused    bool
}

// beginSync gives a world in which live has just begun and history is ordered.
func beginSync(t *testing.T, rt *rapid.T, p *polling, processes []*syncProcess) *syncModel {
	t.Helper()
	m := &syncModel{t: t, rt: rt, p: p, processes: processes}
	p.exec(t, `truncate inbox, ledger, quarantine, poll, poll_org, poll_hour, poll_arrival, backfill, backfill_window, coverage, watermark,
		river_job cascade`)
	for n := range syncHistory {
		th := newThing()
		th.created = p.clock().Add(-30 * time.Hour)
		th.text = "utgave 1"
		// Two share their time.
		m.things = append(m.things, &syncThing{thing: p.place(t, th, p.clock().Add(-time.Duration(2+n/2)*time.Hour)), edition: 1})
	}
	p.poll(t, live.ReachCatchUp)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A3AppInstances)) // begins it
	m.backfill = p.orderHistory(t, ledger.A3AppInstances)
	return m
}

// orderHistory orders the hours before now.
func (p *polling) orderHistory(t *testing.T, of ledger.Source) (backfill int64) {
	t.Helper()
	backfills := &history.Backfills{
		Pool: p.pool, Orgs: p.deliverer.Storage, Enqueue: func(context.Context, pgx.Tx, int64, int) error { return nil },
	}
	made, err := backfills.Create(t.Context(), history.Order{
		Source: of, Range: history.Range{From: p.clock().Add(-5 * time.Hour), To: p.clock()}, Parallel: 2, MaxFailureShare: 1,
		Reason: "test", Operator: "kari",
	})
	require.NoError(t, err)
	return made[0].ID
}

// walkHistory walks a backfill to its end, alone.
func (p *polling) walkHistory(t *testing.T, backfill int64) {
	t.Helper()
	walker := &history.Walker{
		Pool: p.pool, Storage: p.deliverer.Storage, Delivery: p.deliverer, Log: p.log,
		Config: history.WalkerConfig{Worker: "history", Rest: time.Millisecond},
	}
	enqueue := func(context.Context, pgx.Tx, int64, int) error { return nil }
	keeper := &history.Keeper{Pool: p.pool, Orgs: p.deliverer.Storage, Enqueue: enqueue, Log: p.log}
	for over := false; !over; {
		_, err := walker.Slice(t.Context(), backfill)
		require.NoError(t, err)
		require.NoError(t, keeper.Keep(t.Context()))
		progress, err := history.ReadProgress(t.Context(), p.pool, &backfill)
		require.NoError(t, err)
		over = progress[0].State == history.StateComplete
	}
}

// end wakes everybody and takes the world away.
func (m *syncModel) end() {
	for _, pr := range m.processes {
		m.wake(pr)
	}
	if m.paused {
		m.p.pause(m.t, false)
	}
	for _, th := range m.things {
		if !th.gone {
			_ = m.p.sim.Storage.Release(th.guid)
			_ = m.p.sim.Storage.Remove(th.guid)
		}
	}
	m.p.pass(time.Hour)
}

// start sets a process to something, which may be held up at any of its requests and be taken for dead then.
func (m *syncModel) start(pr *syncProcess, do func(ctx context.Context) error) {
	if pr.ended != nil {
		m.rt.Skip("it is at something")
	}
	pr.gate.set(rapid.IntRange(0, 9).Draw(m.rt, "held up at request"), rapid.Bool().Draw(m.rt, "held up at the answer"))
	pr.ended = make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		pr.err = do(m.t.Context())
	}(pr.ended)
	select {
	case <-pr.ended:
		m.wake(pr)
	case <-pr.gate.stopped:
		if rapid.Bool().Draw(m.rt, "taken for dead") {
			m.expire()
		}
	}
}

// expire makes others take up what is held.
func (m *syncModel) expire() {
	m.p.exec(m.t, "update backfill_window set lease_until = 'epoch' where state = 'walking'")
	m.p.exec(m.t, "update poll set lease_until = null, due_at = 'epoch'")
}

// wake lets a process go on to the end of what it is at.
func (m *syncModel) wake(pr *syncProcess) {
	if pr.ended == nil {
		return
	}
	close(pr.gate.wake)
	<-pr.ended
	pr.ended = nil
	if pr.err != nil {
		m.rt.Fatalf("a process failed: %v", pr.err)
	}
}

func (m *syncModel) process() *syncProcess {
	return rapid.SampledFrom(m.processes).Draw(m.rt, "process")
}

// live runs live work, which must not touch anything while its stream is paused.
func (m *syncModel) live(pr *syncProcess, do func(ctx context.Context) error) {
	m.start(pr, do)
	if n := pr.gate.passed(); m.paused && n > 0 {
		m.rt.Fatalf("%d requests of a paused stream", n)
	}
}

func (m *syncModel) one(of func(*syncThing) bool) *syncThing {
	var fit []*syncThing
	for _, th := range m.things {
		if of(th) {
			fit = append(fit, th)
		}
	}
	if len(fit) == 0 {
		m.rt.Skip("there is none")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(m.rt, "thing")]
}

// changed says that something of an instance changed now; it may be committed late.
func (m *syncModel) changed(th *syncThing) {
	m.p.pass(time.Millisecond) // no two changes share their time
	require.NoError(m.t, m.p.sim.Storage.SetLastChanged(th.guid, m.p.clock()))
	if !th.gone && !th.late && rapid.IntRange(0, 5).Draw(m.rt, "committed late") == 0 {
		require.NoError(m.t, m.p.sim.Storage.Withhold(th.guid, time.Time{}))
		th.late = true
	}
}

func (m *syncModel) tell(th *syncThing) {
	now, err := db.New(m.p.pool).DatabaseNow(m.t.Context())
	require.NoError(m.t, err)
	command := th.command()
	if !th.gone && rapid.Bool().Draw(m.rt, "by webhook") {
		command = th.webhook()
	}
	m.p.accept(m.t, command)
	th.accepted = now
}

func (m *syncModel) actions() map[string]func(*rapid.T) {
	seen := func(th *syncThing) bool { return !th.gone && !th.late }
	alive := func(th *syncThing) bool { return seen(th) && !th.hard }
	slice := func(*rapid.T) {
		pr := m.process()
		m.start(pr, func(ctx context.Context) error {
			_, err := pr.walker.Slice(ctx, m.backfill)
			return err
		})
	}
	deliver := func(*rapid.T) {
		rows := m.p.rows(m.t)
		if len(rows) == 0 {
			m.rt.Skip("the inbox is empty")
		}
		row, pr := rapid.SampledFrom(rows).Draw(m.rt, "row"), m.process()
		m.live(pr, func(ctx context.Context) error {
			_, err := pr.events.Deliver(ctx, row.ID, row.Job)
			return err
		})
	}
	return map[string]func(*rapid.T){
		"": func(*rapid.T) { m.check() },
		"begin": func(*rapid.T) {
			if len(m.things) > syncHistory {
				m.rt.Skip("enough")
			}
			th := newThing()
			th.created, th.text = m.p.clock(), "utgave 1"
			m.things = append(m.things, &syncThing{thing: m.p.place(m.t, th, m.p.clock()), edition: 1})
		},
		"change": func(*rapid.T) {
			th := m.one(alive)
			th.edition++
			th.text = fmt.Sprintf("utgave %d", th.edition)
			require.NoError(m.t, m.p.sim.Storage.SetPresentationText(th.guid, "text", th.text))
			m.changed(th)
		},
		"change and tell": func(*rapid.T) {
			th := m.one(alive)
			th.edition++
			th.text = fmt.Sprintf("utgave %d", th.edition)
			require.NoError(m.t, m.p.sim.Storage.SetPresentationText(th.guid, "text", th.text))
			m.changed(th)
			m.tell(th)
		},
		"delete or restore": func(*rapid.T) {
			th := m.one(alive)
			change := m.p.sim.Storage.SoftDelete
			if th.soft {
				change = m.p.sim.Storage.Undelete
			}
			require.NoError(m.t, change(th.guid))
			th.soft = !th.soft
			m.changed(th)
		},
		"delete for good": func(*rapid.T) {
			th := m.one(alive)
			require.NoError(m.t, m.p.sim.Storage.HardDelete(th.guid))
			th.hard = true
			m.changed(th)
		},
		// Of one that is taken away nothing but its event tells.
		"take away": func(*rapid.T) {
			th := m.one(func(th *syncThing) bool { return seen(th) && th.hard })
			require.NoError(m.t, m.p.sim.Storage.Remove(th.guid))
			th.gone = true
			m.tell(th)
		},
		"become visible": func(*rapid.T) {
			th := m.one(func(th *syncThing) bool { return th.late })
			require.NoError(m.t, m.p.sim.Storage.Release(th.guid))
			th.late = false
		},
		"tell":          func(*rapid.T) { m.tell(m.one(func(*syncThing) bool { return true })) },
		"deliver":       deliver,
		"deliver again": deliver,
		"history":       slice,
		"more history":  slice,
		"poll": func(*rapid.T) {
			pr := m.process()
			m.live(pr, func(ctx context.Context) error {
				_, err := pr.poller.Run(ctx, m.p.reach(m.t, live.ReachCatchUp))
				return err
			})
		},
		"wake": func(*rapid.T) {
			pr := m.process()
			if pr.ended == nil {
				m.rt.Skip("it is awake")
			}
			m.wake(pr)
		},
		"time passes": func(*rapid.T) {
			m.p.pass(time.Duration(rapid.IntRange(1, 50).Draw(m.rt, "seconds")) * time.Second)
		},
		"pause or resume": func(*rapid.T) {
			m.paused = !m.paused
			m.p.pause(m.t, m.paused)
			require.NoError(m.t, m.p.keeper.Keep(m.t.Context()))
		},
	}
}

// check holds at every moment.
func (m *syncModel) check() {
	for _, th := range m.things {
		if edition, found := m.edition(th); found {
			if edition < th.shown {
				m.rt.Fatalf("%s went back from edition %d to %d", th.guid, th.shown, edition)
			}
			th.shown = edition
		}
	}
	var wrong, seen int
	require.NoError(m.t, m.p.pool.QueryRow(m.t.Context(), `select coalesce(sum(seen), 0), count(*) filter (
		where seen <> created + updated + unchanged + deleted + purged + restored + skipped + quarantined) from backfill_window`).Scan(&seen, &wrong))
	if wrong > 0 {
		m.rt.Fatalf("%d windows whose accounts do not balance", wrong)
	}
	if seen > syncHistory {
		m.rt.Fatalf("windows whose accounts have %d items, and there are %d", seen, syncHistory)
	}
	m.checkAccepted()
}

// edition is what the item's dialog shows, unless it is not there or is deleted.
func (m *syncModel) edition(th *syncThing) (edition int, found bool) {
	_, text, found := strings.Cut(m.p.title(m.t, th.thing), "utgave ")
	if !found {
		return 0, false
	}
	_, err := fmt.Sscan(text, &edition)
	require.NoError(m.t, err)
	return edition, true
}

// checkAccepted: an event that was accepted waits, or its item was read since (Invariant 1). One on an instance that has come and
// gone, and of which nothing was ever kept, is dropped; so is one on an instance that cannot be seen yet: a poll finds it later.
func (m *syncModel) checkAccepted() {
	waiting, err := m.p.pool.Query(m.t.Context(), "select instance_guid from inbox union select (split_part(item_key, '/', 2))::uuid from quarantine")
	require.NoError(m.t, err)
	guids, err := pgx.CollectRows(waiting, pgx.RowTo[uuid.UUID])
	require.NoError(m.t, err)
	kept := map[uuid.UUID]bool{}
	for _, guid := range guids {
		kept[guid] = true
	}
	for _, th := range m.things {
		if th.accepted.IsZero() || kept[th.guid] {
			continue
		}
		entry, found := m.p.ledger(m.t, th.thing)
		if !found && (th.hard || th.late) {
			th.accepted = time.Time{}
			continue
		}
		if !entry.ReadAt.After(th.accepted) {
			m.rt.Fatalf("an event on %s, accepted at %s, is lost: its item was last read at %s", th.guid, th.accepted, entry.ReadAt)
		}
	}
}

// settle lets everything come to its end.
func (m *syncModel) settle() {
	for _, pr := range m.processes {
		m.wake(pr)
	}
	for _, th := range m.things {
		if th.late {
			require.NoError(m.t, m.p.sim.Storage.Release(th.guid))
			th.late = false
		}
	}
	if m.paused {
		m.paused = false
		m.p.pause(m.t, false)
	}
	m.expire()
	pr, ctx := m.processes[0], m.t.Context()
	pr.gate.set(0, false)
	for range 30 {
		require.NoError(m.t, m.p.keeper.Keep(ctx))
		for _, row := range m.p.rows(m.t) {
			_, err := pr.events.Deliver(ctx, row.ID, row.Job)
			require.NoError(m.t, err)
		}
		_, err := pr.walker.Slice(ctx, m.backfill)
		require.NoError(m.t, err)
	}
	m.p.pass(5 * time.Minute)
	for _, reach := range []string{live.ReachCatchUp, live.ReachRecent, live.ReachDay} {
		_, err := pr.poller.Run(ctx, m.p.reach(m.t, reach))
		require.NoError(m.t, err)
	}
	m.p.age(m.t)
	require.NoError(m.t, pr.poller.SecondLook(ctx, ledger.A3AppInstances))
}

// agree holds when everything has come to its end.
func (m *syncModel) agree() {
	for _, th := range m.things {
		want := th.text
		switch {
		case th.gone || th.hard:
			want = "none"
		case th.soft:
			want = "deleted"
		}
		if got := m.p.title(m.t, th.thing); !strings.HasSuffix(got, want) {
			entry, found := m.p.ledger(m.t, th.thing)
			m.rt.Fatalf("the dialog of %s is %q, and its instance %q (in the ledger: %t, %+v)", th.guid, got, want, found, entry)
		}
	}
	var open, quarantined, waiting int
	require.NoError(m.t, m.p.pool.QueryRow(m.t.Context(), `select (select count(*) from backfill_window where state <> 'closed'),
		(select count(*) from quarantine), (select count(*) from inbox)`).Scan(&open, &quarantined, &waiting))
	if open+quarantined+waiting > 0 {
		m.rt.Fatalf("%d windows are open, %d items in quarantine, %d events wait: %+v", open, quarantined, waiting, m.p.quarantine(m.t))
	}
}
