package outbox

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// dice is a stream of random numbers from a seed.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	return world.Mix(d.state)
}

// chance is true with that probability.
func (d *dice) chance(share float64) bool {
	return share > 0 && float64(d.next()>>11)/(1<<53) < share
}

// below is a number from 0 up to, not including, n.
func (d *dice) below(n int) int {
	return int(d.next() % uint64(n)) //nolint:gosec // n is positive, so the rest fits
}

func (d *dice) uuid() uuid.UUID {
	var id uuid.UUID
	for i := 0; i < len(id); i += 8 {
		for v, j := d.next(), 0; j < 8; v, j = v>>8, j+1 {
			id[i+j] = byte(v)
		}
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
