package mapping

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// epsilon is what the database's microseconds can take off a time of Storage's (rule 20.12).
const epsilon = time.Microsecond

// The server appends activities and transmissions and refuses a stored id, so an update lists those it adds and no
// others (rule 12.3). Repeated ids go too, in a create as well: it would be refused.

func addedActivities(all []dialogporten.Activity, existing *dialogporten.Dialog) []dialogporten.Activity {
	stored := make(map[uuid.UUID]struct{}, len(existing.Activities))
	for i := range existing.Activities {
		stored[existing.Activities[i].ID] = struct{}{}
	}
	return firstOfEach(all, stored, func(a *dialogporten.Activity) uuid.UUID { return a.ID })
}

func addedTransmissions(all []dialogporten.Transmission, existing *dialogporten.Dialog) []dialogporten.Transmission {
	return firstOfEach(all, storedTransmissions(existing), func(t *dialogporten.Transmission) uuid.UUID { return t.ID })
}

func storedTransmissions(existing *dialogporten.Dialog) map[uuid.UUID]struct{} {
	stored := make(map[uuid.UUID]struct{}, len(existing.Transmissions))
	for i := range existing.Transmissions {
		stored[existing.Transmissions[i].ID] = struct{}{}
	}
	return stored
}

func withoutRepeatedActivities(all []dialogporten.Activity) []dialogporten.Activity {
	return addedActivities(all, &dialogporten.Dialog{})
}

func withoutRepeatedTransmissions(all []dialogporten.Transmission) []dialogporten.Transmission {
	return addedTransmissions(all, &dialogporten.Dialog{})
}

// firstOfEach keeps the first entry of each id that is not in taken. It adds to taken.
func firstOfEach[T any](entries []T, taken map[uuid.UUID]struct{}, idOf func(*T) uuid.UUID) []T {
	var kept []T
	for i := range entries {
		id := idOf(&entries[i])
		if _, found := taken[id]; found {
			continue
		}
		taken[id] = struct{}{}
		kept = append(kept, entries[i])
	}
	return kept
}

// stillWithheld gives the transmissions that wait for PDFs and that the dialog does not have from before.
func stillWithheld(withheld []uuid.UUID, existing *dialogporten.Dialog) []uuid.UUID {
	return firstOfEach(withheld, storedTransmissions(existing), func(id *uuid.UUID) uuid.UUID { return *id })
}

// formSavedMoves finds the stored FormSaved activities that a later save by the same actor has moved, in stored order.
func formSavedMoves(existing *dialogporten.Dialog, mapped []dialogporten.Activity) []FormSavedMove {
	latest := byID(mapped, func(a *dialogporten.Activity) uuid.UUID { return a.ID })
	var moves []FormSavedMove
	for i := range existing.Activities {
		stored := &existing.Activities[i]
		if stored.Type != dialogporten.ActivityFormSaved {
			continue
		}
		if now, found := latest[stored.ID]; found && now.CreatedAt.Sub(stored.CreatedAt.Time) > epsilon {
			moves = append(moves, FormSavedMove{ActivityID: stored.ID, At: now.CreatedAt.Time})
		}
	}
	return moves
}
