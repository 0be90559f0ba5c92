package transport

import (
	"context"
	"fmt"
	"net/http"
)

// Limiter lets requests pass at a rate; *rate.Limiter of x/time is one.
type Limiter interface {
	Wait(ctx context.Context) error
}

// rateLimit waits for the limiter before each request. The in-call retries of a request are not counted again: they
// hold their slot and back off, which is slower than any limit.
type rateLimit struct {
	next    http.RoundTripper
	limiter Limiter
}

func (l rateLimit) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := l.limiter.Wait(r.Context()); err != nil {
		closeBody(r)
		if cause := context.Cause(r.Context()); cause != nil {
			return nil, fmt.Errorf("wait for rate: %w", cause)
		}
		// The limiter saw that the deadline comes before the turn.
		return nil, fmt.Errorf("wait for rate: %w (%v)", context.DeadlineExceeded, err) //nolint:errorlint // Its text only.
	}
	return l.next.RoundTrip(r)
}
