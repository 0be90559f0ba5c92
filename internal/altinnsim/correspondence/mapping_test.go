package correspondence_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
)

func TestDialogID(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 30, 10, 6, 9, 487_999_999, time.UTC)
	v4, v7 := uuid.MustParse("0b1c2d3e-4f50-4a61-8b72-93a4b5c6d7e8"), uuid.MustParse(itemID)
	assert.Equal(t, "0197c04d-204f-7dcf-ad56-ea7199b09d92", correspondence.DialogID(v4, at, now()).String(), "milliseconds are cut down")
	assert.Equal(t, dialogID, correspondence.DialogID(v7, at, now()).String())
	ahead := now().Add(15 * time.Second)
	assert.NotEqual(t, correspondence.DialogID(v4, ahead, now()), correspondence.DialogID(v4, now(), now()), "15 seconds are let pass")
	assert.Equal(t, correspondence.DialogID(v4, ahead.Add(time.Millisecond), now()), correspondence.DialogID(v4, now(), now()))
	assert.True(t, strings.HasPrefix(correspondence.DialogID(v4, time.Time{}, now()).String(), "00000000-0000-7"), "never below 0")
}

// TestMapping makes items available and looks at members of the dialog that was posted.
func TestMapping(t *testing.T) {
	t.Parallel()
	status := func(kind any, at, party string) object {
		return object{"status": kind, "at": at, "partyUuid": party}
	}
	deletion := func(kind, at string) object { return object{"type": kind, "at": at, "partyUuid": kari} }
	file := func(n int, name, shown any, size int64) object {
		return object{"attachmentId": fmt.Sprintf("a1c2d3e4-000%d-4a61-8b72-93a4b5c6d701", n), "fileName": name, "displayName": shown, "size": size}
	}
	forwarded := func(at string, changes object) object {
		f := object{"forwardedOnDate": at, "forwardedByPartyUuid": kari}
		maps.Copy(f, changes)
		return f
	}
	const published, yearOne = "2025-06-30T10:06:09.487Z", "0001-01-01T00:00:00Z"
	for name, test := range map[string]struct {
		item object
		want object
	}{
		"plain": {object{"created": published}, object{
			"id": dialogID, "createdAt": published, "updatedAt": published, "visibleFrom": nil, "dueAt": nil, "expiresAt": nil, "process": nil,
			"precedingProcess": nil, "progress": nil, "extendedStatus": nil, "externalReference": "ref", "status": "NotApplicable",
			"systemLabel": "Default", "party": companyURN, "serviceResource": "urn:altinn:resource:skd-migratedcorrespondence-3476-130314",
			"content.summary": nil, "content.senderName": nil, "content.additionalInfo": nil, "transmissions": list{}, "activities": list{},
			"attachments": list{}, "searchTags": list{}, "content.title.value": list{object{"value": "Tilbakemelding", "languageCode": "nb"}},
			"content.mainContentReference.mediaType":     "application/vnd.dialogporten.frontchannelembed+json;type=markdown",
			"content.mainContentReference.value.0.value": "https://platform.altinn.no/correspondence/api/v1/correspondence/" + itemID + "/content",
			"serviceOwnerContext.serviceOwnerLabels":     list{object{"value": "urn:altinn:correspondence-id:" + itemID}},
			"apiActions.0.endpoints.0.url":               "https://platform.altinn.no/correspondence/api/v1/correspondence/" + itemID,
			"apiActions.1.name":                          "purgeCorrespondence",
			"guiActions.0.isDeleteDialogAction":          true,
			"guiActions.1":                               nil,
			"apiActions.2":                               nil,
		}},
		"created after published": {object{"created": "2025-07-01T00:00:00Z", "statuses": list{
			status(2, "2025-06-30T12:00:00Z", senderUUID), status(2, "2025-06-30T11:00:00Z", senderUUID),
		}}, object{"createdAt": "2025-06-30T11:00:00Z", "updatedAt": "2025-06-30T11:00:00Z"}},
		"never published": {object{"created": published, "statuses": list{status(0, published, nobody)}}, object{"createdAt": published, "updatedAt": nil}},
		"published ahead": {
			object{"created": published, "statuses": list{status(2, "2026-01-15T12:00:01Z", senderUUID)}},
			object{"createdAt": published, "updatedAt": "2026-01-15T12:00:00Z"},
		},
		"visible a minute ahead":         {object{"created": published, "requestedPublishTime": "2026-01-15T12:01:00Z"}, object{"visibleFrom": "2026-01-15T12:01:00Z"}},
		"visible in less than a minute":  {object{"created": published, "requestedPublishTime": "2026-01-15T12:00:59.999Z"}, object{"visibleFrom": nil}},
		"due now":                        {object{"dueDateTime": "2026-01-15T12:00:00Z"}, object{"dueAt": "2026-01-15T12:00:00Z"}},
		"due a moment ago":               {object{"dueDateTime": "2026-01-15T11:59:59.999Z"}, object{"dueAt": nil}},
		"person as bare digits":          {object{"recipient": "05887510026"}, object{"party": kariURN}},
		"organisation with country code": {object{"recipient": "0192:313414450"}, object{"party": companyURN}},
		"organisation as bare digits":    {object{"recipient": "313414450"}, object{"party": companyURN}},
		"self-identified": {
			object{"recipient": "urn:altinn:party:uuid:" + selfMade},
			object{"party": "urn:altinn:person:legacy-selfidentified:per%20hansen%2B%C3%A5"},
		},
		"process": {
			object{"externalReferences": list{reference(0, "x"), reference(4, "urn:process:1"), reference("DialogportenProcessId", "urn:process:2")}},
			object{"process": "urn:process:1"},
		},
		"tags": {object{"propertyList": object{
			"a": " to ", "b": "tre ", "c": "  ", "d": "tre", "e": strings.Repeat("å", 62) + "😀", "f": strings.Repeat("x", 64),
		}}, object{"searchTags": list{object{"value": "tre"}, object{"value": strings.Repeat("å", 62)}, object{"value": strings.Repeat("x", 63)}}}},
		"sender and summary": {object{"messageSender": "Etaten", "summary": "**A** & B", "language": "EN"}, object{
			"content.senderName.value":                          list{object{"value": "Etaten", "languageCode": "EN"}},
			"content.summary.value.0.value":                     "A &amp; B",
			"content.title.value.0.languageCode":                "EN",
			"content.mainContentReference.value.0.languageCode": "EN",
		}},
		"blank sender, summary of mark-up": {object{"messageSender": " ", "summary": "<p> </p>"}, object{"content.senderName": nil, "content.summary": nil}},
		"confirmation open": {object{"isConfirmationNeeded": true}, object{
			"status": "RequiresAttention", "apiActions.2.name": "confirmCorrespondence", "guiActions.0.priority": "Primary",
			"guiActions.0.httpMethod": "POST", "guiActions.1.priority": "Tertiary",
		}},
		"confirmed": {object{"isConfirmationNeeded": true, "statuses": list{
			status(6, ten, kari), status(6, nine, ola), status(4, nine, kari), status(4, eight, ola),
		}}, object{
			"status": "NotApplicable", "apiActions.2.name": "confirmCorrespondence", "guiActions.0.isDeleteDialogAction": true,
			"activities.0.type": "CorrespondenceOpened", "activities.0.performedBy.actorId": "urn:altinn:person:identifier-no:17838210090",
			"activities.0.createdAt": eight, "activities.0.description": list{}, "activities.1.type": "CorrespondenceConfirmed",
			"activities.1.createdAt": nine, "activities.2": nil,
		}},
		"confirmed without being asked": {object{"statuses": list{status(6, nine, stranger)}}, object{"activities": list{}}},
		"three replies": {object{"replyOptions": list{
			object{"linkURL": "https://example.no/1", "linkText": "En"}, object{"linkURL": "https://example.no/2"}, object{"linkURL": "https://example.no/3"},
		}}, object{
			"guiActions.0.title.2.value": "En", "guiActions.1.title.0.value": "Gå til tjeneste", "guiActions.1.title.1.value": "Gå til teneste",
			"guiActions.2.title.2.value": "Go to service", "guiActions.3.title.2.value": "Purge",
		}},
		"four replies": {object{"replyOptions": list{
			object{"linkURL": "https://example.no/1"},
			object{"linkURL": "https://example.no/2"},
			object{"linkURL": "https://example.no/3"},
			object{"linkURL": "https://example.no/4"},
		}}, object{"guiActions.0.isDeleteDialogAction": true, "guiActions.1": nil}},
		"one attachment": {object{"attachments": list{file(1, "a.PDF", nil, 5)}}, object{
			"attachments.0.displayName": list{object{"value": "a.PDF", "languageCode": "nb"}}, "attachments.0.urls.0.mediaType": "application/pdf",
			"attachments.0.urls.0.consumerType": "Gui", "attachments.1": nil, "apiActions.2.name": "downloadCorrespondenceAttachment",
			"apiActions.2.endpoints.0.url": "https://platform.altinn.no/correspondence/api/v1/correspondence/" + itemID +
				"/attachment/a1c2d3e4-0001-4a61-8b72-93a4b5c6d701/download",
		}},
		"two attachments": {object{"attachments": list{file(1, "a.dicom", "A", 5), file(2, "b", "B", 5)}}, object{
			"attachments.0.displayName.0.value": "Alle vedlegg", "attachments.0.displayName.2.value": "All attachments",
			"attachments.0.urls.0.mediaType": "application/zip", "attachments.1.urls.0.mediaType": "DICOM", "attachments.2.urls.0.mediaType": nil,
			"attachments.3": nil,
		}},
		"too large for one": {object{"attachments": list{file(1, "a.txt", "A", 1_999_999_999), file(2, "b.gif", "B", 1)}}, object{
			"attachments.0.displayName.0.value": "A", "attachments.1.urls.0.mediaType": "GIF", "attachments.2": nil,
		}},
		"archived": {object{"statuses": list{status(9, eight, kari)}}, object{"systemLabel": "Archive", "activities": list{}}},
		"in the trash": {object{"statuses": list{status(9, eight, kari)}, "deleteEvents": list{
			deletion("SoftDeletedByRecipient", ten), deletion("RestoredByRecipient", nine), deletion("SoftDeletedByRecipient", eight),
		}}, object{"systemLabel": "Bin"}},
		"in the trash since year 1":           {object{"deleteEvents": list{deletion("SoftDeletedByRecipient", yearOne)}}, object{"systemLabel": "Bin"}},
		"out of the trash at once, in year 1": {object{"deleteEvents": list{deletion("SoftDeletedByRecipient", yearOne), deletion("RestoredByRecipient", yearOne)}}, object{"systemLabel": "Default"}},
		"out of the trash at once": {
			object{"deleteEvents": list{deletion("SoftDeletedByRecipient", ten), deletion("RestoredByRecipient", ten)}},
			object{"systemLabel": "Default"},
		},
		"deleted for good at the first load": {object{"deleteEvents": list{deletion("HardDeletedByRecipient", ten)}}, object{"systemLabel": "Default"}},
		"notifications": {object{"notifications": list{
			object{"altinn2NotificationId": 2, "channel": "EmailPreferred", "address": "b", "sentAt": nine, "isReminder": true},
			object{"altinn2NotificationId": 1, "channel": 0, "address": "a@example.no", "sentAt": eight},
			object{"altinn2NotificationId": nil, "channel": 0, "address": "native", "sentAt": eight},
		}}, object{
			"activities.0.description.1.value": "Varsel om mottatt melding sendt til a@example.no på e-post.",
			"activities.1.description.0.value": "Revarsel om mottatt melding sendt til b på SMS.",
			"activities.1.description.2.value": "Reminder notification about received message sent to b on SMS.",
			"activities.0.performedBy":         object{"actorType": "ServiceOwner", "actorId": nil, "actorName": nil}, "activities.2": nil,
		}},
		"forwardings": {object{"forwardings": list{
			forwarded(ten, object{"mailboxSupplier": "URN:altinn:organization:identifier-no:996460320"}),
			forwarded(nine, object{"forwardedToEmail": "a@example.no", "mailboxSupplier": "urn:altinn:organization:identifier-no:984661185", "forwardingText": " "}),
			forwarded(eight, object{"forwardedToUserUuid": kari, "forwardedToEmail": "a@example.no", "forwardingText": "Hei"}),
			forwarded(eight, object{"mailboxSupplier": "0192:984661185"}), forwarded(eight, nil),
			forwarded(eight, object{"forwardedByPartyUuid": stranger, "forwardedToEmail": "a@example.no"}),
		}}, object{
			"activities.0.description.0.value": `delte "Tilbakemelding" med Kari Testperson og skrev: "Hei"`,
			"activities.0.description.2.value": `shared "Tilbakemelding" with Kari Testperson with note: "Hei"`,
			"activities.1.description.1.value": `videresendte "Tilbakemelding" til a@example.no`,
			"activities.1.description.2.value": `forwarded "Tilbakemelding" to a@example.no`,
			"activities.2.description.0.value": `sendte "Tilbakemelding" til e-Boks`, "activities.2.description.2.value": `sent "Tilbakemelding" to e-Boks`,
			"activities.3": nil, "activities.0.type": "Information", "activities.0.performedBy.actorId": kariURN,
		}},
		"born in Altinn 3": {object{
			"altinn2CorrespondenceId": nil, "statuses": list{status(9, eight, kari), status(4, eight, kari)}, "dueDateTime": "2025-01-01T00:00:00Z",
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put(test.item)
			b.available(object{"correspondenceId": itemID})
			if test.want == nil {
				document, ok := b.Dialogporten.Dialog(uuid.MustParse(dialogID))
				require.True(t, ok)
				assert.Contains(t, string(document), `"systemLabel":"Default"`)
				assert.Contains(t, string(document), `"dueAt":"2025-01-01T00:00:00.0000000Z"`)
				assert.NotContains(t, string(document), "CorrespondenceOpened")
				return
			}
			body := b.created()
			for path, want := range test.want {
				assert.Equal(t, want, walk(body, path), path)
			}
		})
	}
}

// What has no value is null, but for the media type of an attachment whose extension is not known.
func TestMembersWithoutAValue(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(object{"attachments": list{object{"attachmentId": "a1c2d3e4-0001-4a61-8b72-93a4b5c6d701", "fileName": "SS1.dat"}}})
	b.available(object{"correspondenceId": itemID})
	assert.NotContains(t, walk(b.created(), "attachments.0.urls.0"), "mediaType")
	for path, names := range map[string][]string{
		"apiActions.0":             {"id", "authorizationAttribute"},
		"apiActions.0.endpoints.0": {"id", "version", "documentationUrl", "requestSchema", "responseSchema", "sunsetAt"},
		"guiActions.0":             {"id", "authorizationAttribute", "prompt"},
	} {
		for _, name := range names {
			value, there := walk(b.created(), path).(object)[name]
			assert.True(t, there && value == nil, "%s.%s", path, name)
		}
	}
	assert.Equal(t, false, walk(b.created(), "apiActions.0.endpoints.0.deprecated"))
}

func TestAttachmentIDsRise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(object{"attachments": list{b.file("SS1"), b.file("SS2"), b.file("SS3")}})
	b.available(object{"correspondenceId": itemID})
	files, _ := b.created()["attachments"].(list)
	require.Len(t, files, 4)
	last := ""
	for n, f := range files {
		id := fmt.Sprint(walk(f, "id"))
		assert.Less(t, last, id)
		sec, nsec := uuid.MustParse(id).Time().UnixTime()
		assert.Equal(t, now().UnixMilli()+int64(n), time.Unix(sec, nsec).UnixMilli())
		last = id
	}
}
