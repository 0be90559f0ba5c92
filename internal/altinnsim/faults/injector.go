package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Injector applies rules to requests. It is safe for concurrent use.
type Injector struct {
	seed uint64
	now  func() time.Time

	active atomic.Bool // whether there are rules at all

	mu       sync.Mutex
	rules    []*rule
	services []string // that are wrapped
}

// New makes an injector without rules. Durations are measured by the real clock.
func New(seed uint64) *Injector {
	return &Injector{seed: seed, now: time.Now}
}

// Set replaces all rules. With an error nothing is replaced.
func (i *Injector) Set(rules []Rule) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	compiled := make([]*rule, 0, len(rules))
	for n, r := range rules {
		c, err := i.compile(r, n)
		if err == nil && r.Name != "" && slices.ContainsFunc(compiled, func(other *rule) bool { return other.Name == r.Name }) {
			err = fmt.Errorf("two rules are named %q", r.Name)
		}
		if err != nil {
			return fmt.Errorf("fault rule %d: %w", n, err)
		}
		compiled = append(compiled, c)
	}
	i.replace(compiled)
	return nil
}

// Put replaces the rule of that name, or adds it behind the others, which go on as they are. The rule needs a name.
func (i *Injector) Put(r Rule) error {
	if r.Name == "" {
		return errors.New("fault rule: a rule that is put has a name")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	at := slices.IndexFunc(i.rules, func(other *rule) bool { return other.Name == r.Name })
	if at < 0 {
		at = len(i.rules)
	}
	c, err := i.compile(r, at)
	if err != nil {
		return fmt.Errorf("fault rule %q: %w", r.Name, err)
	}
	i.replace(append(append(slices.Clone(i.rules[:at]), c), i.rules[min(at+1, len(i.rules)):]...))
	return nil
}

// Drop takes the rule of that name off, and says whether there was one.
func (i *Injector) Drop(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(i.rules), func(r *rule) bool { return r.Name == name && name != "" })
	dropped := len(left) < len(i.rules)
	i.replace(left)
	return dropped
}

// compile makes a rule work. The caller holds the lock.
func (i *Injector) compile(r Rule, n int) (*rule, error) {
	if r.Service != "" && len(i.services) > 0 && !slices.Contains(i.services, r.Service) {
		return nil, fmt.Errorf("unknown service %q: use one of %s", r.Service, listed(i.services))
	}
	return compile(r, i.now(), world.Mix(i.seed^uint64(n+1)<<32)) //nolint:gosec // an index is not negative
}

// replace sets the rules. The caller holds the lock.
func (i *Injector) replace(rules []*rule) {
	i.rules = rules
	i.active.Store(len(rules) > 0)
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

// Wrap makes a service fail by the rules. The name is what rules call it. Without rules it costs nothing.
func (i *Injector) Wrap(service string, next http.Handler) http.Handler {
	i.mu.Lock()
	if !slices.Contains(i.services, service) {
		i.services = append(i.services, service)
	}
	i.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !i.active.Load() {
			next.ServeHTTP(w, r)
			return
		}
		handler := next
		drawn, skew := i.draw(service, r)
		if skew != 0 {
			i.date(w, skew)
		}
		// The last effect drawn lies innermost: latency before it is waited first.
		for _, d := range slices.Backward(drawn) {
			handler = i.wrap(d, handler)
			if noter, ok := w.(Noter); ok && !d.unnoted {
				noter.NoteFault(string(d.Effect))
			}
		}
		handler.ServeHTTP(w, r)
	})
}

// drawnRule is a rule that a request has drawn.
type drawnRule struct {
	*rule

	wait    time.Duration // before anything else
	refused bool          // capacity: there is none
	gaveUp  bool          // statement-timeout: there is no answer
	status  int           // burst
	kind    Kind          // malformed
	before  *keptPage     // repeat-page: what is sent instead
	unnoted bool          // it only watches
}

// draw asks the rules in order; after the first that answers or changes the answer no other is asked. It tells how far
// the service's clock is off, too.
func (i *Injector) draw(service string, r *http.Request) ([]drawnRule, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []drawnRule
	for _, candidate := range i.rules {
		d, ok, last := i.try(candidate, service, r)
		if !ok {
			continue
		}
		out = append(out, d)
		if last {
			break
		}
	}
	return out, i.skew(service)
}

// try draws one rule. ok: it has something to do; last: no other rule is asked. The caller holds the lock.
func (i *Injector) try(candidate *rule, service string, r *http.Request) (d drawnRule, ok, last bool) {
	d.rule = candidate
	switch candidate.Effect {
	case EffectOverlap, EffectClockSkew, EffectVanish, EffectReappear, EffectLateRows:
		return d, false, false // the services ask for these themselves
	case EffectBurst:
		if !candidate.matches(service, r) || !candidate.inBurst(i.now()) || !i.hit(candidate, service, r) {
			return d, false, false
		}
		d.status = candidate.burstStatus()
		return d, true, true
	case EffectRepeatPage:
		if candidate.over(i.now()) || !candidate.matches(service, r) {
			return d, false, false
		}
		if before := candidate.pages[walkOf(r)]; before != nil && i.hit(candidate, service, r) {
			d.before = before
		}
		d.unnoted = d.before == nil
		return d, true, d.before != nil
	default: // below
	}
	if !i.hit(candidate, service, r) {
		return d, false, false
	}
	tail := candidate.TailShare > 0 && candidate.roll() < candidate.TailShare
	switch candidate.Effect {
	case EffectLatency:
		d.wait = time.Duration(candidate.Latency)
		if tail {
			d.wait += time.Duration(candidate.Tail)
		}
		return d, true, false
	case EffectTimeout:
		d.wait, d.gaveUp = statementTime(candidate.Rule, tail)
		return d, true, d.gaveUp
	case EffectCapacity:
		d.wait, d.refused = candidate.admit(i.now())
		return d, d.refused || d.wait > 0, d.refused
	case EffectMalformed:
		d.kind = candidate.malformedKind()
	default: // nothing is drawn
	}
	return d, true, true
}

func (r *rule) malformedKind() Kind {
	kinds := r.Kinds
	if len(kinds) == 0 {
		kinds = kindsOf(EffectMalformed)
	}
	return kinds[int(r.roll()*float64(len(kinds)))]
}

// Overlap says whether a write to Dialogporten is to meet another writer.
func (i *Injector) Overlap(r *http.Request) bool {
	if !i.active.Load() {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.rules, func(candidate *rule) bool {
		return candidate.Effect == EffectOverlap && i.hit(candidate, "dialogporten", r)
	})
}

// hit says whether the rule strikes now, and counts it. The caller holds the lock.
func (i *Injector) hit(r *rule, service string, request *http.Request) bool {
	if r.over(i.now()) || !r.matches(service, request) {
		return false
	}
	r.seen++
	if r.seen <= r.Skip || r.Probability != nil && r.roll() >= *r.Probability {
		return false
	}
	r.done++
	return true
}

// over says whether the rule has ended or struck as often as it may.
func (r *rule) over(now time.Time) bool {
	return !r.ends.IsZero() && !now.Before(r.ends) || r.Count > 0 && r.done >= r.Count
}

// roll is a number from 0 up to, not including, 1.
func (r *rule) roll() float64 {
	r.dice++
	return unit(world.Mix(r.dice))
}

// wrap puts an effect around a handler.
func (i *Injector) wrap(d drawnRule, next http.Handler) http.Handler {
	switch d.Effect {
	case EffectStatus:
		return status(d.Rule)
	case EffectStatusAfter:
		return after(next, status(d.Rule))
	case EffectBurst:
		failing := d.Rule
		failing.Status = d.status
		return status(failing)
	case EffectReset:
		return reset()
	case EffectResetAfter:
		return after(next, reset())
	case EffectLatency:
		return latency(d.wait, next)
	case EffectCapacity:
		if d.refused {
			return throttle(Rule{RetryAfter: Duration(d.wait)})
		}
		return latency(d.wait, next)
	case EffectThrottle:
		return throttle(d.Rule)
	case EffectTruncate:
		return truncate(next)
	case EffectMalformed:
		return malformed(d.kind, next)
	case EffectShape:
		return shape(d.shaper(), next)
	case EffectOutage:
		return outage(d.Rule)
	case EffectReadFailed:
		return readFailed()
	case EffectTimeout:
		if d.gaveUp {
			next = timedOut(d.Rule)
		}
		return latency(d.wait, next)
	case EffectRepeatPage:
		return i.repeatPage(d.rule, d.before, next)
	case EffectMissingPage:
		return missingPage(next)
	case EffectOverlap, EffectClockSkew, EffectVanish, EffectReappear, EffectLateRows: // the services ask for these
	}
	return next
}
