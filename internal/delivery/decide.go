package delivery

import (
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Reason codes of items that are skipped on purpose. They are kept in the ledger and in the accounts of windows.
const (
	ReasonGone                 = "gone"
	ReasonHardDeleted          = "hard_deleted"
	ReasonNotArchived          = "not_archived"
	ReasonSyncDisabled         = "sync_disabled"
	ReasonInstanceSyncDisabled = "instance_sync_disabled"
	ReasonCreateDisabled       = "create_disabled"
	ReasonDeleteDisabled       = "delete_disabled"
	ReasonInvalidDialogID      = "invalid_user_supplied_dialog_id"
	ReasonForeignDialog        = "dialog_of_another_instance"
	ReasonNoSingleDialog       = "no_single_dialog_for_label"
)

// Keys of data values that steer synchronisation (Storage reference 8).
const (
	dialogIDKey          = "dialog.id"
	disableAutomaticSync = "dialog.disableAutomaticSync"
)

// action is what is to be done to the dialog.
type action int

const (
	stop action = iota
	create
	update
	softDelete
	purge
)

// facts are what the decision is made from.
type facts struct {
	source   ledger.Source
	settings altinn.SyncAdapterSettings
	// instance is nil when it is gone for certain.
	instance *altinn.Instance
	// dialog is nil when there is none.
	dialog   *dialogporten.Dialog
	dialogID uuid.UUID
}

// plan is what is to be done: first the id written to the instance, if it must be, then the action.
type plan struct {
	writeID bool
	action  action
	// restore: the dialog is restored before its update.
	restore bool
	// forced: a soft-deleted instance gets its dialog as history would make it, silently (step 8).
	forced bool
	// thenDelete: the dialog just made is soft-deleted (step 18).
	thenDelete bool
	// outcome and reason of a stop
	outcome ledger.Outcome
	reason  string
}

// decide is the table of the mapping rules, chapter 4, steps 4 to 16, in its order. Where step 7 would hide the purge of a
// hard-deleted instance, hard wins (note b there).
func decide(f facts) plan {
	gone, soft, hard := f.instance == nil, false, false
	if !gone {
		soft, hard = f.instance.IsSoftDeleted(), f.instance.IsHardDeleted()
	}
	exists := f.dialog != nil
	dialogDeleted := exists && f.dialog.IsDeleted()

	if gone && !exists {
		return skip(ReasonGone)
	}
	// Forms begun in the old platform and never completed are not migrated (design, chapter 1).
	if f.source == ledger.A2ArchivedForms && !gone && !exists && !f.instance.IsArchived() {
		return skip(ReasonNotArchived)
	}
	p := decideAction(f, gone || hard, soft && !hard, exists, dialogDeleted)
	p.writeID = !gone && !holdsID(f.instance, f.dialogID)
	return p
}

// decideAction is steps 6 to 16. absent: the instance is gone or hard-deleted.
func decideAction(f facts, absent, soft, exists, dialogDeleted bool) plan {
	switch {
	case absent && !exists:
		return skip(ReasonHardDeleted)
	case soft && dialogDeleted:
		return plan{outcome: ledger.Unchanged}
	case f.settings.DisableSync:
		return skip(ReasonSyncDisabled)
	case f.instance != nil && isTrue(f.instance.DataValues[disableAutomaticSync]):
		return skip(ReasonInstanceSyncDisabled)
	case (absent || soft) && exists && f.settings.DisableDelete:
		return skip(ReasonDeleteDisabled)
	case absent:
		return plan{action: purge}
	case soft && exists:
		return plan{action: softDelete}
	case exists:
		return plan{action: update, restore: dialogDeleted}
	case f.settings.DisableCreate:
		return skip(ReasonCreateDisabled)
	}
	// Note d: with deletion switched off, a soft-deleted instance gets a living dialog.
	return plan{action: create, forced: soft, thenDelete: soft && !f.settings.DisableDelete}
}

func skip(reason string) plan { return plan{outcome: ledger.Skipped, reason: reason} }

// holdsID tells whether the instance already carries the dialog's id, in any spelling of a UUID.
func holdsID(instance *altinn.Instance, id uuid.UUID) bool {
	held, ok := mapping.ParseDialogID(instance.DataValues[dialogIDKey])
	return ok && held == id
}

// isTrue reads a switch among data values: `true` in any letter case with surrounding white space.
func isTrue(value string) bool { return strings.EqualFold(strings.TrimSpace(value), "true") }

// stateOf is what Dialogporten holds when nothing is done to the dialog.
func stateOf(dialog *dialogporten.Dialog) ledger.DialogState {
	switch {
	case dialog == nil:
		return ledger.DialogAbsent
	case dialog.IsDeleted():
		return ledger.DialogDeleted
	}
	return ledger.DialogAlive
}
