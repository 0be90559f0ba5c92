package message

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

// VerifyAfter is how long after a live migrate call its dialog is looked for. Before that the service's own job may not have run,
// and the question would make the dialog itself, without events (17.4).
const VerifyAfter = 10 * time.Minute

// Verdict is what an answer of make-available means (17.4).
type Verdict int

// The verdicts.
const (
	// Published: the message has its dialog.
	Published Verdict = iota
	// Refused: Dialogporten took it not; the item stays hidden. Trying again helps only after a change (P2c).
	Refused
	// PurgedThere: the item is purged, so it has no dialog.
	PurgedThere
	// UnknownThere: the item does not exist; the message is to be migrated again.
	UnknownThere
	// Later: something failed that may go away.
	Later
)

// Judge tells what came of an item that was to be made available, and the id of its dialog when it has one.
func Judge(a correspondence.Availability) (Verdict, uuid.UUID) {
	switch dialog := a.Dialog(); {
	case a.OK && dialog != uuid.Nil:
		return Published, dialog
	case a.OK:
		return Refused, uuid.Nil
	case a.IsPurged():
		return PurgedThere, uuid.Nil
	case a.IsUnknown():
		return UnknownThere, uuid.Nil
	default:
		return Later, uuid.Nil
	}
}

// Next is what follows a migrate call.
type Next int

// What may follow.
const (
	// StayHidden: the item waits for the second stage.
	StayHidden Next = iota
	// VerifyLater: the service makes the dialog itself; see to it after VerifyAfter.
	VerifyLater
	// PublishNow: the item was stored before, and no dialog is known.
	PublishNow
	// Done: the answer names the dialog.
	Done
)

// AfterMigrate tells what follows an answer to a migrate call. underWay: the message was sent with makeAvailable less than VerifyAfter
// ago, so that its dialog may be on its way although no answer told of it.
func AfterMigrate(answer *correspondence.Migrated, makeAvailable, underWay bool) (Next, uuid.UUID) {
	if answer.DialogID != nil {
		if dialog, err := uuid.Parse(*answer.DialogID); err == nil && dialog != uuid.Nil {
			return Done, dialog
		}
	}
	switch {
	case answer.IsRepeat() && underWay:
		return VerifyLater, uuid.Nil
	case answer.IsRepeat():
		return PublishNow, uuid.Nil // makeAvailable is not honoured for it (5.8)
	case makeAvailable:
		return VerifyLater, uuid.Nil
	default:
		return StayHidden, uuid.Nil
	}
}
