package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// errAgain undoes a page's transaction: some items must be delivered again before it can hold.
var errAgain = errors.New("items are to be delivered again")

// Record writes the rows that have an outcome into ledger and quarantine, in one transaction with what write writes of the
// owner: checkpoint, accounts, and the proof that the epoch is still its own (Invariant 5). write returns an error to undo it
// all; that error is returned.
//
// Before the transaction holds, two kinds of items are delivered again by reading everything: those that somebody else
// recorded meanwhile (Invariant 4), and all items of a form that the ledger has under more than one. Where the form was migrated
// anew the old instance is gone, and its dialog goes with it.
func (c *Carrier) Record(ctx context.Context, settled []*Row, write func(context.Context, *db.Queries) error) error {
	c.unrecorded = settled
	looked := map[uuid.UUID]bool{}
	if err := c.record(ctx, settled, looked, write); err != nil {
		return err
	}
	c.unrecorded = nil
	others, err := c.others(ctx, settled, looked)
	if err != nil || len(others) == 0 {
		return err
	}
	if err := c.redeliver(ctx, others); err != nil {
		return err
	}
	return c.record(ctx, others, looked, func(context.Context, *db.Queries) error { return nil }) // as an event's delivery is
}

// record writes rows; looked are items that were delivered again for the sake of their form.
func (c *Carrier) record(
	ctx context.Context, settled []*Row, looked map[uuid.UUID]bool, write func(context.Context, *db.Queries) error,
) error {
	for {
		var again []*Row
		err := db.InTx(ctx, c.Pool, func(_ pgx.Tx, q *db.Queries) error {
			if err := write(ctx, q); err != nil {
				return err
			}
			var err error
			if again, err = c.write(ctx, q, settled, looked); err == nil && len(again) > 0 {
				err = errAgain
			}
			return err
		})
		if !errors.Is(err, errAgain) {
			return err
		}
		for _, r := range again {
			if r.aside && !looked[r.ItemID] {
				settled = append(settled, r)
			}
			looked[r.ItemID] = true
		}
		if err := c.redeliver(ctx, again); err != nil {
			return err
		}
	}
}

// others are items of a form that was recorded under another item at the same moment: neither transaction saw the other's.
func (c *Carrier) others(ctx context.Context, recorded []*Row, looked map[uuid.UUID]bool) ([]*Row, error) {
	entries, _, _, _ := c.entriesOf(recorded) //nolint:dogsled // the rest is on record
	shared, err := ledger.Sharing(ctx, db.New(c.Pool), entries)
	if err != nil {
		return nil, fmt.Errorf("look for forms that are recorded twice: %w", err)
	}
	var others []*Row
	for i := range shared {
		if id := shared[i].ItemID; !looked[id] {
			looked[id] = true
			others = append(others, c.rowOf(&shared[i]))
		}
	}
	return others, nil
}

// Forget drops what has an outcome and is not to be recorded.
func (c *Carrier) Forget() { c.unrecorded = nil }

// write returns the rows that must be delivered again first; looked are items that have been, for the sake of their form.
func (c *Carrier) write(ctx context.Context, q *db.Queries, rows []*Row, looked map[uuid.UUID]bool) (again []*Row, err error) {
	entries, bad, good, goodRead := c.entriesOf(rows)
	overtaken, err := ledger.Record(ctx, q, entries)
	if err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	byID := make(map[uuid.UUID]*Row, len(rows))
	for _, r := range rows {
		if !r.Repeated && r.ItemID != uuid.Nil {
			byID[r.ItemID] = r
		}
	}
	for _, id := range overtaken {
		again = append(again, byID[id])
	}
	if len(again) > 0 {
		return again, nil
	}
	shared, err := ledger.Sharing(ctx, q, entries)
	if err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	for i := range shared {
		if looked[shared[i].ItemID] {
			continue
		}
		r := byID[shared[i].ItemID]
		if r == nil {
			r = c.rowOf(&shared[i])
		}
		again = append(again, r)
	}
	if len(again) > 0 {
		return again, nil
	}
	if err := Quarantine(ctx, q, c.Log, bad); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if _, err := ledger.ReleaseRead(ctx, q, c.Source, good, goodRead); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	return nil, nil
}

// Quarantine puts items in quarantine and logs each: one whose transaction does not hold is logged again.
func Quarantine(ctx context.Context, q *db.Queries, log *zap.Logger, bad []ledger.Quarantined) error {
	if err := ledger.Quarantine(ctx, q, bad); err != nil {
		return err
	}
	for i := range bad {
		log.Warn("item quarantined", zap.String(telemetry.LogKeyItem, bad[i].ItemKey), zap.String(telemetry.LogKeyReason, bad[i].Reason))
	}
	return nil
}

// rowOf makes a row of an item that the page does not hold. It is delivered silently: nothing happened to the form but its move.
func (c *Carrier) rowOf(e *ledger.Entry) *Row {
	return &Row{
		Key: e.Instance.String(), ItemID: e.ItemID, aside: true,
		Item: delivery.Item{
			Source: e.Source, ID: e.Instance, Created: dialogid.Time(e.ItemID), Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1,
		},
	}
}

// entriesOf gives what the page leaves in ledger and quarantine; good are the keys to be released from quarantine, by readings that
// began at goodRead.
func (c *Carrier) entriesOf(rows []*Row) (entries []ledger.Entry, bad []ledger.Quarantined, good []string, goodRead []time.Time) {
	for _, r := range rows {
		if r.Repeated {
			continue
		}
		if r.failure != nil {
			bad = append(bad, c.quarantined(r))
			if r.ItemID != uuid.Nil {
				entries = append(entries, c.entry(r, delivery.Result{
					Outcome: ledger.Failed, Reason: r.failure.Reason, Instance: r.Item.ID, ItemID: r.ItemID, DialogID: r.ItemID,
					State: ledger.DialogAbsent, Unseen: true, SourceChanged: r.Changed(), ReadAt: r.result.ReadAt,
				}))
			}
			continue
		}
		entries = append(entries, c.entry(r, r.result))
		good, goodRead = append(good, r.Key), append(goodRead, r.result.ReadAt)
		if own := r.result.Instance.String(); own != r.Key {
			good, goodRead = append(good, own), append(goodRead, r.result.ReadAt) // given under another party's id
		}
	}
	return entries, bad, good, goodRead
}

func (c *Carrier) entry(r *Row, result delivery.Result) ledger.Entry {
	e := result.Entry()
	e.Source = c.Source
	if c.WindowTakes && !r.aside {
		e.WindowID = c.WindowID
	}
	if e.SourceChanged.IsZero() && result.Withheld == 0 {
		e.SourceChanged = r.Changed() // judged by its listing alone
	}
	return e
}

func (c *Carrier) quarantined(r *Row) ledger.Quarantined {
	q := ledger.Quarantined{
		Source: c.Source, ItemKey: r.Key, ItemID: r.ItemID, AppID: r.Item.AppID, Position: r.Position,
		InstanceCreated: r.Item.Created, Class: r.failure.Class.String(), Reason: r.failure.Reason, Detail: r.failure.Detail,
		Attempts: 1, Org: c.Org,
	}
	if r.aside {
		q.Org = ""
	} else {
		q.WindowID = c.WindowID
	}
	return q
}

// redeliver brings rows over once more, each by reading everything.
func (c *Carrier) redeliver(ctx context.Context, rows []*Row) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.CancelAfterGrace(ctx, cancel)()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.Concurrency)
	for _, r := range rows {
		group.Go(func() error {
			result, err := c.Delivery.Deliver(ctx, r.Item)
			if err == nil {
				r.settle(result)
				return nil
			}
			failure := delivery.Describe(err)
			if !failure.OfItem && failure.Class != transport.Permanent {
				return fmt.Errorf("deliver %s again: %w", r.Key, err)
			}
			readAt, err := c.Delivery.ReadClock(ctx)
			if err != nil {
				return fmt.Errorf("read the database's clock: %w", err)
			}
			r.fail(failure, readAt)
			return nil
		})
	}
	return group.Wait()
}

// MakeGood is for an owner that may no longer record: dialogs that it has just made from a listing are compared with their
// source once more, since nobody else knows of them if their items have moved on meanwhile (Invariant 4).
func (c *Carrier) MakeGood(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	group := errgroup.Group{}
	group.SetLimit(c.Concurrency)
	for _, r := range c.unrecorded {
		if r.failure != nil || r.Repeated || r.result.Outcome != ledger.Created {
			continue
		}
		group.Go(func() error {
			if _, err := c.Delivery.Deliver(ctx, r.Item); err != nil {
				c.Log.Warn("item could not be looked at again", zap.String(telemetry.LogKeyItem, r.Key), zap.Error(err))
			}
			return nil
		})
	}
	_ = group.Wait() // never an error
	c.unrecorded = nil
}
