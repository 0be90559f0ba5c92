package message

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
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
	// Patient: what may go away by itself is never given up, whoever's fault it is; its owner puts it off.
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
	known, err := ledger.Lookup(ctx, q, ids)
	if err != nil {
		return fmt.Errorf("recall page: %w", err)
	}
	quarantined := map[string]int64{}
	if len(malformed) > 0 {
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
		if entry, found := known[r.ItemID()]; found {
			r.Known = &entry
			ours := c.WindowID != 0 && entry.WindowID == c.WindowID
			same := r.Message == nil || entry.SourceChanged.Equal(r.Message.ChangedAt.UTC().Truncate(time.Microsecond))
			r.Repeated = r.Repeated || ours && same
			r.Met = ours && !same
		}
		if r.Repeated {
			r.Repeat()
		}
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
		if p.waiting != "" || p.last {
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

// sweep tries the open rows once, in as many rounds as it takes.
func (c *Carrier) sweep(ctx context.Context, p *page, open []*Row, order Order, do doing) error {
	p.failure, p.failedCalls = "", 0
	for len(open) > 0 && p.waiting == "" && !c.MustStop(ctx) {
		rows := open[:c.nextAtOnce(len(open))]
		yielded, err := c.round(ctx, p, rows, order, do)
		if err != nil {
			for _, r := range rows {
				r.TakeBack(nil) // nothing of the round is on record; what was done is found again
			}
			return err
		}
		var left []*Row
		for _, r := range rows {
			if r.unbegun {
				left = append(left, r)
			}
		}
		if len(left) > 0 && !yielded {
			return nil
		}
		switch {
		case yielded:
			c.atOnce = max(2*(len(rows)-len(left)), leastAtOnce)
		case len(rows) == c.atOnce:
			c.atOnce *= 2
		}
		open = append(left, open[len(rows):]...)
	}
	return nil
}

// nextAtOnce is how many messages the next round holds: all that are open, until some had to wait for their turn. What is judged
// together tells best whether items or systems are to blame.
func (c *Carrier) nextAtOnce(most int) int {
	if c.atOnce == 0 {
		return most
	}
	return min(c.atOnce, most)
}

const (
	// held is for how long messages are held while some of them wait for their turn. Somebody who goes before, live above all, may
	// want them meanwhile (Invariant 9).
	held = time.Second
	// leastWait is given to each turn, or a rate that leaves a pause between any two would end every round at its second message.
	leastWait = 20 * time.Millisecond
	// leastAtOnce is how many messages are held in a round at least; from there it is twice as many as could be begun in the last.
	leastAtOnce = 4
)

// turns admits the messages of a round. It is not for concurrent use, but for halt.
type turns struct {
	page *page
	// first is the admission that the round began with, nil once it is used.
	first   func()
	began   time.Time
	halted  atomic.Bool
	yielded bool
}

// halt has no further message begun.
func (t *turns) halt() { t.halted.Store(true) }

// begin waits for the first admission of a round, while nothing is held yet. False: none may be begun.
func (t *turns) begin(ctx context.Context) bool {
	release, err := t.page.carrier.Admit(ctx)
	if err != nil {
		t.page.notAdmitted(ctx, err)
		return false
	}
	t.first = release
	return true
}

// next is hooks.admit.
func (t *turns) next(ctx context.Context) (release func(), err error) {
	if t.first != nil && !t.over(ctx) {
		release, t.first, t.began = t.first, nil, time.Now()
		return release, nil
	}
	err = t.wait(ctx, func(ctx context.Context) (err error) {
		release, err = t.page.carrier.Admit(ctx)
		return err
	})
	return release, err
}

// also is hooks.pace.
func (t *turns) also(ctx context.Context) error {
	if t.page.carrier.Pace == nil && !t.over(ctx) {
		return nil
	}
	return t.wait(ctx, t.page.carrier.Pace)
}

// over tells that no further message may be begun in the round.
func (t *turns) over(ctx context.Context) bool {
	return t.halted.Load() || t.yielded || t.page.carrier.MustStop(ctx)
}

// wait waits for a turn, for as long as messages may be held meanwhile.
func (t *turns) wait(ctx context.Context, turn func(context.Context) error) error {
	if t.over(ctx) {
		return errNotBegun
	}
	waiting, cancel := context.WithTimeout(ctx, max(held-time.Since(t.began), leastWait))
	defer cancel()
	if err := turn(waiting); err != nil {
		t.yielded = true // the next round waits for as long as it takes, and says why where it must not
		return errNotBegun
	}
	return nil
}

func (t *turns) end() {
	if t.first != nil {
		t.first()
	}
}

// notAdmitted keeps why no message may be begun, unless it is that the owner must stop.
func (p *page) notAdmitted(ctx context.Context, err error) {
	if ctx.Err() == nil && !p.carrier.MustStop(ctx) {
		p.wait(err.Error())
	}
}

// round tries open rows, those at least that may be begun without a wait. yielded: others are left, and are held no longer.
func (c *Carrier) round(ctx context.Context, p *page, open []*Row, order Order, do doing) (yielded bool, err error) {
	turns := &turns{page: p}
	defer turns.end()
	if !turns.begin(ctx) {
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
	_, err = c.Deliverer.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		for _, t := range tasks {
			if !held.has(t.number) {
				p.byNumber[t.number].busy(t.err)
			}
		}
		return do(ctx, held, mine, order, readAt)
	})
	return turns.yielded, err
}

// page is the rows that a carrier works on, and how far they are.
type page struct {
	carrier *Carrier
	write   Write
	rows    []Row
	// last: there is no further try.
	last     bool
	byNumber map[int32]*Row
	mu       sync.Mutex
	waiting  string
	failure  string
	// failedCalls is how many calls for several messages failed one after the other in this try.
	failedCalls int
}

// open are the rows without an outcome.
func (p *page) open() []*Row {
	var open []*Row
	for i := range p.rows {
		if !p.rows[i].settled {
			open = append(open, &p.rows[i])
		}
	}
	return open
}

// malformed records the rows that could not be read, unless they are so many that the source must be to blame (Invariant 8).
func (p *page) malformed(ctx context.Context) error {
	var bad []*Row
	met := map[string]bool{}
	for i := range p.rows {
		r := &p.rows[i]
		switch {
		case !r.Malformed() || r.Repeated:
		case met[r.Key()]:
			r.Repeat() // the very same record
		default:
			met[r.Key()] = true
			bad = append(bad, r)
			p.carrier.Alike.Note(r.Key(), ReasonMalformed, false)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	share := p.carrier.MaxFailureShare
	v := p.carrier.Alike.Judge(share)
	if v.Tripped && v.Reason == ReasonMalformed && float64(len(bad)) > share*float64(len(p.rows)) {
		p.wait(fmt.Sprintf("%d of the last %d items failed alike: %s (for one: %s)", v.Failed, v.Of, v.Reason, bad[0].failure.Detail))
		for _, r := range bad {
			r.TakeBack(nil)
		}
		return nil
	}
	return db.InTx(ctx, p.carrier.Deliverer.Pool, func(_ pgx.Tx, q *db.Queries) error {
		if err := p.carrier.recordFailed(ctx, q, bad); err != nil {
			return err
		}
		return p.write(ctx, q, bad)
	})
}

func (p *page) wait(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == "" {
		p.waiting = reason
	}
}

func (p *page) judge() *batch.Judge {
	return &batch.Judge{Health: p.carrier.Health, Alike: p.carrier.Alike, MaxFailureShare: p.carrier.MaxFailureShare}
}

// decide gives the rows of tasks their outcomes, as far as they have one: what is said here is what is recorded.
func (p *page) decide(ctx context.Context, tasks []*task, readAt time.Time) {
	judge := p.judge()
	var judged []batch.Judged
	tried := make([]*Row, 0, len(tasks))
	for _, t := range tasks {
		r := p.byNumber[t.number]
		if errors.Is(t.err, errNotBegun) || t.err != nil && ctx.Err() != nil {
			r.pending, r.unbegun = nil, true
			continue // stopped: neither settled nor anybody's fault
		}
		r.take(t.result())
		r.result.ReadAt = readAt
		p.decideOne(judge, r, t)
		tried, judged = append(tried, r), append(judged, r)
	}
	if waiting := judge.FailAlike(judged); waiting != "" {
		p.wait(waiting)
	}
	if p.last && p.waiting == "" {
		p.blame(judge, tried, judged, readAt)
	}
	for _, t := range tasks {
		switch r := p.byNumber[t.number]; {
		case r.unbegun: // as it was
		case !r.settled:
			t.takeBack()
		case r.failure != nil && r.failure.Class == transport.Transient:
			t.lookAgain()
		}
	}
}

func (p *page) decideOne(judge *batch.Judge, r *Row, t *task) {
	if t.err == nil {
		r.settled, r.failure, r.pending = true, nil, nil
		p.carrier.Alike.Note(r.Key(), "", false)
		return
	}
	failure := Describe(t.err)
	again := failure.Class == transport.Transient || failure.Class == transport.Conflict
	if again && !p.last {
		r.pending = &failure
		return
	}
	fault, reason := judge.Of(r.Key(), failure)
	r.pending = &failure
	switch {
	case reason != "":
		p.wait(reason)
	case fault == batch.FaultOfItem && (!again || !p.carrier.Patient):
		r.GiveUp(failure, r.result.ReadAt)
	}
}

// blame settles what failed for a moment at every try: it is given up once it has held its owner up for long.
func (p *page) blame(judge *batch.Judge, tried []*Row, judged []batch.Judged, readAt time.Time) {
	longEnough := func(i int) bool { return p.carrier.Blame(tried[i]) }
	given, failure := judge.Blame(judged, longEnough, p.carrier.BlameHint, readAt)
	p.failure = failure
	for _, i := range given {
		p.carrier.Log.Warn("item quarantined", zap.String(telemetry.LogKeyItem, tried[i].Key()),
			zap.String(telemetry.LogKeyReason, tried[i].failure.Reason))
	}
}

// record writes the quarantine's and the failed items' part of the ledger, and what the owner writes.
func (p *page) record(ctx context.Context, q *db.Queries, tasks []*task) error {
	var settled []*Row
	for _, t := range tasks {
		if r := p.byNumber[t.number]; r.settled {
			settled = append(settled, r)
		}
	}
	if err := p.carrier.recordFailed(ctx, q, settled); err != nil {
		return err
	}
	return p.write(ctx, q, settled)
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
	return ledger.Quarantine(ctx, q, bad)
}

func (c *Carrier) quarantined(r *Row) ledger.Quarantined {
	return ledger.Quarantined{
		Source: ledger.A2Correspondence, ItemKey: r.Key(), ItemID: r.ItemID(), AppID: r.result.ResourceID, Position: r.Created,
		InstanceCreated: r.Created, Class: r.failure.Class.String(), Reason: r.failure.Reason, Detail: r.failure.Detail, Attempts: 1,
		WindowID: c.WindowID,
	}
}

func (p *page) ending() batch.Ending {
	if p.waiting != "" {
		return batch.Ending{Waiting: p.waiting}
	}
	for i := range p.rows {
		if pending := p.rows[i].pending; p.failure == "" && pending != nil {
			p.failure = pending.Detail // somebody else works on it
		}
	}
	return batch.Ending{Failure: p.failure}
}
