package live

import (
	"sync"

	"github.com/google/uuid"
)

// flights lets one delivery of an instance at a time through in this process. Between processes, and against history, the
// dialog's revision keeps the order (Invariant 3).
type flights struct {
	mu    sync.Mutex
	under map[uuid.UUID]struct{}
}

// enter begins a delivery of the instance unless one is under way; release ends it.
func (f *flights) enter(instance uuid.UUID) (release func(), free bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, busy := f.under[instance]; busy {
		return nil, false
	}
	if f.under == nil {
		f.under = map[uuid.UUID]struct{}{}
	}
	f.under[instance] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.under, instance)
	}, true
}
