package live

import (
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// within is a duration up to, and at most, the longest.
func within(roll *world.Dice, longest time.Duration) time.Duration {
	return time.Duration(roll.Unit() * float64(longest))
}

// weighted draws one of the names by their weights, "" when all are zero.
func weighted[T ~string](roll *world.Dice, names []T, weights map[T]float64) T {
	var total float64
	for _, name := range names {
		total += weights[name]
	}
	rest := roll.Unit() * total
	var last T
	for _, name := range names {
		if weights[name] == 0 {
			continue
		}
		last = name
		if rest -= weights[name]; rest < 0 {
			break
		}
	}
	return last
}
