package transport

import (
	"net/http"
	"time"
)

const (
	defaultConcurrency    = 64
	defaultAttemptTimeout = 100 * time.Second // what the existing consumer's clients use
)

// Config is how one service is called. Only Service and BaseURL must be set.
type Config struct {
	// Service names it in metrics and reasons: "storage", "dialogporten".
	Service string
	// BaseURL is where it is. Its origin is the only one that sees the token and the gateway key.
	BaseURL string
	// Token gives bearer tokens; nil: none is sent.
	Token TokenSource
	// SubscriptionKey is the gateway key; empty: none is sent.
	SubscriptionKey string
	// Instruments count and time; nil: nothing is measured.
	Instruments *Instruments
	// Observe is told each request's end, for throttling; nil: nobody is. It must return quickly.
	Observe func(Exchange)
	// Limiter paces requests; nil: none does.
	Limiter Limiter
	// Gate bounds requests in flight; nil: as many as Concurrency says.
	Gate Gate
	// Concurrency is how many requests are in flight at most, and how many connections are kept; default 64.
	Concurrency int
	// Retry is how requests are repeated within the call.
	Retry RetryPolicy
	// AttemptTimeout bounds one attempt, reading the answer included; default 100 s.
	AttemptTimeout time.Duration
	// Health records how requests ended; nil: nothing does.
	Health *Health
	// Rehearsal captures requests that would change something instead of sending them; nil: they are sent.
	Rehearsal *Rehearsal
	// Base is what sends requests; nil: a Wire of its own.
	Base http.RoundTripper
}

// Stack composes the layers of one service, from the outside in: rehearsal → health → auth → headers → metrics → rate →
// concurrency → retry → deadline → wire.
func Stack(c Config) http.RoundTripper {
	if c.Concurrency <= 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.AttemptTimeout <= 0 {
		c.AttemptTimeout = defaultAttemptTimeout
	}
	if c.Gate == nil {
		c.Gate = NewSlots(c.Concurrency)
	}
	if c.Base == nil {
		c.Base = Wire(c.Concurrency)
	}
	hosts := NewHosts(c.BaseURL)

	rt := c.Base
	rt = stopwatch{rt}
	rt = deadline{rt, c.AttemptTimeout}
	rt = retry{rt, c.Retry.withDefaults()}
	rt = concurrency{rt, c.Gate}
	if c.Limiter != nil {
		rt = rateLimit{rt, c.Limiter}
	}
	if c.Instruments != nil || c.Observe != nil {
		rt = measured{rt, c.Service, c.Instruments, c.Observe}
	}
	rt = headers{rt, hosts, c.SubscriptionKey}
	if c.Token != nil {
		rt = auth{rt, c.Token, hosts}
	}
	if c.Health != nil {
		rt = observed{rt, c.Health}
	}
	if c.Rehearsal != nil {
		rt = rehearse{rt, c.Rehearsal}
	}
	return rt
}

// NewClient gives a client over Stack. It does not follow redirects: none of the services sends any, and a redirect to
// another host would carry the request's body there.
func NewClient(c Config) *http.Client {
	return &http.Client{
		Transport:     Stack(c),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
