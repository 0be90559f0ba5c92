package message

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/transport"
)

// page is the rows that a carrier works on, and how far they are.
type page struct {
	carrier *Carrier
	write   Write
	rows    []Row
	// last: there is no further try. parted: the round at hand is not all of the sweep, and too little to judge by.
	last, parted bool
	// recorded: at least one row is.
	recorded bool
	// before are the items that had failed lately when the sweep began, with the reasons.
	before map[string]string

	byNumber map[int32]*Row
	mu       sync.Mutex
	waiting  string
	failure  string
	// failedCalls is how many calls for several messages failed one after the other in this try.
	failedCalls int
}

// open are the rows without an outcome that this page may try.
func (p *page) open() []*Row {
	var open []*Row
	for i := range p.rows {
		if r := &p.rows[i]; !r.settled && (r.pending == nil || !p.mustWait(r.pending)) {
			open = append(open, &p.rows[i])
		}
	}
	return open
}

// mustWait tells whether a failed row is left to its owner, who puts it off: a service asked for a wait, beyond those that the call
// itself made.
func (p *page) mustWait(failure *delivery.Failure) bool {
	return p.carrier.Patient && failure.RetryAfter > 0
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

// all runs do on those tasks whose messages nobody else works on; the others are left to whoever does.
func (p *page) all(ctx context.Context, tasks []*task, do func(context.Context, lease, []*task, time.Time) error) error {
	_, err := p.carrier.Deliverer.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		for _, t := range tasks {
			if !held.has(t.number) {
				p.byNumber[t.number].busy(t.err)
			}
		}
		return do(ctx, held, mine, readAt)
	})
	return err
}

// decide gives the rows of tasks their outcomes, as far as they have one: what is said here is what is recorded.
func (p *page) decide(ctx context.Context, tasks []*task, readAt time.Time) {
	for _, t := range tasks {
		if errors.Is(t.err, errNotBegun) || t.err != nil && ctx.Err() != nil {
			r := p.byNumber[t.number]
			r.pending, r.unbegun, p.parted = nil, true, true // stopped: neither settled nor anybody's fault
		}
	}
	judge := p.judge()
	var judged []batch.Judged
	var tried []*Row
	for _, t := range tasks {
		r := p.byNumber[t.number]
		if r.unbegun {
			continue
		}
		r.take(t.result())
		r.result.ReadAt = readAt
		if p.decideOne(judge, r, t); r.aside == nil {
			tried, judged = append(tried, r), append(judged, r)
		}
	}
	if waiting := judge.FailAlike(judged); waiting != "" {
		p.wait(waiting)
	}
	if p.last && p.waiting == "" {
		p.blame(judge, tried, judged, readAt)
	}
	for _, t := range tasks {
		if r := p.byNumber[t.number]; !r.unbegun {
			t.decided(r)
		}
	}
}

func (p *page) decideOne(judge *batch.Judge, r *Row, t *task) {
	if t.err == nil {
		r.settled, r.failure, r.pending = true, nil, nil
		p.note(r, end{})
		return
	}
	failure := Describe(t.err)
	r.pending = &failure
	again := failure.Class == transport.Transient || failure.Class == transport.Conflict
	if again && !p.last && !p.mustWait(&failure) {
		return
	}
	if batch.IsOfItem(failure) && (!again || !p.carrier.Patient) {
		p.note(r, end{failure.Reason, !failure.OfItem})
		if p.parted {
			r.aside = &aside{t, t.row}
		} else {
			r.GiveUp(failure, r.result.ReadAt)
		}
		return
	}
	if _, reason := judge.Of(r.Key(), failure); reason != "" {
		p.wait(reason)
	}
}

// note tells the stream's memory how a row ended: at the end of the sweep where the round is not all of it, so that the order in which rows
// are tried tells nothing.
func (p *page) note(r *Row, how end) {
	if p.parted {
		r.end = &how
		return
	}
	p.carrier.Alike.Note(r.Key(), how.reason, how.refused)
}

// noteEnds tells it how rounds ended the rows, in the page's order.
func (p *page) noteEnds() {
	for i := range p.rows {
		if r := &p.rows[i]; r.end != nil {
			p.carrier.Alike.Note(r.Key(), r.end.reason, r.end.refused)
			r.end = nil
		}
	}
}

// takeAsideBack leaves open what was put aside.
func (p *page) takeAsideBack() {
	for i := range p.rows {
		if r := &p.rows[i]; r.aside != nil {
			r.TakeBack(r.pending)
		}
	}
}

// settleAside records what rounds put aside, unless a system is to blame for it. Where not all rows were tried it records only what had
// failed so before, and let the others go first since, or holds its owner up.
func (p *page) settleAside(ctx context.Context, whole bool) error {
	var failed []batch.Judged
	for i := range p.rows {
		if p.rows[i].aside != nil {
			failed = append(failed, &p.rows[i])
		}
	}
	if waiting := p.judge().FailAlike(failed); waiting != "" {
		p.wait(waiting)
	}
	if p.waiting != "" {
		p.takeAsideBack()
		return nil
	}
	var tasks []*task
	before := map[int32]aside{}
	p.byNumber = map[int32]*Row{}
	for i := range p.rows {
		switch r := &p.rows[i]; {
		case r.aside == nil:
		case whole || p.carrier.MaxFailureShare >= 1 || p.before[r.Key()] == r.pending.Reason || p.carrier.Blame(r):
			tasks, before[r.Number], p.byNumber[r.Number] = append(tasks, r.aside.task), *r.aside, r
		case p.recorded:
			r.TakeBack(nil)
		default:
			r.TakeBack(r.pending)
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	err := p.all(ctx, tasks, func(ctx context.Context, held lease, mine []*task, readAt time.Time) error {
		if err := p.carrier.Deliverer.resume(ctx, mine, before); err != nil {
			return err
		}
		order := Order{WindowID: p.carrier.takenBy(), hooks: hooks{decide: p.decideAside, write: p.record}}
		return p.carrier.Deliverer.record(ctx, held, mine, order, readAt)
	})
	if err != nil {
		for _, r := range p.byNumber {
			r.TakeBack(nil) // nothing of it is on record
		}
	}
	return err
}

// decideAside makes the failures of tasks that were put aside the outcomes of their rows, but for those that somebody else has had since.
func (p *page) decideAside(_ context.Context, tasks []*task, _ time.Time) {
	for _, t := range tasks {
		r := p.byNumber[t.number]
		if errors.Is(t.err, ErrBusy) {
			r.busy(t.err)
			continue
		}
		r.GiveUp(Describe(t.err), r.result.ReadAt)
		t.decided(r)
	}
}

// blame settles what failed for a moment at every try: it is given up once it has held its owner up for long.
func (p *page) blame(judge *batch.Judge, tried []*Row, judged []batch.Judged, readAt time.Time) {
	longEnough := func(i int) bool { return p.carrier.Blame(tried[i]) }
	p.failure = judge.Blame(judged, longEnough, p.carrier.BlameHint, readAt)
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
	p.recorded = p.recorded || len(settled) > 0
	return p.write(ctx, q, settled)
}

// notAdmitted keeps why no message may be begun, unless it is that the owner must stop.
func (p *page) notAdmitted(ctx context.Context, err error) {
	if ctx.Err() == nil && !p.carrier.MustStop(ctx) {
		p.wait(err.Error())
	}
}

func (p *page) ending() batch.Ending {
	if p.waiting != "" {
		return batch.Ending{Waiting: p.waiting}
	}
	for i := range p.rows {
		if pending := p.rows[i].pending; p.failure == "" && pending != nil {
			p.failure = pending.Detail // somebody else works on it, or it must wait
		}
	}
	return batch.Ending{Failure: p.failure}
}
