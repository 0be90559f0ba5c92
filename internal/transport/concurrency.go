package transport

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Gate admits requests, a bounded number at a time.
type Gate interface {
	// Acquire waits for a slot, or for ctx.
	Acquire(ctx context.Context) error
	// Release gives a slot back; once for each Acquire that succeeded.
	Release()
}

// Slots is a Gate of a fixed size.
type Slots chan struct{}

// NewSlots makes a gate with n slots, at least one.
func NewSlots(n int) Slots { return make(Slots, max(n, 1)) }

// Acquire takes a slot; its error wraps the context's cause.
func (s Slots) Acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a slot: %w", context.Cause(ctx))
	}
}

// Release gives a slot back.
func (s Slots) Release() { <-s }

// concurrency holds a slot from before the request until its answer's body is closed: a page that is still being read
// loads the service too.
type concurrency struct {
	next http.RoundTripper
	gate Gate
}

func (c concurrency) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.gate.Acquire(r.Context()); err != nil {
		closeBody(r)
		return nil, err
	}
	response, err := c.next.RoundTrip(r)
	if err != nil {
		c.gate.Release()
		return nil, err
	}
	response.Body = &closing{ReadCloser: response.Body, done: sync.OnceFunc(c.gate.Release)}
	return response, nil
}
