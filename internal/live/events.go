package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

const (
	// DeliveryTimeout is how long one delivery of an event may take. A job at work for longer than that, and lostMargin more,
	// is taken to have died with its process.
	DeliveryTimeout = time.Minute
	// lostMargin covers clocks that differ, and what a job does after its delivery was ended.
	lostMargin = 30 * time.Second
	// finishTimeout bounds the last writes of a delivery whose context is done.
	finishTimeout = 5 * time.Second
	// rateTimeout is how long a delivery waits for its stream's rate before it gives its worker to another stream's.
	rateTimeout = 2 * time.Second
	// busyPause is when an event on an instance that is just being delivered looks again.
	busyPause = time.Second
	// longPause is from when on an item that is put off shows as an exception.
	longPause = 20 * time.Second
	// early is how much too early a try may be: River's clock is the process's own.
	early = 20 * time.Millisecond
	// pauseGrace is how long a delivery under way may go on once its stream is paused.
	pauseGrace = time.Second
	// A row that fails where nothing else is there to compare it with is to blame after so long, and so many tries.
	aloneFor   = time.Hour
	aloneTries = 10
	// mostAlone is how many different items, all failing, may be all there is to try.
	mostAlone = 3
)

// errPaused tells that a delivery was ended because its stream was paused.
var errPaused = errors.New("the stream was paused")

// EventsConfig is what Events are made of.
type EventsConfig struct {
	Pool      *pgxpool.Pool
	Deliverer *delivery.Deliverer
	Gate      *stream.Gate
	// Health is asked before an item is blamed for what a service may have done.
	Health []batch.HealthCheck
	// Metrics may be nil.
	Metrics *EventMetrics
	Log     *zap.Logger
	// Rest is how long a stream that has stopped itself waits before its next try; default 15 s.
	Rest time.Duration
	// Jitter gives the factor of each pause between tries; nil: from 0.5 to 1.5.
	Jitter func() float64
}

// Events delivers what the inbox holds. It is safe for concurrent use; make it with NewEvents.
type Events struct {
	config   EventsConfig
	recorder delivery.Recorder
	alike    map[ledger.Source]*batch.Alike
	flights  flights

	mu sync.Mutex
	// restUntil is when this process tries a stream again that it found failing.
	restUntil map[ledger.Source]time.Time
}

// NewEvents makes the service.
func NewEvents(config EventsConfig) *Events {
	const defaultRest = 15 * time.Second
	if config.Rest <= 0 {
		config.Rest = defaultRest
	}
	if config.Jitter == nil {
		config.Jitter = drawJitter
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	e := &Events{
		config: config, recorder: delivery.Recorder{Pool: config.Pool, Deliverer: config.Deliverer},
		alike: map[ledger.Source]*batch.Alike{}, restUntil: map[ledger.Source]time.Time{},
	}
	for _, source := range Sources() {
		e.alike[source] = &batch.Alike{}
	}
	return e
}

// Alike is the memory of how a source's items ended; nil for a source without events.
func (e *Events) Alike(source ledger.Source) *batch.Alike { return e.alike[source] }

// End is how a try to deliver an event ended, for the job that made it.
type End struct {
	// Again: the job is to try again, after Pause. Otherwise it is over: the event is delivered, needless or in quarantine, or
	// its row is parked until the keeper gives it a new job.
	Again bool
	Pause time.Duration
}

// event is a row of the inbox in the hands of its job.
type event struct {
	db.InboxRowRow

	id     altinn.InstanceID
	intake Intake
}

func (ev *event) item() delivery.Item {
	item := delivery.Item{ID: ev.id, AppID: ev.AppID, Migration: ev.Migration, Attempt: int(ev.Held) + 1}
	if ev.AppID == "" {
		item.Source = ev.Source
	}
	if ev.Created != nil {
		item.Created = *ev.Created
	}
	return item
}

// Deliver brings over the item of one row of the inbox and takes the row away in the transaction that records it, with all
// others that came in before the reading began. Nothing is lost wherever it is interrupted: while the row is there, it has a
// job or the keeper gives it one (Invariant 1), and a repetition changes nothing (Invariant 2). job is the number of the job
// that asks; one whose row has another by now has nothing to do.
//
// An error is ours or the database's, never the item's.
func (e *Events) Deliver(ctx context.Context, id, job int64) (End, error) {
	ev, found, err := e.read(ctx, id, job)
	if err != nil || !found {
		return End{}, err // not found: delivered with another event, or another job's
	}
	if end, stands, err := e.stands(ctx, ev); stands {
		return end, err
	}
	if ev.DueIn > early {
		return End{Again: true, Pause: ev.DueIn}, nil
	}
	// A burst of events on one instance is one delivery: the others come back to find their rows gone, or needless. They do
	// not wait here, or one slow instance would hold all workers.
	release, free := e.flights.enter(ev.id.GUID)
	if !free {
		return End{Again: true, Pause: time.Duration(float64(busyPause) * e.config.Jitter())}, nil
	}
	defer release()
	needless, err := e.needless(ctx, ev)
	if err != nil || needless {
		return End{}, err
	}
	if end, wait := e.pace(ctx, ev); wait {
		return end, nil
	}
	// The wait for the rate may have been long.
	if end, stands, err := e.stands(ctx, ev); stands {
		return end, err
	}
	return e.deliver(ctx, ev)
}

// stands parks the event if its stream stands still: operators paused it, or this process found it failing just now.
func (e *Events) stands(ctx context.Context, ev *event) (end End, stands bool, err error) {
	if open, reason := e.config.Gate.Open(ev.Source, stream.Live); !open {
		end, err = e.park(ctx, ev, parking{reason: reason})
		return end, true, err
	}
	if rest := e.resting(ev.Source); rest > 0 {
		reason, _, _ := e.config.Gate.Waiting(ev.Source, stream.Live)
		end, err = e.park(ctx, ev, parking{reason: reason, rest: rest})
		return end, true, err
	}
	return End{}, false, nil
}

func (e *Events) read(ctx context.Context, id, job int64) (*event, bool, error) {
	row, err := db.New(e.config.Pool).InboxRow(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("event %d: read it: %w", id, err)
	}
	if row.JobID == nil || *row.JobID != job {
		return nil, false, nil
	}
	return &event{
		InboxRowRow: row, id: altinn.InstanceID{PartyID: int64(row.PartyID), GUID: row.InstanceGuid}, intake: Intake(row.Intake),
	}, true, nil
}

// resting is how long this process leaves a stream alone that it found failing.
func (e *Events) resting(source ledger.Source) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Until(e.restUntil[source])
}

// pace waits for the stream's rate; one whose turn does not come soon is tried again.
func (e *Events) pace(ctx context.Context, ev *event) (end End, wait bool) {
	ctx, cancel := context.WithTimeout(ctx, rateTimeout)
	defer cancel()
	if err := e.config.Gate.Pace(ctx, stream.Stream{Source: ev.Source, Direction: stream.Live}); err != nil {
		return End{Again: true, Pause: rateTimeout}, true
	}
	return End{}, false
}

// needless tells whether a reading that began after the event came in is recorded already, by whomever, and then takes the
// row away. One that waits for a PDF is delivered again in any case.
func (e *Events) needless(ctx context.Context, ev *event) (bool, error) {
	if ev.Created == nil || ev.Held > 0 {
		return false, nil // without the time of creation the ledger's key is not known
	}
	q := db.New(e.config.Pool)
	itemID := dialogid.V7(ev.id.GUID, *ev.Created)
	known, err := ledger.Lookup(ctx, q, []uuid.UUID{itemID})
	if err != nil {
		return false, fmt.Errorf("event %d: %w", ev.ID, err)
	}
	entry, found := known[itemID]
	if !found || entry.Outcome == ledger.Failed || !entry.ReadAt.After(ev.ReceivedAt) {
		return false, nil
	}
	if _, err := q.DropFromInbox(ctx, ev.ID); err != nil {
		return false, fmt.Errorf("event %d: take it from the inbox: %w", ev.ID, err)
	}
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endCoalesced)
	return true, nil
}

func (e *Events) deliver(ctx context.Context, ev *event) (End, error) {
	var end End
	var taken []db.TakeFromInboxRow
	item := ev.item()
	work, cancel := e.whileOpen(ctx, ev.Source)
	defer cancel()
	result, err := e.recorder.Deliver(work, item, func(ctx context.Context, q *db.Queries, result delivery.Result) error {
		var err error
		end, taken, err = e.take(ctx, q, ev, result)
		return err
	})
	unrecorded, isUnrecorded := errors.AsType[*delivery.RecordError](err)
	switch {
	case err != nil && ctx.Err() != nil:
		return End{Again: true}, nil // the process stops: the job is taken up by another
	case err != nil && errors.Is(context.Cause(work), errPaused):
		if end, stands, err := e.stands(ctx, ev); stands {
			return end, err
		}
		return End{Again: true}, nil // resumed meanwhile
	case isUnrecorded:
		if failure, refused := unrecorded.Refused(); refused {
			return e.blame(ctx, ev, item, result, failure, causeRefused)
		}
		return End{}, fmt.Errorf("event %d: %w", ev.ID, unrecorded)
	case err != nil:
		return e.failed(ctx, ev, item, result, err)
	}
	e.alike[ev.Source].Note(ev.id.String(), "", false)
	if err := e.config.Gate.ClearWaiting(ctx, ev.Source, stream.Live); err != nil {
		e.config.Log.Warn("stream goes on, and still shows as waiting", zap.Error(err))
	}
	e.count(ctx, ev, result, end, taken)
	return end, nil
}

// whileOpen gives the context of a delivery: its time is bounded, and ends soon after its stream is paused, with errPaused.
func (e *Events) whileOpen(ctx context.Context, source ledger.Source) (context.Context, context.CancelFunc) {
	work, end := context.WithCancelCause(ctx)
	work, cancel := context.WithTimeout(work, DeliveryTimeout)
	closed := e.config.Gate.Closed(source, stream.Live)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-work.Done():
			return
		case <-closed:
		}
		grace := time.NewTimer(pauseGrace)
		defer grace.Stop()
		select {
		case <-work.Done():
		case <-grace.C:
			end(errPaused)
		}
	})
	return work, func() {
		cancel()
		end(nil)
		watching.Wait()
	}
}

// take takes away what the delivery has made needless: all events on the instance that came in before its reading began. The
// event itself stays while a submission lacks its PDF.
func (e *Events) take(ctx context.Context, q *db.Queries, ev *event, result delivery.Result) (End, []db.TakeFromInboxRow, error) {
	pause, wait := retryIn(causePDF, int(ev.Held)+1, e.config.Jitter())
	wait = wait && (result.WaitingForPDF || result.Withheld > 0)
	taken, err := q.TakeFromInbox(ctx, db.TakeFromInboxParams{ID: ev.ID, Keep: wait, InstanceGuid: ev.id.GUID, ReadAt: result.ReadAt})
	if err != nil {
		return End{}, nil, fmt.Errorf("event %d: take it from the inbox: %w", ev.ID, err)
	}
	if err := e.anew(ctx, q, ev, result); err != nil {
		return End{}, nil, err
	}
	if !wait {
		return End{}, taken, nil
	}
	reason := string(causePDF)
	_, err = q.RetryInbox(ctx, db.RetryInboxParams{
		ID: ev.ID, Attempt: ev.Attempt, Held: min(ev.Held+1, mapping.MaxPDFWaitAttempts), Failure: &reason, Pause: pause,
	})
	if err != nil {
		return End{}, nil, fmt.Errorf("event %d: put it off: %w", ev.ID, err)
	}
	return End{Again: true, Pause: pause}, taken, nil
}

// anew sees to a form that the ledger now has under more than one item with a dialog: it was migrated anew, and the old instance is
// gone without a word (Storage reference 12.3). An event of ours tells of each of the others, which raises no further ones.
func (e *Events) anew(ctx context.Context, q *db.Queries, ev *event, result delivery.Result) error {
	if ev.intake == IntakeAnew {
		return nil
	}
	shared, err := ledger.Sharing(ctx, q, []ledger.Entry{result.Entry()})
	if err != nil {
		return fmt.Errorf("event %d: %w", ev.ID, err)
	}
	others := slices.DeleteFunc(shared, func(other ledger.Entry) bool { return other.ItemID == result.ItemID })
	if err := delivery.TellAnew(ctx, q, others); err != nil {
		return fmt.Errorf("event %d: %w", ev.ID, err)
	}
	return nil
}

func (e *Events) count(ctx context.Context, ev *event, result delivery.Result, end End, taken []db.TakeFromInboxRow) {
	m := e.config.Metrics
	m.recorded(ctx, result.Source, result.Outcome, taken)
	own := endDelivered
	if end.Again {
		own = endRetried
	}
	m.ended(ctx, ev.Source, ev.intake, own)
	for n := range taken {
		if taken[n].ID != ev.ID {
			m.ended(ctx, taken[n].Source, Intake(taken[n].Intake), endCoalesced)
		}
	}
}

// failed decides who is to blame for an item that could not be delivered.
func (e *Events) failed(ctx context.Context, ev *event, item delivery.Item, result delivery.Result, cause error) (End, error) {
	// The delivery's time may be used up; what came of it must be written nonetheless.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	failure := delivery.Describe(cause)
	if failure.Class == transport.Canceled {
		return End{Again: true}, nil
	}
	if failure.Class == transport.Systemic {
		return e.wait(ctx, ev, failure.Detail, false)
	}
	if !failure.OfItem {
		if reason, failing := e.failing(); failing {
			return e.wait(ctx, ev, reason, false)
		}
	}
	of := causeOf(failure)
	if own, ok := errors.AsType[*delivery.Error](cause); ok && own.NothingThere {
		of = causeNothingThere
	}
	return e.blame(ctx, ev, item, result, failure, of)
}

// blame puts an item off that could not be delivered while the systems look well, or in quarantine, unless too many fail alike.
func (e *Events) blame(
	ctx context.Context, ev *event, item delivery.Item, result delivery.Result, failure delivery.Failure, of cause,
) (End, error) {
	attempt := int(ev.Attempt) + 1
	pause, again := retryIn(of, attempt, e.config.Jitter())
	pause += failure.RetryAfter // our own on top: those that were asked together must not come back together
	if of == causeNothingThere && !again {
		return End{}, e.drop(ctx, ev)
	}
	alike := e.alike[ev.Source]
	counted := !again || !of.ordinary()
	if counted {
		alike.Note(ev.id.String(), failure.Reason, !failure.OfItem)
	}
	verdict := alike.Judge(maxFailureShare)
	stops := counted && verdict.Tripped && verdict.Reason == failure.Reason
	alone := stops && verdict.Of <= mostAlone
	if stops && (!alone || !ev.longAlone()) {
		const text = "%d of the last %d items failed alike: %s (for one: %s)"
		return e.wait(ctx, ev, fmt.Sprintf(text, verdict.Failed, verdict.Of, verdict.Reason, failure.Detail), alone)
	}
	if alone || !again && of != causeNone && !failure.OfItem && !verdict.Well {
		// Too few others went well lately for this one to be blamed for good: it stands among the exceptions, its event stays, and no
		// attempt counts (Invariant 8).
		pause, again, attempt = longestPause(of, e.config.Jitter()), true, int(ev.Attempt)
	}
	bad := delivery.Quarantined(item, result, failure, attempt)
	if again {
		end, err := e.retry(ctx, ev, bad, failure, attempt, pause)
		if alone && err == nil {
			err = e.config.Gate.ClearWaiting(ctx, ev.Source, stream.Live)
		}
		return end, err
	}
	return e.quarantine(ctx, ev, bad, failure, attempt)
}

// drop takes an event away whose instance has come and gone without a dialog.
func (e *Events) drop(ctx context.Context, ev *event) error {
	if _, err := db.New(e.config.Pool).DropFromInbox(ctx, ev.ID); err != nil {
		return fmt.Errorf("event %d: take it from the inbox: %w", ev.ID, err)
	}
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endNothingThere)
	return nil
}

// maxFailureShare is the share of the last items that may fail for one reason before the stream stops itself.
const maxFailureShare = 0.5

func (e *Events) failing() (reason string, failing bool) {
	for _, check := range e.config.Health {
		if reason, failing := check.Failing(); failing {
			return reason, true
		}
	}
	return "", false
}

// retry puts the event off. An item that is put off for long stands in quarantine meanwhile, where a person sees it: the live
// watermark goes on beside it, as beside any exception.
func (e *Events) retry(
	ctx context.Context, ev *event, bad ledger.Quarantined, failure delivery.Failure, attempt int, pause time.Duration,
) (End, error) {
	gone := false
	err := db.InTx(ctx, e.config.Pool, func(_ pgx.Tx, q *db.Queries) error {
		kept, err := q.RetryInbox(ctx, db.RetryInboxParams{
			ID: ev.ID, Attempt: int16(attempt), Held: ev.Held, Failure: &failure.Detail, Pause: pause, //nolint:gosec // a handful
		})
		if gone = kept == 0; err != nil || gone || pause < longPause {
			return err
		}
		bad.Attempts = 1 // they add up
		return ledger.Quarantine(ctx, q, []ledger.Quarantined{bad})
	})
	if err != nil {
		return End{}, fmt.Errorf("event %d: put it off: %w", ev.ID, err)
	}
	if gone {
		e.overtaken(ctx, ev)
		return End{}, nil
	}
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endRetried)
	e.config.Log.Warn("item not delivered, it is tried again", append(e.fields(ev, failure), zap.Int(telemetry.LogKeyAttempt, attempt),
		zap.Float64(telemetry.LogKeyNextRetry, pause.Seconds()))...)
	return End{Again: true, Pause: pause}, nil
}

// overtaken counts an event whose row another delivery of the item took with it while this one failed: the item is well, and what
// went wrong here says nothing of it any more.
func (e *Events) overtaken(ctx context.Context, ev *event) {
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endCoalesced)
}

// quarantine puts the item where a person sees it, and takes its event away, in one transaction.
func (e *Events) quarantine(ctx context.Context, ev *event, bad ledger.Quarantined, failure delivery.Failure, attempts int) (End, error) {
	gone := false
	err := db.InTx(ctx, e.config.Pool, func(_ pgx.Tx, q *db.Queries) error {
		dropped, err := q.DropFromInbox(ctx, ev.ID)
		if gone = dropped == 0; err != nil || gone {
			return err
		}
		return ledger.Quarantine(ctx, q, []ledger.Quarantined{bad})
	})
	if err != nil {
		return End{}, fmt.Errorf("event %d: put its item in quarantine: %w", ev.ID, err)
	}
	if gone {
		e.overtaken(ctx, ev)
		return End{}, nil
	}
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endQuarantined)
	e.config.Log.Warn("item quarantined", append(e.fields(ev, failure), zap.Int(telemetry.LogKeyAttempt, attempts))...)
	return End{}, nil
}

func (e *Events) fields(ev *event, failure delivery.Failure) []zap.Field {
	return []zap.Field{
		zap.String(telemetry.LogKeyItem, ev.id.String()), zap.String(telemetry.LogKeySource, string(ev.Source)),
		zap.String(telemetry.LogKeyClass, failure.Class.String()), zap.String(telemetry.LogKeyReason, failure.Reason),
		zap.String(telemetry.LogKeyError, failure.Detail),
	}
}

// longAlone tells whether the row has failed for so long, and so often, where nothing else was there to compare it with, that it
// need not hold its stream up any longer.
func (ev *event) longAlone() bool { return ev.AloneFor >= aloneFor && ev.AloneTries >= aloneTries }

// wait stops the stream: a system is failing and no item is to blame, so nothing counts as an attempt (Invariant 8). alone: the
// systems look well, and there is only this item to tell by.
func (e *Events) wait(ctx context.Context, ev *event, reason string, alone bool) (End, error) {
	// Deliveries that were under way fail with it, each in words of its own: the first speaks for all.
	if e.resting(ev.Source) <= 0 {
		if err := e.config.Gate.SetWaiting(ctx, ev.Source, stream.Live, reason); err != nil {
			return End{}, fmt.Errorf("event %d: %w", ev.ID, err)
		}
	}
	e.mu.Lock()
	e.restUntil[ev.Source] = time.Now().Add(e.config.Rest)
	e.mu.Unlock()
	return e.park(ctx, ev, parking{reason: reason, rest: e.config.Rest, alone: &alone})
}

// parking is why a row is parked, and for how long at least; alone as in wait, nil for one that was not tried.
type parking struct {
	reason string
	rest   time.Duration
	alone  *bool
}

// park takes the row from its job, which is over then. Jobs do not spin while a stream stands still.
func (e *Events) park(ctx context.Context, ev *event, p parking) (End, error) {
	reason := telemetry.Redact(p.reason)
	err := db.New(e.config.Pool).ParkInbox(ctx, db.ParkInboxParams{
		ID: ev.ID, JobID: ev.JobID, Failure: &reason, Pause: max(p.rest, 0), Alone: p.alone,
	})
	if err != nil {
		return End{}, fmt.Errorf("event %d: park it: %w", ev.ID, err)
	}
	e.config.Metrics.ended(ctx, ev.Source, ev.intake, endParked)
	return End{}, nil
}
