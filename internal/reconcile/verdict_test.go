package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
)

// known is an instance of history that is brought over as it should be, with something altered.
func known(alter ...func(*reconcile.Explanation)) *reconcile.Explanation {
	changed := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	e := &reconcile.Explanation{
		Item: "1/a", Source: ledger.A3AppInstances, At: changed.AddDate(1, 0, 0),
		Origin: reconcile.Origin{System: "Storage", State: reconcile.OriginExists, Changed: changed, Created: changed, Org: "skd"},
		Ledger: &reconcile.LedgerFacts{Outcome: ledger.Created, DialogState: ledger.DialogAlive, SourceChanged: changed, RecordedAt: changed},
		History: []reconcile.HistoryFacts{{
			Stream: "history", Org: "skd", Position: changed, Closed: true,
			Windows: []reconcile.WindowFacts{{BackfillID: 7, BackfillState: "complete", State: "closed"}},
		}},
		Live:     reconcile.LiveFacts{Since: changed.AddDate(0, 1, 0), To: changed.AddDate(0, 2, 0), Position: changed.AddDate(0, 2, 0), Passed: true},
		Dialog:   reconcile.DialogFacts{Exists: true, Visible: true},
		Delivery: &reconcile.DeliveryFacts{Outcome: ledger.Unchanged},
	}
	for _, a := range alter {
		a(e)
	}
	return e
}

// knownMessage is a message of history that is brought over as it should be, with something altered.
func knownMessage(alter ...func(*reconcile.Explanation)) *reconcile.Explanation {
	return known(append([]func(*reconcile.Explanation){func(e *reconcile.Explanation) {
		e.Item, e.Source, e.Origin.System, e.Origin.ChangeSeq = "88", ledger.A2Correspondence, "Altinn 2", 5
		e.Message = &reconcile.MessageFacts{Stage: db.MessageStagePublished, Outcome: ledger.Created, ChangeSeq: 5}
		transfer, publish := e.History[0], e.History[0]
		transfer.Stream, publish.Stream = "transfer", "publish"
		e.History = []reconcile.HistoryFacts{transfer, publish}
	}}, alter...)...)
}

func never(e *reconcile.Explanation) {
	e.Ledger, e.Dialog = nil, reconcile.DialogFacts{}
	e.Delivery = &reconcile.DeliveryFacts{Outcome: ledger.Created}
}

func live(e *reconcile.Explanation) { e.Live.Since = e.Origin.Changed.Add(-time.Hour) }

func window(backfill, state string) func(*reconcile.Explanation) {
	return func(e *reconcile.Explanation) {
		for i := range e.History {
			e.History[i].Closed = false
			e.History[i].Windows = []reconcile.WindowFacts{{BackfillID: 7, BackfillState: backfill, State: state}}
		}
	}
}

func hidden(e *reconcile.Explanation) {
	e.Message.Stage = db.MessageStageTransferred
	e.Dialog = reconcile.DialogFacts{}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	quarantine := func(e *reconcile.Explanation) {
		e.Quarantine = []reconcile.QuarantinedItem{{
			Source: e.Source, Reason: "party_not_found", Remedy: reconcile.RemedyFor(e.Source, "party_not_found"), FirstFailedAt: e.At,
		}}
		e.Delivery = &reconcile.DeliveryFacts{Outcome: ledger.Failed, Reason: "party_not_found"}
	}
	waiting := func(e *reconcile.Explanation) { e.Inbox = &reconcile.InboxFacts{Events: 2, DueAt: e.At} }
	remedy := reconcile.RemedyFor(ledger.A3AppInstances, "sync_disabled")
	const sync = "dialogsync item sync 1/a --reason TEXT"
	const silent = "dialogsync item sync 1/a --migration --reason TEXT"
	const message = "dialogsync item sync 88 --migration --reason TEXT"
	const redo = "dialogsync backfill create --source a2-correspondence --redo --item 88 --reason TEXT"
	for name, test := range map[string]struct {
		e    *reconcile.Explanation
		code reconcile.VerdictCode
		says string
		next string
	}{
		"well":       {known(), reconcile.VerdictWell, "all is well", ""},
		"in archive": {known(func(e *reconcile.Explanation) { e.Dialog.Labels = []string{"Archive"} }), reconcile.VerdictWell, "in the archive", ""},
		"deleted": {known(func(e *reconcile.Explanation) {
			e.Origin.State, e.Dialog.DeletedAt, e.Dialog.Hidden = reconcile.OriginSoftDeleted, e.At, "it is deleted"
		}), reconcile.VerdictWell, "so is its dialog", ""},
		"not visible yet": {known(func(e *reconcile.Explanation) { e.Dialog.Hidden = "it becomes visible later" }), reconcile.VerdictHidden, "visible later", ""},
		"unknown":         {&reconcile.Explanation{Item: "1/a", Origin: reconcile.Origin{System: "Storage", State: reconcile.OriginGone}}, reconcile.VerdictUnknown, "is the key right", ""},
		"storage down": {known(func(e *reconcile.Explanation) {
			e.Origin.State, e.Origin.Problem = reconcile.OriginUnreadable, "storage answered 503"
		}), reconcile.VerdictUnreadable, "503", "dialogsync item explain 1/a"},
		"dialogporten down": {known(func(e *reconcile.Explanation) { e.Dialog.Problem = "answered 502" }), reconcile.VerdictUnreadable, "Dialogporten could not be read: answered 502", "dialogsync item explain 1/a"},
		"quarantine":        {known(never, quarantine), reconcile.VerdictQuarantined, "look the party up", silent},
		"quarantine, mended": {known(quarantine, func(e *reconcile.Explanation) {
			e.Delivery = &reconcile.DeliveryFacts{Outcome: ledger.Created}
		}), reconcile.VerdictQuarantined, "would succeed", silent},
		"quarantine, retried": {known(live, quarantine, waiting), reconcile.VerdictQuarantined, "tried again by itself", "dialogsync item explain 1/a"},
		"quarantine, storage down": {known(quarantine, func(e *reconcile.Explanation) {
			e.Origin.State, e.Origin.Problem, e.Delivery = reconcile.OriginUnreadable, "x", nil
		}), reconcile.VerdictQuarantined, "look the party up", silent},
		"events wait": {known(live, waiting), reconcile.VerdictWaiting, "2 of its events wait", "dialogsync stream list -o wide"},
		"live paused": {known(live, waiting, func(e *reconcile.Explanation) { e.Live.Stopped = "paused by kari: upgrade" }), reconcile.VerdictStopped, "paused by kari", "dialogsync stream resume a3-app-instances/live --reason TEXT"},
		"switched off": {known(never, func(e *reconcile.Explanation) {
			e.Delivery = &reconcile.DeliveryFacts{Outcome: ledger.Skipped, Reason: "sync_disabled", Remedy: &remedy}
		}), reconcile.VerdictSkipped, "it has no dialog, on purpose", ""},
		"would fail": {known(never, live, func(e *reconcile.Explanation) {
			e.Delivery = &reconcile.DeliveryFacts{Outcome: ledger.Failed, Reason: "party_not_found", Remedy: &remedy}
		}), reconcile.VerdictWouldFail, "would fail with party_not_found", sync},

		"gap of history":   {known(never), reconcile.VerdictGap, "history is closed where it lies", silent},
		"gap of live":      {known(never, live), reconcile.VerdictGap, "live has passed", sync},
		"live behind":      {known(never, live, func(e *reconcile.Explanation) { e.Live.Passed = false }), reconcile.VerdictNotReached, "has not come", "dialogsync stream list -o wide"},
		"live held":        {known(never, live, func(e *reconcile.Explanation) { e.Live.Passed, e.Live.HeldBy = false, "storage answered 500" }), reconcile.VerdictNotReached, "storage answered 500", "dialogsync stream list -o wide"},
		"live stopped":     {known(never, live, func(e *reconcile.Explanation) { e.Live.Passed, e.Live.Stopped = false, "it waits: x" }), reconcile.VerdictStopped, "it waits", "dialogsync stream resume a3-app-instances/live --reason TEXT"},
		"not ordered":      {known(never, func(e *reconcile.Explanation) { e.History[0].Closed, e.History[0].Windows = false, nil }), reconcile.VerdictNotOrdered, "not been ordered", "dialogsync backfill create --source a3-app-instances --from 2025-03-01 --to 2025-03-01 --reason TEXT --org skd"},
		"cancelled":        {known(never, window("cancelled", "pending")), reconcile.VerdictNotOrdered, "not been ordered", "dialogsync backfill create --source a3-app-instances --from 2025-03-01 --to 2025-03-01 --reason TEXT --org skd"},
		"not reached":      {known(never, window("running", "pending")), reconcile.VerdictNotReached, "backfill 7 is pending", "dialogsync backfill watch 7"},
		"backfill paused":  {known(never, window("paused", "pending")), reconcile.VerdictStopped, "paused before it", "dialogsync backfill resume 7 --reason TEXT"},
		"backfill failed":  {known(never, window("failed", "failed")), reconcile.VerdictStopped, "failed there", "dialogsync backfill show 7"},
		"history paused":   {known(never, window("running", "pending"), func(e *reconcile.Explanation) { e.History[0].Stopped = "paused by ola: rest" }), reconcile.VerdictStopped, "paused by ola", "dialogsync stream resume a3-app-instances/history --reason TEXT"},
		"nothing ever ran": {known(never, func(e *reconcile.Explanation) { e.Live, e.History = reconcile.LiveFacts{}, nil }), reconcile.VerdictGap, "never brought over", silent},
		"dialog removed": {known(func(e *reconcile.Explanation) {
			e.Dialog, e.Delivery = reconcile.DialogFacts{}, &reconcile.DeliveryFacts{Outcome: ledger.Created}
		}), reconcile.VerdictDialogLost, "somebody else removed it", silent},
		"changed behind us": {known(func(e *reconcile.Explanation) { e.Delivery.Outcome = ledger.Updated }), reconcile.VerdictOutOfDate, "although the source is unchanged", silent},
		"undeleted": {known(live, func(e *reconcile.Explanation) {
			e.Delivery.Outcome, e.Ledger.SourceChanged = ledger.Restored, e.Origin.Created.Add(-time.Second)
		}), reconcile.VerdictGap, "should be restored: the source changed", sync},
		"gone, dialog remains": {known(func(e *reconcile.Explanation) {
			e.Origin.State, e.Delivery.Outcome = reconcile.OriginGone, ledger.Purged
		}), reconcile.VerdictGap, "should be purged", silent},

		"message well":        {knownMessage(), reconcile.VerdictWell, "all is well", ""},
		"message hidden":      {knownMessage(hidden, window("running", "pending")), reconcile.VerdictNotReached, "stored hidden in Correspondence", "dialogsync backfill watch 7"},
		"message hidden, gap": {knownMessage(hidden), reconcile.VerdictUnpublished, "stored hidden in Correspondence", message},
		"message under way": {knownMessage(hidden, func(e *reconcile.Explanation) {
			e.Message.Reason, e.Message.DueAt = "dialog_ordered", e.At.Add(time.Minute)
		}), reconcile.VerdictWaiting, "is making its dialog", "dialogsync item explain 88"},
		"message refused": {knownMessage(hidden, func(e *reconcile.Explanation) {
			r := reconcile.RemedyFor(e.Source, "dialog_refused")
			e.Message.Reason, e.Message.Remedy = "dialog_refused", &r
		}), reconcile.VerdictUnpublished, "Dialogporten refused its dialog", message},
		"message half done":    {knownMessage(hidden, func(e *reconcile.Explanation) { e.Dialog.Exists = true }), reconcile.VerdictUnpublished, "never recorded", message},
		"message, dialog lost": {knownMessage(func(e *reconcile.Explanation) { e.Dialog = reconcile.DialogFacts{} }), reconcile.VerdictDialogLost, "Dialogporten does not have", redo},
		"message, dialog gone": {knownMessage(func(e *reconcile.Explanation) { e.Dialog.DeletedAt = e.At }), reconcile.VerdictDialogLost, "its dialog is deleted", ""},
		"message, orphan":      {knownMessage(func(e *reconcile.Explanation) { e.Message.Stage = db.MessageStagePurged }), reconcile.VerdictOutOfDate, "alive still", message},
		"message, purged": {knownMessage(func(e *reconcile.Explanation) {
			e.Message.Stage, e.Origin.State, e.Dialog.DeletedAt = db.MessageStagePurged, reconcile.OriginPurged, e.At
		}), reconcile.VerdictWell, "so is its dialog", ""},
		"message, news": {knownMessage(live, func(e *reconcile.Explanation) {
			e.Delivery.Outcome, e.Origin.ChangeSeq, e.Live.Passed = ledger.Updated, 6, false
		}), reconcile.VerdictNotReached, "live has not come", "dialogsync stream list -o wide"},
		"message never brought": {knownMessage(never, func(e *reconcile.Explanation) { e.Message = nil }), reconcile.VerdictGap, "history is closed", message},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := reconcile.Judge(test.e)
			assert.Equal(t, test.code, v.Code, v.Text)
			assert.Contains(t, v.Text, test.says)
			assert.Equal(t, test.next, v.Next)
			assert.NotContains(t, v.Text, "\n")
			assert.False(t, strings.HasSuffix(v.Text, " "))
		})
	}
}
