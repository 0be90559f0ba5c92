package faults

import "time"

// defaultQueue is how long a request may wait for its turn.
const defaultQueue = time.Second

// admit gives a request its turn: how long it has to wait, or that it is refused and when it may come again. The caller
// holds the lock.
//
// free is when the next request could be served if all came evenly. It lies in the past while there is capacity left,
// and at most by what may come at once.
func (r *rule) admit(now time.Time) (wait time.Duration, refused bool) {
	each := time.Duration(float64(time.Second) / r.Rate)
	atOnce := r.Burst
	if atOnce == 0 {
		atOnce = max(1, int(r.Rate/10))
	}
	if earliest := now.Add(-each * time.Duration(atOnce-1)); r.free.Before(earliest) {
		r.free = earliest
	}
	queue := time.Duration(r.Queue)
	if queue == 0 {
		queue = defaultQueue
	}
	wait = max(0, r.free.Sub(now))
	if wait > queue {
		return wait, true
	}
	r.free = r.free.Add(each)
	return wait, false
}
