package correspondence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

const (
	eight = "2025-07-01T08:00:00Z"
	nine  = "2025-07-01T09:00:00Z"
	ten   = "2025-07-01T10:00:00Z"
)

func TestSyncAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(nil)
	for path, name := range map[string]string{
		correspondence.PathStatus: "status", correspondence.PathForwarding: "forwarding", correspondence.PathNotified: "notification",
	} {
		member := "synced" + strings.ToUpper(name[:1]) + name[1:] + "Events"
		for _, body := range []object{{"correspondenceId": itemID}, {"correspondenceId": stranger, member: list{}}, {member: nil}} {
			problem := b.post(path, body).is(400).object()
			assert.Equal(t, list{"At least one " + name + " event is required."}, walk(problem, "errors.SyncedEvents"))
		}
	}
	unknown := b.post(correspondence.PathStatus, object{"correspondenceId": stranger, "syncedStatusEvents": list{event(4, eight, kari)}}).is(404).object()
	assert.InDelta(t, 1001, unknown["errorCode"], 0)
	assert.Equal(t, "https://tools.ietf.org/html/rfc9110#section-15.5.5", unknown["type"])
	bad := b.post(correspondence.PathForwarding, object{
		"correspondenceId": itemID, "syncedForwardingEvents": list{forwarding(object{"mailboxSupplier": "x"})},
	}).is(400).object()
	assert.NotNil(t, bad["errors"].(object)["SyncedEvents[0].MailboxSupplier"])
	// Paths may have any case.
	b.post(correspondence.Prefix+"/MIGRATION/correspondence/syncstatusevent", object{"correspondenceId": itemID, "syncedStatusEvents": list{event(4, eight, kari)}}).is(200)
}

func TestSyncStoresOnceAndInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(object{"statuses": list{
		object{"status": "Read", "at": "2025-07-01T08:00:00.4Z", "partyUuid": kari}, object{"status": "Published", "at": eight, "partyUuid": senderUUID},
	}, "deleteEvents": list{object{"type": "SoftDeletedByRecipient", "at": eight, "partyUuid": kari}}})
	r := b.sync(
		event("Archived", ten, kari), event(14, ten, kari), event(13, "2025-07-01T08:00:00.9Z", kari), event(13, nine, kari),
		event("Read", "2025-07-01T08:00:00.9Z", kari), event("Read", "2025-07-01T08:00:01Z", kari), event(6, nine, ola),
		// Others are dropped without a word.
		event(0, ten, kari), event(2, ten, kari), event(3, ten, kari), event(5, ten, kari), event(11, ten, kari), event(12, ten, kari),
	).is(200)
	assert.Equal(t, `"`+itemID+`"`, string(r.body))
	var statuses []string
	for _, s := range b.item().Statuses[2:] {
		statuses = append(statuses, s.Text)
	}
	assert.Equal(t, []string{"Sync event Read from Altinn 2", "Sync event Confirmed from Altinn 2", "Sync event Archived from Altinn 2"}, statuses)
	require.Len(t, b.item().DeleteEvents, 3)
	assert.Equal(t, correspondence.DeleteRestore, b.item().DeleteEvents[2].Kind)
	// The item is hidden: nothing leaves, but that parties are looked up.
	for _, service := range []string{altinnsim.ServiceDialogporten, altinnsim.ServiceEvents} {
		assert.Empty(t, b.calls(service))
	}
	assert.NotEmpty(t, b.calls(altinnsim.ServiceRegister))
	before := b.item()
	b.sync(event("Archived", ten, kari)).is(200)
	assert.Equal(t, before, b.item())
}

// In a database that is asked too late two of one second are both kept; afterwards the second counts.
func TestSyncOfForwardingsAndNotifications(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	forward := func(events ...any) {
		b.post(correspondence.PathForwarding, object{"correspondenceId": itemID, "syncedForwardingEvents": events}).is(200)
		b.idle()
	}
	at := func(instant string, changes object) object {
		f := forwarding(object{"forwardedOnDate": instant})
		maps.Copy(f, changes)
		return f
	}
	forward(
		at("2025-07-02T09:00:00.1Z", object{"forwardedToUserUuid": ola, "forwardingText": "Hei"}),
		at("2025-07-02T09:00:00.9Z", object{"forwardedToEmail": "a@example.no"}), // the user differs: another one
		at("2025-07-02T09:00:00.1Z", object{"forwardedToUserUuid": kari}),        // clashes in the database: a duplicate
		at("2025-07-02T09:00:00.2Z", object{"forwardedToUserUuid": ola, "forwardingText": "Hallo"}),
	)
	assert.Len(t, b.item().Forwardings, 2)
	forward(at("2025-07-02T09:00:00.5Z", object{"forwardedToUserUuid": kari})) // the target is not compared with what is stored
	assert.Len(t, b.item().Forwardings, 2)
	assert.Equal(t, []string{"POST dialogs", "POST activities", "POST activities"}, b.told())
	activity := b.calls(altinnsim.ServiceDialogporten)[1]
	assert.Equal(t, object{"isSilentUpdate": "true"}, activity.Query)
	assert.Equal(t, `delte "Tilbakemelding" med Ola-Per O'prøve og skrev: "Hei"`, walk(bodyOf(t, activity), "description.0.value"))
	assert.Equal(t, b.item().Forwardings[0].Activity.String(), bodyOf(t, activity)["id"])
	// Nobody known at the other end, or none: stored, and left out of the dialog.
	forward(
		at(eight, nil), at(nine, object{"mailboxSupplier": "0192:984661185"}), at(ten, object{"forwardedByPartyUuid": stranger, "forwardedToEmail": "a@example.no"}),
		at("2025-07-01T11:00:00Z", object{"forwardedToUserUuid": stranger}),
	)
	assert.Len(t, b.item().Forwardings, 6)
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), 3)

	notify := func(events ...any) {
		b.post(correspondence.PathNotified, object{"correspondenceId": itemID, "syncedNotificationEvents": events}).is(200)
		b.idle()
	}
	notify(notification(nil), notification(object{"isReminder": true, "notificationSent": "2025-07-01T09:00:00.5Z"}))
	assert.Len(t, b.item().Notifications, 2, "within a request the reminder flag counts")
	notify(notification(object{"isReminder": true, "notificationSent": "2025-07-01T09:00:00.7Z"}), notification(object{"notificationAddress": "b@example.no"}))
	assert.Len(t, b.item().Notifications, 3, "but not with what is stored")
	assert.Equal(t, []string{"POST activities", "POST activities", "POST activities"}, b.since(3))
	assert.Empty(t, b.calls(altinnsim.ServiceEvents))
}

func TestReadOfAVisibleItem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	b.sync(event(4, eight, kari)).is(200)
	b.sync(event(4, nine, ola)).is(200)
	b.sync(event(4, ten, stranger)).is(200)
	// The second reader has the same activity id, which counts as done; the unknown one has none. The sender hears of all.
	assert.Equal(t, []string{"POST activities", "POST activities"}, b.since(1))
	calls := b.calls(altinnsim.ServiceDialogporten)
	assert.Equal(t, bodyOf(t, calls[1])["id"], bodyOf(t, calls[2])["id"])
	assert.Equal(t, []int{201, 422}, []int{calls[1].Status, calls[2].Status})
	require.Len(t, b.calls(altinnsim.ServiceEvents), 3)
	event := b.calls(altinnsim.ServiceEvents)[0]
	assert.Equal(t, "application/cloudevents+json", event.Headers["Content-Type"])
	body := bodyOf(t, event)
	assert.Equal(t, "no.altinn.correspondence.correspondencereceiverread", body["type"])
	assert.Equal(t, senderURN, body["subject"])
	assert.Equal(t, "/organisation/974761076", body["alternativesubject"])
	assert.Empty(t, b.Correspondence.DeadLetters())
}

func TestConfirmation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(object{"isConfirmationNeeded": true})
	fixed := b.item().FixedIDs
	b.sync(event(6, eight, kari)).is(200)
	b.sync(event(6, nine, ola)).is(200)
	// The second finds nothing to do, and there are two confirmations then.
	assert.Equal(t, []string{"GET dialog", "PATCH dialog", "POST activities", "GET dialog"}, b.since(1))
	calls := b.calls(altinnsim.ServiceDialogporten)
	assert.JSONEq(t, `[{"op":"remove","path":"/guiActions/0"},{"op":"remove","path":"/apiActions/2"},
		{"op":"replace","path":"/status","value":"NotApplicable"}]`, string(calls[2].Body))
	activity := bodyOf(t, calls[3])
	assert.Equal(t, "CorrespondenceConfirmed", activity["type"])
	assert.Equal(t, fixed[1].ID.String(), activity["id"])
	for _, call := range calls[2:4] {
		assert.Equal(t, object{"isSilentUpdate": "true"}, call.Query)
		assert.Less(t, call.Status, 300)
	}

	// By nobody known: the dialog is patched, and no activity added.
	other := newBench(t)
	other.visible(object{"isConfirmationNeeded": true})
	other.sync(event(6, eight, stranger)).is(200)
	assert.Equal(t, []string{"GET dialog", "PATCH dialog"}, other.since(1))
	assert.Len(t, other.calls(altinnsim.ServiceEvents), 1)
}

// Two confirmations of one call are as those of two calls: the first has its activity.
func TestTwoConfirmationsOfOneCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(object{"isConfirmationNeeded": true})
	b.sync(event(6, nine, ola), event(6, eight, kari)).is(200)
	assert.Equal(t, []string{"GET dialog", "PATCH dialog", "POST activities", "GET dialog"}, b.since(1))
	assert.Equal(t, kariURN, walk(bodyOf(t, b.calls(altinnsim.ServiceDialogporten)[3]), "performedBy.actorId"))
}

// An event's jobs are queued when it is stored, however long the rest of the call takes.
func TestJobsBeginWithTheirTransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	// The second event waits for the party that acted.
	b.fault(faults.Rule{Service: altinnsim.ServiceRegister, Effect: faults.EffectLatency, Latency: faults.Duration(time.Hour), Skip: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := raw(t, object{"correspondenceId": itemID, "syncedStatusEvents": list{event(4, eight, kari), event(9, nine, kari)}})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+correspondence.PathStatus, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	ended := make(chan error)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		ended <- err
	}()
	require.Eventually(t, func() bool { return slices.Equal(b.since(1), []string{"POST activities"}) }, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled, "the call had no answer yet")
}

func TestLabels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	label := func() string {
		var dialog object
		document, ok := b.Dialogporten.Dialog(uuid.MustParse(dialogID))
		require.True(t, ok)
		require.NoError(t, json.Unmarshal(document, &dialog))
		return fmt.Sprint(walk(dialog, "endUserContext.systemLabels.0"))
	}
	for n, step := range []struct {
		status any
		label  string
		add    list
		remove list
	}{
		{13, "Bin", list{2.}, list{}},
		{14, "Default", list{}, list{2.}},
		{9, "Archive", list{3.}, list{}},
		{"SoftDeletedByRecipient", "Bin", list{2.}, list{}},
		{14, "Archive", list{3.}, list{}},
	} {
		b.sync(event(step.status, fmt.Sprintf("2025-07-01T08:00:0%dZ", n), kari)).is(200)
		assert.Equal(t, step.label, label())
		calls := b.calls(altinnsim.ServiceDialogporten)
		body := bodyOf(t, calls[len(calls)-1])
		assert.Equal(t, step.add, body["addLabels"])
		assert.Equal(t, step.remove, body["removeLabels"])
		assert.Equal(t, kariURN, walk(body, "performedBy.actorId"))
	}
	b.sync(event(9, nine, robot)).is(200)
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), 6, "somebody without a URN labels nothing")
	assert.Empty(t, b.calls(altinnsim.ServiceEvents))
}

func TestPurge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	shared, own := b.file("SS1"), b.file("SS2")
	b.visible(object{"attachments": list{shared, own}})
	b.migrate2(object{"altinn2CorrespondenceId": 5, "data.existingAttachments": list{shared}})
	b.sync(event(7, eight, kari)).is(200)
	item := b.item()
	assert.True(t, item.Purged())
	require.Len(t, item.DeleteEvents, 1)
	assert.Equal(t, correspondence.DeleteHardByRecipient, item.DeleteEvents[0].Kind)
	assert.Equal(t, "Sync event PurgedByRecipient from Altinn 2", item.Statuses[1].Text)
	// Deleted first, and only then told.
	assert.Equal(t, []string{"DELETE dialog", "POST activities"}, b.since(1))
	activity := b.calls(altinnsim.ServiceDialogporten)[2]
	assert.Equal(t, 201, activity.Status)
	assert.Equal(t, "DialogDeleted", bodyOf(t, activity)["type"])
	assert.Equal(t, "mottaker", walk(bodyOf(t, activity), "performedBy.actorName"))
	require.Len(t, b.calls(altinnsim.ServiceEvents), 1)
	assert.Equal(t, "no.altinn.correspondence.correspondencepurged", bodyOf(t, b.calls(altinnsim.ServiceEvents)[0])["type"])
	file, _ := b.Correspondence.File("SS1")
	assert.False(t, file.Purged, "another message has it")
	file, _ = b.Correspondence.File("SS2")
	assert.True(t, file.Purged)
	// A second purge is ignored entirely; what else happens is stored, and the dialog is left alone.
	b.sync(event(8, nine, senderUUID), event(13, ten, kari)).is(200)
	assert.Len(t, b.item().Statuses, 2)
	assert.Len(t, b.item().DeleteEvents, 2)
	assert.Len(t, b.calls(altinnsim.ServiceDialogporten), 3)
	assert.Contains(t, b.available(object{"correspondenceId": itemID})[0]["dialogId"], dialogID, "the reference is looked at first")
	// A label is fine when the dialog is said to be gone, and only then.
	b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "systemlabels$", Effect: faults.EffectStatus, Status: 410, Count: 1})
	b.sync(event(9, "2025-07-01T11:00:00Z", kari)).is(200)
	assert.Zero(t, b.Correspondence.Jobs().Scheduled)
	b.sync(event(9, "2025-07-01T12:00:00Z", kari)).is(200)
	assert.Equal(t, 1, b.Correspondence.Jobs().Scheduled)
}

// migrate2 brings another message in.
func (b *bench) migrate2(changes object) {
	b.t.Helper()
	b.post(correspondence.PathMigrate, message(changes)).is(http.StatusOK)
}

func TestPurgeOfAHiddenItem(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	own := b.file("SS2")
	b.put(object{"attachments": list{own}})
	b.sync(event("PurgedByAltinn", eight, senderUUID)).is(200)
	assert.True(t, b.item().Purged())
	file, _ := b.Correspondence.File("SS2")
	assert.True(t, file.Purged)
	assert.Empty(t, b.calls(altinnsim.ServiceEvents))
	assert.Empty(t, b.calls(altinnsim.ServiceDialogporten))
}

// A deletion activity that is there already is a failure, unlike any other activity.
func TestDeletionActivityThatExists(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	b.fault(faults.Rule{
		Service: altinnsim.ServiceCorrespondenceOut, Path: "activities$", Effect: faults.EffectStatus, Status: 422, Body: "... already exists",
	})
	b.sync(event(4, eight, kari)).is(200)
	assert.Zero(t, b.Correspondence.Jobs().Scheduled)
	b.sync(event(7, nine, kari)).is(200)
	assert.Equal(t, 1, b.Correspondence.Jobs().Scheduled)
}

// A visible item without a dialog: its jobs end as dead letters. A refused forwarding is only logged.
func TestEffectsThatFail(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(object{"isMigrating": false})
	b.sync(event(4, eight, kari)).is(200)
	for b.Correspondence.RunScheduled() > 0 {
		b.idle()
	}
	dead := b.Correspondence.DeadLetters()
	require.Len(t, dead, 1)
	assert.Contains(t, dead[0].Error, "has no dialog")

	other := newBench(t)
	other.visible(nil)
	other.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "activities$", Effect: faults.EffectStatus, Status: 400})
	other.post(correspondence.PathForwarding, object{
		"correspondenceId": itemID, "syncedForwardingEvents": list{forwarding(object{"forwardedToEmail": "a@example.no"})},
	}).is(200)
	other.idle()
	assert.Zero(t, other.Correspondence.Jobs().Scheduled)
	assert.NotEqual(t, uuid.Nil, other.item().Forwardings[0].Activity, "the id is kept before the call")
	other.post(correspondence.PathNotified, object{"correspondenceId": itemID, "syncedNotificationEvents": list{notification(nil)}}).is(200)
	other.idle()
	assert.Equal(t, 1, other.Correspondence.Jobs().Scheduled)
	// A register that is down fails the call; what was stored before stays.
	other.fault(faults.Rule{Service: "register", Effect: faults.EffectStatus, Status: 500, Skip: 1})
	other.sync(event(4, eight, kari), event(9, nine, kari)).is(500)
	assert.Len(t, other.item().Statuses, 2)
}

// Each attempt makes a new set of activity ids, so that a later sync may name another one than the dialog has.
func TestFixedIDsOfARetriedCreation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fault(faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectStatus, Status: 403, Count: 1})
	b.put(object{"statuses": list{object{"status": 4, "at": eight, "partyUuid": kari}}})
	assert.Equal(t, false, b.available(object{"correspondenceId": itemID})[0]["ok"])
	assert.Equal(t, true, b.available(object{"correspondenceId": itemID})[0]["ok"])
	assert.Len(t, b.item().FixedIDs, 2)
	b.sync(event(4, nine, ola)).is(200)
	calls := b.calls(altinnsim.ServiceDialogporten)
	inDialog := walk(bodyOf(t, calls[1]), "activities.0.id")
	assert.NotEqual(t, inDialog, bodyOf(t, calls[2])["id"])
	assert.Equal(t, 201, calls[2].Status, "the opened activity is doubled")
}

// What is done in Altinn 3 goes to Altinn 2 and comes back as a duplicate.
func TestBackToAltinn2(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.visible(nil)
	require.NoError(t, b.Altinn2.Put([]json.RawMessage{raw(t, object{"altinn2CorrespondenceId": number, "recipient": object{"partyUuid": kari}})}))
	require.NoError(t, b.Correspondence.ActOn(t.Context(), uuid.MustParse(itemID), correspondence.ActRead, uuid.MustParse(kari), 1))
	b.idle()
	require.Len(t, b.Altinn2.Bridge.CallBacks(), 1)
	assert.Equal(t, "read", b.Altinn2.Bridge.CallBacks()[0].EventType)
	record, ok := b.Altinn2.Message(number)
	require.True(t, ok)
	require.Len(t, record.Events, 1)
	before := len(b.item().Statuses)
	b.sync(event(4, record.Events[0].At.Format("2006-01-02T15:04:05.999Z07:00"), record.Events[0].PartyUUID.String())).is(200)
	assert.Len(t, b.item().Statuses, before)
	require.NoError(t, b.Correspondence.ActOn(t.Context(), uuid.MustParse(itemID), correspondence.ActDelete, uuid.MustParse(kari), 1))
	b.idle()
	assert.True(t, b.item().Purged())
	require.Error(t, b.Correspondence.ActOn(t.Context(), uuid.MustParse(itemID), correspondence.ActRead, uuid.MustParse(kari), 1))
}
