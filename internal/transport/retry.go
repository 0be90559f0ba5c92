package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

// RetryPolicy is how a request is repeated within the call. These retries bridge a hiccup; longer waits are the
// queue's. The zero value takes the defaults.
type RetryPolicy struct {
	// Attempts is how often a request is sent at most; default 3, 1 turns retries off.
	Attempts int
	// Initial is the wait before the second attempt, doubled each time, with jitter; default 250 ms.
	Initial time.Duration
	// MaxWait bounds every wait; default 5 s. A longer Retry-After ends the retries: the answer goes to the caller.
	MaxWait time.Duration
}

const (
	defaultAttempts     = 3
	defaultRetryInitial = 250 * time.Millisecond
	defaultRetryMaxWait = 5 * time.Second
)

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Attempts <= 0 {
		p.Attempts = defaultAttempts
	}
	if p.Initial <= 0 {
		p.Initial = defaultRetryInitial
	}
	if p.MaxWait <= 0 {
		p.MaxWait = defaultRetryMaxWait
	}
	return p
}

func (p RetryPolicy) backOff() *backoff.ExponentialBackOff {
	const doubling = 2
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.Initial), backoff.WithMultiplier(doubling),
		backoff.WithMaxInterval(p.MaxWait), backoff.WithMaxElapsedTime(0))
}

// retry repeats requests whose answer is expected to change shortly. A write whose answer was lost may have been
// applied; those who write expect that (Invariant 2).
type retry struct {
	next   http.RoundTripper
	policy RetryPolicy
}

func (t retry) RoundTrip(r *http.Request) (*http.Response, error) {
	if !isReplayable(r) {
		return t.next.RoundTrip(r)
	}
	waits := t.policy.backOff()
	attempt := r
	for tries := 1; ; tries++ {
		response, err := t.next.RoundTrip(attempt)
		if tries >= t.policy.Attempts || r.Context().Err() != nil || !isRepeatable(response, err) {
			return response, err
		}
		wait := waits.NextBackOff()
		if response != nil {
			wait = max(wait, httpanswer.RetryAfter(response.Header, time.Now()))
		}
		if wait > t.policy.MaxWait {
			return response, err
		}
		again, replayErr := replay(r)
		if replayErr != nil {
			return response, err
		}
		if sleep(r.Context(), wait) != nil {
			closeBody(again)
			return response, err
		}
		if response != nil {
			discard(response)
		}
		attempt = again
	}
}

// isRepeatable tells whether the same request may fare better in a moment.
func isRepeatable(response *http.Response, err error) bool {
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return false
		}
		class := Classify(err)
		return class == Transient || class == Systemic
	}
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
