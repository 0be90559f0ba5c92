package history_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
)

// alive are listed instances that want a living dialog, newest first, all brought to the days of the test.
func (e *engine) alive(t *testing.T) []storage.Listed {
	t.Helper()
	items := slices.DeleteFunc(e.listed(t, ledger.A3AppInstances), func(l storage.Listed) bool {
		return l.Instance.IsSoftDeleted() || l.Instance.IsHardDeleted()
	})
	slices.SortFunc(items, func(a, b storage.Listed) int { return b.Instance.LastChanged.Compare(a.Instance.LastChanged.Time) })
	return items
}

// brokenEvents makes one instance's events unreadable.
func brokenEvents(item storage.Listed) faults.Rule {
	return faults.Rule{
		Service: altinnsim.ServiceStorage, Path: item.ID.GUID.String() + "/events$", Effect: faults.EffectStatus,
		Status: http.StatusInternalServerError,
	}
}

// What is done behind an item that fails is recorded all the same: a deletion that came between is seen, and nothing is
// counted under another outcome when it is listed again.
func TestItemsBehindAFailingOneAreRecorded(t *testing.T) {
	t.Parallel()
	world := generated(60)
	world.Orgs, world.A1, world.A2, world.SoftDeleted, world.HardDeleted = 1, 0, 0, 0, 0
	e := newEngine(t, world, func(c *history.WalkerConfig) { c.PageSize = 100 })
	noon := newest.Add(-12 * time.Hour)
	items := e.alive(t)
	for i, item := range items {
		require.NoError(t, e.sim.Storage.SetLastChanged(item.ID.GUID, noon.Add(-time.Duration(i)*time.Minute)))
	}
	bad, victim := items[0], items[20]
	slow := faults.Rule{
		Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectLatency, Latency: faults.Duration(200 * time.Millisecond),
	}
	e.fault(t, brokenEvents(bad), slow)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	var slice sync.WaitGroup
	slice.Go(func() {
		_, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
	})
	require.Eventually(t, func() bool { return e.hasEvents(victim.ID.GUID) }, patience, time.Millisecond)
	require.NoError(t, e.sim.Storage.HardDelete(victim.ID.GUID))
	_, err := reconcile.SyncItem(t.Context(), e.pool, e.deliverer, delivery.Item{
		ID: victim.ID, AppID: victim.Instance.AppID, Created: victim.Instance.Created.Time, Attempt: 1,
	}, reconcile.Asked{Operator: "tester", Reason: "deleted"})
	require.NoError(t, err)
	slice.Wait()
	e.fault(t, brokenEvents(bad))
	e.work(t, id)

	p := e.progress(t, id)
	assert.True(t, p.Accounts.Balanced())
	assert.EqualValues(t, 1, p.Accounts.Quarantined)
	assert.GreaterOrEqual(t, p.Accounts.Created, int64(len(items)-3), "made once and counted as that: %+v", p.Accounts)
	report, err := e.sim.Diff(t.Context())
	require.NoError(t, err)
	for _, difference := range report.Differences {
		assert.Equal(t, bad.ID.String(), difference.Item, "%+v", difference)
	}
}

func TestBadItemInATieIsBlamedToo(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(200), func(c *history.WalkerConfig) { c.PageSize = 5 })
	items := e.alive(t)
	noon := newest.Add(-12 * time.Hour)
	for _, item := range items {
		require.NoError(t, e.sim.Storage.SetLastChanged(item.ID.GUID, noon))
	}
	bad := items[len(items)/2]
	e.fault(t, brokenEvents(bad))
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)

	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateComplete, detail.State)
	require.Len(t, detail.Quarantine, 1)
	assert.Equal(t, bad.ID.String(), detail.Quarantine[0].ItemKey)
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), detail.Accounts.Seen)
}

// A tie may need more slices than one; each goes on where the last one was.
func TestTieIsTakenUpWhereItWasLeft(t *testing.T) {
	t.Parallel()
	world := generated(240)
	world.Orgs, world.A1, world.A2 = 1, 0, 0
	e := newEngine(t, world, func(c *history.WalkerConfig) { c.PageSize = 5 })
	noon := newest.Add(-12 * time.Hour)
	items := e.listed(t, ledger.A3AppInstances)
	for _, item := range items {
		require.NoError(t, e.sim.Storage.SetLastChanged(item.ID.GUID, noon))
	}
	// Each slice is told to end at its third page of the tie.
	var pages atomic.Int64
	var stop func()
	look := func() {
		if pages.Add(1)%3 == 0 {
			stop()
		}
	}
	e.tiePage.Store(&look)
	id := e.order(t, orderOf(ledger.A3AppInstances))
	slices := 0
	require.Eventually(t, func() bool {
		stopping := make(chan struct{})
		stop = sync.OnceFunc(func() { close(stopping) })
		e.walker.Stopping = stopping
		slices++
		_, err := e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, e.keeper.Keep(t.Context()))
		return over(e.progress(t, id))
	}, patience, time.Millisecond)

	p := e.progress(t, id)
	assert.EqualValues(t, len(items), p.Accounts.Seen)
	assert.Greater(t, slices, 5)
	assert.Equal(t, 1, e.tieStarts.n, "the tie was read from its start again and again")
}

func TestFailureThatIsOverStopsNothing(t *testing.T) {
	t.Parallel()
	world := generated(1)
	world.A1, world.A2, world.SoftDeleted, world.HardDeleted, world.Orgs = 0, 0, 0, 0, 1
	e := newEngine(t, world)
	item := e.listed(t, ledger.A3AppInstances)[0]
	e.fault(t, faults.Rule{
		Service: altinnsim.ServiceDialogporten, Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusInternalServerError,
	})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	require.Eventually(t, func() bool {
		_, err := e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
		return e.progress(t, id).Waiting != ""
	}, patience, time.Millisecond)
	e.fault(t)
	require.NoError(t, e.sim.Storage.Remove(item.ID.GUID))
	e.work(t, id)
	p := e.progress(t, id)
	assert.Equal(t, history.StateComplete, p.State)
	assert.Zero(t, p.Accounts.Seen)
}

func TestMalformedRowsAreBadItemsAndNotAFailedPage(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(80))
	e.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: "/instances$", Query: "org=skd", Count: 1, Effect: faults.EffectStatus, Status: http.StatusOK,
		ContentType: "application/json",
		Body: `{"count":5,"self":"","next":null,"instances":[null,null,{"id":"17"},{"id":"17"},
			{"id":"50001337/6f3da581-76f9-412c-ba01-44e375b5bc79","appId":"skd/x","lastChanged":"2026-03-02T08:14:02Z"}]}`,
	})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)

	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateComplete, detail.State)
	assert.True(t, detail.Accounts.Balanced())
	assert.EqualValues(t, 3, detail.Accounts.Quarantined, "equal rows are one item")
	for _, q := range detail.Quarantine {
		assert.Equal(t, "malformed_instance", q.Reason)
	}
}

func TestGivenItemIsOneWhateverPartyStandsBeforeIt(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(40))
	item := e.alive(t)[0]
	order := orderOf(ledger.A3AppInstances)
	order.Range, order.Items = history.Range{}, []string{"1/" + item.ID.GUID.String(), item.ID.String()}
	id := e.order(t, order)
	e.work(t, id)
	p := e.progress(t, id)
	assert.EqualValues(t, 1, p.Accounts.Seen)
	assert.EqualValues(t, 1, p.Accounts.Created)
	rows, err := db.New(e.pool).LedgerPage(t.Context(), db.LedgerPageParams{MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.EqualValues(t, item.ID.PartyID, *rows[0].PartyID, "the instance's own party is recorded")
}

func TestRateHoldsOverManySmallWindows(t *testing.T) {
	t.Parallel()
	world := generated(60)
	world.Orgs, world.A1, world.A2 = 3, 0, 0
	e := newEngine(t, world)
	order := orderOf(ledger.A3AppInstances)
	const perSecond = 40
	order.RatePerS = new(float64(perSecond))
	began := time.Now()
	e.work(t, e.order(t, order))
	atLeast := time.Duration(len(e.listed(t, ledger.A3AppInstances))-1) * time.Second / perSecond
	assert.GreaterOrEqual(t, time.Since(began), atLeast, "no window is free of it")
}

func TestMisroutedListingFailsNoWindow(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(40))
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Path: "/instances$", Effect: faults.EffectStatus, Status: http.StatusNotFound,
		ContentType: "text/html", Body: "<html>not here</html>",
	})
	for range 30 {
		_, err := e.walker.Slice(t.Context(), id)
		require.NoError(t, err)
	}
	p := e.progress(t, id)
	assert.Zero(t, p.Windows.Failed)
	assert.Contains(t, p.Waiting, "404")
	e.fault(t)
	_, err := e.pool.Exec(t.Context(), "update backfill_window set retry_at = 'epoch'") // it rests for minutes by now
	require.NoError(t, err)
	e.work(t, id)
	assert.Equal(t, history.StateComplete, e.progress(t, id).State)
}
