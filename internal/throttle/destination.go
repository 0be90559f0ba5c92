package throttle

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/transport"
)

const (
	// window is how far back a judgement of the destination looks; longWindow where too few answers came within it, as happens
	// when they are slow or history is at its floor.
	window     = 5 * time.Second
	longWindow = 30 * time.Second
	// fewSamples is how many answers of one kind it takes to speak of their p95.
	fewSamples = 20
	// ringSize is how many answers of one kind are remembered, enough for the window at some hundred a second.
	ringSize = 2048
	// baselineStep and baselineSteps: the baseline is the lowest p95 of a half minute within the last half hour.
	baselineStep  = 30 * time.Second
	baselineSteps = 60
	// mostKinds bounds memory; a service has a handful of routes.
	mostKinds = 64
)

// Destination watches how one service answers: each kind of request for itself, since a create takes longer than a read and
// history goes through phases of either. Its Observe is told each exchange by the HTTP stack. It is safe for concurrent use.
type Destination struct {
	service string
	now     func() time.Time

	mu       sync.Mutex
	kinds    map[kind]*answers
	refusals []refusal
}

// kind is the method and route of a request, and what its sender says of it.
type kind struct{ method, route, load string }

// refusal is an answer that asks for less.
type refusal struct {
	at     time.Time
	status int
	rest   time.Duration
}

// Observation is how a destination answered since a moment.
type Observation struct {
	// Service names it.
	Service string
	// P95 of the kind of requests that is slowest by its own measure, of each item of theirs; 0 when there were too few.
	P95 time.Duration
	// Baseline is what the P95 of that kind was in its best half minute of the last half hour; 0 when nobody knows yet.
	Baseline time.Duration
	// Refused is the status of the latest answer that asks for less, 429 or 503; 0 when there was none.
	Refused int
	// Rest is how long that answer asks to be left alone, 0 when it does not say.
	Rest time.Duration
}

// NewDestination watches a service of that name, as in transport.Config.
func NewDestination(service string) *Destination {
	return &Destination{service: service, now: time.Now, kinds: map[kind]*answers{}}
}

// Observe takes an exchange in; those of other services are none of its business. It is transport.Config.Observe.
func (d *Destination) Observe(e transport.Exchange) {
	if e.Service != d.service || e.Attempts == 0 || errors.Is(e.Err, context.Canceled) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if e.Refused != 0 {
		d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool { return now.Sub(r.at) > window })
		d.refusals = append(d.refusals, refusal{now, e.Refused, e.RetryAfter})
	}
	wire := e.Wire / time.Duration(max(e.Load.Items, 1))
	if transport.AsksForLess(e.Status) || e.Load.Untimed || wire < fastEnough && failed(e) {
		return // quickly said, or for as long as a file is: it tells nothing of the speed
	}
	of := kind{e.Method, e.Route, e.Load.Kind}
	a := d.kinds[of]
	if a == nil {
		if len(d.kinds) >= mostKinds {
			return
		}
		a = &answers{}
		d.kinds[of] = a
	}
	a.add(now, wire)
}

// failed tells whether a service did none of the work that it was asked for.
func failed(e transport.Exchange) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return e.Err != nil || e.Status >= http.StatusInternalServerError
}

// Look judges the answers since a moment, those of the last seconds at most: what came before a cut says nothing of its
// effect.
func (d *Destination) Look(since time.Time) Observation {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	o := Observation{Service: d.service}
	worst := 0.0
	for _, a := range d.kinds {
		p95, baseline := a.p95(latest(since, now.Add(-window))), a.baseline(now)
		if p95 == 0 {
			p95 = a.p95(latest(since, now.Add(-longWindow)))
		}
		if p95 == 0 {
			continue
		}
		if by := p95.Seconds() / slowFrom(baseline).Seconds(); by > worst {
			worst, o.P95, o.Baseline = by, p95, baseline
		}
	}
	for _, r := range d.refusals {
		if r.at.After(latest(since, now.Add(-window))) {
			o.Refused, o.Rest = r.status, max(o.Rest, r.rest)
		}
	}
	return o
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// answers are the latest answers of one kind.
type answers struct {
	ring [ringSize]answer
	next int
	// step is the half minute under way; best has the p95 of those before it.
	step     time.Time
	inStep   []time.Duration
	best     [baselineSteps]stepResult
	bestNext int
}

type answer struct {
	at   time.Time
	wire time.Duration
}

type stepResult struct {
	at  time.Time
	p95 time.Duration
}

func (a *answers) add(now time.Time, wire time.Duration) {
	a.ring[a.next] = answer{now, wire}
	a.next = (a.next + 1) % ringSize
	if now.Sub(a.step) >= baselineStep {
		if p95 := percentile95(a.inStep); p95 > 0 {
			a.best[a.bestNext] = stepResult{a.step, p95}
			a.bestNext = (a.bestNext + 1) % baselineSteps
		}
		a.step, a.inStep = now, a.inStep[:0]
	}
	if len(a.inStep) < ringSize {
		a.inStep = append(a.inStep, wire)
	}
}

func (a *answers) p95(since time.Time) time.Duration {
	var durations []time.Duration
	for i := range a.ring {
		if a.ring[i].at.After(since) {
			durations = append(durations, a.ring[i].wire)
		}
	}
	return percentile95(durations)
}

func (a *answers) baseline(now time.Time) time.Duration {
	var lowest time.Duration
	for _, s := range a.best {
		if s.p95 > 0 && now.Sub(s.at) <= baselineStep*baselineSteps && (lowest == 0 || s.p95 < lowest) {
			lowest = s.p95
		}
	}
	return lowest
}

// percentile95 is 0 when there are too few to speak of one.
func percentile95(durations []time.Duration) time.Duration {
	if len(durations) < fewSamples {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	const percent = 95
	return sorted[(len(sorted)*percent+percent)/100-1]
}
