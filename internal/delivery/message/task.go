package message

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// The stages.
const (
	untransferred = db.MessageStageUntransferred
	transferred   = db.MessageStageTransferred
	published     = db.MessageStagePublished
	purged        = db.MessageStagePurged
)

// row is what is on record of a message.
type row struct {
	created          time.Time
	changeSeq        int64
	dueAt            time.Time
	stage            db.MessageStage
	outcome          ledger.Outcome
	version          int16
	correspondenceID uuid.UUID
	// dialogID is set only where it does not follow from correspondenceID.
	dialogID uuid.UUID
	reason   string
	sent     mapping.Sent
}

// equal compares times as the database keeps them.
func (r *row) equal(other *row) bool {
	same := func(a, b time.Time) bool { return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond)) }
	return same(r.created, other.created) && r.changeSeq == other.changeSeq && same(r.dueAt, other.dueAt) &&
		r.stage == other.stage && r.outcome == other.outcome && r.version == other.version &&
		r.correspondenceID == other.correspondenceID && r.dialogID == other.dialogID && r.reason == other.reason &&
		bytes.Equal(r.sent, other.sent)
}

// dialog is the id of the message's dialog: the deterministic one unless another is on record.
func (r *row) dialog(now time.Time) uuid.UUID {
	switch {
	case r.dialogID != uuid.Nil:
		return r.dialogID
	case r.correspondenceID == uuid.Nil:
		return uuid.Nil
	default:
		return dialogid.Correspondence(r.correspondenceID, r.created, now)
	}
}

// unanswered tells whether the message may be stored over there although no answer told so.
func (r *row) unanswered() bool {
	return r.reason == reasonAnswerLost || r.reason == ReasonDialogOrdered && r.stage == untransferred
}

// refused tells whether Dialogporten took the message not, when it was tried last.
func (r *row) refused() bool { return r.stage == transferred && r.reason == ReasonDialogRefused }

// task is one message under way.
type task struct {
	number  int32
	message *altinn2.Message // nil: not read
	lane    Lane
	now     time.Time

	// stored is what stands in the database, row what shall stand there. known: there is a row.
	known       bool
	stored, row row
	readAt      time.Time
	// left is when the lease of somebody ran out who had the message before and did not give it back; zero: nobody did.
	left time.Time

	outcome  ledger.Outcome
	reason   string
	warnings []mapping.Warning
	heldBack time.Time
	// publish: the message is to be made available.
	publish bool
	// verify: the message is published by our record, and is made available again to see whether it is over there. seen: its dialog was
	// there before, and alive.
	verify, seen bool
	// anew: the item was gone over there, and the message is brought over as if it had never been.
	anew bool
	// undated: nothing was told that dates the dialog (9.4). reads: the message is hidden, and read before it is made available.
	undated, reads bool
	// doubted: that the message may be stored over there was on record.
	doubted bool
	// quarantined: the message stood in quarantine when work on it began.
	quarantined bool
	err         error
}

func (t *task) read(message *altinn2.Message) { t.message = message }

// forget begins anew with a message that Correspondence does not know any more.
func (t *task) forget() {
	anew := row{
		created: t.row.created, changeSeq: t.row.changeSeq, dueAt: t.row.dueAt, stage: untransferred, outcome: ledger.Failed,
		version: mapping.Version,
	}
	if t.row.reason == reasonAnswerLost {
		anew.reason = reasonAnswerLost
	}
	t.row = anew
	t.anew, t.verify, t.seen = true, false, false
}

// remember takes up again what was forgotten if it could not be brought over anew: else nobody whose walk is our own record, or who
// looks for what is due, would find the message. That it may be stored over there stays known.
func (t *task) remember(before *row) {
	if t.err == nil || t.row.stage != untransferred {
		return
	}
	lost := t.row.unanswered()
	t.row = *before
	if lost {
		t.row.outcome, t.row.reason = ledger.Failed, reasonAnswerLost
	}
}

// inDoubt tells whether the message may be stored over there though nothing is on record of it: no answer came, or whoever had it
// before died with it. What was purged long before that was never sent.
func (t *task) inDoubt() bool {
	const longestPage = time.Hour
	if t.row.unanswered() || t.left.IsZero() {
		return t.row.unanswered()
	}
	return !slices.ContainsFunc(t.message.Events, func(e altinn2.Event) bool {
		purge := e.Type == altinn2.EventPurgedByRecipient || e.Type == altinn2.EventPurgedByServiceOwner
		return purge && e.At.Before(t.left.Add(-longestPage))
	})
}

// sentUnanswered tells whether the message was sent by our record. That of one left out keeps a doubt that only a lease told of.
func (t *task) sentUnanswered() bool { return t.row.unanswered() && t.row.outcome == ledger.Failed }

// mayBeVisible tells whether the message may have its dialog before it is made available: it was ordered with one, or had one.
func (t *task) mayBeVisible() bool { return t.verify || !t.stored.dueAt.IsZero() }

// fail ends the task. What was reached so far stays on record.
func (t *task) fail(err error) {
	t.err, t.publish = err, false
}

// decided makes of what shall stand in the database what the outcome of the row allows.
func (t *task) decided(r *Row) {
	switch {
	case !r.settled:
		t.takeBack()
		if t.row.dueAt.IsZero() || r.pending != nil && batch.IsOfItem(*r.pending) {
			t.row.dueAt = t.stored.dueAt // or nobody would find it who looks for what is due (Invariant 1)
		}
	case r.failure != nil && r.failure.Class == transport.Transient:
		t.lookAgain()
	}
}

// takeBack makes nothing of a refusal that may be a system's fault: the message is tried again as any other.
func (t *task) takeBack() {
	if t.row.refused() {
		t.row.outcome, t.row.reason = ledger.Created, t.hidden()
	}
}

// hidden is the reason of a message that waits for its dialog.
func (t *task) hidden() string {
	if t.undated {
		return reasonUndated
	}
	return ""
}

// lookAgain lets a stored message that was given up for what may go away by itself be taken up by live later, beside the quarantine.
func (t *task) lookAgain() {
	if t.row.stage != transferred || t.dialogUnderWay() {
		return
	}
	t.row.dueAt = t.now.Add(mapping.VerifyAfter)
	if t.row.reason == ReasonDialogOrdered { // none came, and nobody has seen what dates it
		t.row.reason = reasonUndated
	}
}

// publishOnly prepares a task for the second stage alone.
func (t *task) publishOnly(insist bool) {
	t.outcome = ledger.Unchanged
	switch {
	case !t.known || t.row.stage == untransferred:
		t.fail(&Error{
			Reason: ReasonNotTransferred, Detail: "the message was not transferred: let the first stage bring it over", Retryable: true,
		})
	case t.row.stage != transferred || t.dialogUnderWay():
	case t.row.refused() && !insist:
		t.fail(errRefused)
	case t.row.reason != "":
		t.reads = true // only what is known to be dated goes on unread
	default:
		t.publish, t.heldBack = true, t.row.dueAt
	}
}

// dialogUnderWay tells whether the dialog that a live call ordered may be on its way. Any other time to look again hides nothing.
func (t *task) dialogUnderWay() bool {
	return t.row.reason == ReasonDialogOrdered && t.row.dueAt.After(t.now)
}

func (t *task) result() Result {
	r := Result{
		Altinn2ID: t.number, Outcome: t.outcome, Reason: t.reason, Stage: t.row.stage, State: stateOf(t.row.stage),
		CorrespondenceID: t.row.correspondenceID, DialogID: t.row.dialog(t.now), DueAt: t.row.dueAt, Warnings: t.warnings,
		Created: t.row.created, ChangeSeq: t.row.changeSeq, ReadAt: t.readAt, Err: t.err,
	}
	if m := t.message; m != nil {
		r.Created, r.Changed, r.ChangeSeq, r.ResourceID = m.Created.UTC(), m.ChangedAt.UTC(), m.ChangeSeq, mapping.ResourceID(m)
	}
	if !r.Created.IsZero() {
		r.ItemID = dialogid.Message(t.number, r.Created)
	}
	if t.err != nil {
		r.Outcome = ledger.Failed
	}
	r.Hidden = t.err == nil && t.row.stage == transferred && (t.row.dueAt.IsZero() || t.row.dueAt.After(t.now) && !t.dialogUnderWay())
	return r
}

func stateOf(stage db.MessageStage) ledger.DialogState {
	switch stage {
	case published:
		return ledger.DialogAlive
	case purged:
		return ledger.DialogDeleted // Correspondence deletes it softly (7.4)
	case untransferred, transferred:
		return ledger.DialogAbsent
	default:
		return ledger.DialogAbsent
	}
}
