package reconcile

import (
	"cmp"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/stream"
)

// Judge says in one sentence what is wrong with an item, or that all is well, and what to type next. It looks at what stands in
// the way first, and at what merely takes its time last.
func Judge(e *Explanation) Verdict {
	for _, look := range []func(*Explanation) (Verdict, bool){
		unknown, quarantined, unreadable, waitingInInbox, unwell, byStage, byDelivery,
	} {
		if verdict, says := look(e); says {
			return verdict
		}
	}
	return inDialogporten(e)
}

// syncCommand brings the item over. What is history's is written silently (Invariant 10).
func syncCommand(e *Explanation) string {
	text := "dialogsync item sync " + e.Item
	if e.isHistory() || e.isOldMessage() || e.Message != nil && e.Message.Stage == db.MessageStageTransferred {
		text += " --migration"
	}
	return text + " --reason TEXT"
}

// redoCommand also looks at a dialog that was made before: a sync of a message tells Correspondence what is new, and nothing else (17.9).
func redoCommand(e *Explanation) string {
	return fmt.Sprintf("dialogsync backfill create --source %s --redo --item %s --reason TEXT", e.Source, e.Item)
}

// isHistory tells whether the item last changed before live began.
func (e *Explanation) isHistory() bool {
	since, changed := e.Live.Since, e.Origin.Changed
	return since.IsZero() || !changed.IsZero() && changed.Before(since)
}

// isOldMessage tells of a message older than live that was never brought over: whoever does it does it silently.
func (e *Explanation) isOldMessage() bool {
	return e.Source == ledger.A2Correspondence && (e.Message == nil || e.Message.CorrespondenceID == uuid.Nil) &&
		e.Origin.Created.Before(e.Live.Since)
}

func unknown(e *Explanation) (Verdict, bool) {
	if e.Known() {
		return Verdict{}, false
	}
	return Verdict{
		Code: VerdictUnknown,
		Text: e.Origin.System + " has no such item, and neither ledger, quarantine nor Dialogporten knows of it: is the key right?",
	}, true
}

func quarantined(e *Explanation) (Verdict, bool) {
	if len(e.Quarantine) == 0 {
		return Verdict{}, false
	}
	q := &e.Quarantine[0]
	v := Verdict{Code: VerdictQuarantined, Next: syncCommand(e)}
	since := fmt.Sprintf("it is in quarantine since %s with %s", stamp(q.FirstFailedAt), q.Reason)
	switch {
	case e.Inbox != nil:
		v.Text = fmt.Sprintf("%s (%s), and is tried again by itself at %s", since, q.Means, stamp(e.Inbox.DueAt))
		v.Next = "dialogsync item explain " + e.Item
	case e.Delivery != nil && e.Delivery.Outcome != ledger.Failed && e.isForeseen(q.Reason):
		v.Text = since + ", but what stood in its way is gone: a delivery now would succeed and take it out"
	default:
		v.Text = fmt.Sprintf("%s: %s. What to do: %s", since, q.Means, q.Do)
	}
	return v, true
}

// isForeseen tells whether what a delivery would do now says anything of a failure. Of messages it is told from the message itself:
// nobody over there is asked.
func (e *Explanation) isForeseen(reason string) bool {
	if e.Source != ledger.A2Correspondence {
		return true
	}
	switch reason {
	case mapping.ReasonSenderMissing, mapping.ReasonRecipientUnknown, mapping.ReasonResourceMissing, mapping.ReasonCreatedMissing,
		mapping.ReasonNotPublished, mapping.ReasonEventUnknown, mapping.ReasonChannelUnknown:
		return true
	}
	return false
}

func unreadable(e *Explanation) (Verdict, bool) {
	problem := e.Dialog.Problem
	system := "Dialogporten"
	if e.Origin.State == OriginUnreadable {
		system, problem = e.Origin.System, e.Origin.Problem
	}
	if problem == "" {
		return Verdict{}, false
	}
	return Verdict{
		Code: VerdictUnreadable, Text: fmt.Sprintf("it cannot be told, since %s could not be read: %s", system, problem),
		Next: "dialogsync item explain " + e.Item,
	}, true
}

func waitingInInbox(e *Explanation) (Verdict, bool) {
	switch {
	case e.Inbox == nil:
		return Verdict{}, false
	case e.Live.Stopped != "":
		return stoppedLive(e, fmt.Sprintf("%d of its events wait", e.Inbox.Events)), true
	}
	text := fmt.Sprintf("%d of its events wait for their delivery, the next try is at %s", e.Inbox.Events, stamp(e.Inbox.DueAt))
	if e.Inbox.Failure != "" {
		text += fmt.Sprintf(" (%d failed: %s)", e.Inbox.Attempts, e.Inbox.Failure)
	}
	return Verdict{Code: VerdictWaiting, Text: text, Next: "dialogsync stream list -o wide"}, true
}

func stoppedLive(e *Explanation, what string) Verdict {
	name := string(e.Source) + "/live"
	v := Verdict{Code: VerdictStopped, Text: fmt.Sprintf("%s, because %s stands still: %s", what, name, e.Live.Stopped)}
	v.Next = "dialogsync stream resume " + name + " --reason TEXT"
	return v
}

// unwell is about an item that a delivery would fail for, or leave out on purpose.
func unwell(e *Explanation) (Verdict, bool) {
	d := e.Delivery
	switch {
	case d == nil || d.Remedy == nil:
		return Verdict{}, false
	case d.Outcome == ledger.Failed:
		return Verdict{
			Code: VerdictWouldFail, Next: syncCommand(e),
			Text: fmt.Sprintf("a delivery now would fail with %s: %s. What to do: %s", d.Reason, d.Remedy.Means, d.Remedy.Do),
		}, true
	case d.Outcome == ledger.Skipped:
		text := "it is left as it is on purpose"
		if !e.Dialog.Exists {
			text = "it has no dialog, on purpose"
		}
		return Verdict{
			Code: VerdictSkipped, Text: fmt.Sprintf("%s (%s): %s. What to do: %s", text, d.Reason, d.Remedy.Means, d.Remedy.Do),
		}, true
	}
	return Verdict{}, false
}

// byStage is about a message that has come some of its way.
func byStage(e *Explanation) (Verdict, bool) {
	m := e.Message
	if m == nil {
		return Verdict{}, false
	}
	alive := e.Dialog.Exists && e.Dialog.DeletedAt.IsZero()
	switch m.Stage {
	case db.MessageStageTransferred:
		if alive && m.Reason != message.ReasonDialogOrdered {
			return Verdict{
				Code: VerdictUnpublished, Next: syncCommand(e), Text: "its dialog exists, but was never recorded as published",
			}, true
		}
		return transferred(e), true
	case db.MessageStagePublished:
		switch {
		case !e.Dialog.Exists:
			return Verdict{
				Code: VerdictDialogLost, Next: redoCommand(e),
				Text: "Correspondence gave it a dialog that Dialogporten does not have: " + RemedyFor(e.Source, "dialog_lost").Do,
			}, true
		case !alive && e.Origin.State != OriginPurged:
			return Verdict{
				Code: VerdictDialogLost,
				Text: "the message is alive, but its dialog is deleted: " + RemedyFor(e.Source, "dialog_deleted").Do,
			}, true
		}
	case db.MessageStagePurged:
		if alive {
			return Verdict{
				Code: VerdictOutOfDate, Next: syncCommand(e),
				Text: "the message was purged over there, but its dialog is alive still: ask those who run Correspondence to delete it",
			}, true
		}
	case db.MessageStageUntransferred:
	}
	return Verdict{}, false
}

// transferred is about a message that is stored over there without a dialog.
func transferred(e *Explanation) Verdict {
	m := e.Message
	switch {
	case m.dialogUnderWay(e.At):
		return Verdict{
			Code: VerdictWaiting, Text: "Correspondence is making its dialog; it is looked at again at " + stamp(m.DueAt),
			Next: "dialogsync item explain " + e.Item,
		}
	case m.Remedy != nil:
		return Verdict{
			Code: VerdictUnpublished, Next: syncCommand(e),
			Text: fmt.Sprintf("it is stored hidden in Correspondence (%s): %s. What to do: %s", m.Reason, m.Remedy.Means, m.Remedy.Do),
		}
	}
	v := whereHistoryIs(e, "it is stored hidden in Correspondence, and its dialog is not made yet", stream.Publish)
	if v.Code == VerdictGap {
		v.Code = VerdictUnpublished
	}
	return v
}

// byDelivery is about an item whose dialog is not what a delivery would make of it.
func byDelivery(e *Explanation) (Verdict, bool) {
	if e.Delivery == nil {
		return Verdict{}, false
	}
	switch e.Delivery.Outcome { //nolint:exhaustive // the others change a dialog
	case ledger.Unchanged, ledger.Skipped, ledger.Failed:
		return Verdict{}, false
	case ledger.Created:
		if e.Ledger != nil && e.Ledger.DialogState == ledger.DialogAlive {
			return Verdict{
				Code: VerdictDialogLost, Next: syncCommand(e),
				Text: fmt.Sprintf("its dialog was there on %s, and is not any more: somebody else removed it", stamp(e.Ledger.RecordedAt)),
			}, true
		}
		return whyNot(e, "it was never brought over"), true
	}
	return outOfDate(e), true
}

func outOfDate(e *Explanation) Verdict {
	would := map[ledger.Outcome]string{
		ledger.Updated: "is out of date", ledger.Deleted: "should be deleted", ledger.Purged: "should be purged",
		ledger.Restored: "should be restored",
	}
	what := "its dialog " + cmp.Or(would[e.Delivery.Outcome], "is not what it should be")
	l := e.Ledger
	switch {
	case l == nil || l.SourceChanged.IsZero():
		return whyNot(e, what)
	case e.Origin.Changed.After(l.SourceChanged) || e.Origin.State == OriginGone || e.behindInSeq():
		return whyNot(e, what+": the source changed since it was last brought over")
	}
	return Verdict{
		Code: VerdictOutOfDate, Next: syncCommand(e), Text: what + " although the source is unchanged since " + stamp(l.SourceChanged) +
			": somebody else changed the dialog, or the mapping did (a redo corrects many at once)",
	}
}

func (e *Explanation) behindInSeq() bool {
	return e.Message != nil && e.Origin.ChangeSeq > e.Message.ChangeSeq
}

// whyNot says which stream should have brought the item over, and why it has not.
func whyNot(e *Explanation, what string) Verdict {
	if e.isHistory() {
		return whereHistoryIs(e, what, "")
	}
	switch {
	case e.Live.Passed:
		return Verdict{
			Code: VerdictGap, Next: syncCommand(e),
			Text: fmt.Sprintf("%s, although live has passed its last change (live to %s): a gap", what, stamp(e.Live.To)),
		}
	case e.Live.Stopped != "":
		return stoppedLive(e, what)
	case e.Live.HeldBy != "":
		return Verdict{
			Code: VerdictNotReached, Next: "dialogsync stream list -o wide", Text: fmt.Sprintf("%s: live is held up: %s", what, e.Live.HeldBy),
		}
	}
	return Verdict{
		Code: VerdictNotReached, Next: "dialogsync stream list -o wide",
		Text: fmt.Sprintf("%s: live has not come to its last change yet (live to %s)", what, stamp(e.Live.To)),
	}
}

// whereHistoryIs says why history has not brought an item over, of which it is known what is amiss. direction is the stream that should
// have; empty: the source's first.
func whereHistoryIs(e *Explanation, what, direction string) Verdict {
	h := e.historyOf(direction)
	if h == nil {
		return Verdict{Code: VerdictGap, Text: what, Next: syncCommand(e)}
	}
	if h.Closed {
		return Verdict{
			Code: VerdictGap, Next: syncCommand(e),
			Text: what + ", although history is closed where it lies: a gap, or it was changed later without a trace",
		}
	}
	for i := range h.Windows {
		w := &h.Windows[i]
		number := fmt.Sprintf("backfill %d", w.BackfillID)
		switch {
		case w.State == "closed":
			continue
		case w.BackfillState == "running" && h.Stopped != "":
			return Verdict{
				Code: VerdictStopped, Next: fmt.Sprintf("dialogsync stream resume %s/%s --reason TEXT", e.Source, h.Stream),
				Text: fmt.Sprintf("%s: %s has not come to it, and the stream stands still: %s", what, number, h.Stopped),
			}
		case w.BackfillState == "running":
			return Verdict{
				Code: VerdictNotReached, Next: fmt.Sprintf("dialogsync backfill watch %d", w.BackfillID),
				Text: fmt.Sprintf("%s: %s is %s there and has reached %s", what, number, w.State, stamp(w.Reached)),
			}
		case w.BackfillState == "paused":
			return Verdict{
				Code: VerdictStopped, Next: fmt.Sprintf("dialogsync backfill resume %d --reason TEXT", w.BackfillID),
				Text: fmt.Sprintf("%s: %s is paused before it", what, number),
			}
		case w.BackfillState == "failed":
			return Verdict{
				Code: VerdictStopped, Next: fmt.Sprintf("dialogsync backfill show %d", w.BackfillID),
				Text: fmt.Sprintf("%s: %s failed there: %s", what, number, cmp.Or(w.Failure, "see its windows in trouble")),
			}
		}
	}
	day := h.Position.UTC().Format(time.DateOnly)
	next := fmt.Sprintf("dialogsync backfill create --source %s --from %s --to %s --reason TEXT", e.Source, day, day)
	if h.Stream == stream.History {
		next += " --org " + h.Org
	}
	return Verdict{
		Code: VerdictNotOrdered, Next: next,
		Text: what + ": it lies where history has not been ordered; 'item sync' brings it over by itself",
	}
}

func (e *Explanation) historyOf(direction string) *HistoryFacts {
	for i := range e.History {
		if direction == "" || e.History[i].Stream == direction {
			return &e.History[i]
		}
	}
	return nil
}

// inDialogporten is about an item that is brought over.
func inDialogporten(e *Explanation) Verdict {
	switch d := &e.Dialog; {
	case d.Exists && !d.DeletedAt.IsZero():
		return Verdict{Code: VerdictWell, Text: "all is well: it is deleted at its source, and so is its dialog"}
	case d.Exists && d.Hidden != "":
		return Verdict{Code: VerdictHidden, Text: "its dialog is as it should be, but is not shown: " + d.Hidden}
	case d.Exists:
		return Verdict{Code: VerdictWell, Text: "all is well: its dialog is there and is what it should be" + labelled(d.Labels)}
	case e.Origin.State == OriginGone || e.Origin.State == OriginPurged:
		return Verdict{Code: VerdictWell, Text: "all is well: it is gone at its source, and there is no dialog"}
	}
	return whyNot(e, "it has no dialog")
}

// labelled says where an end user finds a dialog that does not lie in the inbox.
func labelled(labels []string) string {
	for _, l := range labels {
		if l == "Bin" || l == "Archive" {
			return "; the user finds it in the " + map[string]string{"Bin": "bin", "Archive": "archive"}[l]
		}
	}
	return ""
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}
