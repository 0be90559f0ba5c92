package generator

import (
	"math"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// dice is a stream of random numbers from a seed.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	return world.Mix(d.state)
}

// below is a number from 0 up to, not including, n.
func (d *dice) below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return int64(d.next() % uint64(n)) //nolint:gosec // n is positive, so the rest fits
}

// unit is a number from 0 up to, not including, 1.
func (d *dice) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// chance is true with that probability.
func (d *dice) chance(share float64) bool { return share > 0 && d.unit() < share }

// skewed is a duration in microseconds between low and high, short ones far more often than long ones.
func (d *dice) skewed(low, high int64) int64 {
	return int64(float64(low) * math.Pow(float64(high)/float64(low), d.unit()))
}
