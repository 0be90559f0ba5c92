package message

import (
	"context"
	"sync/atomic"
	"time"
)

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
