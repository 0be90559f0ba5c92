package ledger

import "github.com/altinn/dialogsync/internal/db"

// Source is where items come from: one row of the design's first table.
type Source = db.Source

// The sources, in the order of the status report.
const (
	A2Correspondence = db.SourceA2Correspondence
	A2ArchivedForms  = db.SourceA2ArchivedForms
	A3AppInstances   = db.SourceA3AppInstances
	A3Correspondence = db.SourceA3Correspondence
	DialogServices   = db.SourceDialogServices
)

// Outcome is how the delivery of an item ended.
type Outcome = db.Outcome

// The outcomes. Failed items are in quarantine.
const (
	Created   = db.OutcomeCreated
	Updated   = db.OutcomeUpdated
	Unchanged = db.OutcomeUnchanged
	Deleted   = db.OutcomeDeleted
	Purged    = db.OutcomePurged
	Restored  = db.OutcomeRestored
	Skipped   = db.OutcomeSkipped
	Failed    = db.OutcomeFailed
)

// DialogState is what Dialogporten holds for an item after a delivery.
type DialogState = db.DialogState

// The states. DialogDeleted is a soft-deleted dialog; the row is then a tombstone, as it is with DialogAbsent.
const (
	DialogAlive   = db.DialogStateAlive
	DialogDeleted = db.DialogStateDeleted
	DialogAbsent  = db.DialogStateAbsent
)
