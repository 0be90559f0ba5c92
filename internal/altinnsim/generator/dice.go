package generator

import (
	"math"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// dice draw what instances are made of.
type dice struct{ world.Dice }

// skewed is a duration in microseconds between low and high, short ones far more often than long ones.
func (d *dice) skewed(low, high int64) int64 {
	return int64(float64(low) * math.Pow(float64(high)/float64(low), d.Unit()))
}
