package live

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
)

// cause is why a delivery is repeated.
type cause string

// Causes.
const (
	causePDF          cause = "pdf_not_made"
	causeConflict     cause = "conflict"
	causeUnprocessed  cause = "unprocessable"
	causePartyUnknown cause = "party_not_in_register"
	causeIDMissing    cause = "user_supplied_dialog_id_missing"
	causeVanished     cause = "dialog_vanished"
	causeEvents       cause = "events_missing"
	causeNothingThere cause = "nothing_there"
	causeSystem       cause = "system"
	causeRefused      cause = "record_refused"
	causeNone         cause = "none"
)

// pauses gives how long an item waits before each next try; when they are used up it goes to quarantine. They are those of
// the consumer before this one (Storage reference 19, mapping rules 14), and longer where that gave up too soon.
func pauses(of cause) []time.Duration {
	const s, m = time.Second, time.Minute
	switch of {
	case causePDF:
		// The fourth delivery no longer holds a submission back (mapping rules 9.3).
		return []time.Duration{1 * s, 5 * s, 20 * s}
	case causeConflict:
		return []time.Duration{1 * s, 3 * s, 5 * s, 30 * s, 2 * m, 10 * m}
	case causeUnprocessed:
		return []time.Duration{1 * s, 3 * s, 5 * s, 10 * s, 30 * s, 1 * m, 5 * m, 5 * m, 10 * m}
	case causePartyUnknown:
		return []time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m, 30 * m}
	case causeIDMissing:
		return []time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 5 * m, 10 * m}
	case causeVanished:
		return []time.Duration{1 * m, 10 * m, 30 * m}
	case causeNothingThere:
		// What told of an instance may be ahead of the copy that is read. Short, so that it is never in quarantine meanwhile.
		return []time.Duration{1 * s, 3 * s, 9 * s}
	case causeEvents:
		return []time.Duration{1 * s, 5 * s, 20 * s, 1 * m, 10 * m}
	case causeSystem:
		// An hour and a half: by then a system that is ill has stopped the stream, and one that is well has an item that it
		// cannot take.
		return []time.Duration{10 * s, 20 * s, 30 * s, 1 * m, 2 * m, 2 * m, 5 * m, 10 * m, 30 * m, 30 * m}
	case causeRefused:
		// PostgreSQL takes it after a mend of its schema, or never.
		return []time.Duration{10 * s, 30 * s, 2 * m, 10 * m}
	case causeNone:
	}
	return nil
}

// causeOf puts a failure into one of the causes; none: the item stays bad.
func causeOf(failure delivery.Failure) cause {
	switch failure.Reason {
	case string(mapping.ReasonPartyNotFound):
		return causePartyUnknown
	case string(mapping.ReasonActorUnresolvable):
		if failure.Class == transport.Transient { // the same cause: Register is behind
			return causePartyUnknown
		}
	case delivery.ReasonUserSuppliedMissing:
		return causeIDMissing
	case delivery.ReasonEventsMissing:
		return causeEvents
	case "http_" + strconv.Itoa(http.StatusUnprocessableEntity):
		return causeUnprocessed
	}
	switch failure.Class {
	case transport.Conflict:
		return causeConflict
	case transport.Gone, transport.NotFound:
		return causeVanished
	case transport.Transient:
		if failure.OfItem {
			return causeEvents
		}
		return causeSystem
	default:
		return causeNone
	}
}

// ordinary tells whether new items meet with it in good health: it says nothing of the systems until its tries are used up.
func (c cause) ordinary() bool {
	switch c {
	case causePDF, causeConflict, causePartyUnknown, causeIDMissing, causeVanished, causeEvents, causeNothingThere:
		return true
	default:
		return false
	}
}

// retryIn tells how long to wait after the attempt-th failure, counted from 1; ok is false when there is no further try.
func retryIn(of cause, attempt int, jitter float64) (pause time.Duration, ok bool) {
	table := pauses(of)
	if attempt < 1 || attempt > len(table) {
		return 0, false
	}
	return time.Duration(float64(table[attempt-1]) * jitter), true
}

// longestPause is the last of a cause's pauses, for what cannot be blamed yet.
func longestPause(of cause, jitter float64) time.Duration {
	table := pauses(of)
	if len(table) == 0 {
		return time.Duration(float64(time.Minute) * jitter)
	}
	return time.Duration(float64(table[len(table)-1]) * jitter)
}

// drawJitter gives a factor from 0.5 to 1.5, drawn for each pause: items that failed together must not come back together.
func drawJitter() float64 {
	const least = 0.5
	return least + rand.Float64() //nolint:gosec // spreading load is no secret
}
