package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// healthSize is how many outcomes a record remembers.
	healthSize = 50
	// healthMin is how many recent outcomes it takes before a judgement.
	healthMin = 5
	// healthMaxAge is how long an outcome counts. A stream that stopped makes no calls, so its bad record must run out
	// or it would never try again.
	healthMaxAge = 2 * time.Minute
)

// Health is a sliding record of how the calls to one service ended. It tells a bad system, whose calls fail alike, from
// bad items (Invariant 8). It is safe for use by many goroutines.
type Health struct {
	service string
	now     func() time.Time

	mu       sync.Mutex
	outcomes [healthSize]outcome
	next     int
}

// outcome is one call's end: an empty cause is success.
type outcome struct {
	at    time.Time
	cause string
}

// NewHealth makes an empty record for a service; its name goes into reasons.
func NewHealth(service string) *Health {
	return &Health{service: service, now: time.Now}
}

// Succeeded records a call that the service answered properly, a refusal of one item included.
func (h *Health) Succeeded() { h.record("") }

// Failed records a call that failed for a cause that has nothing to do with its item. Causes are few and fixed texts:
// equal ones are failures alike.
func (h *Health) Failed(cause string) { h.record(cause) }

func (h *Health) record(cause string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcomes[h.next] = outcome{at: h.now(), cause: cause}
	h.next = (h.next + 1) % healthSize
}

// Reset forgets everything: a person has mended the cause.
func (h *Health) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcomes, h.next = [healthSize]outcome{}, 0
}

// Failing tells whether more than half of the last 50 calls, and at least 5 in all, failed alike within the last two
// minutes, and how: "dialogporten: 8 of the last 11 calls failed: 503".
func (h *Health) Failing() (reason string, failing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	horizon := h.now().Add(-healthMaxAge)
	total, byCause := 0, map[string]int{}
	for _, o := range h.outcomes {
		if o.at.IsZero() || o.at.Before(horizon) {
			continue
		}
		total++
		if o.cause != "" {
			byCause[o.cause]++
		}
	}
	if total < healthMin {
		return "", false
	}
	for cause, n := range byCause {
		if 2*n > total {
			return fmt.Sprintf("%s: %d of the last %d calls failed: %s", h.service, n, total, cause), true
		}
	}
	return "", false
}

// observed records how requests ended, after retries and token renewal.
type observed struct {
	next   http.RoundTripper
	health *Health
}

func (o observed) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := o.next.RoundTrip(r)
	switch {
	case err != nil && r.Context().Err() != nil:
		// Our own hanging up says nothing about the service.
	case err != nil:
		o.health.Failed(failureCause(err))
	case response.StatusCode == http.StatusTooManyRequests:
		// A plea to slow down is neither.
	case isSystemRefusal(response):
		o.health.Failed(strconv.Itoa(response.StatusCode))
	default:
		o.health.Succeeded()
	}
	return response, err
}

// isSystemRefusal tells whether an answer is about the system and not about the item.
func isSystemRefusal(response *http.Response) bool {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return response.ContentLength == 0 || !strings.Contains(response.Header.Get("Content-Type"), "json")
	case http.StatusNotImplemented:
		return false
	default:
		return response.StatusCode >= http.StatusInternalServerError
	}
}

// failureCause puts an error into one of a few words; its own text has addresses and ports that never repeat.
func failureCause(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case isUnreachable(err):
		return "unreachable"
	}
	for link := err; link != nil; link = errors.Unwrap(link) {
		if e, ok := link.(systemic); ok && e.Systemic() {
			return "no token"
		}
	}
	return "network error"
}
