package faults

import (
	"net/http"
	"time"
)

const (
	defaultOn  = 5 * time.Second
	defaultOff = 30 * time.Second
)

// inBurst says whether a service that fails by bursts is failing now. It begins well. The caller holds the lock.
func (r *rule) inBurst(now time.Time) bool {
	if r.phaseEnds.IsZero() {
		r.phaseEnds = now.Add(r.phase(r.Off, defaultOff))
	}
	// After a long silence the past bursts are not gone through one by one.
	if idle := now.Sub(r.phaseEnds); idle > 1000*(time.Duration(r.On+r.Off)+time.Second) {
		r.phaseEnds = now
	}
	for !now.Before(r.phaseEnds) {
		r.bursting = !r.bursting
		if r.bursting {
			r.phaseEnds = r.phaseEnds.Add(r.phase(r.On, defaultOn))
		} else {
			r.phaseEnds = r.phaseEnds.Add(r.phase(r.Off, defaultOff))
		}
	}
	return r.bursting
}

// phase draws a length from half to one and a half of the usual one.
func (r *rule) phase(usual Duration, otherwise time.Duration) time.Duration {
	if usual == 0 {
		usual = Duration(otherwise)
	}
	return max(time.Duration((0.5+r.roll())*float64(usual)), time.Microsecond)
}

// burstStatus draws what a burst answers.
func (r *rule) burstStatus() int {
	statuses := [...]int{
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}
	if r.Status != 0 {
		return r.Status
	}
	return statuses[int(r.roll()*float64(len(statuses)))]
}
