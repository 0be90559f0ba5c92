package transport

// Class is what an error means for the item and the stream it happened on.
type Class int

// Classes, from harmless to grave.
const (
	// OK is no error.
	OK Class = iota
	// Canceled is our own doing: the caller's context was canceled. It says nothing about item or system.
	Canceled
	// Transient is expected to go away: try the item again later.
	Transient
	// Conflict means that somebody else wrote in between, or that our own earlier write had arrived: read again, then retry.
	Conflict
	// Gone is an answer that can only mean that the thing existed and was removed.
	Gone
	// NotFound is a 404 where the caller knows what it means.
	NotFound
	// Permanent stays wrong however often it is tried: the item needs a person.
	Permanent
	// Systemic means that the whole system is down or refuses us. No item may be blamed for it (Invariant 8).
	Systemic
)

// String gives the word used in logs and metrics.
func (c Class) String() string {
	switch c {
	case OK:
		return "ok"
	case Canceled:
		return "canceled"
	case Transient:
		return "transient"
	case Conflict:
		return "conflict"
	case Gone:
		return "gone"
	case NotFound:
		return "not_found"
	case Permanent:
		return "permanent"
	case Systemic:
		return "systemic"
	default:
		return "unknown"
	}
}
