package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// TestLiveAndHistoryAtOnce: two workers bring over what there is while it changes. Events are lost, doubled and out of order, rows
// appear late, forms come days late and are migrated again, a worker is killed and a stream paused in the middle. In the end every
// item is as its source has it (Invariants 1 to 5, 7).
func TestLiveAndHistoryAtOnce(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t, 900, badly())
	r.platform.fail(t, slow(3*time.Millisecond))
	r.withBus(t)
	r.withWebhook(t)
	workers := []*process{r.liveWorker(t, "one"), r.liveWorker(t, "two")}
	r.subscribe(t)
	r.move(t, 15*time.Second)
	r.orderAll(t)

	r.afterCreates(t, 200)
	r.killed(t, workers[0])
	r.ok(t, "stream", "pause", "a3-app-instances/live", "--reason", "e2e", "--yes")
	r.afterThings(t, 100)
	workers[0] = r.liveWorker(t, "one")
	await(t, "events to wait", func() bool {
		return r.count(t, "select count(*) from inbox where source = 'a3-app-instances' and job_id is null") > 10
	})
	r.ok(t, "stream", "resume", "a3-app-instances/live", "--reason", "e2e", "--yes")
	r.afterThings(t, 100)
	r.killed(t, workers[1])
	workers[1] = r.liveWorker(t, "two")

	r.still(t)
	r.completed(t, workers...)
	r.sweep(t)
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where state <> 'closed' or seen <> created + updated + unchanged + deleted + purged + restored + skipped + quarantined"))
	assert.Positive(t, r.count(t, "select count(*) from poll_org where found > 0"), "nothing was left for the polls to find")
	r.proveLive(t)
}

// afterThings waits until so many more things have happened, or the world stands still.
func (r *liveRig) afterThings(t *testing.T, n int) {
	t.Helper()
	target := r.platform.Live.Report().Total + n
	await(t, "more to happen", func() bool {
		report := r.platform.Live.Report()
		return report.Total >= target || !report.Running
	})
}

// TestCatchUpAlone: without any intake the polls keep everything current, and nothing is told of what happens.
func TestCatchUpAlone(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t, 300, quietly())
	worker := r.liveWorker(t, "one")
	r.orderAll(t)
	r.completed(t, worker)
	r.move(t, 6*time.Second)
	r.still(t)
	r.sweep(t)
	assert.Zero(t, r.platform.Outbox.Report().Sent)
	r.proveLive(t)
}

// TestDeletionsInAnyOrder: what is deleted, purged and restored before it was ever brought over, twice, without a create, and while
// history comes by, ends as Storage has it, and what was purged is not made again.
func TestDeletionsInAnyOrder(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t, 400, faithfully())
	r.platform.fail(t, slow(5*time.Millisecond))
	r.withBus(t)
	var rows []storage.Row
	r.each(func(item storage.Item) {
		if item.Row.Version == 3 && item.Row.Deleted == 0 {
			rows = append(rows, item.Row)
		}
	})
	part := len(rows) / 4
	var graves, met []string
	happens := func(n int) {
		row := rows[n]
		var steps []func() error
		soft := func() error { return r.platform.Storage.SoftDelete(row.GUID) }
		hard := func() error { return r.platform.Storage.HardDelete(row.GUID) }
		back := func() error { return r.platform.Storage.Undelete(row.GUID) }
		gone := func() error { return r.platform.Storage.Remove(row.GUID) }
		save := func() error { return r.platform.Storage.Save(row.GUID) }
		switch n % 7 {
		case 0:
			steps = append(steps, soft)
		case 1:
			steps = append(steps, soft, soft, back)
		case 2:
			steps = append(steps, hard)
		case 3:
			steps = append(steps, hard, gone)
		case 4:
			steps = append(steps, soft, back, save, soft)
		case 5:
			steps = append(steps, save, soft, hard, hard)
		case 6:
			steps = append(steps, soft, back)
		}
		for i, step := range steps {
			if err := step(); i == 0 {
				require.NoError(t, err)
			}
		}
		keys := []string{row.Key(), storage.DialogID(row.GUID, row.Created).String()}
		if n >= part && n < 2*part {
			met = append(met, keys...)
			return
		}
		graves = append(graves, keys...)
	}
	for n := range part { // before anybody knows of them, or is there to be told
		happens(n)
	}
	workers := []*process{r.liveWorker(t, "one"), r.liveWorker(t, "two")}
	r.orderAll(t)
	for n := part; n < 2*part; n++ { // while history comes by
		if n%8 == 0 {
			r.afterCreates(t, 5)
		}
		happens(n)
	}
	r.completed(t, workers...)
	for n := 2 * part; n < 3*part; n++ { // afterwards
		happens(n)
	}
	for n := range part { // once more
		if n%7 != 3 {
			happens(n)
		}
	}
	r.still(t)
	r.proveLive(t)
	r.proveGraves(t, false, graves...)
	r.proveGraves(t, true, met...)
}

// TestBusRestarts: the bus goes and comes back with what it had, and everything told meanwhile arrives by it.
func TestBusRestarts(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t, 200, faithfully())
	r.withBus(t)
	// The polls leave everything to the bus.
	workers := []*process{r.liveWorker(t, "one", "--catch-up-grace", "1h"), r.liveWorker(t, "two", "--catch-up-grace", "1h")}
	r.orderAll(t)
	r.completed(t, workers...)
	r.move(t, 6*time.Second)
	for range 2 {
		r.afterThings(t, 60)
		address := r.bus.Addr()
		r.bus.CutConnections()
		require.NoError(t, r.bus.Close())
		r.afterThings(t, 60)
		r.listen(t, address)
	}
	r.told(t)
	r.sweep(t)
	report, err := r.platform.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)
	assert.Zero(t, r.count(t, "select coalesce(sum(found), 0) from poll_org where source = 'a3-app-instances'"), "everything came by the bus")
}

// TestDatabaseRestartsWhileEventsComeIn: what was acknowledged is delivered, and what was not comes again.
func TestDatabaseRestartsWhileEventsComeIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	migrate := &rig{environ: []string{"DIALOGSYNC_DATABASE_URL=" + s.url()}}
	migrate.ok(t, "migrate", "up")
	r := newLiveRigOn(t, 200, faithfully(), s.url())
	r.withBus(t)
	r.withWebhook(t)
	workers := []*process{r.liveWorker(t, "one", "--catch-up-grace", "1h"), r.liveWorker(t, "two", "--catch-up-grace", "1h")}
	r.subscribe(t)
	r.orderAll(t)
	r.completed(t, workers...)
	r.move(t, 8*time.Second)
	for range 2 {
		r.afterThings(t, 60)
		s.stop(t)
		r.afterThings(t, 60)
		s.start(t)
		r.pool.Reset() // its connections are gone too
		await(t, "a worker to be ready", func() bool {
			status, _ := workers[0].ask(t, "/readyz")
			return status == 200
		})
	}
	r.told(t)
	for _, w := range workers {
		require.True(t, w.running(), w.tail())
	}
	r.sweep(t)
	report, err := r.platform.Diff(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.Differences)
	assert.Empty(t, r.texts(t, "select q::text from quarantine q limit 5"))
}
