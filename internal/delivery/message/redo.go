package message

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/ledger"
)

// look sees, for a redo, whether the dialog of a published message is there, before Correspondence is asked: its answer alone does not tell
// a dialog that it has from one that it has just made (6.1). The error is one of the database; what fails is the task's.
func (d *Deliverer) look(ctx context.Context, t *task) error {
	if !t.verify || d.Dialogs == nil {
		return nil
	}
	dialog, err := d.Dialogs.Get(ctx, t.row.dialog(t.now))
	if err != nil {
		t.fail(fmt.Errorf("look at the dialog: %w", err))
	}
	// One that is deleted counts as not seen: whether the message was purged over there is for Correspondence to say.
	t.seen = dialog != nil && !dialog.IsDeleted()
	return nil
}

// verified ends the redo of a message that Correspondence says has its dialog. It stays what it was unless that is another one than on
// record, or one that was not there before.
func (d *Deliverer) verified(ctx context.Context, t *task, dialog uuid.UUID) {
	before := t.row.dialog(t.now)
	if d.Dialogs != nil && (!t.seen || dialog != before) {
		now, err := d.Dialogs.Get(ctx, dialog)
		switch {
		case err != nil:
			t.fail(fmt.Errorf("look at the dialog: %w", err))
			return
		case now == nil:
			t.astray(errDialogLost)
			return
		case now.IsDeleted():
			t.astray(errDialogDeleted)
			return
		case !t.seen:
			t.outcome = ledger.Created
		}
	}
	if dialog != before && t.outcome == ledger.Unchanged {
		t.outcome = ledger.Updated
	}
	t.row.outcome, t.row.reason = ledger.Created, ""
	t.show(dialog)
}

// astray ends the redo of a message whose dialog is not as it should be, and cannot be mended from here.
func (t *task) astray(fault *Error) {
	t.row.outcome, t.row.reason = ledger.Failed, fault.Reason
	t.fail(fault)
}

// leavesDialog ends a task whose item Correspondence has lost and whose dialog is there: under its new item it would get a second one.
func (d *Deliverer) leavesDialog(ctx context.Context, t *task) bool {
	there, err := d.hasDialog(ctx, t)
	switch {
	case err != nil:
		t.fail(fmt.Errorf("look at the dialog of a lost item: %w", err))
	case !there:
		return false
	default:
		t.astray(errOrphaned)
	}
	return true
}
