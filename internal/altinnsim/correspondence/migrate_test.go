package correspondence_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
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

func TestAttachments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.file("SS1")
	id, err := uuid.Parse(first)
	require.NoError(t, err)
	assert.EqualValues(t, 4, id.Version())
	// Names of the query may have any case; the same attachment again has the first id, and its first name and size win.
	again := b.upload("RESOURCEID=skd-x&SendersReference=r&ALTINN2ATTACHMENTID=SS1&filename=other.xml&checksum=&isEncrypted=True", "longer").is(200)
	assert.Equal(t, `"`+first+`"`, string(again.body))
	file, ok := b.Correspondence.File("SS1")
	require.True(t, ok)
	assert.Equal(t, "SS1.pdf", file.Name)
	assert.EqualValues(t, 1, file.Size)
	assert.Equal(t, 2, file.Uploads)

	// The right checksum is that of the bytes; a wrong one fails in a way that nobody meant.
	b.upload(metadata+"SS2&checksum=9dd4e461268c8034f5c8564e155c67a6", "x").is(200)
	b.upload(metadata+"SS3&checksum=00000000000000000000000000000000", "x").is(500)
	_, ok = b.Correspondence.File("SS3")
	assert.False(t, ok)

	empty := b.upload(metadata+"SS4", "").is(400).object()
	assert.InDelta(t, 2004, empty["errorCode"], 0)
	assert.Equal(t, "CORR-02004", empty["code"])
	// Without a length the body is taken for an empty one, whatever is in it.
	chunked, err := b.send(http.MethodPost, correspondence.PathAttachment+"?"+metadata+"SS5", "application/octet-stream", io.MultiReader(strings.NewReader("bytes")))
	require.NoError(t, err)
	assert.InDelta(t, 2004, chunked.is(400).object()["errorCode"], 0)

	for query, key := range map[string]string{
		"sendersReference=r&altinn2AttachmentId=a":             "ResourceId",
		"resourceId=&sendersReference=r&altinn2AttachmentId=a": "ResourceId",
		"resourceId=a:b&sendersReference=r":                    "Altinn2AttachmentId",
		"resourceId=x&altinn2AttachmentId=a":                   "SendersReference",
		metadata + "a&checksum=ABC":                            "Checksum",
		metadata + "a&senderPartyUuid=x":                       "SenderPartyUuid",
		metadata + "a&created=yesterday":                       "Created",
		metadata + "a&fileName=" + strings.Repeat("n", 256):    "FileName",
	} {
		assert.NotEmpty(t, walk(b.upload(query, "x").is(400).object(), "errors."+key), query)
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("å", n) }
	const content = "CorrespondenceData.Correspondence.Content."
	const inner = "CorrespondenceData.Correspondence."
	for name, test := range map[string]struct {
		changes object
		key     string
	}{
		"title too long":           {object{"correspondence.content.messageTitle": long(256)}, content + "MessageTitle"},
		"title of two-unit signs":  {object{"correspondence.content.messageTitle": strings.Repeat("😀", 128)}, content + "MessageTitle"},
		"null title":               {object{"correspondence.content.messageTitle": nil}, content + "MessageTitle"},
		"summary too long":         {object{"correspondence.content.messageSummary": long(256)}, content + "MessageSummary"},
		"body too long":            {object{"correspondence.content.messageBody": long(30_001)}, content + "MessageBody"},
		"empty body":               {object{"correspondence.content.messageBody": ""}, content + "MessageBody"},
		"sender name too long":     {object{"correspondence.messageSender": long(256)}, inner + "MessageSender"},
		"empty reference":          {object{"correspondence.sendersReference": ""}, inner + "SendersReference"},
		"reference too long":       {object{"correspondence.sendersReference": long(4097)}, inner + "SendersReference"},
		"resource with a colon":    {object{"correspondence.resourceId": "a:b"}, inner + "ResourceId"},
		"null resource":            {object{"correspondence.resourceId": nil}, inner + "ResourceId"},
		"null properties":          {object{"correspondence.propertyList": nil}, inner + "PropertyList"},
		"property key too long":    {object{"correspondence.propertyList": object{long(51): "v"}}, inner + "PropertyList"},
		"property value too long":  {object{"correspondence.propertyList": object{"k": long(301)}}, inner + "PropertyList"},
		"reference of type 5":      {object{"correspondence.externalReferences": list{reference(5, "x")}}, inner + "ExternalReferences"},
		"unknown transmission":     {object{"correspondence.externalReferences": list{reference("DialogportenTransmissionType", "9")}}, inner + "ExternalReferences"},
		"null content attachments": {object{"correspondence.content.attachments": nil}, content + "Attachments"},
		"null recipients":          {object{"data.recipients": nil}, "CorrespondenceData.Recipients"},
		"null history":             {object{"eventHistory": nil}, "EventHistory"},
		"null notifications":       {object{"notificationHistory": nil}, "NotificationHistory"},
		"null status text":         {object{"eventHistory": list{object{"status": 4, "statusText": nil, "eventUserPartyUuid": kari}}}, "EventHistory[0].StatusText"},
		"mailbox of no form":       {object{"forwardingHistory": list{forwarding(object{"mailboxSupplier": "984661185"})}}, "ForwardingHistory[0].MailboxSupplier"},
		"note too long":            {object{"forwardingHistory": list{forwarding(nil), forwarding(object{"forwardingText": long(4001)})}}, "ForwardingHistory[1].ForwardingText"},
		"id of a wrong type":       {object{"altinn2CorrespondenceId": "many"}, "$.altinn2CorrespondenceId"},
		"id of 64 bits":            {object{"altinn2CorrespondenceId": int64(1) << 40}, "$.altinn2CorrespondenceId"},
		"null id":                  {object{"altinn2CorrespondenceId": nil}, "$.altinn2CorrespondenceId"},
		"missing id":               {object{"altinn2CorrespondenceId": gone}, "$"},
		"missing resource":         {object{"correspondence.resourceId": gone}, "$.correspondenceData.correspondence"},
		"missing title":            {object{"correspondence.content.messageTitle": gone}, "$.correspondenceData.correspondence.content"},
		"missing party":            {object{"eventHistory": list{object{"status": 4}}}, "$.eventHistory[0]"},
		"unknown status":           {object{"eventHistory": list{event("Opened", "2025-07-01T08:00:00Z", kari)}}, "$.eventHistory[0].status"},
		"attachment that is no id": {object{"data.existingAttachments": list{"SS1"}}, "$.correspondenceData.existingAttachments[0]"},
		"time that is none":        {object{"created": "yesterday"}, "$.created"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			problem := b.post(correspondence.PathMigrate, message(test.changes)).is(400).object()
			assert.Equal(t, "STD-00000", problem["code"])
			assert.Equal(t, "https://tools.ietf.org/html/rfc9110#section-15.5.1", problem["type"])
			errors, _ := problem["errors"].(object)
			assert.NotEmpty(t, errors[test.key], problem)
			assert.Equal(t, strings.ReplaceAll(test.key, ".", "/"), walk(problem, "validationErrors.0.paths.0"))
			assert.Zero(t, b.Correspondence.Len())
		})
	}
}

func reference(kind any, value string) object {
	return object{"referenceType": kind, "referenceValue": value}
}

func forwarding(changes object) object {
	f := object{"forwardedOnDate": "2025-07-02T09:00:00Z", "forwardedByPartyUuid": kari}
	maps.Copy(f, changes)
	return f
}

func TestRefusalsOfTheHandler(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, test := range map[string]struct {
		changes   object
		status    int
		errorCode float64
	}{
		"no content":              {object{"correspondence.content": gone}, 400, 1019},
		"null content":            {object{"correspondence.content": nil}, 400, 1019},
		"blank title":             {object{"correspondence.content.messageTitle": "  "}, 400, 1020},
		"empty title":             {object{"correspondence.content.messageTitle": ""}, 400, 1020},
		"unknown language":        {object{"correspondence.content.language": "se"}, 400, 1023},
		"null language":           {object{"correspondence.content.language": nil}, 500, 0},
		"null summary":            {object{"correspondence.content.messageSummary": nil}, 500, 0},
		"null sender":             {object{"correspondence.sender": nil}, 500, 0},
		"null time of publishing": {object{"correspondence.requestedPublishTime": nil}, 500, 0},
		"no recipient":            {object{"data.recipients": list{}}, 500, 0},
		"unknown attachment":      {object{"data.existingAttachments": list{uuid.NewString()}}, 500, 0},
		"two forwardings at once": {object{"forwardingHistory": list{
			forwarding(object{"forwardedToUserUuid": kari}), forwarding(object{"forwardedToUserUuid": ola}),
		}}, 500, 0},
	} {
		problem := b.post(correspondence.PathMigrate, message(test.changes)).is(test.status).object()
		if test.errorCode != 0 {
			assert.InDelta(t, test.errorCode, problem["errorCode"], 0, name)
		} else {
			assert.Equal(t, "Internal Server Error", problem["title"], name)
			assert.Equal(t, correspondence.PathMigrate, problem["instance"], name)
		}
	}
	assert.Zero(t, b.Correspondence.Len())
	b.post(correspondence.PathMigrate, "{").is(400)
	b.post(correspondence.PathMigrate, "").is(400)
	r, err := b.send(http.MethodPost, correspondence.PathMigrate, "text/plain", strings.NewReader("{}"))
	require.NoError(t, err)
	r.is(http.StatusUnsupportedMediaType)
}

func TestFirstLoad(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file("SS1")
	body := message(object{
		"data.recipients": list{strings.ToUpper(companyURN), "urn:altinn:person:identifier-no:1"}, "data.existingAttachments": list{file},
		"correspondence.content.language": "NB", "unknown": object{}, "correspondence.published": "2020-01-01T00:00:00Z",
		"eventHistory": list{
			event("Initialized", "2025-06-30T10:06:09.487+02:00", nobody), event(2, "2025-06-30T11:00:00Z", senderUUID),
			event("2", "2025-06-30T10:00:00Z", senderUUID),
			// The first of equal ones stays; instants are cut to seconds, not compared by distance.
			event(4, "2025-07-01T08:00:00.001Z", kari), event(4, "2025-07-01T08:00:00.999Z", kari), event(4, "2025-07-01T08:00:01Z", kari),
			event(4, "2025-07-01T08:00:00.5Z", ola), event(13, "2025-07-02T08:00:00Z", kari), event("purgedByAltinn", "2025-07-03T08:00:00Z", senderUUID),
		},
	})
	// Names may have any case, but for none.
	body["CorrespondenceDATA"] = body["correspondenceData"]
	delete(body, "correspondenceData")
	answer := b.post(correspondence.PathMigrate, body).is(200).object()
	item := b.item()
	assert.Equal(t, item.ID.String(), answer["correspondenceId"])
	assert.EqualValues(t, 7, item.ID.Version())
	assert.Equal(t, list{object{"attachmentId": file, "status": "Initialized"}}, answer["attachmentStatuses"])
	dialog, there := answer["dialogId"]
	assert.True(t, there && dialog == nil)
	assert.True(t, item.Hidden)
	assert.Equal(t, companyURN, item.Recipient)
	assert.Equal(t, "NB", item.Language)
	assert.Equal(t, time.Date(2025, 6, 30, 11, 0, 0, 0, time.UTC), item.PublishedColumn, "the first in the list")
	require.Len(t, item.Statuses, 6)
	assert.Equal(t, time.Date(2025, 7, 1, 8, 0, 0, 1_000_000, time.UTC), item.Statuses[3].At)
	// Deletions become delete events. A hard one is no purge here, so that the item would get a dialog.
	require.Len(t, item.DeleteEvents, 2)
	assert.Equal(t, correspondence.DeleteSoft, item.DeleteEvents[0].Kind)
	assert.Equal(t, correspondence.DeleteHardByOwner, item.DeleteEvents[1].Kind)
	assert.False(t, item.Purged())
	assert.Empty(t, b.calls(altinnsim.ServiceDialogporten))
	status := b.available(object{"correspondenceId": item.ID})[0]
	assert.Equal(t, true, status["ok"])
	assert.NotEmpty(t, status["dialogId"])
}

// 0 is an Altinn 2 id like any other.
func TestIDsOfZero(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := message(object{
		"altinn2CorrespondenceId": 0, "notificationHistory": list{notification(object{"altinn2NotificationId": 0})},
		"eventHistory": list{published("2025-06-30T10:06:09.487Z"), event(9, eight, kari)},
	})
	first := b.post(correspondence.PathMigrate, body).is(200).object()
	again := b.post(correspondence.PathMigrate, body).is(200).object()
	assert.Equal(t, first["correspondenceId"], again["correspondenceId"])
	assert.Nil(t, again["attachmentStatuses"])
	assert.Equal(t, 1, b.Correspondence.Len())
	item, ok := b.Correspondence.Item(0)
	require.True(t, ok)
	assert.Len(t, item.Notifications, 1)
	batch := b.available(object{"batchSize": 1, "createdTo": "2026-01-01T00:00:00Z"})
	require.Len(t, batch, 1)
	document, ok := b.Dialogporten.Dialog(uuid.MustParse(fmt.Sprint(batch[0]["dialogId"])))
	require.True(t, ok)
	assert.Contains(t, string(document), `"systemLabel":"Archive"`)
	assert.Contains(t, string(document), "Varsel om mottatt melding")
	assert.EqualValues(t, 0, b.get(correspondence.Prefix + "/correspondence/" + item.ID.String()).is(200).object()["altinn2CorrespondenceId"])
}

// A mailbox may be the empty text, which is none.
func TestEmptyMailbox(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	item := b.migrate(object{"forwardingHistory": list{forwarding(object{"mailboxSupplier": ""})}})
	require.Len(t, item.Forwardings, 1)
	assert.Empty(t, *item.Forwardings[0].MailboxSupplier)
	b.available(object{"correspondenceId": item.ID})
	assert.Empty(t, b.created()["activities"])
}

func TestRemigrate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.migrate(nil)
	changes := object{
		"makeAvailable": true, "correspondence.content.messageTitle": "Ny tittel",
		"eventHistory": list{
			event(2, "2025-06-30T10:06:09.999Z", senderUUID), event(2, "2025-06-30T10:06:10Z", senderUUID), event(3, "2025-07-01T08:00:00Z", kari),
			event(9, "2025-07-01T08:00:00Z", kari),
		},
		"notificationHistory": list{notification(nil)}, "forwardingHistory": list{forwarding(object{"forwardedToEmail": "a@example.no"})},
	}
	answer := b.post(correspondence.PathMigrate, message(changes)).is(200).object()
	assert.Equal(t, first.ID.String(), answer["correspondenceId"])
	assert.Nil(t, answer["attachmentStatuses"])
	assert.Nil(t, answer["dialogId"])
	b.idle()
	item := b.item()
	assert.True(t, item.Hidden, "makeAvailable is not honoured")
	assert.Equal(t, "Tittel", item.Title)
	require.Len(t, item.Statuses, 5)
	assert.Equal(t, "Remigrate event Published from Altinn 2", item.Statuses[2].Text)
	assert.Equal(t, correspondence.Fetched, item.Statuses[3].Kind, "all kinds are taken")
	assert.Equal(t, now(), item.Statuses[3].Synced)
	assert.Len(t, item.Notifications, 1)
	assert.Len(t, item.Forwardings, 1)
	assert.Empty(t, b.calls(altinnsim.ServiceDialogporten), "the item is hidden")
	assert.Empty(t, b.calls(altinnsim.ServiceEvents))
}

func notification(changes object) object {
	n := object{
		"notificationChannel": "Email", "notificationSent": "2025-07-01T09:00:00Z", "altinn2NotificationId": 77,
		"notificationAddress": "post@example.no", "isReminder": false,
	}
	maps.Copy(n, changes)
	return n
}

func TestLive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Correspondence.Hold()
	answer := b.post(correspondence.PathMigrate, message(object{"makeAvailable": true})).is(200).object()
	assert.Empty(t, answer["dialogId"])
	assert.NotNil(t, answer["dialogId"], "no failure, unlike in the make-available call")
	assert.Empty(t, b.calls(altinnsim.ServiceDialogporten), "the job runs later")
	b.Correspondence.Release()
	b.idle()
	creations := b.calls(altinnsim.ServiceDialogporten)
	require.Len(t, creations, 1)
	assert.Empty(t, creations[0].Query, "events are wanted")
	assert.False(t, b.item().Hidden)
	assert.Empty(t, b.calls(altinnsim.ServiceEvents), "there is a Published event")
	require.Len(t, b.calls(altinnsim.ServiceBridge), 1)
	assert.JSONEq(t, `{"partyId":51843981}`, string(b.calls(altinnsim.ServiceBridge)[0].Body))
	// A recipient is registered once.
	b.post(correspondence.PathMigrate, message(object{"makeAvailable": true, "altinn2CorrespondenceId": 5})).is(200)
	b.idle()
	assert.Len(t, b.Altinn2.Bridge.CallBacks(), 1)
}

func TestPublishAfterLive(t *testing.T) {
	t.Parallel()
	const unpublished = "2025-06-30T10:06:09.487Z"
	for name, test := range map[string]struct {
		changes object
		rules   []faults.Rule
		before  func(*bench)
		events  []string
		calls   []string
		status  correspondence.StatusKind
	}{
		"published": {
			events: []string{"correspondencepublished", "correspondencepublished"}, calls: []string{"POST dialogs"}, status: correspondence.Published,
		},
		"unknown recipient": {
			changes: object{"data.recipients": list{"urn:altinn:organization:identifier-no:310017906"}},
			before:  func(b *bench) { b.Register.Withhold(54000179) },
			events:  []string{"correspondencepublishfailed"}, calls: []string{"POST dialogs", "POST purge"}, status: correspondence.Failed,
		},
		// A refused creation is a job that succeeded, so that publishing is tried.
		"refused": {
			rules:  []faults.Rule{{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectStatus, Status: 400}},
			events: []string{"correspondencepublishfailed"}, calls: []string{"POST dialogs"}, status: correspondence.Failed,
		},
		"reserved": {
			changes: object{"data.recipients": list{kariURN}}, before: func(b *bench) { b.Correspondence.Reserve("05887510026") },
			events: []string{"correspondencepublishfailed"}, calls: []string{"POST dialogs", "POST purge"}, status: correspondence.Failed,
		},
		"reserved and ignored": {
			changes: object{"data.recipients": list{kariURN}, "correspondence.ignoreReservation": true},
			before:  func(b *bench) { b.Correspondence.Reserve("05887510026") },
			events:  []string{"correspondencepublished", "correspondencepublished"}, calls: []string{"POST dialogs"}, status: correspondence.Published,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if test.before != nil {
				test.before(b)
			}
			b.fault(test.rules...)
			changes := object{"makeAvailable": true, "eventHistory": list{event(0, unpublished, nobody)}}
			maps.Copy(changes, test.changes)
			b.migrate(changes)
			b.idle()
			var events []string
			for _, e := range b.calls(altinnsim.ServiceEvents) {
				events = append(events, strings.TrimPrefix(fmt.Sprint(bodyOf(t, e)["type"]), "no.altinn.correspondence."))
			}
			assert.Equal(t, test.events, events)
			assert.Equal(t, test.calls, b.told())
			item := b.item()
			assert.Equal(t, test.status, item.Statuses[len(item.Statuses)-1].Kind)
			if test.status == correspondence.Failed {
				_, refers := item.DialogID()
				assert.False(t, refers)
			}
			assert.Empty(t, b.calls(altinnsim.ServiceBridge))
		})
	}
}

func TestPublishWaitsForItsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.migrate(object{
		"makeAvailable": true, "eventHistory": list{event(0, "2025-06-30T10:06:09.487Z", nobody)},
		"correspondence.requestedPublishTime": "2026-01-16T12:00:00Z",
	})
	b.idle()
	assert.Empty(t, b.calls(altinnsim.ServiceEvents))
	assert.Equal(t, 1, b.Correspondence.Jobs().Scheduled)
	assert.Equal(t, 1, b.Correspondence.RunScheduled())
	b.idle()
	assert.Len(t, b.calls(altinnsim.ServiceEvents), 2)
}
