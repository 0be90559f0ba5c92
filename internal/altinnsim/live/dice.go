package live

import (
	"encoding/binary"
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

// unit is a number from 0 up to, not including, 1.
func (d *dice) unit() float64 { return float64(d.next()>>11) / (1 << 53) }

// chance is true with that probability.
func (d *dice) chance(share float64) bool { return share > 0 && d.unit() < share }

// below is a number from 0 up to, not including, n.
func (d *dice) below(n int) int {
	return int(d.next() % uint64(n)) //nolint:gosec // n is positive, so the rest fits
}

// within is a duration up to, and at most, the longest.
func (d *dice) within(longest time.Duration) time.Duration {
	return time.Duration(d.unit() * float64(longest))
}

func (d *dice) uuid() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], d.next())
	binary.BigEndian.PutUint64(id[8:], d.next())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// weighted draws one of the names by their weights, "" when all are zero.
func weighted[T ~string](roll *dice, names []T, weights map[T]float64) T {
	var total float64
	for _, name := range names {
		total += weights[name]
	}
	rest := roll.unit() * total
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
