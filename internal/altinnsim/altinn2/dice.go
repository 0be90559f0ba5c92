package altinn2

import (
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// dice draw what messages are made of, and what happens to them.
type dice struct{ world.Dice }

// skewed is a duration between two, short ones far more often than long ones.
func (d *dice) skewed(low, high time.Duration) time.Duration {
	return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), d.Unit()))
}

func pick[T any](d *dice, list ...T) T { return list[d.Below(int64(len(list)))] }

// person is somebody who exists.
func (d *dice) person() world.Party {
	for {
		if p, ok := people().ByID(people().Person(d.Next())); ok {
			return p
		}
	}
}

// company is an organisation that exists.
func (d *dice) company() world.Party {
	p, _ := people().ByID(people().Company(d.Next())) // every company exists
	return p
}

// stranger is somebody whom the register does not know, or who has no URN there.
func (d *dice) stranger() uuid.UUID {
	id := people().Missing(d.Next())
	if d.Chance(0.5) {
		id = people().Enterprise(d.Next())
	}
	p, _ := people().ByID(id) // they are computed
	return p.UUID
}
