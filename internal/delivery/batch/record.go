package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

// errOvertaken undoes a page's transaction: somebody else recorded some of its items since they were read.
var errOvertaken = errors.New("items are to be delivered again")

// Record writes the rows that have an outcome into ledger and quarantine, in one transaction with what write writes of the
// owner: checkpoint, accounts, and the proof that the epoch is still its own (Invariant 5). write returns an error to undo it
// all; that error is returned.
//
// Items that somebody else recorded meanwhile are delivered again by reading everything before the transaction holds (Invariant 4). Forms
// that the ledger has under more than one item are told to live with it: where one was migrated anew, the old one's dialog goes.
func (c *Carrier) Record(ctx context.Context, settled []*Row, write func(context.Context, *db.Queries) error) error {
	c.unrecorded = settled
	told := map[uuid.UUID]bool{}
	for {
		var overtaken []*Row
		clear(told)
		err := db.InTx(ctx, c.Pool, func(_ pgx.Tx, q *db.Queries) error {
			if err := write(ctx, q); err != nil {
				return err
			}
			var err error
			if overtaken, err = c.write(ctx, q, settled); err != nil {
				return err
			}
			return c.tell(ctx, q, settled, told)
		})
		if err == nil {
			break
		}
		if !errors.Is(err, errOvertaken) {
			return err
		}
		if err := c.redeliver(ctx, overtaken); err != nil {
			return err
		}
	}
	c.unrecorded = nil
	// Of two transactions at the same moment neither saw the other's form.
	recorded := slices.DeleteFunc(slices.Clone(settled), func(r *Row) bool { return r.asItStands })
	return c.tell(ctx, db.New(c.Pool), recorded, told)
}

// tell has live look at forms that are recorded under more than one item; told are those it was told of.
func (c *Carrier) tell(ctx context.Context, q *db.Queries, rows []*Row, told map[uuid.UUID]bool) error {
	var entries []ledger.Entry
	for _, r := range rows {
		if r.failure == nil && !r.Repeated {
			entries = append(entries, r.result.Entry())
		}
	}
	shared, err := ledger.Sharing(ctx, q, entries)
	if err != nil {
		return fmt.Errorf("look for forms that are recorded twice: %w", err)
	}
	shared = slices.DeleteFunc(shared, func(e ledger.Entry) bool { return told[e.ItemID] })
	for i := range shared {
		told[shared[i].ItemID] = true
	}
	return delivery.TellAnew(ctx, q, shared)
}

// Forget drops what has an outcome and is not to be recorded.
func (c *Carrier) Forget() { c.unrecorded = nil }

// write fails with errOvertaken, and the rows that must be delivered again first, if there are any.
func (c *Carrier) write(ctx context.Context, q *db.Queries, rows []*Row) (again []*Row, err error) {
	entries, bad, good, goodRead := c.entriesOf(rows)
	overtaken, err := ledger.Record(ctx, q, entries)
	if err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if len(overtaken) > 0 {
		for _, r := range rows {
			if !r.Repeated && slices.Contains(overtaken, r.ItemID) {
				again = append(again, r)
			}
		}
		return again, errOvertaken
	}
	if err := c.take(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := Quarantine(ctx, q, c.Log, bad); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if _, err := ledger.ReleaseRead(ctx, q, c.Source, good, goodRead); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	return nil, nil
}

// take has the window count what it met and left as it stands.
func (c *Carrier) take(ctx context.Context, q *db.Queries, rows []*Row) error {
	var ids []uuid.UUID
	for _, r := range rows {
		if r.asItStands && !r.Repeated {
			ids = append(ids, r.ItemID)
		}
	}
	if len(ids) == 0 || !c.WindowTakes {
		return nil
	}
	if err := q.TakeIntoWindow(ctx, db.TakeIntoWindowParams{WindowID: &c.WindowID, ItemIds: ids}); err != nil {
		return fmt.Errorf("record page: count what is left as it stands: %w", err)
	}
	return nil
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

// entriesOf gives what the page leaves in ledger and quarantine; good are the keys to be released from quarantine, by readings that
// began at goodRead.
func (c *Carrier) entriesOf(rows []*Row) (entries []ledger.Entry, bad []ledger.Quarantined, good []string, goodRead []time.Time) {
	for _, r := range rows {
		if r.Repeated || r.asItStands {
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
	if c.WindowTakes {
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
		Attempts: 1, Org: c.Org, WindowID: c.WindowID,
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
