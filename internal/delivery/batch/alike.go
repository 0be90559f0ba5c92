package batch

import (
	"slices"
	"sync"
)

// What it takes to judge by how the last items ended.
const (
	// alikeSize is how many different items are remembered.
	alikeSize = 50
	// alikeMinimum is how many there must be before a share means anything. Where not one succeeded, alikeAll is enough, and a
	// single one that a service refused: nothing shows yet that it accepts any.
	alikeMinimum = 20
	alikeAll     = 3
	// fewItems is how many may fail while a service looks ill without the service being blamed: they may be all there is to
	// try.
	fewItems = 3
	// wellEnough is how many different items must be remembered, most of them well, before an item is blamed.
	wellEnough = 10
)

// Alike remembers how the last different items of a stream ended, to tell a bad system from bad items: when too large a
// share fails for one reason, the cause is hardly the items (Invariant 8). An item that is tried again counts once. It is
// safe for concurrent use.
type Alike struct {
	mu    sync.Mutex
	items []itemEnd // oldest first
}

type itemEnd struct {
	key string
	// reason is empty for a success.
	reason string
	// refused: a service did not take it; otherwise the fault lies in what the item is.
	refused bool
}

// Note adds how an item ended; an empty reason is a success.
func (a *Alike) Note(key, reason string, refused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = slices.DeleteFunc(a.items, func(i itemEnd) bool { return i.key == key })
	if len(a.items) == alikeSize {
		a.items = slices.Delete(a.items, 0, 1)
	}
	a.items = append(a.items, itemEnd{key, reason, refused})
}

// Failed are those of the last items that failed, with the reasons.
func (a *Alike) Failed() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	failed := map[string]string{}
	for _, i := range a.items {
		if i.reason != "" {
			failed[i.key] = i.reason
		}
	}
	return failed
}

// Verdict is what the last items tell.
type Verdict struct {
	// Reason is the one that most items failed for; Failed is how many did, of how many looked at.
	Reason     string
	Failed, Of int
	// Tripped: too many failed alike.
	Tripped bool
	// Well: enough items went well that one which does not is itself to blame.
	Well bool
}

// Judge compares the share of items that failed for one reason with maxShare; 1 turns the judgement off.
func (a *Alike) Judge(maxShare float64) Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := Verdict{Of: len(a.items)}
	counts, succeeded, refused := map[string]int{}, 0, false
	for _, i := range a.items {
		if i.reason == "" {
			succeeded++
			continue
		}
		counts[i.reason]++
		refused = refused || i.refused
		if counts[i.reason] > v.Failed {
			v.Reason, v.Failed = i.reason, counts[i.reason]
		}
	}
	enough := v.Of >= alikeMinimum || succeeded == 0 && (refused || v.Of >= alikeAll)
	v.Tripped = enough && maxShare < 1 && float64(v.Failed) > maxShare*float64(v.Of)
	v.Well = maxShare >= 1 || v.Of >= wellEnough && 2*succeeded > v.Of
	return v
}
