package faults

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Injector applies rules to requests. It is safe for concurrent use.
type Injector struct {
	seed uint64
	now  func() time.Time

	mu    sync.Mutex
	rules []*rule
}

// New makes an injector without rules. Durations are measured by the real clock.
func New(seed uint64) *Injector {
	return &Injector{seed: seed, now: time.Now}
}

// Set replaces all rules. With an error nothing is replaced.
func (i *Injector) Set(rules []Rule) error {
	compiled := make([]*rule, 0, len(rules))
	for n, r := range rules {
		c, err := compile(r, i.now(), world.Mix(i.seed^uint64(n+1)<<32))
		if err != nil {
			return fmt.Errorf("fault rule %d: %w", n, err)
		}
		compiled = append(compiled, c)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = compiled
	return nil
}

// Rules are the rules that are set.
func (i *Injector) Rules() []Rule {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]Rule, 0, len(i.rules))
	for _, r := range i.rules {
		out = append(out, r.Rule)
	}
	return out
}

// Noter is told of the effects that a request had done to it.
type Noter interface{ NoteFault(effect string) }

// Wrap makes a service fail by the rules. The name is what rules call it.
func (i *Injector) Wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := next
		// The last effect drawn lies innermost: latency before it is waited first.
		drawn := i.draw(service, r)
		for _, d := range slices.Backward(drawn) {
			handler = wrap(d.Rule, d.tail, handler)
			if noter, ok := w.(Noter); ok {
				noter.NoteFault(string(d.Effect))
			}
		}
		handler.ServeHTTP(w, r)
	})
}

// drawnRule is a rule that a request has drawn.
type drawnRule struct {
	Rule

	tail bool
}

// draw asks the rules in order; after the first that is not a latency no other is asked.
func (i *Injector) draw(service string, r *http.Request) []drawnRule {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []drawnRule
	for _, candidate := range i.rules {
		if candidate.Effect == EffectOverlap || !i.hit(candidate, service, r) {
			continue
		}
		drawn := drawnRule{Rule: candidate.Rule}
		drawn.tail = candidate.TailShare > 0 && candidate.roll() < candidate.TailShare
		out = append(out, drawn)
		if candidate.Effect != EffectLatency {
			break
		}
	}
	return out
}

// Overlap says whether a write to Dialogporten is to meet another writer.
func (i *Injector) Overlap(r *http.Request) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.rules, func(candidate *rule) bool {
		return candidate.Effect == EffectOverlap && i.hit(candidate, "dialogporten", r)
	})
}

// hit says whether the rule strikes now, and counts it. The caller holds the lock.
func (i *Injector) hit(r *rule, service string, request *http.Request) bool {
	if !r.ends.IsZero() && !i.now().Before(r.ends) || r.Count > 0 && r.done >= r.Count || !r.matches(service, request) {
		return false
	}
	r.seen++
	if r.seen <= r.Skip || r.Probability != nil && r.roll() >= *r.Probability {
		return false
	}
	r.done++
	return true
}

// roll is a number from 0 up to, not including, 1.
func (r *rule) roll() float64 {
	r.dice++
	return float64(world.Mix(r.dice)>>11) / (1 << 53)
}

// wrap puts an effect around a handler.
func wrap(r Rule, tail bool, next http.Handler) http.Handler {
	switch r.Effect {
	case EffectStatus:
		return status(r)
	case EffectStatusAfter:
		return after(next, status(r))
	case EffectReset:
		return reset()
	case EffectResetAfter:
		return after(next, reset())
	case EffectLatency:
		return latency(r, tail, next)
	case EffectThrottle:
		return throttle(r)
	case EffectTruncate:
		return truncate(next)
	case EffectOutage:
		return outage(r)
	case EffectReadFailed:
		return readFailed()
	case EffectOverlap: // Dialogporten itself asks for it
	}
	return next
}
