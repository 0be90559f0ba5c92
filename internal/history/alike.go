package history

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

// alike remembers how the last different items of a backfill ended, to tell a bad system from bad items: when too large a
// share fails for one reason, the cause is hardly the items (Invariant 8). An item that is tried again counts once. It is
// safe for concurrent use.
type alike struct {
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

// note adds how an item ended; an empty reason is a success.
func (a *alike) note(key, reason string, refused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = slices.DeleteFunc(a.items, func(i itemEnd) bool { return i.key == key })
	if len(a.items) == alikeSize {
		a.items = slices.Delete(a.items, 0, 1)
	}
	a.items = append(a.items, itemEnd{key, reason, refused})
}

// verdict is what the last items tell.
type verdict struct {
	// reason is the one that most items failed for; failed is how many did, of how many looked at.
	reason     string
	failed, of int
	// tripped: too many failed alike.
	tripped bool
	// well: enough items went well that one which does not is itself to blame.
	well bool
}

// judge compares the share of items that failed for one reason with maxShare; 1 turns the judgement off.
func (a *alike) judge(maxShare float64) verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := verdict{of: len(a.items)}
	counts, succeeded, refused := map[string]int{}, 0, false
	for _, i := range a.items {
		if i.reason == "" {
			succeeded++
			continue
		}
		counts[i.reason]++
		refused = refused || i.refused
		if counts[i.reason] > v.failed {
			v.reason, v.failed = i.reason, counts[i.reason]
		}
	}
	enough := v.of >= alikeMinimum || succeeded == 0 && (refused || v.of >= alikeAll)
	v.tripped = enough && maxShare < 1 && float64(v.failed) > maxShare*float64(v.of)
	v.well = maxShare >= 1 || v.of >= wellEnough && 2*succeeded > v.of
	return v
}
