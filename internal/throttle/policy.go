package throttle

import (
	"fmt"
	"math"
	"time"
)

const (
	// DefaultReserved is the share of the destination's concurrency that is live's alone.
	DefaultReserved = 0.3
	// DefaultPromise is how far an event-driven live stream may be behind before history yields: seconds, as people are told.
	DefaultPromise = 3 * time.Second

	// settle is how long a cut is given to show its effect before the next.
	settle = window
	// calm is how long live and destination must have been well before history grows again.
	calm = 10 * time.Second
	// growEvery is the pace of growth, by at least one slot or this share of what there is at most.
	growEvery  = time.Second
	growthPart = 50
	// longestRest bounds what one answer can ask for.
	longestRest = 30 * time.Second
	// fastEnough is a p95 that is never called slow; slowerBy times its baseline is; without a baseline slowAnyway is.
	fastEnough = 250 * time.Millisecond
	slowerBy   = 2
	slowAnyway = time.Second
	// farBehind times its promise, live gets all but the floor at once.
	farBehind = 4

	half      = 0.5
	leastCut  = 0.9
	toFloor   = 0.0
	unlimited = 1.0
)

// Policy is the rule by which history's part of a process's concurrency is set.
type Policy struct {
	// Slots is how many deliveries the process may have under way to the destination, live and history together.
	Slots int
	// Reserved is the share of them that history never takes, from 0 to below 1.
	Reserved float64
}

// Max is history's part when all is well: at least one.
func (p Policy) Max() int { return max(int(float64(p.Slots)*(1-p.Reserved)), 1) }

// Start is where a process begins: with half, so that it learns what the destination is like before it presses it.
func (p Policy) Start() Limit { return Limit{Slots: max(p.Max()/2, 1)} }

// Limit is history's part, and why it is no larger.
type Limit struct {
	// Slots is how many deliveries of history may be under way; never below 1, but see RestUntil.
	Slots int
	// Reason is why Slots is below Max; empty when it is not, or is still on its first way up.
	Reason string
	// RestUntil is until when nothing of history begins: the destination asked for it.
	RestUntil time.Time

	cutAt, wellSince, grownAt time.Time
	// cause is the reason of the last cut.
	cause string
}

// Now is how many deliveries may be under way at a moment: none during a rest.
func (l Limit) Now(now time.Time) int {
	if now.Before(l.RestUntil) {
		return 0
	}
	return l.Slots
}

// Lag is how far a live stream is behind.
type Lag struct {
	// Behind is the age of the oldest change that is not delivered, or how late a batch is.
	Behind time.Duration
	// Promise is how far behind is well; 0 takes DefaultPromise.
	Promise time.Duration
}

// by is how many times the promise a stream is behind.
func (l Lag) by() float64 {
	promise := l.Promise
	if promise <= 0 {
		promise = DefaultPromise
	}
	return l.Behind.Seconds() / promise.Seconds()
}

// Signals are what a decision is made from.
type Signals struct {
	Live         []Lag
	Destinations []Observation
}

// Next decides history's part from what it was and how live and destination are doing. It is meant to be asked every second.
func (p Policy) Next(l Limit, s Signals, now time.Time) Limit {
	factor, cause := cut(s)
	if factor < unlimited {
		l.Reason, l.cause, l.wellSince = cause, cause, time.Time{}
		if now.Sub(l.cutAt) >= settle {
			l.cutAt = now
			l.Slots = max(min(int(float64(l.Slots)*factor), l.Slots-1), 1)
		}
		for _, d := range s.Destinations {
			if until := now.Add(min(d.Rest, longestRest)); d.Rest > 0 && until.After(l.RestUntil) {
				l.RestUntil = until
			}
		}
		return l
	}
	if l.wellSince.IsZero() {
		l.wellSince = now
	}
	isFirstAscent := l.cause == ""
	if l.Slots < p.Max() && now.Sub(l.grownAt) >= growEvery && (isFirstAscent || now.Sub(l.wellSince) >= calm) {
		l.grownAt = now
		l.Slots = min(l.Slots+max(p.Max()/growthPart, 1), p.Max())
	}
	switch {
	case l.Slots >= p.Max():
		l.Slots, l.Reason, l.cause = p.Max(), "", ""
	case !isFirstAscent:
		l.Reason = "after " + l.cause
	}
	return l
}

// cut is by what factor history must shrink, and why; 1: it need not.
func cut(s Signals) (factor float64, cause string) {
	factor = unlimited
	worst := Lag{}
	for _, lag := range s.Live {
		if lag.by() > worst.by() {
			worst = lag
		}
	}
	if worst.by() >= farBehind {
		return toFloor, "live lag " + inSeconds(worst.Behind)
	}
	for _, d := range s.Destinations {
		if d.Refused != 0 {
			return half, fmt.Sprintf("%s answers %d", d.Service, d.Refused)
		}
	}
	if worst.by() > 1 {
		return half, "live lag " + inSeconds(worst.Behind)
	}
	for _, d := range s.Destinations {
		limit := slowFrom(d.Baseline)
		if d.P95 <= limit {
			continue
		}
		if f := math.Min(math.Max(limit.Seconds()/d.P95.Seconds(), half), leastCut); f < factor {
			factor, cause = f, fmt.Sprintf("%s p95 %d ms", d.Service, d.P95.Milliseconds())
		}
	}
	return factor, cause
}

// slowFrom is the p95 from which on a kind of requests is slow.
func slowFrom(baseline time.Duration) time.Duration {
	if baseline == 0 {
		return slowAnyway
	}
	return max(slowerBy*baseline, fastEnough)
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
