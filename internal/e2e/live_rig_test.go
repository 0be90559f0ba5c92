package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	movement "github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

const (
	secret    = "7f0c8a1e-a-path-that-nobody-guesses"
	queueName = "altinn.dialogportenadapter.webapi"
	// liveFor is how long live had run when a test's world begins to move.
	liveFor = 30 * time.Minute
	// skew is how wrong clocks may be.
	skew = time.Second
)

// liveRig is a platform whose world moves, and all ways in.
type liveRig struct {
	*rig

	bus     *servicebus.Server
	ingress *ingress
	// inserter asks for polls out of their turn.
	inserter *river.Client[pgx.Tx]
	// rested is when told found the world standing still, by the database's clock.
	rested time.Time
}

// told says how the platform announces changes.
type told struct {
	outbox outbox.Settings
	events events.Settings
	// quiet is for how long nothing has happened when a test begins: what did before that was told to nobody.
	quiet time.Duration
}

// quietly announces nothing at all.
func quietly() told { return told{events: events.Settings{AllowHTTP: true}} }

// faithfully announces everything once, at once and in order; what happened earlier is old enough to be left to history.
func faithfully() told {
	return told{outbox: outbox.Settings{Enabled: true}, events: events.Settings{AllowHTTP: true, Speed: 100}, quiet: quietFor}
}

// badly loses, doubles and shuffles what it announces.
func badly() told {
	return told{
		outbox: outbox.Settings{Enabled: true, DelayScale: 0.01, Lose: 0.05, Double: 0.1, Shuffle: true},
		events: events.Settings{AllowHTTP: true, Speed: 100, Lose: 0.05, Double: 0.1, Shuffle: faults.Duration(time.Second)},
	}
}

// newLiveRig gives a world of the last days, live streams that have run for a while, and a database with nothing else in it.
func newLiveRig(t *testing.T, items int, how told) *liveRig {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes and kills them: not in short mode")
	}
	return newLiveRigOn(t, items, how, dbtest.URL(t))
}

func newLiveRigOn(t *testing.T, items int, how told, database string) *liveRig {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := &liveRig{rig: newRigBefore(t, database, altinnsim.Options{
		Seed: seed, Outbox: &how.outbox, Events: how.events,
		ServiceBus: servicebus.Options{Queues: []servicebus.QueueOptions{{Name: queueName, LockDuration: 10 * time.Second}}},
	})}
	options := worldOf(items)
	options.Seed, options.MissingParties, options.SoftDeleted, options.HardDeleted = seed, 0, 0.03, 0.02
	if how.quiet > 0 {
		options.End = time.Now().Add(-how.quiet)
	}
	r.generate(t, options)
	for _, source := range live.Sources() {
		_, err := r.pool.Exec(t.Context(), "insert into poll (source, reach, since) values ($1, $2, $3)",
			source, live.FirstReach(source), time.Now().Add(-liveFor))
		require.NoError(t, err)
	}
	var err error
	r.inserter, err = jobs.NewInserter(r.pool)
	require.NoError(t, err)
	return r
}

// withBus opens the bus to workers that are started from now on.
func (r *liveRig) withBus(t *testing.T) {
	t.Helper()
	r.listen(t, "127.0.0.1:0")
	r.environ = append(r.environ, "DIALOGSYNC_SERVICEBUS_CONNECTION="+r.bus.ConnectionString(), "DIALOGSYNC_SERVICEBUS_QUEUE="+queueName)
}

func (r *liveRig) listen(t *testing.T, address string) {
	t.Helper()
	await(t, "the bus's port to be free", func() bool {
		var err error
		r.bus, err = r.platform.ListenServiceBus(t.Context(), address)
		return err == nil
	})
}

// withWebhook has workers that are started from now on take what Altinn Events pushes. Events are subscribed to by subscribe.
func (r *liveRig) withWebhook(t *testing.T) {
	t.Helper()
	r.ingress = newIngress(t)
	r.environ = append(r.environ, "DIALOGSYNC_EVENTS_SECRET="+secret)
}

func (r *liveRig) subscribe(t *testing.T) {
	t.Helper()
	r.ok(t, "subscription", "create", "--endpoint", r.ingress.server.URL, "--reason", "e2e", "--yes")
	await(t, "the subscriptions to be validated", func() bool {
		counts := r.platform.Events.Counts()
		return counts.Subscriptions > 0 && counts.Validated == counts.Subscriptions
	})
}

// liveWorker starts a worker that looks again soon, and waits until it can be asked.
func (r *liveRig) liveWorker(t *testing.T, name string, more ...string) *process {
	t.Helper()
	args := []string{"--catch-up-every", "500ms", "--catch-up-grace", "3s", "--catch-up-overlap", "30s", "--event-slots", "16"}
	w := r.worker(t, name, append(args, more...)...)
	await(t, name+" to be ready", func() bool {
		status, _ := w.ask(t, "/readyz")
		require.True(t, w.running(), w.tail())
		return status == http.StatusOK
	})
	if r.ingress != nil {
		r.ingress.put(name, w.address)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.name, w.tail())
		}
	})
	return w
}

// killed is kill -9 of a worker that delivers events. Its jobs are given anew once they have been at work for longer than a
// delivery may take. So that nobody has to wait for that, all jobs look that old: those of the living are given twice, which
// does no harm.
func (r *liveRig) killed(t *testing.T, w *process) {
	t.Helper()
	w.kill()
	_, err := r.pool.Exec(t.Context(), "update river_job set attempted_at = attempted_at - interval '10 minutes' where kind = $1 and state = 'running'",
		jobs.EventDelivery{}.Kind())
	require.NoError(t, err)
}

// orderAll orders everything up to now, further back than the world goes.
func (r *liveRig) orderAll(t *testing.T) {
	t.Helper()
	now := time.Now().UTC()
	for _, source := range live.Sources() {
		r.ok(t, "backfill", "create", "--source", string(source), "--from", now.Format(time.DateOnly),
			"--to", now.AddDate(0, 0, -35).Format(time.DateOnly), "--reason", "e2e", "--yes")
	}
}

// poll has a reach begun now, as its tick would, and waits until it has been walked.
func (r *liveRig) poll(t *testing.T, source ledger.Source, reach string) {
	t.Helper()
	began := r.now(t)
	_, err := r.inserter.Insert(t.Context(), jobs.Poll{Source: string(source), Reach: reach}, &river.InsertOpts{Queue: jobs.QueuePoll})
	require.NoError(t, err)
	await(t, reach+" of "+string(source), func() bool {
		return r.count(t, "select count(*) from poll where source = $1 and reach = $2 and run_started_at > $3 and run_ended_at > run_started_at and not unfinished",
			source, reach, began) == 1
	})
}

func (r *liveRig) now(t *testing.T) time.Time {
	t.Helper()
	var now time.Time
	require.NoError(t, r.pool.QueryRow(t.Context(), "select clock_timestamp()").Scan(&now))
	return now
}

// move makes things happen for so long, sixty a second.
func (r *liveRig) move(t *testing.T, length time.Duration) {
	t.Helper()
	settings := r.platform.Live.Settings()
	settings.Rate, settings.For = 60, faults.Duration(length)
	settings.LateShare, settings.Late, settings.SkewShare, settings.Skew = 0.05, faults.Duration(2*time.Second), 0.03, faults.Duration(skew)
	settings.After, settings.RemoveAfter = faults.Duration(time.Second), faults.Duration(time.Hour)
	// More of what is seldom.
	maps.Copy(settings.Shares, map[movement.Action]float64{
		movement.Form: 0.1, movement.Remigrate: 0.04, movement.SoftDelete: 0.05, movement.HardDelete: 0.03, movement.Restore: 0.04,
	})
	settings.Forms = map[movement.Age]float64{movement.Minutes: 0.5, movement.Hours: 0.3, movement.Days: 0.2}
	require.NoError(t, r.platform.Live.Set(settings))
}

// still waits until nothing happens any more, and all that has happened is delivered.
func (r *liveRig) still(t *testing.T) {
	t.Helper()
	r.told(t)
	began := time.Now()
	r.caughtUp(t)
	t.Logf("the watermark passed it after %s", time.Since(began).Round(100*time.Millisecond))
}

// told waits until nothing happens any more, and what was told of it is delivered.
func (r *liveRig) told(t *testing.T) {
	t.Helper()
	await(t, "the world to stand still", func() bool {
		report := r.platform.Live.Report()
		return !report.Running && report.Pending == 0 && r.platform.Outbox.Waiting() == 0
	})
	began := time.Now()
	r.rested = r.now(t)
	report := r.platform.Live.Report()
	t.Logf("%d things happened: %v; %d late, %d skewed, %d missed", report.Total, report.Actions, report.Late, report.Skewed, report.Missed)
	t.Logf("outbox: %+v", r.platform.Outbox.Report().Counts)
	await(t, "all events to be pushed", func() bool { return r.platform.Events.Counts().Pending == 0 })
	t.Logf("events: %+v", r.platform.Events.Counts())
	if r.bus != nil {
		queue := r.platform.ServiceBus.First()
		await(t, "the queue to be empty", func() bool {
			counts := queue.Counts()
			return counts.Active+counts.Locked+counts.Scheduled == 0
		})
		t.Logf("bus: %+v", queue.Counts())
		assert.Zero(t, queue.Counts().DeadLettered, queue.DeadLetters(3))
	}
	r.delivered(t)
	t.Logf("delivered %s after the last thing happened", time.Since(began).Round(100*time.Millisecond))
}

// caughtUp waits until everything of app instances that has happened so far is delivered, told or not.
func (r *liveRig) caughtUp(t *testing.T) {
	t.Helper()
	await(t, "the watermark to pass what has happened", func() bool {
		return r.count(t, "select count(*) from stream where source = 'a3-app-instances' and stream = 'live' and watermark > $1", r.rested.Add(skew)) == 1
	})
}

// sweep lists again all forms that may have come late, once the polls look at what happened last.
func (r *liveRig) sweep(t *testing.T) {
	t.Helper()
	var settle time.Duration
	for _, reach := range (live.PollConfig{}).Reaches() {
		settle = max(settle, reach.Settle)
	}
	await(t, "what happened to be old enough", func() bool { return r.now(t).After(r.rested.Add(settle + skew)) })
	for _, reach := range []string{live.ReachBatch, live.ReachDays, live.ReachMonths} {
		r.poll(t, ledger.A2ArchivedForms, reach)
	}
	r.delivered(t) // what a poll finds to be migrated anew is told to the inbox
}

func (r *liveRig) delivered(t *testing.T) {
	t.Helper()
	await(t, "the inbox to be empty", func() bool { return r.count(t, "select count(*) from inbox") == 0 })
}

// proveLive holds what was done to the ground truth, item by item.
func (r *liveRig) proveLive(t *testing.T) {
	t.Helper()
	report, err := r.platform.Diff(t.Context())
	require.NoError(t, err)
	t.Logf("%d instances, %d dialogs, %d equal, %d of which nobody could know; %v", report.Instances, report.Dialogs, report.Equal, report.Unknowable, report.States)
	assert.Empty(t, report.Differences)
	assert.Zero(t, report.Differing)
	assert.Empty(t, r.texts(t, "select q::text from quarantine q limit 5"))
	r.proveRecords(t, report.Unknowable)
	r.proveNobodyIsTold(t, r.allLogs(t))
}

// proveRecords holds the ledger to Storage: every instance in its present version, and no dialog of one that is gone.
func (r *liveRig) proveRecords(t *testing.T, unknowable int) {
	t.Helper()
	type record struct {
		ItemID  uuid.UUID
		Changed *time.Time
		State   string
		Outcome string
	}
	rows, err := r.pool.Query(t.Context(), "select item_id, source_changed as changed, dialog_state as state, outcome from ledger")
	require.NoError(t, err)
	records, err := pgx.CollectRows(rows, pgx.RowToStructByName[record])
	require.NoError(t, err)
	known := map[uuid.UUID]record{}
	for _, entry := range records {
		assert.NotContains(t, known, entry.ItemID, "twice in the ledger")
		known[entry.ItemID] = entry
	}
	r.each(func(item storage.Item) {
		id := dialogID(item)
		entry, found := known[id]
		delete(known, id)
		if !assert.True(t, found, "the ledger lacks %s", item.Row.Key()) {
			return
		}
		assert.NotEqual(t, "failed", entry.Outcome)
		if entry.Changed != nil && !item.Row.Flags.Has(storage.HardDeleted) && !item.Row.Flags.Has(storage.NoLastChanged) {
			assert.Equal(t, time.UnixMicro(item.Row.LastChanged).UTC(), entry.Changed.UTC(), "%s, %s, %s", item.Row.Key(), entry.Outcome, entry.State)
		}
	})
	alive := 0
	for _, gone := range known {
		if gone.State != "absent" {
			alive++
		}
	}
	assert.LessOrEqual(t, alive, unknowable, "dialogs of instances that are gone")
}

// proveGraves reads in every dialog's story that none was made again after it was purged; of one that met a page of history on its
// way, that it was purged once more (Invariant 4).
func (r *liveRig) proveGraves(t *testing.T, met bool, keys ...string) {
	t.Helper()
	for _, key := range keys {
		purged, risen := false, false
		for _, entry := range r.platform.Story(key) {
			if entry.Service != altinnsim.ServiceDialogporten || entry.Status >= http.StatusBadRequest {
				continue
			}
			if strings.HasSuffix(entry.Path, "/actions/purge") {
				purged, risen = true, false
			}
			risen = risen || purged && entry.Status == http.StatusCreated
			assert.False(t, risen && !met, "%s rose from its grave", key)
		}
		assert.False(t, risen, "%s rose from its grave and was left", key)
	}
}

// ingress brings what comes from outside to whichever worker answers, as a cluster's would.
type ingress struct {
	server *httptest.Server

	mu      sync.Mutex
	workers map[string]string
}

func newIngress(t *testing.T) *ingress {
	t.Helper()
	i := &ingress{workers: map[string]string{}}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	return i
}

// put names where a worker answers.
func (i *ingress) put(name, address string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.workers[name] = address
}

func (i *ingress) addresses() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []string
	for _, address := range i.workers { // in another order each time
		all = append(all, address)
	}
	return all
}

func (i *ingress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, address := range i.addresses() {
		request, err := http.NewRequestWithContext(r.Context(), r.Method, fmt.Sprintf("http://%s%s", address, r.URL.RequestURI()), bytes.NewReader(body))
		if err != nil {
			break
		}
		request.Header = r.Header.Clone()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		w.WriteHeader(response.StatusCode)
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}
