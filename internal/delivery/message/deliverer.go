package message

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Lane is how a message is brought over (17.3).
type Lane int

// The lanes.
const (
	// Live orders the dialog along with the message, with events as for a message born in Altinn 3.
	Live Lane = iota
	// History stores the message hidden, and makes it available silently.
	History
)

// Order is how messages are to be brought over.
type Order struct {
	Lane Lane
	// TransferOnly leaves out the second stage of history: the messages stay hidden (Deliverer.Publish goes on with them).
	TransferOnly bool
	// Insist tries again what was refused although nothing changed since, and looks again at a dialog that was missing: a person asks.
	Insist bool
	// Redo looks at what was brought over before, too: whether its dialog is there, and whether Correspondence agrees. What is not as it
	// should be is put right where that can be done from here. It insists as well.
	Redo bool
	// WindowID is the window of history that met the messages; 0 for live and single deliveries.
	WindowID int64

	hooks
}

// hooks are what a carrier adds to the work on a page; each may be nil.
type hooks struct {
	// admit waits until one more message may be begun; release must be called when it is done.
	admit func(context.Context) (release func(), err error)
	// pace waits until one more may go along with one that was admitted.
	pace func(context.Context) error
	// last: what fails now is not tried again with its page.
	last bool
	// failedCalls counts the calls for several messages that failed one after the other; nil: those of one step alone count.
	failedCalls *int
	// failed is told of each message that failed.
	failed func(*task)
	// decide is called before the messages are recorded.
	decide func(ctx context.Context, tasks []*task, readAt time.Time)
	// write is called in the transaction that records them.
	write func(context.Context, *db.Queries, []*task) error
}

// errNotBegun tells that the work ended before the message's turn.
var errNotBegun = errors.New("the message was not begun")

// begin waits for the turn of a message; without one its task ends.
func (h *hooks) begin(ctx context.Context, t *task) (release func(), begun bool) {
	if h.admit == nil {
		return func() {}, true
	}
	release, err := h.admit(ctx)
	if err != nil {
		t.fail(errNotBegun)
		return nil, false
	}
	return release, true
}

// also waits until a message may go along with one that was begun; otherwise its task ends.
func (h *hooks) also(ctx context.Context, t *task) bool {
	if h.pace == nil || h.pace(ctx) == nil {
		return true
	}
	t.fail(errNotBegun)
	return false
}

// ended tells of a message that failed.
func (h *hooks) ended(t *task) {
	if t.err != nil && h.failed != nil {
		h.failed(t)
	}
}

// Result is what came of one message.
type Result struct {
	// Altinn2ID is the message's number; ItemID its key in the ledger, uuid.Nil as long as its creation time is unknown.
	Altinn2ID int32
	ItemID    uuid.UUID
	Outcome   ledger.Outcome
	// Reason is the code of a skip.
	Reason string
	Stage  db.MessageStage
	State  ledger.DialogState
	// CorrespondenceID and DialogID are uuid.Nil when there is none. A dialog that Correspondence is yet to make has its id already.
	CorrespondenceID, DialogID uuid.UUID
	// DueAt is when to look again unasked; zero: never.
	DueAt time.Time
	// Hidden: stored, and only the second stage will make it visible.
	Hidden bool
	// Warnings tell what was left out or cut.
	Warnings []mapping.Warning
	// Created is the message's creation time; Changed and ChangeSeq tell the change that was brought over, zero where it was not read.
	Created, Changed time.Time
	ChangeSeq        int64
	ResourceID       string
	// ReadAt is the database's time before the reading began.
	ReadAt time.Time
	// Err is why the message was not brought over; nil: it was, or was skipped.
	Err error
}

// Deliverer brings messages over and records what came of it. It is safe for concurrent use.
type Deliverer struct {
	Source         *altinn2.Client
	Correspondence *correspondence.Client
	// Dialogs shows whether a refused dialog exists after all (P22); nil: nobody can tell.
	Dialogs *dialogporten.Client
	Pool    *pgxpool.Pool
	// Now is the wall clock, for what may be told of past and future.
	Now func() time.Time
	// Rehearse: nothing is written to the database. The clients must not send anything that changes something either.
	Rehearse bool
	// Selection leaves out what operators do not want brought over; what is on its way or over there already goes on.
	Selection mapping.Selection
	// Concurrency is how many messages of a page are brought over at a time; default 8.
	Concurrency int
	// Lease is for how long messages are held without a sign of life; default 1 minute.
	Lease time.Duration

	uploads singleflight.Group
}

const defaultConcurrency = 8

// Deliver brings one message over completely, as it is now in Altinn 2. The error is also the result's.
func (d *Deliverer) Deliver(ctx context.Context, altinn2ID int32, order Order) (Result, error) {
	t := &task{number: altinn2ID}
	err := d.leased(ctx, []int32{altinn2ID}, true, func(ctx context.Context, held lease) error {
		readAt, err := d.readClock(ctx)
		if err != nil {
			return err
		}
		return d.bring(ctx, held, []*task{t}, order, readAt)
	})
	if err == nil {
		err = t.err
	}
	if err != nil {
		err = fmt.Errorf("deliver message %d: %w", altinn2ID, err)
	}
	t.err = err
	return t.result(), err
}

// DeliverAll brings the messages of a page over. They must not repeat. Each result has its own error; the error is one that
// concerns all, and with it no result counts.
func (d *Deliverer) DeliverAll(ctx context.Context, messages []*altinn2.Message, order Order) ([]Result, error) {
	tasks := make([]*task, len(messages))
	for i, message := range messages {
		tasks[i] = &task{number: message.ID}
		tasks[i].read(message)
	}
	return d.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		return d.bring(ctx, held, mine, order, readAt)
	})
}

// Publish makes messages available that were transferred before: the second stage of history. They must not repeat. Results and error
// are as for DeliverAll.
func (d *Deliverer) Publish(ctx context.Context, altinn2IDs []int32, order Order) ([]Result, error) {
	tasks := make([]*task, len(altinn2IDs))
	for i, number := range altinn2IDs {
		tasks[i] = &task{number: number}
	}
	return d.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		return d.publishAll(ctx, held, mine, order, readAt)
	})
}

// publishAll is the second stage of messages that are held. One in quarantine goes all the way by a reading, like any delivery: of what
// failed our own record knows nothing, and it may be a purge.
func (d *Deliverer) publishAll(ctx context.Context, held lease, tasks []*task, order Order, readAt time.Time) error {
	if err := d.load(ctx, tasks); err != nil {
		return err
	}
	if err := d.findQuarantined(ctx, tasks); err != nil {
		return err
	}
	var read []*task
	for _, t := range tasks {
		if t.quarantined && t.known && t.row.stage != untransferred {
			t.reads = true
		} else {
			t.publishOnly(order.Insist)
		}
		if t.reads {
			read = append(read, t)
		}
	}
	if err := d.transferAll(ctx, held, read, order); err != nil {
		return err
	}
	if err := d.publish(ctx, held, tasks, order.hooks); err != nil {
		return err
	}
	return d.record(ctx, held, tasks, order, readAt)
}

// all runs do on those tasks whose messages nobody else works on.
func (d *Deliverer) all(
	ctx context.Context, tasks []*task, do func(context.Context, lease, []*task, time.Time) error,
) ([]Result, error) {
	numbers := make([]int32, len(tasks))
	for i, t := range tasks {
		numbers[i] = t.number
	}
	err := d.leased(ctx, numbers, false, func(ctx context.Context, held lease) error {
		readAt, err := d.readClock(ctx)
		if err != nil {
			return err
		}
		mine := make([]*task, 0, len(tasks))
		for _, t := range tasks {
			if held.has(t.number) {
				mine = append(mine, t)
			} else {
				t.err = fmt.Errorf("deliver message %d: %w", t.number, ErrBusy)
			}
		}
		return do(ctx, held, mine, readAt)
	})
	if err != nil {
		return nil, fmt.Errorf("deliver %d messages: %w", len(tasks), err)
	}
	results := make([]Result, len(tasks))
	for i, t := range tasks {
		results[i] = t.result()
	}
	return results, nil
}

// bring brings messages over that are read after readAt, or were listed before. What fails of one message is its task's error; the error
// is one of the database or the lease.
func (d *Deliverer) bring(ctx context.Context, held lease, tasks []*task, order Order, readAt time.Time) error {
	if err := d.load(ctx, tasks); err != nil {
		return err
	}
	if err := d.findQuarantined(ctx, tasks); err != nil {
		return err
	}
	if err := d.transferAll(ctx, held, tasks, order); err != nil {
		return err
	}
	if err := d.publish(ctx, held, tasks, hooks{failed: order.failed, last: order.last, failedCalls: order.failedCalls}); err != nil {
		return err
	}
	return d.record(ctx, held, tasks, order, readAt)
}

// transferAll does what comes before making available. What is over there by then is on record before that begins.
func (d *Deliverer) transferAll(ctx context.Context, held lease, tasks []*task, order Order) error {
	group, transfers := errgroup.WithContext(ctx)
	group.SetLimit(d.concurrency())
	for i, t := range tasks {
		t.left = held.left[t.number]
		release, begun := order.begin(ctx, t)
		if !begun {
			for _, left := range tasks[i+1:] {
				left.fail(errNotBegun)
			}
			break
		}
		group.Go(func() error {
			defer release()
			err := d.transfer(transfers, held, t, order)
			order.ended(t)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if !slices.ContainsFunc(tasks, func(t *task) bool { return t.publish }) {
		return nil
	}
	// What failed is not judged yet.
	return d.keep(ctx, held, slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return t.err != nil }))
}

func (d *Deliverer) concurrency() int {
	if d.Concurrency > 0 {
		return d.Concurrency
	}
	return defaultConcurrency
}

func (d *Deliverer) readClock(ctx context.Context) (time.Time, error) {
	now, err := db.New(d.Pool).DatabaseNow(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}
