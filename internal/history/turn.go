package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

const (
	// beat is how often a turn tells that it is alive, and looks whether it shall go on: an operator's pause is felt this
	// fast.
	beat = time.Second
	// grace is how long items on their way may take to finish once a turn is told to stop.
	grace = 3 * time.Second
	// blameAfter is how many slices in a row may record nothing because of the same item, while its systems are well,
	// before the item is blamed and put in quarantine.
	blameAfter = 4
	// busyInRest makes the rest of a window whose items are somebody else's a second at the default rest of 15 s.
	busyInRest = 15
	// longestRest is the longest a window rests between tries.
	longestRest = 5 * time.Minute
	// finishTimeout bounds the last writes of a turn when the process is told to end.
	finishTimeout = 5 * time.Second
)

// errFenced tells that the window's epoch is another slice's: what this one did since its last page does not count
// (Invariant 5).
var errFenced = errors.New("the window was taken over by another slice")

// turn is one slice's hold of one window.
type turn struct {
	walker   *Walker
	config   WalkerConfig
	backfill db.Backfill
	window   db.BackfillWindow
	course   course
	deadline time.Time
	log      *zap.Logger
	alike    *batch.Alike
	pace     *pace
	// counted is the source's own count of the window's items, if it was asked.
	counted *int64

	// stop is closed once an operator wants the turn to end, after the items on their way.
	stop     chan struct{}
	stopOnce sync.Once
	// told is done once the turn is told to end, by whomever.
	told context.Context //nolint:containedctx // a signal, for waits that have a context of their own
}

func (t *turn) stream() stream.Stream {
	return stream.Stream{Source: t.backfill.Source, Direction: t.backfill.Stream}
}

func (t *turn) name() string {
	if t.window.Items != nil {
		return t.window.Org
	}
	return t.window.Org + " " + Range{From: t.window.FromTime, To: t.window.ToTime}.String()
}

// ending is why a turn ends before its window is closed.
type ending struct {
	// waiting: the stream stops itself, for this reason (Invariant 8).
	waiting string
	// failure: nothing could be recorded, or not all; the window rests and is tried again.
	failure string
	// forGood: the window cannot be walked.
	forGood bool
	// busy: what is left of the page is somebody else's just now, who will be done with it soon.
	busy bool
}

// walk goes through the window until it is closed, or the turn is told to stop, or it cannot get on.
func (t *turn) walk(ctx context.Context) (SliceEnd, error) {
	t.pace.join(t.backfill.RatePerS)
	defer t.pace.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	var beats sync.WaitGroup
	beats.Go(func() { t.keepAlive(ctx, cancel) })
	var tell context.CancelFunc
	t.told, tell = context.WithCancel(ctx)
	beats.Go(func() { t.listen(tell) })
	defer beats.Wait()
	defer cancel(nil)

	for {
		if t.mustStop(ctx) {
			return t.yield(ctx, ending{})
		}
		done, end, err := t.course.page(ctx)
		switch {
		case context.Cause(ctx) != nil && errors.Is(context.Cause(ctx), errFenced), errors.Is(err, errFenced):
			t.log.Info("window taken over by another slice")
			t.course.makeGood(ctx)
			return SliceEnd{Again: true}, nil
		case err != nil && ctx.Err() != nil:
			return t.yield(ctx, ending{})
		case err != nil:
			// Ours or the database's fault, not the window's: no attempt of its.
			_, yieldErr := t.yield(ctx, ending{})
			return SliceEnd{}, errors.Join(err, yieldErr)
		case end != nil:
			return t.yield(ctx, *end)
		case done:
			return t.close(ctx)
		}
	}
}

func (t *turn) mustStop(ctx context.Context) bool {
	return closed(t.stop) || t.walker.isOver(ctx, t.deadline)
}

// listen makes told of the ways in which a turn is told to end.
func (t *turn) listen(tell context.CancelFunc) {
	select {
	case <-t.stop:
	case <-t.walker.Stopping:
	case <-t.told.Done():
	}
	tell()
}

// keepAlive extends the lease and takes up what operators changed: a pause, a rate. Another slice's epoch, or a lease that
// ran out unextended, ends the turn.
func (t *turn) keepAlive(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	q := db.New(t.walker.Pool)
	heard := time.Now()
	for {
		row, err := q.ExtendLease(ctx, db.ExtendLeaseParams{ID: t.window.ID, Epoch: t.window.Epoch, Lease: t.config.Lease})
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, pgx.ErrNoRows):
			cancel(errFenced)
			return
		case err == nil:
			heard = time.Now()
			t.adjust(row)
		case time.Since(heard) > t.config.Lease:
			cancel(fmt.Errorf("lease not extended for %s: %w", t.config.Lease, err))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// adjust follows the state of backfill and stream, and the backfill's rate, of which each window held has an equal part.
func (t *turn) adjust(row db.ExtendLeaseRow) {
	if row.State != StateRunning || row.StreamPaused {
		t.stopOnce.Do(func() { close(t.stop) })
	}
	t.pace.adjust(row.RatePerS, row.Held)
}

// close ends the window if its accounts balance, and adds it to the coverage (Invariant 6).
func (t *turn) close(ctx context.Context) (SliceEnd, error) {
	// A heartbeat that finds the window closed ends ctx, maybe before the commit has answered; the epoch guards what is written.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	var closedRow db.CloseWindowRow
	err := db.InTx(ctx, t.walker.Pool, func(_ pgx.Tx, q *db.Queries) error {
		var err error
		closedRow, err = q.CloseWindow(ctx, db.CloseWindowParams{ID: t.window.ID, Epoch: t.window.Epoch, SourceCount: t.counted})
		if errors.Is(err, pgx.ErrNoRows) {
			return errFenced
		}
		if err != nil {
			return fmt.Errorf("close window: %w", err)
		}
		if t.window.Items != nil {
			return nil
		}
		return q.CoverRange(ctx, db.CoverRangeParams{
			Source: t.backfill.Source, Stream: t.backfill.Stream, Org: t.window.Org, FromTime: t.window.FromTime, ToTime: t.window.ToTime,
		})
	})
	switch {
	case errors.Is(err, errFenced):
		return SliceEnd{Again: true}, nil
	case isAccountsViolation(err):
		return t.yield(ctx, ending{failure: "the accounts of the window do not balance: it stays open", forGood: true})
	case err != nil:
		return SliceEnd{}, err
	}
	t.log.Info("window closed", zap.Int64p(telemetry.LogKeySourceCount, t.counted),
		zap.Int64(telemetry.LogKeySeen, closedRow.Seen), zap.Int64(telemetry.LogKeyCreated, closedRow.Created),
		zap.Int64(telemetry.LogKeyUpdated, closedRow.Updated), zap.Int64(telemetry.LogKeyUnchanged, closedRow.Unchanged),
		zap.Int64(telemetry.LogKeyDeleted, closedRow.Deleted), zap.Int64(telemetry.LogKeyPurged, closedRow.Purged),
		zap.Int64(telemetry.LogKeyRestored, closedRow.Restored), zap.Int64(telemetry.LogKeySkipped, closedRow.Skipped),
		zap.Int64(telemetry.LogKeyQuarantined, closedRow.Quarantined))
	return SliceEnd{Again: true}, nil
}

// yield gives the window back with its checkpoint.
func (t *turn) yield(ctx context.Context, end ending) (SliceEnd, error) {
	// The turn may end because ctx did.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	// What is stored is shown, like what is logged.
	end.waiting, end.failure = telemetry.Redact(end.waiting), telemetry.Redact(end.failure)
	q := db.New(t.walker.Pool)
	slice := SliceEnd{Again: end.waiting == ""}
	if end.forGood {
		t.log.Error("window failed", zap.String(telemetry.LogKeyError, end.failure))
		params := db.FailWindowParams{ID: t.window.ID, Epoch: t.window.Epoch, Failure: &end.failure}
		if _, err := q.FailWindow(ctx, params); err != nil {
			return SliceEnd{}, fmt.Errorf("record the failure of the window: %w", err)
		}
		return slice, nil
	}
	params := db.YieldWindowParams{ID: t.window.ID, Epoch: t.window.Epoch}
	if end.waiting != "" {
		slice.Rest, params.Rest = t.config.Rest, t.config.Rest
		if err := q.SetWaiting(ctx, db.SetWaitingParams{ID: t.backfill.ID, Reason: &end.waiting}); err != nil {
			return SliceEnd{}, fmt.Errorf("record why the stream waits: %w", err)
		}
		t.log.Warn("backfill waits", zap.String(telemetry.LogKeyReason, end.waiting),
			zap.Float64(telemetry.LogKeyNextRetry, slice.Rest.Seconds()))
	}
	if end.failure != "" {
		params.Failure, params.Rest = &end.failure, restAfter(int(t.window.Attempts), t.config.Rest)
		t.log.Warn("window rests", zap.String(telemetry.LogKeyError, end.failure),
			zap.Float64(telemetry.LogKeyNextRetry, params.Rest.Seconds()))
	}
	if end.busy {
		params.Rest = t.config.Rest / busyInRest
	}
	if _, err := q.YieldWindow(ctx, params); err != nil {
		return SliceEnd{}, fmt.Errorf("give the window back: %w", err)
	}
	return slice, nil
}

// restAfter doubles with each attempt that recorded nothing.
func restAfter(attempts int, first time.Duration) time.Duration {
	rest := first
	for range attempts {
		if rest *= 2; rest >= longestRest {
			return longestRest
		}
	}
	return rest
}

// endOfListing is endOf, unless the listing failed because the turn was told to end.
func (t *turn) endOfListing(ctx context.Context, err error) *ending {
	if ctx.Err() != nil {
		return &ending{}
	}
	return t.endOf(err)
}

// endOf says what a failed listing means for the turn. The source's own refusal is final when it is repeated; whatever else
// happens, a gateway's page included, says nothing of the window.
func (t *turn) endOf(err error) *ending {
	failure := err.Error()
	class := transport.Classify(err)
	switch {
	case class == transport.Systemic:
		return &ending{waiting: failure}
	case class == transport.Permanent && t.window.Attempts >= blameAfter:
		return &ending{failure: failure, forGood: true}
	}
	return &ending{failure: failure, waiting: failure}
}
