package altinn2

import (
	"math"
	"time"

	"github.com/google/uuid"

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

// skewed is a duration between two, short ones far more often than long ones.
func (d *dice) skewed(low, high time.Duration) time.Duration {
	return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), d.unit()))
}

func pick[T any](d *dice, list ...T) T { return list[d.below(int64(len(list)))] }

// person is somebody who exists.
func (d *dice) person() world.Party {
	for {
		if p, ok := people().ByID(people().Person(d.next())); ok {
			return p
		}
	}
}

// company is an organisation that exists.
func (d *dice) company() world.Party {
	p, _ := people().ByID(people().Company(d.next())) // every company exists
	return p
}

// stranger is somebody whom the register does not know, or who has no URN there.
func (d *dice) stranger() uuid.UUID {
	id := people().Missing(d.next())
	if d.chance(0.5) {
		id = people().Enterprise(d.next())
	}
	p, _ := people().ByID(id) // they are computed
	return p.UUID
}
