package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

// itemTries is how often an item is tried within a page, on top of the short retries within a call.
const itemTries = 3

// pausesInRest makes the first pause between tries half a second at the default rest of 15 s.
const pausesInRest = 30

// deliver brings the rows of a page over, as many at once as configured, until all have an outcome or the turn must stop.
// It returns nil when the walk may go on.
func (t *turn) deliver(ctx context.Context, rows []row, listedAt time.Time) *ending {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.cancelAfterGrace(ctx, cancel)()

	var once sync.Once
	var waiting string
	group := errgroup.Group{}
	group.SetLimit(t.config.Concurrency)
	for i := range rows {
		if rows[i].settled {
			if rows[i].failure != nil && !rows[i].repeated {
				t.alike.note(rows[i].key, rows[i].failure.Reason, false)
			}
			continue
		}
		if t.mustStop(ctx) {
			break
		}
		if err := t.pace.limiter.Wait(ctx); err != nil {
			if ctx.Err() == nil {
				once.Do(func() { waiting = "the rate ordered allows no item within a slice" })
			}
			break
		}
		group.Go(func() error {
			if reason := t.deliverRow(ctx, &rows[i], listedAt); reason != "" {
				once.Do(func() { waiting = reason })
				cancel() // the others would only meet the same
			}
			return nil
		})
	}
	_ = group.Wait() // never an error

	if waiting == "" {
		waiting = t.failAlike(rows)
	}
	if waiting != "" {
		return &ending{waiting: waiting}
	}
	return t.blame(rows, listedAt)
}

// cancelAfterGrace ends items on their way a moment after the turn was told to stop; the function it returns must be called
// when they are done.
func (t *turn) cancelAfterGrace(ctx context.Context, cancel context.CancelFunc) (done func()) {
	var watching sync.WaitGroup
	watch, end := context.WithCancel(ctx)
	watching.Go(func() {
		select {
		case <-watch.Done():
			return
		case <-t.stop:
		case <-t.walker.Stopping:
		}
		select {
		case <-watch.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return func() {
		end()
		watching.Wait()
	}
}

// deliverRow settles a row, or leaves it pending. A reason means that a system is failing and no item is to blame.
func (t *turn) deliverRow(ctx context.Context, r *row, listedAt time.Time) (waiting string) {
	if result, known := alreadyThere(r, listedAt); known {
		r.settle(result)
		t.alike.note(r.key, "", false)
		return ""
	}
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(t.config.Rest / pausesInRest))
	policy := backoff.WithContext(backoff.WithMaxRetries(pauses, itemTries-1), ctx)
	var result delivery.Result
	err := backoff.Retry(func() error {
		var err error
		result, err = t.deliverOnce(ctx, r, listedAt)
		if err == nil {
			return nil
		}
		if !worthRepeating(delivery.Describe(err), r, listedAt) {
			return backoff.Permanent(err)
		}
		return err
	}, policy)
	if err == nil {
		r.settle(result)
		t.alike.note(r.key, "", false)
		return ""
	}
	return t.failed(ctx, r, err, listedAt)
}

// worthRepeating tells whether a failure may be gone in a moment. What an item lacks is filled in only while it is new:
// Register and applications are behind by minutes, not by days (Storage reference 16.1).
func worthRepeating(failure delivery.Failure, r *row, now time.Time) bool {
	if failure.Class != transport.Transient && failure.Class != transport.Conflict {
		return false
	}
	return !failure.OfItem || now.Sub(r.changed()) < Day
}

// failed decides who is to blame for a row that could not be delivered.
func (t *turn) failed(ctx context.Context, r *row, err error, listedAt time.Time) (waiting string) {
	if ctx.Err() != nil {
		return "" // stopped: neither settled nor anybody's fault
	}
	failure := delivery.Describe(err)
	if failure.Class == transport.Systemic {
		return failure.Detail
	}
	t.alike.note(r.key, failure.Reason, !failure.OfItem)
	if failure.OfItem || failure.Class == transport.Permanent {
		r.fail(failure, listedAt)
		return ""
	}
	r.pending = &failure
	if reason, failing := t.walker.failing(); failing && t.alike.judge(t.backfill.MaxFailureShare).failed > fewItems {
		return reason
	}
	return ""
}

func (t *turn) deliverOnce(ctx context.Context, r *row, listedAt time.Time) (delivery.Result, error) {
	d := t.walker.Delivery
	if r.listed == nil || r.known != nil {
		return d.Deliver(ctx, r.item)
	}
	return d.FromListing(ctx, r.item, r.listed, listedAt)
}

func (r *row) settle(result delivery.Result) {
	r.settled, r.result, r.failure, r.pending = true, result, nil, nil
	r.itemID = result.ItemID
}

func (r *row) fail(failure delivery.Failure, readAt time.Time) {
	r.settled, r.failure, r.pending = true, &failure, nil
	r.result.ReadAt = readAt
}

// alreadyThere tells whether the ledger has this very version of the item, delivered by this version of the mapping: nothing
// is to be done. Skipped and failed items are tried again, since what stood in their way may be gone.
func alreadyThere(r *row, listedAt time.Time) (delivery.Result, bool) {
	k := r.known
	if k == nil || r.listed == nil || k.MappingVersion != mapping.Version || k.Outcome == ledger.Failed || k.Outcome == ledger.Skipped ||
		r.changed().IsZero() || !k.SourceChanged.Equal(r.changed()) {
		return delivery.Result{}, false
	}
	return delivery.Result{
		Outcome: ledger.Unchanged, ItemID: k.ItemID, DialogID: k.DialogID, State: k.State, SourceChanged: k.SourceChanged, ReadAt: listedAt,
	}, true
}

// failAlike stops the stream when too many of the last items failed for one reason; those of this page that did are taken
// back, so that none is quarantined for it (Invariant 8).
func (t *turn) failAlike(rows []row) (waiting string) {
	v := t.alike.judge(t.backfill.MaxFailureShare)
	ofThisPage := func(r row) bool {
		f := cmp.Or(r.failure, r.pending)
		return f != nil && f.Reason == v.reason && !r.repeated
	}
	// A page without such a failure goes on, whatever happened before.
	if !v.tripped || !slices.ContainsFunc(rows, ofThisPage) {
		return ""
	}
	waiting = fmt.Sprintf("%d of the last %d items failed alike: %s", v.failed, v.of, v.reason)
	named := false
	for i := range rows {
		if !ofThisPage(rows[i]) {
			continue
		}
		f := cmp.Or(rows[i].failure, rows[i].pending)
		if !named {
			waiting, named = fmt.Sprintf("%s (for one: %s)", waiting, f.Detail), true
		}
		rows[i].settled, rows[i].failure, rows[i].pending = false, nil, f
	}
	return waiting
}

// blame settles what is still pending: the window rests and the items are tried again, until they have held it up so often,
// while their systems are well, that they themselves must be the cause.
func (t *turn) blame(rows []row, readAt time.Time) *ending {
	first := slices.IndexFunc(rows, func(r row) bool { return r.pending != nil })
	if first < 0 {
		return nil
	}
	failure := rows[first].pending.Detail
	if t.window.Attempts < blameAfter {
		return &ending{failure: failure}
	}
	if !t.alike.judge(t.backfill.MaxFailureShare).well {
		return &ending{failure: failure + " (too few other items went well lately to blame this one; " +
			"'dialogsync backfill resume --max-failure-share 1' takes the backfill past it)"}
	}
	for i := range rows {
		if failure := rows[i].pending; failure != nil {
			t.log.Warn("item quarantined", zap.String(telemetry.LogKeyItem, rows[i].key), zap.String(telemetry.LogKeyReason, failure.Reason))
			rows[i].fail(*failure, readAt)
		}
	}
	return nil
}

// redeliver brings overtaken rows over once more, each by reading everything.
func (t *turn) redeliver(ctx context.Context, rows []*row, overtaken []uuid.UUID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.cancelAfterGrace(ctx, cancel)()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.config.Concurrency)
	for _, r := range rows {
		if r.repeated || r.itemID == uuid.Nil || !slices.Contains(overtaken, r.itemID) {
			continue
		}
		group.Go(func() error {
			result, err := t.walker.Delivery.Deliver(ctx, r.item)
			if err == nil {
				r.settle(result)
				return nil
			}
			failure := delivery.Describe(err)
			if !failure.OfItem && failure.Class != transport.Permanent {
				return fmt.Errorf("deliver %s again: %w", r.key, err)
			}
			readAt, err := t.walker.Delivery.ReadClock(ctx)
			if err != nil {
				return fmt.Errorf("read the database's clock: %w", err)
			}
			r.fail(failure, readAt)
			return nil
		})
	}
	return group.Wait()
}

// makeGood is for a turn that may no longer record: dialogs that it has just made from a listing are compared with their
// source once more, since nobody else knows of them if their items have moved on meanwhile (Invariant 4).
func (t *turn) makeGood(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	group := errgroup.Group{}
	group.SetLimit(t.config.Concurrency)
	for _, r := range t.unrecorded {
		if r.failure != nil || r.repeated || r.result.Outcome != ledger.Created {
			continue
		}
		group.Go(func() error {
			if _, err := t.walker.Delivery.Deliver(ctx, r.item); err != nil {
				t.log.Warn("item could not be looked at again", zap.String(telemetry.LogKeyItem, r.key), zap.Error(err))
			}
			return nil
		})
	}
	_ = group.Wait() // never an error
	t.unrecorded = nil
}
