package faults

import (
	"net/http"
	"time"
)

// Skew is how far a service's clock goes ahead by the rules that hold now; negative: behind.
func (i *Injector) Skew(service string) time.Duration {
	if !i.active.Load() {
		return 0
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.skew(service)
}

// skew is Skew. The caller holds the lock.
func (i *Injector) skew(service string) time.Duration {
	var total time.Duration
	for _, r := range i.rules {
		if r.Effect == EffectClockSkew && (r.Service == "" || r.Service == service) && !r.over(i.now()) {
			total += time.Duration(r.Skew)
		}
	}
	return total
}

// date sets the Date header by a clock that is off. The server leaves a header alone that is there.
func (i *Injector) date(w http.ResponseWriter, skew time.Duration) {
	w.Header().Set("Date", i.now().Add(skew).UTC().Format(http.TimeFormat))
}
