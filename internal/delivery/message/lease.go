package message

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/db"
)

// Times of leases.
const (
	defaultLease = time.Minute
	// renewals is how often a lease is renewed within its time.
	renewals = 3
	// releaseTimeout bounds the giving back, which happens also when the caller has been told to stop.
	releaseTimeout = 5 * time.Second
	firstTry       = 50 * time.Millisecond
	longestTry     = 2 * time.Second
)

// ErrBusy tells that somebody else brings the message over just now. Trying again helps.
var ErrBusy error = leaseError{"another worker brings the message over just now"}

// ErrLeaseLost tells that the messages were held no longer when they were to be recorded: somebody else may have taken them over.
// What was sent may be sent again.
var ErrLeaseLost error = leaseError{"the lease on the messages was lost"}

type leaseError struct{ text string }

func (e leaseError) Error() string { return e.text }

// Transient tells that trying again helps.
func (leaseError) Transient() bool { return true }

// lease is the right to bring messages over.
type lease struct {
	holder  uuid.UUID
	numbers []int32
	// left tells of messages that somebody had before and did not give back, and when that lease ran out: what was done to them may
	// not be on record.
	left map[int32]time.Time
	open *open
}

// open are the messages that may be stored over there although nothing on record says so: those that somebody left, and those that
// were sent since. It is safe for concurrent use.
type open struct {
	mu      sync.Mutex
	numbers map[int32]bool
}

// sending tells that a message is about to be sent.
func (l lease) sending(number int32) {
	if l.open == nil {
		return
	}
	l.open.mu.Lock()
	defer l.open.mu.Unlock()
	l.open.numbers[number] = true
}

// recorded tells that what became of messages is on record. Those that were not sent, or could not be tried, stay as they were left.
func (l lease) recorded(tasks []*task) {
	if l.open == nil {
		return
	}
	l.open.mu.Lock()
	defer l.open.mu.Unlock()
	for _, t := range tasks {
		_, left := l.left[t.number]
		told := t.err == nil || t.stored.correspondenceID != uuid.Nil || t.stored.unanswered()
		if told || t.stored.reason != "" && !left { // a refusal says nothing of what was sent before
			delete(l.open.numbers, t.number)
		}
	}
}

func (l lease) has(number int32) bool {
	_, found := slices.BinarySearch(l.numbers, number)
	return found
}

// leased runs do while the messages are held: those that nobody else holds, or, with wait, all of them once they are free. The
// context of do ends with the lease.
func (d *Deliverer) leased(ctx context.Context, numbers []int32, wait bool, do func(context.Context, lease) error) error {
	if d.Rehearse {
		all := slices.Clone(numbers)
		slices.Sort(all)
		return do(ctx, lease{numbers: all})
	}
	held, err := d.take(ctx, numbers, wait)
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.renew(working, held, stop)
	}()
	err = do(working, held)
	lost := errors.Is(context.Cause(working), ErrLeaseLost)
	stop(nil)
	<-ended
	if lost && err != nil {
		err = ErrLeaseLost
	}
	d.release(context.WithoutCancel(ctx), held)
	return err
}

// release gives messages back. Whoever takes those next that are open learns that somebody left in the middle; if the giving back fails,
// their leases run out by themselves.
func (d *Deliverer) release(ctx context.Context, held lease) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	var left db.LeaveMessageLeasesParams
	var done []int32
	for _, number := range held.numbers {
		if held.open.numbers[number] {
			left.Altinn2Ids, left.LeftAt = append(left.Altinn2Ids, number), append(left.LeftAt, held.left[number])
		} else {
			done = append(done, number)
		}
	}
	q := db.New(d.Pool)
	if len(left.Altinn2Ids) > 0 {
		left.Holder = held.holder
		_ = q.LeaveMessageLeases(ctx, left)
	}
	if len(done) > 0 {
		_ = q.ReleaseMessageLeases(ctx, db.ReleaseMessageLeasesParams{Altinn2Ids: done, Holder: held.holder})
	}
}

func (d *Deliverer) leaseTime() time.Duration {
	if d.Lease > 0 {
		return d.Lease
	}
	return defaultLease
}

func (d *Deliverer) take(ctx context.Context, numbers []int32, wait bool) (lease, error) {
	held := lease{holder: uuid.New(), left: map[int32]time.Time{}, open: &open{numbers: map[int32]bool{}}}
	try := func() error {
		taken, err := db.New(d.Pool).TakeMessageLeases(ctx, db.TakeMessageLeasesParams{
			Altinn2Ids: numbers, Holder: held.holder, Lease: d.leaseTime(),
		})
		if err != nil {
			return backoff.Permanent(fmt.Errorf("take %d messages: %w", len(numbers), err))
		}
		held.numbers = held.numbers[:0]
		for _, m := range taken {
			held.numbers = append(held.numbers, m.Altinn2ID)
			if m.LeftAt.Year() > 1 {
				held.left[m.Altinn2ID], held.open.numbers[m.Altinn2ID] = m.LeftAt, true
			}
		}
		slices.Sort(held.numbers)
		if wait && len(taken) < len(numbers) {
			return ErrBusy
		}
		return nil
	}
	// A lease of somebody who died runs out within its own time.
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstTry), backoff.WithMaxInterval(longestTry),
		backoff.WithMaxElapsedTime(d.leaseTime()+longestTry))
	if err := backoff.Retry(try, backoff.WithContext(policy, ctx)); err != nil {
		return lease{}, err //nolint:wrapcheck // our own, or the context's
	}
	return held, nil
}

// renew keeps a lease until ctx is done, and stops the work when it is lost.
func (d *Deliverer) renew(ctx context.Context, held lease, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(d.leaseTime() / renewals)
	defer ticker.Stop()
	good := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asked := time.Now()
		kept, err := db.New(d.Pool).RenewMessageLeases(ctx, db.RenewMessageLeasesParams{
			Altinn2Ids: held.numbers, Holder: held.holder, Lease: d.leaseTime(),
		})
		switch {
		case err == nil && kept == int64(len(held.numbers)):
			good = asked
		case err == nil, time.Since(good) > d.leaseTime():
			stop(ErrLeaseLost)
			return
		}
	}
}
