package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter is a process's share of a stream's rate. The rate is for all workers together: those that worked on the stream
// within the last seconds have equal parts of it. One that begins counts every living worker as a competitor until it has
// been heard of, so that the sum stays within the rate while workers join, a second or two apart from what the others still
// take; a part that its process cannot use is left unused. A nil Limiter lets everything pass.
type Limiter struct {
	limiter *rate.Limiter

	mu      sync.Mutex
	used    time.Time
	waiting int
	changed chan struct{}
}

func newLimiter() *Limiter {
	return &Limiter{limiter: rate.NewLimiter(rate.Inf, 1), changed: make(chan struct{})}
}

// Wait waits until the stream's rate allows one more item, or for ctx. A rate that changes meanwhile counts at once. The error
// is the context's cause, wrapped.
func (l *Limiter) Wait(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.enter(1)
	defer l.enter(-1)
	for {
		turn, changed := l.reserve()
		delay := turn.Delay()
		if delay == 0 {
			return nil
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
			return nil
		case <-changed:
			timer.Stop()
			turn.Cancel()
		case <-ctx.Done():
			timer.Stop()
			turn.Cancel()
			return fmt.Errorf("wait for the stream's rate: %w", context.Cause(ctx))
		}
	}
}

// PerSecond is this process's share now; false: there is no limit.
func (l *Limiter) PerSecond() (float64, bool) {
	if l == nil || l.limiter.Limit() == rate.Inf {
		return 0, false
	}
	return float64(l.limiter.Limit()), true
}

func (l *Limiter) reserve() (*rate.Reservation, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limiter.Reserve(), l.changed
}

func (l *Limiter) enter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting += n
	l.used = time.Now()
}

// active tells whether the process works on the stream now or did within the last seconds.
func (l *Limiter) active() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isActive()
}

func (l *Limiter) isActive() bool { return l.waiting > 0 || time.Since(l.used) < activeFor }

// set takes up the stream's rate; others is how many other processes work on the stream, living how many there are in all.
func (l *Limiter) set(perSecond *float64, others, living int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := rate.Inf
	if perSecond != nil {
		limit = rate.Limit(*perSecond / share(l.isActive(), others, living))
	}
	if limit == l.limiter.Limit() {
		return
	}
	l.limiter.SetLimit(limit)
	close(l.changed)
	l.changed = make(chan struct{})
}

// share is by how many a rate is divided.
func share(active bool, others, living int64) float64 {
	if active {
		return float64(others + 1)
	}
	return float64(max(living, others+1, 1))
}
