package message

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	mapping "github.com/altinn/dialogsync/internal/mapping/message"
)

// date sees to it that the dialog of a hidden message is dated by the message, and not by its migration (P1, 9.4). What fails is the
// task's.
func (d *Deliverer) date(ctx context.Context, t *task) {
	if !t.publish || t.verify || !t.undated {
		return
	}
	undated := mapping.Dated(t.message, t.now)
	if undated == nil && !mapping.IsPublished(t.message) {
		return // by when it is to be seen
	}
	there, err := d.hasDialog(ctx, t)
	switch {
	case err != nil:
		t.fail(fmt.Errorf("look for a dialog before it is made: %w", err))
	case there: // it has its dates
	case undated != nil:
		t.fail(undated)
	default:
		if err := d.tellAgain(ctx, t); err != nil {
			t.fail(fmt.Errorf("tell that it is published: %w", err))
		}
	}
}

// hasDialog tells whether the message's dialog is there, as far as anybody can tell.
func (d *Deliverer) hasDialog(ctx context.Context, t *task) (bool, error) {
	if d.Dialogs == nil {
		return false, nil
	}
	dialog, err := d.Dialogs.Get(ctx, t.row.dialog(t.now))
	return dialog != nil && !dialog.IsDeleted(), err
}

// tellAgain repeats the migrate call of a stored message: a sync call does not take that it was published (7.2), a repetition takes all
// (5.8).
func (d *Deliverer) tellAgain(ctx context.Context, t *task) error {
	request, err := d.request(ctx, t, Order{Lane: History})
	if err != nil {
		return err
	}
	answer, err := d.migrate(ctx, request.Body)
	if err != nil {
		return err
	}
	t.row.correspondenceID, t.row.dialogID = answer.CorrespondenceID, uuid.Nil
	t.row.sent = t.row.sent.With(mapping.Told(request.Body))
	t.undated = false
	if t.row.reason == reasonUndated {
		t.row.reason = ""
	}
	return nil
}
