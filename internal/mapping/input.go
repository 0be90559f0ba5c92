package mapping

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Settings are the same for every instance.
type Settings struct {
	// AltinnHost is the host that links are made from, such as `altinn.no` or `tt02.altinn.no`
	// (DIALOGSYNC_ALTINN_HOST). Links are https; a full URL is taken with its own scheme, and a port is dropped.
	AltinnHost string
	// AdapterURL is the base of delete and receipt links (DIALOGSYNC_ADAPTER_URL), with or without a slash at its end.
	AdapterURL string
	// SubmissionTransmissions turns on transmissions (DIALOGSYNC_SUBMISSION_TRANSMISSIONS).
	SubmissionTransmissions bool
}

// Input is everything that one dialog is made from.
type Input struct {
	// DialogID is derived by dialogid.V7 or supplied by the user (UserSuppliedDialogID).
	DialogID uuid.UUID
	Instance *altinn.Instance
	// Events are the instance's events in the order Storage delivered them. Nil means none: that Storage did not
	// answer is for the caller to notice.
	Events      []altinn.InstanceEvent
	Application *altinn.Application
	// Texts are the application's text resources (NewTexts).
	Texts Texts
	// Party is the URN of the instance owner (PartyURN); empty: Register does not know the owner.
	Party string
	// Actors are the URNs of the users in UserIDs(Events); a user that Register does not know is left out.
	Actors map[int64]string
	// Existing is the dialog as read; nil for Create.
	Existing *dialogporten.Dialog
	Settings Settings
	// Migration: the item is history; it keeps past dates and is archived at once.
	Migration bool
	// DeleteAfterCreate: the instance is soft-deleted and has no dialog (rule 4, step 8); the dialog is made as in a
	// migration and deleted right after.
	DeleteAfterCreate bool
	// Attempt counts the deliveries of the same item, from 1. From MaxPDFWaitAttempts on, transmissions no longer wait
	// for PDFs.
	Attempt int
	// Now is the clock's time.
	Now time.Time
}

// MigrationOrForced tells whether the dialog is made as in a migration; it is also the isSilentUpdate of its create.
func (in *Input) MigrationOrForced() bool { return in.Migration || in.DeleteAfterCreate }
