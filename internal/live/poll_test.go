package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

// polling is a plant with a poller, whose clock is the test's.
type polling struct {
	*plant

	poller *live.Poller
	config live.PollConfig

	mu  sync.Mutex
	now time.Time
}

func (p *polling) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *polling) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func newPolling(t testing.TB, tune ...func(*live.PollConfig)) *polling {
	t.Helper()
	p := &polling{plant: newPlant(t), now: time.Now().UTC().AddDate(0, 0, -10).Truncate(time.Second)}
	p.config = live.PollConfig{
		Worker: "test", PageSize: 20, Concurrency: 4, Rest: 20 * time.Millisecond, CatchUpEvery: time.Nanosecond,
	}
	for _, f := range tune {
		f(&p.config)
	}
	p.poller = p.another(t)
	p.know(t, "ttd")
	return p
}

// another is the poller of another process.
func (p *polling) another(t testing.TB) *live.Poller {
	t.Helper()
	return &live.Poller{
		Pool: p.pool, Storage: p.deliverer.Storage, Delivery: p.deliverer, Gate: p.newGate(t), Log: p.log, Config: p.config, Now: p.clock,
		Stopping: make(chan struct{}),
	}
}

func (p *polling) know(t testing.TB, orgs ...string) {
	t.Helper()
	_, err := db.New(p.pool).AddOrgs(t.Context(), orgs)
	require.NoError(t, err)
}

func (p *polling) reach(t testing.TB, name string) live.Reach {
	t.Helper()
	for _, r := range p.config.Reaches() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no reach %s", name)
	return live.Reach{}
}

// poll runs a reach once, as its job would.
func (p *polling) poll(t testing.TB, name string) live.PollEnd {
	t.Helper()
	end, err := p.poller.Run(t.Context(), p.reach(t, name))
	require.NoError(t, err)
	return end
}

// place writes an instance that changed at a time of the poller's clock.
func (p *polling) place(t testing.TB, th thing, changed time.Time) thing {
	t.Helper()
	p.put(t, th)
	require.NoError(t, p.sim.Storage.SetLastChanged(th.guid, changed))
	return th
}

// instance is one of an app that was begun an hour ago and changed so long ago.
func (p *polling) instance(t testing.TB, ago time.Duration) thing {
	t.Helper()
	th := newThing()
	th.created = p.clock().Add(-time.Hour)
	return p.place(t, th, p.clock().Add(-ago))
}

// form is an archived form of Altinn 2.
func (p *polling) form(t testing.TB, ago time.Duration, reference int) thing {
	t.Helper()
	th := newThing()
	th.app, th.archive, th.created = a2App, true, p.clock().Add(-ago-time.Hour)
	return p.placeForm(t, th, p.clock().Add(-ago), reference)
}

func (p *polling) placeForm(t testing.TB, th thing, changed time.Time, reference int) thing {
	t.Helper()
	p.migrate(t, th, changed, reference)
	p.migrateEvents(t, th, "Created")
	return th
}

// migrate and migrateEvents are Altinn 2's first and last call of a form.
func (p *polling) migrate(t testing.TB, th thing, changed time.Time, reference int) {
	t.Helper()
	user, key := strconv.FormatInt(userID, 10), th.id().String()
	instance := raw(t, map[string]any{
		"id": key, "instanceOwner": map[string]any{"partyId": strconv.FormatInt(th.party, 10)}, "appId": th.app, "org": "ttd",
		"status": map[string]any{
			"isArchived": th.archive, "archived": stamp(changed), "isSoftDeleted": th.soft, "isHardDeleted": th.hard, "readStatus": "Read",
		},
		"data": []any{}, "dataValues": map[string]string{"A2ArchRef": strconv.Itoa(reference)},
		"created": stamp(th.created), "createdBy": user, "lastChanged": stamp(changed), "lastChangedBy": user,
	})
	_, _, err := p.sim.Storage.MigrateInstance(instance)
	require.NoError(t, err)
}

func (p *polling) migrateEvents(t testing.TB, th thing, kind string) {
	t.Helper()
	_, err := p.sim.Storage.MigrateEvents(th.guid, []json.RawMessage{raw(t, map[string]any{
		"id": uuid.NewSHA1(th.guid, []byte("created")), "instanceId": th.guid.String(), "created": stamp(th.created), "eventType": kind,
		"instanceOwnerPartyId": strconv.FormatInt(th.party, 10), "user": map[string]any{"userId": userID, "authenticationLevel": 3},
	})})
	require.NoError(t, err)
}

func (p *polling) has(th thing) bool {
	_, found := p.sim.Dialogporten.Dialog(th.dialogID())
	return found
}

func (p *polling) live(t testing.TB, source ledger.Source) live.Live {
	t.Helper()
	l, err := live.ReadLive(t.Context(), p.pool, source, p.clock())
	require.NoError(t, err)
	return l
}

func (p *polling) at(t testing.TB, name string) (l live.ReachState) {
	t.Helper()
	for _, r := range p.live(t, p.reach(t, name).Source).Reaches {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("%s was never polled", name)
	return l
}

func (p *polling) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := p.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func TestCatchUpAloneKeepsInstancesCurrent(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	old := p.instance(t, 30*time.Minute) // before live began: history's
	th := p.instance(t, 0)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(th))
	assert.False(t, p.has(old))

	p.pass(10 * time.Second)
	th.text = "utgave 2"
	p.place(t, th, p.clock().Add(-5*time.Second))
	p.poll(t, live.ReachCatchUp)
	assert.Contains(t, p.title(t, th), "utgave 2")

	p.pass(10 * time.Second)
	require.NoError(t, p.sim.Storage.SoftDelete(th.guid))
	require.NoError(t, p.sim.Storage.SetLastChanged(th.guid, p.clock().Add(-5*time.Second)))
	p.poll(t, live.ReachCatchUp)
	assert.Equal(t, "deleted", p.title(t, th))

	p.pass(10 * time.Second)
	require.NoError(t, p.sim.Storage.Undelete(th.guid))
	require.NoError(t, p.sim.Storage.SetLastChanged(th.guid, p.clock().Add(-5*time.Second)))
	p.poll(t, live.ReachCatchUp)
	assert.Contains(t, p.title(t, th), "utgave 2")

	p.pass(10 * time.Second)
	require.NoError(t, p.sim.Storage.HardDelete(th.guid))
	require.NoError(t, p.sim.Storage.SetLastChanged(th.guid, p.clock().Add(-5*time.Second)))
	p.poll(t, live.ReachCatchUp)
	assert.Equal(t, "none", p.title(t, th))

	l := p.live(t, ledger.A3AppInstances)
	require.NotNil(t, l.Watermark)
	assert.Equal(t, p.clock().Add(-2*time.Second), *l.Watermark)
	reach := p.at(t, live.ReachCatchUp)
	assert.EqualValues(t, 1, reach.Created)
	assert.EqualValues(t, 1, reach.Updated)
	assert.EqualValues(t, 1, reach.Deleted)
	assert.EqualValues(t, 1, reach.Restored)
	assert.EqualValues(t, 1, reach.Purged)
	assert.InDelta(t, 1, l.FoundShare, 1e-9, "nobody else told")
}

// Live deliveries of app instances are announced; those of forms are silent, as history is (Storage reference 14).
func TestOnlyFormsAreDeliveredSilently(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	var silent sync.Map
	p.watch(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs") {
			silent.Store(strings.EqualFold(r.URL.Query().Get("isSilentUpdate"), "true"), true)
		}
	})
	p.poll(t, live.ReachCatchUp)
	p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	_, loud := silent.LoadAndDelete(false)
	assert.True(t, loud)
	p.form(t, time.Hour, 1)
	p.poll(t, live.ReachBatch)
	_, quiet := silent.LoadAndDelete(true)
	assert.True(t, quiet)
}

func TestQuietPollsReadNothing(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	for range 5 {
		p.instance(t, -time.Second)
	}
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	before := p.sim.Requests.Count("", "", "")
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.Equal(t, 1, p.sim.Requests.Count("", "", "")-before, "one listing, and the ledger knows the rest")
}

func TestRowThatBecomesVisibleLateIsFound(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	p.pass(5 * time.Minute)
	late, later, latest := p.instance(t, 50*time.Second), p.instance(t, 3*time.Minute), p.instance(t, 4*time.Minute)
	for _, th := range []thing{late, later, latest} {
		require.NoError(t, p.sim.Storage.Withhold(th.guid, time.Time{}))
	}
	p.poll(t, live.ReachCatchUp)
	assert.False(t, p.has(late))

	require.NoError(t, p.sim.Storage.Release(late.guid))
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(late), "within the overlap")

	require.NoError(t, p.sim.Storage.Release(later.guid))
	p.poll(t, live.ReachCatchUp)
	assert.False(t, p.has(later))
	p.poll(t, live.ReachRecent)
	assert.True(t, p.has(later), "the last minutes are listed again")

	p.pass(3 * time.Hour)
	require.NoError(t, p.sim.Storage.Release(latest.guid))
	p.poll(t, live.ReachRecent)
	assert.False(t, p.has(latest))
	p.poll(t, live.ReachDay)
	assert.True(t, p.has(latest), "the last day is listed again")
}

func TestTiesLargerThanAPageLoseNothing(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.PageSize = 3 })
	p.poll(t, live.ReachCatchUp)
	p.pass(time.Minute)
	var things []thing
	for i := range 30 {
		ago := 10 * time.Second
		if i < 8 {
			ago += time.Duration(i/2) * time.Second
		}
		things = append(things, p.instance(t, ago))
	}
	p.poll(t, live.ReachCatchUp)
	for i, th := range things {
		assert.True(t, p.has(th), "%d", i)
	}
	assert.EqualValues(t, len(things), p.at(t, live.ReachCatchUp).Created, "each is delivered once")
}

// With intakes, what is young is left to them; past the grace it was lost, and is found by the poll alone.
func TestLostEventIsFoundPastTheGrace(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.Intakes = true })
	p.hear(t)
	p.poll(t, live.ReachCatchUp)
	start := p.clock()
	lost, told := p.instance(t, -time.Second), p.instance(t, -2*time.Second)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.False(t, p.has(lost))
	assert.Equal(t, start.Add(time.Second), *p.live(t, ledger.A3AppInstances).Watermark, "the position waits before it")

	recorder := delivery.Recorder{Pool: p.pool, Deliverer: p.deliverer}
	_, err := recorder.Deliver(t.Context(), delivery.Item{ID: told.id(), AppID: told.app, Created: told.created, Attempt: 1}, nil)
	require.NoError(t, err)
	p.pass(70 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.False(t, p.has(lost), "80 s are no more than an event may take")
	p.pass(30 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(lost))
	l := p.live(t, ledger.A3AppInstances)
	assert.EqualValues(t, 1, l.Known)
	assert.EqualValues(t, 1, l.Found)
	assert.InDelta(t, 0.5, l.FoundShare, 1e-9)
	assert.Equal(t, p.clock().Add(-2*time.Second), *l.Watermark)
}

// hear makes the poller know that events come in.
func (p *polling) hear(t testing.TB) {
	t.Helper()
	p.poller.Gate.Heard()
	for range 2 { // told, and read
		require.NoError(t, p.poller.Gate.Refresh(t.Context()))
	}
}

// A secret that is set, and nobody who sends: what is new is not left to events that never come.
func TestNothingIsLeftToEventsWhileNoneComeIn(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.Intakes = true })
	p.poll(t, live.ReachCatchUp)
	first := p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(first))

	p.hear(t)
	second := p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	assert.False(t, p.has(second), "they do come in")
}

func TestWatermarkIsNoLaterThanTheOldestEventThatWaits(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.pass(20 * 24 * time.Hour) // ahead of the database's clock
	p.poll(t, live.ReachCatchUp)
	th := newThing()
	p.accept(t, th.command())
	l := p.live(t, ledger.A3AppInstances)
	require.NotNil(t, l.Watermark)
	assert.WithinDuration(t, time.Now(), *l.Watermark, time.Hour)
	p.pass(time.Minute)
	p.poll(t, live.ReachCatchUp)
	var stored time.Time
	require.NoError(t, p.pool.QueryRow(t.Context(), "select watermark from stream where source = 'a3-app-instances' and stream = 'live'").Scan(&stored))
	assert.WithinDuration(t, p.clock(), stored, 2*time.Minute, "what was promised is not taken back")
}

func TestBatchBringsArchivedFormsOnly(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(30 * time.Minute)
	form := p.form(t, 20*time.Minute, 7)
	begun := newThing()
	begun.app, begun.created = a2App, p.clock().Add(-time.Hour)
	p.placeForm(t, begun, p.clock().Add(-10*time.Minute), 8)
	app := p.instance(t, 10*time.Minute)
	p.poll(t, live.ReachBatch)
	assert.True(t, p.has(form))
	assert.False(t, p.has(begun))
	assert.False(t, p.has(app), "of the other source")
	reach := p.at(t, live.ReachBatch)
	assert.EqualValues(t, 1, reach.Created)
	assert.Equal(t, map[string]int64{"not_archived": 1}, reach.SkippedBy)
	arrivals := p.live(t, ledger.A2ArchivedForms).Arrivals
	require.NotNil(t, arrivals)
	assert.Equal(t, 20*time.Minute, arrivals.Max)
	assert.EqualValues(t, 2, arrivals.Items)
}

func TestOutageOfDaysIsCaughtUpInOneBatch(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	var forms []thing
	for range 3 * 24 {
		p.pass(time.Hour)
		forms = append(forms, p.form(t, 10*time.Minute, 100+len(forms)))
	}
	require.Equal(t, live.PollEnd{}, p.poll(t, live.ReachBatch))
	for i, f := range forms {
		assert.True(t, p.has(f), "%d", i)
	}
	assert.Equal(t, p.clock().Add(-10*time.Second), *p.live(t, ledger.A2ArchivedForms).Watermark)
	assert.EqualValues(t, len(forms), p.at(t, live.ReachBatch).Created)
}

func TestFormThatArrivesDaysLateIsFoundByASweep(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(6 * 24 * time.Hour)
	p.poll(t, live.ReachBatch)
	overlap, days, months := p.form(t, 5*time.Hour, 1), p.form(t, 2*24*time.Hour, 2), p.form(t, 5*24*time.Hour, 3)
	history := p.form(t, 10*24*time.Hour, 4) // four days older than live
	p.pass(5 * time.Minute)
	p.poll(t, live.ReachBatch)
	assert.True(t, p.has(overlap))
	assert.False(t, p.has(days))
	p.poll(t, live.ReachDays)
	assert.True(t, p.has(days))
	assert.False(t, p.has(months))
	p.poll(t, live.ReachMonths)
	assert.True(t, p.has(months))
	assert.False(t, p.has(history), "what nobody has brought over yet is history's")

	arrivals := p.live(t, ledger.A2ArchivedForms).Arrivals
	require.NotNil(t, arrivals)
	assert.EqualValues(t, 3, arrivals.Items)
	assert.Greater(t, arrivals.Max, 5*24*time.Hour)
	assert.Equal(t, 3*24*time.Hour, arrivals.P50)

	// Once history adjoins, sweeps go back into it.
	p.exec(t, `insert into coverage (source, org, closed) values ('a2-archived-forms', 'ttd', tstzmultirange(tstzrange($1, $2)))`,
		p.clock().AddDate(0, -1, 0), p.clock())
	p.pass(24 * time.Hour)
	p.poll(t, live.ReachMonths)
	assert.True(t, p.has(history))
}

// What arrives is live's from the first day on, though its time lies before.
func TestFormThatArrivesDaysLateIsFoundInANewInstallation(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(time.Hour)
	form, history := p.form(t, 2*24*time.Hour, 1), p.form(t, 5*24*time.Hour, 2)
	p.poll(t, live.ReachBatch)
	assert.False(t, p.has(form))
	p.poll(t, live.ReachDays)
	assert.True(t, p.has(form))
	p.poll(t, live.ReachMonths)
	assert.False(t, p.has(history), "what nobody has brought over yet is history's")
}

func TestSweepGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.PageSize = 4 })
	p.poll(t, live.ReachBatch)
	p.pass(2 * 24 * time.Hour)
	p.poll(t, live.ReachBatch)
	var forms []thing
	for i := range 24 {
		forms = append(forms, p.form(t, time.Duration(40-i)*time.Hour, 10+i))
	}
	posts := 0
	stopping := make(chan struct{})
	first := p.another(t)
	first.Stopping = stopping
	var mu sync.Mutex
	p.watch(func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs") {
			if posts++; posts == 10 {
				close(stopping)
			}
		}
	})
	end, err := first.Run(t.Context(), p.reach(t, live.ReachDays))
	require.NoError(t, err)
	assert.True(t, end.Again)
	reach := p.at(t, live.ReachDays)
	assert.Positive(t, reach.Created)
	assert.Less(t, reach.Created, int64(len(forms)))
	to := *reach.UpTo
	var listed []string
	p.watch(func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/instances") {
			listed = append(listed, r.URL.Query().Get("lastChanged"))
		}
	})
	p.pass(time.Minute)
	p.poll(t, live.ReachDays)
	p.watch(nil)
	assert.True(t, to.Equal(*p.at(t, live.ReachDays).UpTo), "the same run")
	require.NotEmpty(t, listed)
	assert.Greater(t, listed[0], "gte:"+stamp(p.clock().Add(-44*time.Hour)), "not from its start")
	for i, f := range forms {
		assert.True(t, p.has(f), "%d", i)
	}
}

func TestBatchIsNeverDoneByTwo(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(time.Hour)
	p.form(t, 10*time.Minute, 1)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var listings atomic.Int64
	p.watch(func(r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/instances") {
			return
		}
		listings.Add(1)
		once.Do(func() {
			close(entered)
			<-leave
		})
	})
	var first sync.WaitGroup
	first.Go(func() {
		end, err := p.poller.Run(t.Context(), p.reach(t, live.ReachBatch))
		assert.NoError(t, err) //nolint:testifylint // require must not be called beside the test
		assert.Equal(t, live.PollEnd{}, end)
	})
	<-entered
	other := p.another(t)
	end, err := other.Run(t.Context(), p.reach(t, live.ReachBatch))
	require.NoError(t, err)
	assert.Positive(t, end.Rest)
	assert.EqualValues(t, 1, listings.Load(), "it did nothing")

	// A batch that lasts longer than its period is followed at once by the next, which goes up to the new now.
	p.pass(10 * time.Minute)
	close(leave)
	first.Wait()
	assert.GreaterOrEqual(t, listings.Load(), int64(2), "the tick that came meanwhile is not lost")
	assert.Equal(t, p.clock().Add(-10*time.Second), *p.live(t, ledger.A2ArchivedForms).Watermark)
}

// Invariant 5: what a presumed-dead run still writes does not count.
func TestRunThatWasPresumedDeadCannotRecord(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(time.Hour)
	form := p.form(t, 10*time.Minute, 1)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.watch(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs") {
			once.Do(func() {
				close(entered)
				<-leave
			})
		}
	})
	var first sync.WaitGroup
	first.Go(func() {
		_, err := p.poller.Run(t.Context(), p.reach(t, live.ReachBatch))
		assert.NoError(t, err)
	})
	<-entered
	// Another takes it over, and is stopped before it has done anything.
	p.exec(t, `update poll set epoch = epoch + 1, lease_until = null where reach = 'batch'`)
	p.exec(t, `update poll_org set epoch = epoch + 1 where reach = 'batch'`)
	close(leave)
	first.Wait()
	_, recorded := p.ledger(t, form)
	assert.False(t, recorded)
	assert.Zero(t, p.at(t, live.ReachBatch).Created)
	assert.Less(t, p.live(t, ledger.A2ArchivedForms).LagS, time.Hour.Seconds()+11)
	assert.Greater(t, p.live(t, ledger.A2ArchivedForms).LagS, 50*time.Minute.Seconds(), "the position is where it was")

	p.poll(t, live.ReachBatch)
	entry, recorded := p.ledger(t, form)
	assert.True(t, recorded)
	assert.Equal(t, ledger.DialogAlive, entry.State)
}

// A crash between the effect and its record repeats the effect, which changes nothing.
func TestCrashBetweenEffectAndRecordLosesNothing(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	p.pass(20 * time.Second)
	th := p.instance(t, 10*time.Second)
	before := *p.live(t, ledger.A3AppInstances).Watermark
	p.exec(t, `alter table poll_org add constraint crash check (created = 0)`)
	_, err := p.poller.Run(t.Context(), p.reach(t, live.ReachCatchUp))
	require.Error(t, err)
	require.True(t, p.has(th))
	_, recorded := p.ledger(t, th)
	require.False(t, recorded)
	p.exec(t, `alter table poll_org drop constraint crash`)
	assert.True(t, before.Equal(*p.live(t, ledger.A3AppInstances).Watermark), "the position does not go before the record")
	p.poll(t, live.ReachCatchUp)
	entry, recorded := p.ledger(t, th)
	assert.True(t, recorded)
	assert.Equal(t, ledger.DialogAlive, entry.State)
}

func TestItemThatFailsHoldsThePositionAndNothingElse(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.PageSize = 5 })
	p.poll(t, live.ReachCatchUp)
	p.pass(time.Minute)
	var things []thing
	for i := range 14 {
		things = append(things, p.instance(t, time.Duration(30-i)*time.Second))
	}
	bad := things[3]
	p.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: bad.guid.String() + "/events$", Effect: faults.EffectStatus, Status: http.StatusInternalServerError,
	})
	p.poll(t, live.ReachCatchUp)
	l := p.live(t, ledger.A3AppInstances)
	assert.Equal(t, p.clock().Add(-27*time.Second), *l.Watermark)
	require.Len(t, l.Behind, 1)
	assert.Equal(t, "ttd", l.Behind[0].Org)
	assert.Contains(t, l.Behind[0].Failure, "500")
	for i, th := range things {
		assert.Equal(t, i != 3, p.has(th), "%d", i)
	}
	assert.Empty(t, p.quarantine(t))

	// In the end the item is blamed, and the stream gets on.
	for range 6 {
		p.pass(10 * time.Second)
		p.instance(t, 5*time.Second)
		p.poll(t, live.ReachCatchUp)
	}
	quarantine := p.quarantine(t)
	require.Len(t, quarantine, 1)
	assert.Equal(t, bad.id().String(), quarantine[0].ItemKey)
	l = p.live(t, ledger.A3AppInstances)
	assert.Equal(t, p.clock().Add(-2*time.Second), *l.Watermark)
	assert.Empty(t, l.Behind)

	// A stretch that is listed again tries it too.
	p.fault(t)
	p.poll(t, live.ReachRecent)
	assert.True(t, p.has(bad))
	assert.Empty(t, p.quarantine(t))
}

func TestSystemThatFailsStopsTheStreamAndBurnsNothing(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]faults.Rule{
		"destination refuses us": {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusForbidden},
		"destination is broken":  {Service: altinnsim.ServiceDialogporten, Effect: faults.EffectStatus, Status: http.StatusInternalServerError},
		"storage refuses us":     {Service: altinnsim.ServiceStorage, Effect: faults.EffectStatus, Status: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPolling(t)
			p.poll(t, live.ReachBatch)
			p.pass(30 * time.Minute)
			before := *p.live(t, ledger.A2ArchivedForms).Watermark
			var forms []thing
			for i := range 25 {
				forms = append(forms, p.form(t, 20*time.Minute-time.Duration(i)*time.Second, 1+i))
			}
			p.fault(t, rule)
			for range 7 {
				end := p.poll(t, live.ReachBatch)
				assert.Positive(t, end.Rest)
				p.exec(t, `update poll set due_at = 'epoch'`)
			}
			assert.Empty(t, p.quarantine(t))
			assert.NotEmpty(t, p.at(t, live.ReachBatch).Waiting)
			reason, _, waiting := p.poller.Gate.Waiting(ledger.A2ArchivedForms, stream.Live)
			assert.True(t, waiting)
			assert.NotEmpty(t, reason)
			now := *p.live(t, ledger.A2ArchivedForms).Watermark
			assert.False(t, now.Before(before), "%s, before %s", now, before)
			assert.False(t, now.After(p.clock().Add(-20*time.Minute)))

			p.fault(t)
			p.poll(t, live.ReachBatch)
			for i, f := range forms {
				assert.True(t, p.has(f), "%d", i)
			}
			_, _, waiting = p.poller.Gate.Waiting(ledger.A2ArchivedForms, stream.Live)
			assert.False(t, waiting)
		})
	}
}

func TestOrganisationThatCannotBeListedHoldsTheWatermarkAndIsNamed(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.know(t, "nav")
	p.poll(t, live.ReachCatchUp)
	p.pass(time.Minute)
	th := p.instance(t, 10*time.Second)
	p.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: "/instances$", Query: "org=nav", Effect: faults.EffectStatus, Status: http.StatusInternalServerError,
	})
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(th), "the others go on")
	l := p.live(t, ledger.A3AppInstances)
	assert.Equal(t, p.clock().Add(-time.Minute), *l.Watermark)
	require.Len(t, l.Behind, 1)
	assert.Equal(t, "nav", l.Behind[0].Org)
	p.fault(t)
	p.poll(t, live.ReachCatchUp)
	l = p.live(t, ledger.A3AppInstances)
	assert.Equal(t, p.clock().Add(-2*time.Second), *l.Watermark)
	assert.Empty(t, l.Behind)
}

func TestPauseEndsAPollWithItsPositionAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.PageSize, c.Concurrency = 5, 1 })
	p.poll(t, live.ReachBatch)
	p.pass(2 * time.Hour)
	var forms []thing
	for i := range 60 {
		forms = append(forms, p.form(t, time.Duration(100-i)*time.Minute, 1+i))
	}
	p.fault(t, faults.Rule{
		Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(100 * time.Millisecond),
	})
	var run sync.WaitGroup
	run.Go(func() {
		end, err := p.poller.Run(t.Context(), p.reach(t, live.ReachBatch))
		assert.NoError(t, err) //nolint:testifylint // as above
		assert.Positive(t, end.Rest)
	})
	require.Eventually(t, func() bool { return p.at(t, live.ReachBatch).Created >= 5 }, 20*time.Second, time.Millisecond)
	p.exec(t, `update stream set paused = true, reason = 'test', operator = 'tester', changed_at = now() where source = 'a2-archived-forms' and stream = 'live'`)
	require.NoError(t, p.poller.Gate.Refresh(t.Context()))
	run.Wait() // by itself

	created := p.at(t, live.ReachBatch).Created
	assert.Less(t, created, int64(len(forms)))
	assert.Greater(t, *p.live(t, ledger.A2ArchivedForms).Watermark, time.Time{})
	assert.False(t, p.live(t, ledger.A2ArchivedForms).Watermark.Before(p.clock().Add(-100*time.Minute)))
	assert.Positive(t, p.poll(t, live.ReachBatch).Rest, "nothing is begun while paused")
	assert.Equal(t, created, p.at(t, live.ReachBatch).Created)

	p.fault(t)
	p.exec(t, `update stream set paused = false`)
	require.NoError(t, p.poller.Gate.Refresh(t.Context()))
	p.poll(t, live.ReachBatch)
	for i, f := range forms {
		assert.True(t, p.has(f), "%d", i)
	}
	assert.EqualValues(t, len(forms), p.at(t, live.ReachBatch).Created, "each once")
}

func TestMigratedAnewLeavesOneDialog(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(2 * time.Hour)
	old := p.form(t, 90*time.Minute, 4711)
	p.poll(t, live.ReachBatch)
	require.True(t, p.has(old))

	p.pass(5 * time.Minute)
	anew := p.form(t, 80*time.Minute, 4711) // removes the old instance
	p.poll(t, live.ReachBatch)
	p.finish(t)
	assert.True(t, p.has(anew))
	assert.False(t, p.has(old), "nothing else tells of its end")
	entry, _ := p.ledger(t, old)
	assert.Equal(t, ledger.Purged, entry.Outcome)
	assert.Equal(t, ledger.DialogAbsent, entry.State)
}

// The old instance was listed before it was removed, and recorded after the new one.
func TestMigratedAnewWhileTheOldOneIsOnItsWay(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(2 * time.Hour)
	old := p.form(t, 90*time.Minute, 4711)
	var once sync.Once
	var anew thing
	p.watch(func(r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/dialogs") {
			return
		}
		once.Do(func() { // the old dialog is being made from its listing
			anew = p.form(t, 80*time.Minute, 4711)
			p.watch(nil)
			recorder := delivery.Recorder{Pool: p.pool, Deliverer: p.deliverer}
			_, err := recorder.Deliver(t.Context(), delivery.Item{ID: anew.id(), AppID: anew.app, Created: anew.created, Migration: true, Attempt: 4}, nil)
			assert.NoError(t, err)
		})
	})
	p.poll(t, live.ReachBatch)
	p.finish(t)
	assert.True(t, p.has(anew))
	assert.False(t, p.has(old))
}

// Both are recorded at the same moment: neither transaction sees the other's row.
func TestMigratedAnewAndRecordedAtTheSameMoment(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(2 * time.Hour)
	old := p.form(t, 90*time.Minute, 4711)
	p.poll(t, live.ReachBatch)
	require.True(t, p.has(old))
	const gate = 4711
	holder, err := p.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer holder.Release()
	for _, statement := range []string{
		"create table kept as select * from ledger where a2_ref = 4711",
		"delete from ledger where a2_ref = 4711", // as if its transaction were still open
		"create function await_gate() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock_shared(4711); return null; end'",
		"create constraint trigger gate after insert or update on poll_org deferrable initially deferred for each row execute function await_gate()",
	} {
		_, err := p.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	_, err = holder.Exec(t.Context(), "select pg_advisory_lock($1)", gate)
	require.NoError(t, err)
	p.pass(5 * time.Minute)
	anew := p.form(t, 80*time.Minute, 4711) // removes the old instance
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		p.poll(t, live.ReachBatch) //nolint:testifylint // a failure fails the test all the same
	}()
	atGate := func() {
		for waits := false; !waits; {
			err := holder.QueryRow(t.Context(), "select count(*) > 0 from pg_locks where locktype = 'advisory' and not granted and objid = $1"+
				" and database = (select oid from pg_database where datname = current_database())", gate).Scan(&waits)
			require.NoError(t, err)
		}
	}
	// The page comes to the gate when its row of the new one is written, and not committed yet.
	for atGate(); !p.has(anew); atGate() {
		_, err = holder.Exec(t.Context(), "select pg_advisory_unlock($1), pg_advisory_lock($1)", gate)
		require.NoError(t, err)
	}
	_, err = holder.Exec(t.Context(), "insert into ledger table kept")
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), "select pg_advisory_unlock($1)", gate)
	require.NoError(t, err)
	<-polled
	p.finish(t)
	assert.True(t, p.has(anew))
	assert.False(t, p.has(old), "one form has one dialog")
}

func TestTwoInstancesOfOneReferenceThatBothLiveBothStay(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(2 * time.Hour)
	one, other := p.form(t, 90*time.Minute, 1), p.form(t, 80*time.Minute, 2)
	require.NoError(t, p.sim.Storage.SetValue(other.guid, "A2ArchRef", "1"))
	p.poll(t, live.ReachBatch)
	p.finish(t)
	assert.True(t, p.has(one))
	assert.True(t, p.has(other))
}

// A form that was met before Altinn 2 had stored its events: nothing tells of them, and lastChanged does not move.
func TestHalfStoredFormIsLookedAtASecondTime(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
	p.pass(2 * time.Hour)
	form := p.form(t, 90*time.Minute, 1)
	p.poll(t, live.ReachBatch)
	require.True(t, p.has(form))
	before := p.sim.Requests.Count(altinnsim.ServiceStorage, "", "")
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
	assert.Equal(t, before, p.sim.Requests.Count(altinnsim.ServiceStorage, "", ""), "it is not due")

	p.age(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
	assert.Greater(t, p.sim.Requests.Count(altinnsim.ServiceStorage, "", ""), before)
	after := p.sim.Requests.Count("", "", "")
	p.age(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
	assert.Equal(t, after, p.sim.Requests.Count("", "", ""), "two looks are enough")
}

// A form that comes with Altinn 2's times is met before its events are stored by whoever is at work there: a poll, or history.
func TestHalfStoredFormThatComesLateIsMadeWholeWhoeverMetIt(t *testing.T) {
	t.Parallel()
	for _, by := range [...]string{"a poll", "history"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			p := newPolling(t)
			p.poll(t, live.ReachBatch)
			require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms)) // begins it
			p.pass(24 * time.Hour)
			p.poll(t, live.ReachBatch)
			form := newThing()
			form.app, form.archive, form.created = a2App, true, p.clock().Add(-4*time.Hour)
			p.migrate(t, form, p.clock().Add(-3*time.Hour), 1)
			if by == "history" {
				p.walkHistory(t, p.orderHistory(t, ledger.A2ArchivedForms))
			} else {
				p.poll(t, live.ReachBatch)
			}
			require.True(t, p.has(form))
			p.migrateEvents(t, form, "Submited")
			for _, reach := range [...]string{live.ReachBatch, live.ReachDays, live.ReachMonths} {
				p.poll(t, reach)
			}
			before := p.writes(form)
			p.age(t)
			require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
			assert.Equal(t, before+1, p.writes(form), "nothing else tells of the rest")
			after := p.sim.Requests.Count("", "", "")
			p.age(t)
			require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms))
			assert.Equal(t, after, p.sim.Requests.Count("", "", ""), "two looks are enough")
		})
	}
}

func TestOldFormsThatHistoryMadeAreNotLookedAtAgain(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A2ArchivedForms)) // begins it
	now, err := db.New(p.pool).DatabaseNow(t.Context())
	require.NoError(t, err)
	record := func(changed time.Time) ledger.Entry {
		th := newThing()
		e := ledger.Entry{
			ItemID: th.dialogID(), DialogID: th.dialogID(), Instance: th.id(), Source: ledger.A2ArchivedForms, SourceChanged: changed,
			ReadAt: now, Outcome: ledger.Created, State: ledger.DialogAlive, MappingVersion: 1, WindowID: 1,
		}
		_, err := ledger.Record(t.Context(), db.New(p.pool), []ledger.Entry{e})
		require.NoError(t, err)
		return e
	}
	recent := record(now.AddDate(0, 0, -91))
	record(now.AddDate(0, 0, -93))
	p.age(t)
	looks, err := db.New(p.pool).HistoryLooks(t.Context(), db.HistoryLooksParams{Age: time.Minute, MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, looks, 1)
	assert.Equal(t, recent.ItemID, looks[0].ItemID)
}

// age makes everything recorded a quarter of an hour old, and second looks due.
func (p *polling) age(t testing.TB) {
	t.Helper()
	p.exec(t, `update ledger set recorded_at = recorded_at - interval '15 minutes', read_at = read_at - interval '15 minutes'`)
	p.exec(t, `update poll set due_at = 'epoch' where reach in ('second-look', 'history-look')`)
}

// A sweep brings over what had failed, while its PDF is not made yet: the change that failed must not pass for the one delivered.
func TestSubmissionThatHadFailedGetsItsTransmissionByPollsAlone(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.putApp(t, app, map[string]any{"id": "model", "taskId": "Task_1", "appLogic": map[string]any{"classRef": "x"}})
	p.poll(t, live.ReachCatchUp)
	p.pass(20 * time.Second)
	for range 12 { // so that the failure is the item's own
		p.instance(t, 10*time.Second)
	}
	p.poll(t, live.ReachCatchUp)
	p.pass(10 * time.Second)
	th := newThing()
	th.submitted, th.party, th.created = true, 77, p.clock().Add(-time.Hour)
	p.place(t, th, p.clock().Add(-4*time.Second))
	p.poll(t, live.ReachCatchUp)
	entry, _ := p.ledger(t, th)
	require.Equal(t, ledger.Failed, entry.Outcome, "Register does not have the party yet")
	p.putParty(t, 77)
	p.pass(8 * time.Second)
	p.poll(t, live.ReachRecent)
	entry, _ = p.ledger(t, th)
	require.Equal(t, ledger.Created, entry.Outcome)
	assert.Zero(t, entry.SourceChanged, "the transmission is still to come")

	before := p.writes(th)
	p.pass(5 * time.Minute)
	p.poll(t, live.ReachCatchUp)
	p.poll(t, live.ReachRecent)
	assert.Equal(t, before+1, p.writes(th), "it comes without the PDF in the end")
	entry, _ = p.ledger(t, th)
	assert.NotZero(t, entry.SourceChanged)
	p.pass(5 * time.Minute)
	p.poll(t, live.ReachRecent)
	assert.Equal(t, before+1, p.writes(th))
}

// Somebody had listed the item before it was deleted, made its dialog right after the deletion was recorded, and died.
func TestDialogMadeBehindATombstoneIsFoundOut(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A3AppInstances))
	p.pass(20 * time.Second)
	th, other := p.instance(t, 10*time.Second), p.instance(t, 10*time.Second)
	// What a slice of history does that dies before it records.
	_, err := p.deliverer.Deliver(t.Context(), delivery.Item{ID: th.id(), AppID: th.app, Created: th.created, Migration: true, Attempt: 4})
	require.NoError(t, err)
	require.True(t, p.has(th))
	for _, gone := range []thing{th, other} {
		require.NoError(t, p.sim.Storage.HardDelete(gone.guid))
		require.NoError(t, p.sim.Storage.SetLastChanged(gone.guid, p.clock().Add(-5*time.Second)))
	}
	// Live saw no dialog and recorded the deletion before it was there.
	now, err := db.New(p.pool).DatabaseNow(t.Context())
	require.NoError(t, err)
	for _, gone := range []thing{th, other} {
		_, err = ledger.Record(t.Context(), db.New(p.pool), []ledger.Entry{{
			ItemID: gone.dialogID(), DialogID: gone.dialogID(), Instance: gone.id(), Source: ledger.A3AppInstances,
			SourceChanged: p.clock().Add(-5 * time.Second), ReadAt: now, Outcome: ledger.Skipped, Reason: delivery.ReasonHardDeleted,
			State: ledger.DialogAbsent, MappingVersion: 1,
		}})
		require.NoError(t, err)
	}
	p.age(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), ledger.A3AppInstances))
	assert.False(t, p.has(th), "what was deleted stays deleted")
	entry, _ := p.ledger(t, th)
	assert.Equal(t, ledger.Purged, entry.Outcome)
	entry, _ = p.ledger(t, other)
	assert.Equal(t, ledger.Skipped, entry.Outcome, "its dialog is not there: nothing to do")
}

func TestNewOrganisationIsPolledFromWhenLiveBegan(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	p.pass(24 * time.Hour)
	p.poll(t, live.ReachCatchUp)
	p.sim.Orgs.Put(world.Organisation{Code: "nav", Number: "889640782", Name: world.Texts{NB: "NAV"}})
	p.sim.Orgs.PutResources(world.Resource{ID: "app_nav_innsending", Org: "nav", OrgNumber: "889640782", Type: "AltinnApp"})
	p.putApp(t, "nav/innsending")
	th := newThing()
	th.app, th.created = "nav/innsending", p.clock().Add(-10*time.Hour)
	p.place(t, th, p.clock().Add(-10*time.Hour))
	p.know(t, "nav")
	assert.Greater(t, p.live(t, ledger.A3AppInstances).LagS, 23*time.Hour.Seconds(), "it counts from the moment it is known")
	p.poll(t, live.ReachCatchUp)
	assert.True(t, p.has(th))
	assert.Less(t, p.live(t, ledger.A3AppInstances).LagS, 10.0)
}

// A worker that has just been installed polls before it has asked which organisations there are.
func TestFirstBatchWaitsForOrganisations(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.exec(t, "delete from organisation")
	end := p.poll(t, live.ReachBatch)
	assert.Positive(t, end.Rest, "it is tried again soon, not at the next tick")
	assert.Nil(t, p.live(t, ledger.A2ArchivedForms).Watermark)

	p.know(t, "ttd")
	assert.Zero(t, p.poll(t, live.ReachBatch))
	assert.NotNil(t, p.live(t, ledger.A2ArchivedForms).Watermark)
}

// A poll that has nothing to deliver knows nothing of the system that stopped the events.
func TestAnEmptyPollDoesNotSetOffWhatEventsStopped(t *testing.T) {
	t.Parallel()
	p := newPolling(t, func(c *live.PollConfig) { c.Intakes = true })
	p.accept(t, p.instance(t, time.Second).command())
	p.fault(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectStatus, Status: http.StatusUnauthorized})
	p.deliver(t)
	waits := func() bool {
		require.NoError(t, p.gate.Refresh(t.Context()))
		require.NoError(t, p.poller.Gate.Refresh(t.Context()))
		_, _, waits := p.gate.Waiting(ledger.A3AppInstances, stream.Live)
		return waits
	}
	require.True(t, waits())
	p.poll(t, live.ReachCatchUp) // the instance is left to its event
	assert.True(t, waits(), "the stream would start and stop again with every poll")

	p.fault(t)
	p.exec(t, "update inbox set due_at = 'epoch'")
	require.NoError(t, p.keeper.Keep(t.Context()))
	p.finish(t)
	assert.False(t, waits())

	// Where no event waits, nobody else would ever tell.
	require.NoError(t, p.gate.SetWaiting(t.Context(), ledger.A3AppInstances, stream.Live, "an event that is gone by now"))
	require.True(t, waits())
	p.poll(t, live.ReachCatchUp)
	assert.False(t, waits())
}

func TestHoursOfLongAgoAreDropped(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	hours := func() (n int) {
		require.NoError(t, p.pool.QueryRow(t.Context(), "select count(*) from poll_hour").Scan(&n))
		return n
	}
	p.exec(t, `insert into poll_hour (source, reach, hour, known, found)
		select 'a3-app-instances', 'catch-up', date_trunc('hour', timestamptz '`+stamp(p.clock())+`') - n * interval '1 day', 1, 0 from generate_series(0, 99) as n`)
	p.poll(t, live.ReachDay)
	assert.LessOrEqual(t, hours(), 32)
	assert.GreaterOrEqual(t, hours(), 30)
}

func TestRowsThatCannotBeReadAreQuarantinedOnce(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	for range 5 {
		p.instance(t, -time.Second) // others go well
	}
	p.pass(time.Minute)
	p.poll(t, live.ReachCatchUp)
	p.pass(time.Minute)
	changed := stamp(p.clock().Add(-20 * time.Second))
	p.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: "/instances$", Effect: faults.EffectStatus, Status: http.StatusOK, ContentType: "application/json",
		Body: fmt.Sprintf(`{"count":4,"self":"","next":null,"instances":[null,{"id":"17"},{"id":"17"},
			{"id":"50001337/6f3da581-76f9-412c-ba01-44e375b5bc79","appId":"ttd/x","lastChanged":%q}]}`, changed),
	})
	for range 3 {
		p.poll(t, live.ReachCatchUp)
	}
	quarantine := p.quarantine(t)
	require.Len(t, quarantine, 3)
	for _, q := range quarantine {
		assert.EqualValues(t, 1, q.Attempts)
	}
	assert.EqualValues(t, 3, p.at(t, live.ReachCatchUp).Quarantined)
	assert.Equal(t, p.clock().Add(-2*time.Second), *p.live(t, ledger.A3AppInstances).Watermark, "they hold nothing up")
}

func TestFollowWorksByItselfAndEnds(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	ctx, cancel := context.WithCancel(t.Context())
	var follow sync.WaitGroup
	follow.Go(func() { p.poller.Follow(ctx) })
	require.Eventually(t, func() bool { return p.live(t, ledger.A3AppInstances).Watermark != nil }, 20*time.Second, 10*time.Millisecond)
	th := p.instance(t, -time.Second)
	p.pass(5 * time.Second)
	require.Eventually(t, func() bool { return p.has(th) }, 20*time.Second, 10*time.Millisecond)
	cancel()
	follow.Wait()
}

// In a quiet hour bad items may be all that changes. What events brought over before tells that the systems are well.
func TestBadItemsDoNotStopPollsWhileEventsGoWell(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]*batch.Alike{"events went well": {}, "nothing to tell by": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPolling(t)
			p.poller.Alike = func(ledger.Source) *batch.Alike { return shared }
			if shared != nil {
				for i := range 20 {
					shared.Note(strconv.Itoa(i), "", false)
				}
			}
			p.poll(t, live.ReachCatchUp)
			p.pass(10 * time.Minute)
			const bad = 4
			for i := range bad {
				th := newThing()
				th.party, th.created = int64(7700+i), p.clock().Add(-time.Hour)
				p.place(t, th, p.clock().Add(-8*time.Minute))
			}
			for range 6 {
				p.pass(10 * time.Second)
				p.poll(t, live.ReachCatchUp)
			}
			_, _, waits := p.poller.Gate.Waiting(ledger.A3AppInstances, stream.Live)
			assert.Equal(t, shared == nil, waits)
			if shared != nil {
				assert.Len(t, p.quarantine(t), bad)
				assert.Empty(t, p.live(t, ledger.A3AppInstances).Behind)
			}
		})
	}
}
