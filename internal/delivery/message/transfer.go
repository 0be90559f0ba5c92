package message

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// transfer brings one message to Correspondence, or tells what is new about it there. The error is one of the database; whatever else
// fails is the task's.
func (d *Deliverer) transfer(ctx context.Context, held lease, t *task, order Order) error {
	order.Lane = max(order.Lane, t.lane)
	if t.message != nil && t.message.ChangeSeq < t.row.changeSeq {
		t.message = nil // somebody knew better since the listing, a purge maybe (Invariants 3 and 4)
	}
	if err := d.readOnce(ctx, t); err != nil {
		t.fail(err)
		return nil
	}
	t.row.created = t.message.Created.UTC()
	if t.row.correspondenceID == uuid.Nil {
		return d.first(ctx, held, t, order)
	}
	gone, err := d.follow(ctx, t, order)
	switch {
	case err != nil:
		t.fail(err)
		return nil
	case gone && d.leavesDialog(ctx, t):
		return nil
	case gone:
		return d.anew(ctx, held, t, order)
	default:
		d.date(ctx, t)
		return d.look(ctx, t)
	}
}

// anew migrates a message again that is on record.
func (d *Deliverer) anew(ctx context.Context, held lease, t *task, order Order) error {
	before := t.row
	t.forget()
	err := d.first(ctx, held, t, order)
	t.remember(&before)
	return err
}

// readOnce reads a message that was not listed, under its lease, so that nobody's newer record is followed by an older (Invariant 3).
func (d *Deliverer) readOnce(ctx context.Context, t *task) error {
	if t.message != nil {
		return nil
	}
	message, err := d.Source.Message(ctx, t.number)
	if errors.Is(err, altinn2.ErrNoMessage) {
		return &Error{Reason: ReasonMessageUnknown, Detail: "Altinn 2 has no message of this number: see whether the number is right"}
	}
	if err != nil {
		return err
	}
	t.read(message)
	return nil
}

// changed reads a message that was listed, and tells whether anything happened to it since.
func (d *Deliverer) changed(ctx context.Context, t *task) bool {
	message, err := d.Source.Message(ctx, t.number)
	if err != nil || message.ChangeSeq <= t.message.ChangeSeq {
		return false
	}
	t.read(message)
	return true
}

// first is the first load of a message, or its repetition when the answer was lost.
func (d *Deliverer) first(ctx context.Context, held lease, t *task, order Order) error {
	inDoubt := t.inDoubt()
	t.doubted = t.row.unanswered()
	if t.leftOut(inDoubt) || !inDoubt && t.notChosen(&d.Selection) {
		return nil
	}
	request, err := d.request(ctx, t, order)
	if err != nil {
		if errors.Is(err, errChanged) {
			return d.first(ctx, held, t, order)
		}
		t.refuse(err)
		return nil
	}
	t.warn(request.Warnings...)
	t.heldBack = request.HeldBack
	underWay := t.dialogUnderWay()
	if err := d.expect(ctx, held, t, order, underWay); err != nil {
		return err
	}
	held.sending(t.number)
	answer, err := d.migrate(ctx, request.Body)
	if err != nil {
		t.lose(err)
		return nil
	}
	t.row.correspondenceID, t.row.dialogID = answer.CorrespondenceID, uuid.Nil
	t.row.stage, t.row.outcome, t.row.reason = transferred, ledger.Created, ""
	t.row.sent = mapping.Sent(nil).With(mapping.Told(request.Body))
	t.outcome = ledger.Created
	t.settle()
	next, dialog := mapping.AfterMigrate(answer, request.Body.MakeAvailable, underWay)
	switch next {
	case mapping.Done:
		t.row.dueAt = t.heldBack
		t.show(dialog)
	case mapping.VerifyLater:
		t.row.reason = ReasonDialogOrdered
		if !answer.IsRepeat() {
			t.row.dueAt = d.Now().Add(mapping.VerifyAfter)
		}
	case mapping.StayHidden, mapping.PublishNow:
		// One that is published yet to be is dated by when it is to be seen as long as that lies ahead (9.4), and by its migration once
		// it does not: it goes all the way at once.
		t.undated = !mapping.IsPublished(t.message)
		t.publish, t.row.reason = !order.TransferOnly || t.undated, t.hidden()
		switch due := t.row.dueAt; {
		case due.IsZero():
			t.row.dueAt = t.heldBack
		case due.After(t.now): // nothing is under way over there
			t.row.dueAt = t.now
		} // what was due stays so until it is visible
	}
	return nil
}

// leftOut ends a first load of what is not brought over (17.2), or not yet.
func (t *task) leftOut(inDoubt bool) bool {
	reason := mapping.Select(t.message)
	switch {
	case reason == mapping.ReasonPurged && inDoubt:
		t.row.outcome, t.row.reason, t.row.version = ledger.Failed, reasonAnswerLost, mapping.Version
		t.fail(errPurgedInDoubt)
	case reason != "" && inDoubt && t.sentUnanswered():
		t.fail(errDeceasedInDoubt)
	case reason != "":
		t.outcome, t.reason = ledger.Skipped, reason
		t.row.outcome, t.row.reason, t.row.dueAt = ledger.Skipped, reason, t.heldBack
		if inDoubt { // by a lease alone, so it has no dialog: enough to remember the doubt, should it be purged (17.2)
			t.row.reason = reasonAnswerLost
		}
		t.settle()
	case mapping.CreatedAt(t.message).After(t.now):
		t.fail(errCreatedAhead)
	default:
		return false
	}
	return true
}

// notChosen ends a first load of what operators do not want brought over, or not yet.
func (t *task) notChosen(selection *mapping.Selection) bool {
	reason, until := selection.LeavesOut(t.message, t.now)
	if reason == "" {
		return false
	}
	t.outcome, t.reason = ledger.Skipped, reason
	t.row.outcome, t.row.reason, t.row.dueAt = ledger.Skipped, reason, until
	t.settle()
	return true
}

// errChanged tells that something happened to a message since it was listed.
var errChanged = errors.New("the message has changed")

// request makes the migrate request of a message, whose files it sends first.
func (d *Deliverer) request(ctx context.Context, t *task, order Order) (*mapping.Request, error) {
	input := mapping.Input{Message: t.message, MakeAvailable: order.Lane == Live && !t.anew, Now: t.now}
	if _, err := mapping.Make(input); err != nil { // before anything is sent for it
		return nil, err
	}
	var err error
	if input.Attachments, err = d.upload(ctx, t); err != nil {
		if Describe(err).Reason == ReasonAttachmentMissing && d.changed(ctx, t) {
			err = errChanged // it was purged, most likely
		}
		return nil, err
	}
	return mapping.Make(input)
}

// expect puts on record that a message is about to be sent, if that must be known when no answer comes: for a live one the dialog
// may be on its way then, and nobody else may make it, silently, in the meantime.
func (d *Deliverer) expect(ctx context.Context, held lease, t *task, order Order, underWay bool) error {
	if order.Lane != Live {
		return nil
	}
	t.row.stage, t.row.outcome, t.row.reason, t.row.version = untransferred, ledger.Failed, ReasonDialogOrdered, mapping.Version
	if t.anew { // without its dialog
		t.row.reason = reasonAnswerLost
	}
	if !underWay {
		t.row.dueAt = d.Now().Add(mapping.VerifyAfter)
	}
	return d.keep(ctx, held, []*task{t})
}

// migrate sends a message, a second time with what clashes over there moved apart.
func (d *Deliverer) migrate(ctx context.Context, body *correspondence.MigrateRequest) (*correspondence.Migrated, error) {
	if body.MakeAvailable {
		ctx = transport.WithLoad(ctx, transport.Load{Kind: "visible"}) // its dialog is made along the way
	}
	answer, err := d.Correspondence.Migrate(ctx, body)
	if err == nil || !isServerFault(err) {
		return answer, err
	}
	untangled, changed := mapping.Untangle(body)
	if !changed {
		return nil, err
	}
	return d.Correspondence.Migrate(ctx, untangled)
}

func isServerFault(err error) bool {
	var answered *correspondence.Error
	return errors.As(err, &answered) && answered.Status == http.StatusInternalServerError
}

// refuse ends a first load before the message was sent.
func (t *task) refuse(err error) {
	t.fail(err)
	if transport.Classify(err) == transport.Permanent && !t.doubted {
		t.row.outcome, t.row.reason, t.row.version = ledger.Failed, Describe(err).Reason, mapping.Version
	}
}

// lose ends a first load whose call failed. Unless the message was refused it may be stored all the same.
func (t *task) lose(err error) {
	t.refuse(err)
	switch {
	case t.row.unanswered():
		t.row.outcome, t.row.version = ledger.Failed, mapping.Version
	case t.row.reason == "" || transport.Classify(err) != transport.Permanent:
		t.row.outcome, t.row.reason, t.row.version = ledger.Failed, reasonAnswerLost, mapping.Version
	default:
		t.row.dueAt = t.heldBack
	}
}

// settle takes the message's state as brought over.
func (t *task) settle() {
	t.row.version = mapping.Version
	t.row.changeSeq = max(t.row.changeSeq, t.message.ChangeSeq)
}

// show takes the message as visible under a dialog.
func (t *task) show(dialog uuid.UUID) {
	t.row.stage, t.publish = published, false
	t.row.dialogID = uuid.Nil
	if t.row.dialog(t.now) != dialog {
		t.row.dialogID = dialog
	}
}

func (t *task) warn(warnings ...mapping.Warning) {
	for _, w := range warnings {
		known := false
		for _, had := range t.warnings {
			known = known || had == w
		}
		if !known {
			t.warnings = append(t.warnings, w)
		}
	}
}

// follow tells what is new about a message that was brought over before (17.9). gone: Correspondence does not know it any more.
func (d *Deliverer) follow(ctx context.Context, t *task, order Order) (gone bool, err error) {
	news, err := mapping.Since(t.message, t.row.sent, t.now)
	if err != nil {
		return false, err
	}
	t.heldBack, t.undated = news.Known.HeldBack, news.Undated
	t.outcome = ledger.Unchanged
	id := t.row.correspondenceID
	for _, step := range []struct {
		count int
		told  *mapping.History
		send  func() error
	}{
		{
			len(news.Statuses), &mapping.History{Statuses: news.Statuses},
			func() error { return d.Correspondence.SyncStatusEvents(ctx, id, news.Statuses) },
		},
		{
			len(news.Notifications), &mapping.History{Notifications: news.Notifications},
			func() error { return d.Correspondence.SyncNotifications(ctx, id, news.Notifications) },
		},
		{
			len(news.Forwardings), &mapping.History{Forwardings: news.Forwardings},
			func() error { return d.Correspondence.SyncForwardings(ctx, id, news.Forwardings) },
		},
	} {
		if step.count == 0 {
			continue // nothing new, no call
		}
		err := step.send()
		if correspondence.HasCode(err, correspondence.CodeNotFound) && !t.anew {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("tell what is new: %w", err)
		}
		t.row.sent = t.row.sent.With(step.told)
		t.outcome = ledger.Updated
	}
	t.followed(news, order)
	return false, nil
}

// followed decides what is left to do of a message of which everything new was told.
func (t *task) followed(news *mapping.News, order Order) {
	unchanged := t.message.ChangeSeq <= t.row.changeSeq
	pending := t.dialogUnderWay()
	if t.message.ChangeSeq < t.row.changeSeq && t.row.dueAt.After(t.heldBack) {
		t.heldBack = t.row.dueAt // an older listing does not know what is still ahead
	}
	t.settle()
	switch {
	case news.Purged:
		if t.row.stage != purged {
			t.outcome = ledger.Purged
			t.row.stage, t.row.outcome, t.row.reason = purged, ledger.Purged, ""
		}
		t.row.dueAt = t.heldBack
	case t.row.stage != transferred:
		t.row.dueAt = t.heldBack
		t.verify = t.row.stage == published && (order.Redo || order.Insist && t.row.outcome == ledger.Failed)
		t.publish = t.verify
	case pending: // its dialog is on its way
	case t.row.refused() && unchanged && !order.Insist && !order.Redo:
		t.fail(errRefused)
	case t.row.refused() && order.TransferOnly:
		t.row.outcome, t.row.reason = ledger.Created, t.hidden() // publish tries again; until it does, the message is hidden
		t.fail(errRefused)
	default:
		if t.row.reason == "" || t.row.reason == reasonUndated || t.row.reason == ReasonDialogOrdered {
			t.row.reason = t.hidden()
		}
		t.publish = !order.TransferOnly || !mapping.IsPublished(t.message)
	}
}
