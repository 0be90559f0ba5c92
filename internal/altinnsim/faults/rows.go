package faults

import (
	"encoding/binary"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Hidden says which rows a request to Storage must not see, nil when it sees all. The rows of a rule are always the same.
// Times are microseconds since 1970: when the row was last changed, and now.
func (i *Injector) Hidden(r *http.Request) func(guid uuid.UUID, changed, now int64) bool {
	if !i.active.Load() {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var hidden []func(guid uuid.UUID, changed, now int64) bool
	for _, candidate := range i.rules {
		switch candidate.Effect {
		case EffectVanish, EffectReappear, EffectLateRows:
		default:
			continue
		}
		if !i.hit(candidate, "storage", r) {
			continue
		}
		if candidate.Effect == EffectReappear && candidate.done%2 == 0 {
			continue
		}
		hidden = append(hidden, candidate.hides())
	}
	if hidden == nil {
		return nil
	}
	return func(guid uuid.UUID, changed, now int64) bool {
		for _, hides := range hidden {
			if hides(guid, changed, now) {
				return true
			}
		}
		return false
	}
}

func (r *rule) hides() func(guid uuid.UUID, changed, now int64) bool {
	seed, share := r.seed, r.share()
	delay := int64(0)
	if r.Effect == EffectLateRows {
		delay = time.Duration(r.Delay).Microseconds()
	}
	return func(guid uuid.UUID, changed, now int64) bool {
		if delay > 0 && changed+delay <= now {
			return false
		}
		return struck(seed, binary.BigEndian.Uint64(guid[8:]), share)
	}
}

// struck draws a share of things that have numbers.
func struck(seed, number uint64, share float64) bool {
	return unit(world.Mix(seed^world.Mix(number))) < share
}

// unit is a number from 0 up to, not including, 1.
func unit(random uint64) float64 { return float64(random>>11) / (1 << 53) }
