package message

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
)

// Carrier brings the rows of pages over for one owner, a page at a time. It is not for concurrent use.
type Carrier struct {
	Deliverer *Deliverer
	Health    []batch.HealthCheck
	Log       *zap.Logger
	// Alike is the memory of the stream, shared by all its carriers.
	Alike *batch.Alike
	// MaxFailureShare is the share of the last items that may fail alike before the stream stops itself.
	MaxFailureShare float64
	// WindowID is the window of history that the page is part of; 0: none. WindowTakes: it counts the messages that it meets.
	WindowID    int64
	WindowTakes bool

	// FirstPause is the wait before the second try of what failed for a moment; it grows from there.
	FirstPause time.Duration
	// Grace is how long messages on their way may take to finish once Stop or Stopping is closed.
	Grace          time.Duration
	Stop, Stopping <-chan struct{}
	// MustStop tells that no further message may be begun.
	MustStop func(context.Context) bool
	// Admit waits until one more message may be brought over; release must be called when it is done. An error means that none may.
	Admit func(context.Context) (release func(), err error)
	// Pace waits until the rate allows one more message of a call that was admitted; nil: there is none.
	Pace func(context.Context) error
	// Blame tells whether a message that fails has held its owner up for so long, while its systems are well, that the message
	// itself must be the cause. BlameHint says what an operator can do where too few others went well to tell.
	Blame     func(*Row) bool
	BlameHint string
	// Patient: what may go away by itself is never given up, whoever's fault it is; its owner puts it off, and at once where a service
	// asked for a wait (17.4).
	Patient bool

	// atOnce is how many messages the next round holds; 0 before the first.
	atOnce int
}

// Write writes what a page leaves of its owner: accounts, checkpoint, and the proof that the epoch is still its own (Invariant 5).
// settled are the rows recorded in the same transaction; an error undoes them with it.
type Write func(ctx context.Context, q *db.Queries, settled []*Row) error

// Recall tells rows what the ledger knows of them: what this window has recorded already is settled as repeated.
func (c *Carrier) Recall(ctx context.Context, rows []Row) error {
	q := db.New(c.Deliverer.Pool)
	ids := make([]uuid.UUID, 0, len(rows))
	inPage := make(map[int32]bool, len(rows))
	var malformed []string
	for i := range rows {
		r := &rows[i]
		r.Repeated = inPage[r.Number] && r.Number > 0
		inPage[r.Number] = true
		if id := r.ItemID(); id != uuid.Nil && !r.Malformed() {
			ids = append(ids, id)
		}
		if r.Malformed() {
			malformed = append(malformed, r.Key())
		}
	}
	if err := recallKnown(ctx, q, rows, ids); err != nil {
		return err
	}
	quarantined := map[string]int64{}
	if len(malformed) > 0 {
		var err error
		if quarantined, err = ledger.QuarantinedBy(ctx, q, ledger.A2Correspondence, malformed); err != nil {
			return fmt.Errorf("recall page: %w", err)
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.Malformed() {
			r.Repeated = r.Repeated || c.WindowID != 0 && quarantined[r.Key()] == c.WindowID
			continue
		}
		if r.Known != nil {
			ours := c.WindowID != 0 && r.Known.WindowID == c.WindowID
			same := r.Message == nil || r.isUnchanged()
			r.Repeated = r.Repeated || ours && same
			r.Met = ours && !same
		}
		if r.Repeated {
			r.Repeat()
		}
	}
	return nil
}

// recallKnown gives rows what the ledger has. That has the time of a change alone, which another may share (16.1), so where that is the
// same the messages' own rows are asked for its number: never of a page that nothing is known of. What failed is told by its time, since
// its own row keeps the change before.
func recallKnown(ctx context.Context, q *db.Queries, rows []Row, ids []uuid.UUID) error {
	known, err := ledger.Lookup(ctx, q, ids)
	if err != nil {
		return fmt.Errorf("recall page: %w", err)
	}
	alike := map[int32]*Row{}
	for i := range rows {
		r := &rows[i]
		entry, found := known[r.ItemID()]
		if !found || r.Malformed() {
			continue
		}
		r.Known = &entry
		if !r.Repeated && r.Message != nil && entry.Outcome != ledger.Failed && r.isUnchanged() {
			alike[r.Number] = r
		}
	}
	if len(alike) == 0 {
		return nil
	}
	changes, err := q.MessageChanges(ctx, slices.Collect(maps.Keys(alike)))
	if err != nil {
		return fmt.Errorf("recall changes of page: %w", err)
	}
	for _, change := range changes {
		r := alike[change.Altinn2ID]
		r.overtaken = change.ChangeSeq < r.Message.ChangeSeq
	}
	return nil
}

// Bring brings the rows of a page over, by reading them first where they were not listed. Rows that get an outcome are recorded with
// what write writes; that may take several transactions, since what fails for a moment is tried again. An error is one of the
// database or of write. The ending tells why rows were left without an outcome.
func (c *Carrier) Bring(ctx context.Context, rows []Row, order Order, write Write) (batch.Ending, error) {
	return c.carry(ctx, rows, order, write, c.Deliverer.bring)
}

// Publish makes the rows of a page available that were transferred before. It is like Bring otherwise.
func (c *Carrier) Publish(ctx context.Context, rows []Row, order Order, write Write) (batch.Ending, error) {
	return c.carry(ctx, rows, order, write, c.Deliverer.publishAll)
}

// doing is a way of working on tasks that are held.
type doing func(context.Context, lease, []*task, Order, time.Time) error

func (c *Carrier) carry(ctx context.Context, rows []Row, order Order, write Write, do doing) (batch.Ending, error) {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	defer batch.CancelAfter(working, cancel, c.Grace, c.Stop, c.Stopping)()

	p := &page{carrier: c, write: write, rows: rows}
	if err := p.malformed(ctx); err != nil || p.waiting != "" {
		return p.ending(), err
	}
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(c.FirstPause))
	for try := 1; ; try++ {
		p.last = try == batch.Tries
		open := p.open()
		if len(open) == 0 || c.MustStop(working) {
			break
		}
		err := c.sweep(working, p, open, order, do)
		switch {
		case errors.Is(err, ErrLeaseLost):
			p.failure = err.Error()
		case err != nil && working.Err() != nil && ctx.Err() == nil:
			return p.ending(), nil // told to stop
		case err != nil:
			return batch.Ending{}, err
		}
		if p.waiting != "" || p.last || len(p.open()) == 0 {
			break
		}
		c.rest(working, pauses.NextBackOff())
	}
	return p.ending(), nil
}

// rest waits between two tries.
func (c *Carrier) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.Stop:
	case <-c.Stopping:
	case <-timer.C:
	}
}

// sweep tries the open rows once, and judges them together however many rounds it took (Invariant 8).
func (c *Carrier) sweep(ctx context.Context, p *page, open []*Row, order Order, do doing) error {
	p.failure, p.failedCalls, p.before = "", 0, c.Alike.Failed()
	whole, err := c.rounds(ctx, p, open, order, do)
	p.noteEnds()
	if err != nil {
		p.takeAsideBack()
		return err
	}
	return p.settleAside(ctx, whole)
}

// rounds tries the open rows once, in as many rounds as it takes; those with large files late, and apart: the others are held no longer
// than they need. What has failed lately comes last: how the others do tells who is to blame. whole: all were tried.
func (c *Carrier) rounds(ctx context.Context, p *page, open []*Row, order Order, do doing) (whole bool, err error) {
	all := len(open)
	slices.SortStableFunc(open, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(p.before[a.Key()], p.before[b.Key()]), cmp.Compare(a.weight(), b.weight()))
	})
	for len(open) > 0 && p.waiting == "" && !c.MustStop(ctx) {
		rows := open[:c.nextAtOnce(open)]
		p.parted = len(rows) < all
		yielded, err := c.round(ctx, p, rows, order, do)
		if err != nil {
			for _, r := range rows {
				r.TakeBack(nil) // nothing of the round is on record; what was done is found again
			}
			return false, err
		}
		var left []*Row
		for _, r := range rows {
			if r.unbegun {
				left = append(left, r)
			}
		}
		if len(left) > 0 && !yielded {
			return false, nil
		}
		switch {
		case yielded:
			c.atOnce = max(2*(len(rows)-len(left)), leastAtOnce)
		case len(rows) == c.atOnce:
			c.atOnce *= 2
		}
		open = append(left, open[len(rows):]...)
	}
	return len(open) == 0, nil
}

// nextAtOnce is how many of the open messages the next round holds: all of a weight, until some had to wait for their turn.
func (c *Carrier) nextAtOnce(open []*Row) int {
	most := len(open)
	if i := slices.IndexFunc(open, func(r *Row) bool { return r.weight() != open[0].weight() }); i > 0 {
		most = i
	}
	if open[0].weight() == heavy {
		most = min(most, c.Deliverer.concurrency()) // as many as are under way at a time
	}
	if c.atOnce == 0 {
		return most
	}
	return min(c.atOnce, most)
}

// round tries open rows, those at least that may be begun without a wait. yielded: others are left, and are held no longer.
func (c *Carrier) round(ctx context.Context, p *page, open []*Row, order Order, do doing) (yielded bool, err error) {
	turns := &turns{page: p}
	defer turns.end()
	if !turns.begin(ctx) {
		for _, r := range open {
			r.unbegun = true
		}
		return false, nil
	}
	tasks := make([]*task, len(open))
	p.byNumber = make(map[int32]*Row, len(open))
	for i, r := range open {
		r.unbegun = false
		tasks[i] = &task{number: r.Number, lane: r.Lane}
		if r.Message != nil {
			tasks[i].read(r.Message)
		}
		p.byNumber[r.Number] = r
	}
	order.WindowID = c.takenBy()
	order.admit, order.pace = turns.next, turns.also
	order.failed = func(t *task) {
		if Describe(t.err).Class == transport.Systemic {
			turns.halt() // the others would only meet the same
		}
	}
	order.decide, order.write, order.last, order.failedCalls = p.decide, p.record, p.last, &p.failedCalls
	err = p.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		return do(ctx, held, mine, order, readAt)
	})
	return turns.yielded, err
}

// takenBy is the window that counts the messages of the page; 0: none.
func (c *Carrier) takenBy() int64 {
	if c.WindowTakes {
		return c.WindowID
	}
	return 0
}

// recordFailed puts failed messages into ledger and quarantine.
func (c *Carrier) recordFailed(ctx context.Context, q *db.Queries, settled []*Row) error {
	var entries []ledger.Entry
	var bad []ledger.Quarantined
	for _, r := range settled {
		if r.failure == nil || r.Repeated {
			continue
		}
		bad = append(bad, c.quarantined(r))
		if r.ItemID() == uuid.Nil || r.result.ReadAt.IsZero() {
			continue
		}
		entry := r.result.Entry(c.takenBy())
		entry.ItemID, entry.Outcome, entry.Reason, entry.Unseen = r.ItemID(), ledger.Failed, r.failure.Reason, true
		entries = append(entries, entry)
	}
	overtaken, err := ledger.Record(ctx, q, entries)
	if err != nil {
		return fmt.Errorf("record failed messages: %w", err)
	}
	if len(overtaken) > 0 {
		return ErrLeaseLost
	}
	return batch.Quarantine(ctx, q, c.Log, bad)
}

func (c *Carrier) quarantined(r *Row) ledger.Quarantined {
	return ledger.Quarantined{
		Source: ledger.A2Correspondence, ItemKey: r.Key(), ItemID: r.ItemID(), AppID: r.result.ResourceID, Position: r.Created,
		InstanceCreated: r.Created, Class: r.failure.Class.String(), Reason: r.failure.Reason, Detail: r.failure.Detail, Attempts: 1,
		WindowID: c.WindowID,
	}
}
