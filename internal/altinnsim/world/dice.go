package world

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// Dice are a stream of random numbers from a seed: the same seed, the same numbers. They are not for secrets, nor for more
// than one goroutine at a time.
type Dice struct{ state uint64 }

// NewDice starts a stream.
func NewDice(seed uint64) Dice { return Dice{state: seed} }

// Next is a number of 64 bits.
func (d *Dice) Next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	return Mix(d.state)
}

// Below is a number from 0 up to, not including, n. It is 0 when n is not positive.
func (d *Dice) Below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return int64(d.Next() % uint64(n)) //nolint:gosec // n is positive, so the rest fits
}

// Unit is a number from 0 up to, not including, 1.
func (d *Dice) Unit() float64 { return float64(d.Next()>>11) / (1 << 53) }

// Chance is true with that probability.
func (d *Dice) Chance(share float64) bool { return share > 0 && d.Unit() < share }

// UUID is a UUIDv4.
func (d *Dice) UUID() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], d.Next())
	binary.BigEndian.PutUint64(id[8:], d.Next())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
