package history

import "sync"

// How many of the last items are looked at, and how many there must be before a judgement.
const (
	alikeWindow  = 50
	alikeMinimum = 20
)

// alike remembers how the last items of a backfill ended, to tell a bad system from bad items: when too large a share fails
// for one reason, the cause is hardly the items (Invariant 8). It is safe for concurrent use.
type alike struct {
	mu      sync.Mutex
	reasons [alikeWindow]string
	size    int
	next    int
}

// note adds an item's end; an empty reason is a success.
func (a *alike) note(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reasons[a.next] = reason
	a.next = (a.next + 1) % alikeWindow
	a.size = min(a.size+1, alikeWindow)
}

// worst gives the reason that more than maxShare of the last items failed for, with their number and that of all looked at.
func (a *alike) worst(maxShare float64) (reason string, failed, of int, tripped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.size < alikeMinimum {
		return "", 0, a.size, false
	}
	counts := map[string]int{}
	for _, r := range a.reasons[:a.size] {
		if r != "" {
			counts[r]++
		}
	}
	for r, n := range counts {
		if float64(n) > maxShare*float64(a.size) {
			return r, n, a.size, true
		}
	}
	return "", 0, a.size, false
}
