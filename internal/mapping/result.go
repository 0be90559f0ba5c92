package mapping

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// MaxPDFWaitAttempts is the last attempt that waits for PDFs: the next one makes transmissions without them (rule 9.3).
const MaxPDFWaitAttempts = 3

// Submissions tells what became of the instance's submissions, for the caller to decide whether to come back.
type Submissions struct {
	// WaitForPDF: PDFs are missing and this write adds a FormSubmitted activity. The reference ends the sync with the
	// error "wait for PDF" after the write (rule 4, step 17), also when transmissions are off.
	WaitForPDF bool
	// Withheld are the ids of the transmissions that the dialog still lacks after this write because their PDFs are
	// missing. While it is not empty the instance must be read and mapped again with a higher Attempt, even when a
	// write was unchanged: the reference looks at new activities only, so its second attempt forgets the transmission
	// (rule 21.4).
	Withheld []uuid.UUID
}

// Creation is a dialog to create.
type Creation struct {
	Body dialogporten.CreateDialog
	Submissions
}

// FormSavedMove is a FormSaved activity of the existing dialog that a later save has moved.
type FormSavedMove struct {
	ActivityID uuid.UUID
	At         time.Time
}

// Change is what to do to an existing dialog: send Body with If-Match, then each of Moves in order, each with the ETag
// of the call before it.
type Change struct {
	Body  dialogporten.UpdateDialog
	Moves []FormSavedMove
	// Unchanged: neither Body nor Moves would change the dialog; nothing needs to be sent (invariant 2).
	Unchanged bool
	// BodyUnchanged: Body would change nothing. Moves may remain; their first If-Match is then the revision as read.
	BodyUnchanged bool
	// AddsFormSubmitted: Body adds a FormSubmitted activity.
	AddsFormSubmitted bool
	Submissions
}
