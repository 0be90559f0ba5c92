package maskinporten

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A token is renewed this long before its end, or a tenth of its life if that is longer, but never before half of its
// life is over.
const (
	earlyRenewal      = 30 * time.Second
	earlyRenewalParts = 10
)

// token is an access token with the time from which it is no longer given out.
type token struct {
	text  string
	until time.Time
}

func newToken(text string, now, expires time.Time) token {
	life := expires.Sub(now)
	early := min(max(earlyRenewal, life/earlyRenewalParts), life/2)
	return token{text: text, until: expires.Add(-early)}
}

// holder keeps one token and renews it. Its callers share one renewal; a renewal that ended because its own caller went
// away is taken over by one of those who wait.
type holder struct {
	now func() time.Time
	// renew gets a new token; refused tells that the current one was not accepted although its time is not over. Calls do
	// not overlap.
	renew func(ctx context.Context, refused bool) (token, error)

	mu      sync.Mutex
	current token
	flight  *flight
}

type flight struct {
	done  chan struct{}
	token token
	err   error
}

// get gives the current token, or a new one if it ends soon or is the refused one.
func (h *holder) get(ctx context.Context, refused string) (string, error) {
	for {
		current, mine, text := h.join(refused)
		if text != "" {
			return text, nil
		}
		if mine {
			h.fly(ctx, current, refused != "")
		}
		select {
		case <-current.done:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for a token: %w", context.Cause(ctx))
		}
		if current.err == nil {
			return current.token.text, nil
		}
		gaveUp := errors.Is(current.err, context.Canceled) || errors.Is(current.err, context.DeadlineExceeded)
		if mine || !gaveUp || ctx.Err() != nil {
			return "", current.err
		}
	}
}

// join gives the token if it is good, else the renewal under way or a new one that the caller has to make.
func (h *holder) join(refused string) (current *flight, mine bool, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current.text != "" && h.current.text != refused && h.now().Before(h.current.until) {
		return nil, false, h.current.text
	}
	if h.flight != nil {
		return h.flight, false, ""
	}
	h.flight = &flight{done: make(chan struct{}), err: errRenewalPanicked}
	return h.flight, true, ""
}

func (h *holder) fly(ctx context.Context, current *flight, refused bool) {
	defer func() {
		h.mu.Lock()
		if current.err == nil {
			h.current = current.token
		}
		h.flight = nil
		h.mu.Unlock()
		close(current.done)
	}()
	current.token, current.err = h.renew(ctx, refused)
}

var errRenewalPanicked = errors.New("the renewal waited for has panicked")
