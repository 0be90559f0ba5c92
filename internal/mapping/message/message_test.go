package message_test

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alter func(*altinn2.Message)
		want  string
	}{
		"plain":         {func(*altinn2.Message) {}, ""},
		"purged":        {func(m *altinn2.Message) { m.Deletion = altinn2.Purged }, message.ReasonPurged},
		"in the trash":  {func(m *altinn2.Message) { m.Deletion = altinn2.SoftDeleted }, ""},
		"deceased":      {func(m *altinn2.Message) { m.Recipient.Deceased = true }, message.ReasonDeceased},
		"purge event":   {func(m *altinn2.Message) { m.Events = append(m.Events, event(altinn2.EventPurgedByRecipient, created)) }, message.ReasonPurged},
		"archived":      {func(m *altinn2.Message) { m.Events = append(m.Events, event(altinn2.EventArchived, created)) }, ""},
		"purge of dead": {func(m *altinn2.Message) { m.Recipient.Deceased, m.Deletion = true, altinn2.Purged }, message.ReasonPurged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, message.Select(plain(test.alter)))
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for reason, alter := range map[string]func(*altinn2.Message){
		message.ReasonSenderMissing:    func(m *altinn2.Message) { m.Sender.OrgNumber = "" },
		message.ReasonRecipientUnknown: func(m *altinn2.Message) { m.Recipient.OrgNumber = "31341445" },
		message.ReasonResourceMissing:  func(m *altinn2.Message) { m.ResourceID, m.ServiceOwnerCode = "", "skd" },
		message.ReasonCreatedMissing:   func(m *altinn2.Message) { m.Created = time.Time{} },
		message.ReasonEventUnknown:     func(m *altinn2.Message) { m.Events = append(m.Events, event("moved", created)) },
		message.ReasonChannelUnknown: func(m *altinn2.Message) {
			m.Notifications = []altinn2.Notification{{ID: 1, Channel: "Email", SentAt: created}}
		},
	} {
		_, err := message.Make(message.Input{Message: plain(alter), Now: now})
		var fault *message.Error
		require.ErrorAs(t, err, &fault)
		assert.Equal(t, reason, fault.Reason)
	}
	_, err := message.Since(plain(func(m *altinn2.Message) { m.Deletion = altinn2.Purged }), nil, now)
	require.ErrorContains(t, err, message.ReasonPurgeUntold)
}

func TestPrepared(t *testing.T) {
	t.Parallel()
	body, warnings := make1(t, plain(func(m *altinn2.Message) {
		require.NoError(t, json.Unmarshal([]byte(`{"resourceId":null,"serviceOwnerCode":"SKD","serviceCode":"3476","serviceEditionCode":130314}`), m))
		m.Content.Language, m.SendersReference, m.MessageSender, m.Content.Body = "NN", " ", "", "a\x00b"
	}))
	c := body.CorrespondenceData.Correspondence
	assert.Equal(t, "skd-migratedcorrespondence-3476-130314", c.ResourceID)
	assert.Equal(t, "nn", c.Content.Language)
	assert.Equal(t, "AR20699019", c.SendersReference)
	assert.Nil(t, c.MessageSender)
	assert.Equal(t, "ab", c.Content.MessageBody)
	assert.Equal(t, []message.Warning{message.WarnReferenceMade}, warnings)

	body, _ = make1(t, plain(func(m *altinn2.Message) {
		m.SendersReference, m.ArchiveUnitReference, m.Content.Language = "", "", "no"
	}))
	assert.Equal(t, "30088189", body.CorrespondenceData.Correspondence.SendersReference)
	assert.Equal(t, "nb", body.CorrespondenceData.Correspondence.Content.Language)
	assert.Equal(t, correspondence.Properties{}, body.CorrespondenceData.Correspondence.PropertyList)
}

func TestAtMostTenProperties(t *testing.T) {
	t.Parallel()
	body, warnings := make1(t, plain(func(m *altinn2.Message) {
		require.NoError(t, json.Unmarshal([]byte(`{"z":"1aa","y":"2aa","x":"3aa","w":"4aa","v":"5aa","u":"6aa","t":"7aa","s":"8aa","r":"9aa","q":"0aa","altinn2archiveunitreference":"AR1"}`), &m.Properties))
	}))
	list := body.CorrespondenceData.Correspondence.PropertyList
	require.Len(t, list, 10)
	assert.Equal(t, "Altinn2ArchiveUnitReference", list[0].Key)
	assert.Equal(t, "z", list[1].Key, "in the order of the source")
	assert.Equal(t, "r", list[9].Key)
	assert.Contains(t, warnings, message.WarnPropertyDropped)
	raw, err := json.Marshal(list[:3])
	require.NoError(t, err)
	assert.JSONEq(t, `{"Altinn2ArchiveUnitReference":"AR20699019","z":"1aa","y":"2aa"}`, string(raw))
}

func TestUpload(t *testing.T) {
	t.Parallel()
	told, _, err := message.Upload(plain(), &altinn2.Attachment{ID: "SS1", FileName: long(300) + ".pdf", DisplayName: " ", MD5: "0CC175B9C0F1B6A831C399E269772661"})
	require.NoError(t, err)
	assert.Equal(t, correspondence.Attachment{
		ResourceID: "skd-migratedcorrespondence-3476-130314", Sender: "urn:altinn:organization:identifier-no:974761076", SenderPartyUUID: sender,
		Altinn2AttachmentID: "SS1", FileName: long(251) + ".pdf", Checksum: "0cc175b9c0f1b6a831c399e269772661", Created: created,
	}, told)
	told, warnings, err := message.Upload(plain(), &altinn2.Attachment{ID: "SS1"})
	require.NoError(t, err)
	assert.Equal(t, "SS1", told.DisplayName, "a file without any name would have its dialog refused")
	assert.Equal(t, []message.Warning{message.WarnNameMade}, warnings)
}

func TestNewsAreOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	m := plain(func(m *altinn2.Message) { m.Events = append(m.Events, event(altinn2.EventRead, created)) })
	body, _ := make1(t, m)
	sent := message.Sent(nil).With(message.Told(body))
	assert.Equal(t, 3, sent.Len())
	m.Events = append(m.Events,
		event(altinn2.EventRead, created.Add(100*time.Millisecond)), event(altinn2.EventArchived, created), event(altinn2.EventPublished, created.Add(time.Hour)))
	news, err := message.Since(m, sent, now)
	require.NoError(t, err)
	require.Len(t, news.Statuses, 1)
	assert.Equal(t, correspondence.StatusArchived, news.Statuses[0].Status)
	assert.Empty(t, news.Statuses[0].StatusText)
	news, err = message.Since(m, sent.With(news.Known), now)
	require.NoError(t, err)
	assert.True(t, news.IsEmpty())
}

// A user that nobody knows stays unknown, and does not count in whether events are equal (5.4, 5.6).
func TestEventWithoutUser(t *testing.T) {
	t.Parallel()
	m := plain()
	require.NoError(t, json.Unmarshal([]byte(`[{"type":"published","at":"2025-06-30T10:06:09Z","userUuid":null,"partyUuid":"`+sender.String()+`"},
		{"type":"read","at":"2025-06-30T10:06:46Z","partyUuid":"`+reader.String()+`"},
		{"type":"confirmed","at":"2025-06-30T10:06:46Z","userUuid":"`+reader.String()+`","partyUuid":"`+reader.String()+`"}]`), &m.Events))
	body, _ := make1(t, m)
	news, err := message.Since(m, nil, now)
	require.NoError(t, err)
	for _, list := range [][]correspondence.StatusEvent{body.EventHistory[1:], news.Statuses} {
		raw, err := json.Marshal(list)
		require.NoError(t, err)
		var users []struct {
			User *string `json:"eventUserUuid"`
		}
		require.NoError(t, json.Unmarshal(raw, &users))
		require.Len(t, users, 2)
		assert.Nil(t, users[0].User)
		assert.Equal(t, new(reader.String()), users[1].User)
	}

	sent := message.Sent(nil).With(message.Told(body))
	for i := range m.Events {
		m.Events[i].UserUUID = new(uuid.UUID)
	}
	news, err = message.Since(m, sent, now)
	require.NoError(t, err)
	assert.True(t, news.IsEmpty())
}

func TestHeldBackEventsComeLater(t *testing.T) {
	t.Parallel()
	m := plain(func(m *altinn2.Message) {
		m.Events = append(m.Events, event(altinn2.EventRead, now.Add(time.Hour)))
		m.Notifications = []altinn2.Notification{{ID: 1, Channel: altinn2.Email, SentAt: now.Add(time.Minute), Address: "a"}}
	})
	request, err := message.Make(message.Input{Message: m, Now: now})
	require.NoError(t, err)
	assert.Equal(t, now.Add(time.Minute), request.HeldBack)
	news, err := message.Since(m, message.Sent(nil).With(message.Told(request.Body)), now.Add(2*time.Hour))
	require.NoError(t, err)
	assert.Len(t, news.Statuses, 1)
	assert.Len(t, news.Notifications, 1)
	assert.True(t, news.Known.HeldBack.IsZero())
}

// The outcome table of 17.4.
func TestJudge(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	for name, test := range map[string]struct {
		answer correspondence.Availability
		want   message.Verdict
		dialog uuid.UUID
	}{
		"published":        {correspondence.Availability{OK: true, DialogID: new(id.String())}, message.Published, id},
		"refused, empty":   {correspondence.Availability{OK: true, DialogID: new("")}, message.Refused, uuid.Nil},
		"refused, null":    {correspondence.Availability{OK: true}, message.Refused, uuid.Nil},
		"purged":           {correspondence.Availability{ErrorText: new("x is purged and cannot be made available")}, message.PurgedThere, uuid.Nil},
		"unknown":          {correspondence.Availability{ErrorText: new("The requested correspondence was not found")}, message.UnknownThere, uuid.Nil},
		"anything else":    {correspondence.Availability{ErrorText: new("System.Exception")}, message.Later, uuid.Nil},
		"nothing":          {correspondence.Availability{}, message.Later, uuid.Nil},
		"failed, with id?": {correspondence.Availability{DialogID: new(id.String())}, message.Later, uuid.Nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict, dialog := message.Judge(test.answer)
			assert.Equal(t, test.want, verdict)
			assert.Equal(t, test.dialog, dialog)
		})
	}
}

func TestAfterMigrate(t *testing.T) {
	t.Parallel()
	id, none := uuid.New(), []correspondence.AttachmentStatus{}
	for name, test := range map[string]struct {
		answer         correspondence.Migrated
		live, underWay bool
		want           message.Next
	}{
		"history, first":       {correspondence.Migrated{AttachmentStatuses: none}, false, false, message.StayHidden},
		"live, first":          {correspondence.Migrated{AttachmentStatuses: none, DialogID: new("")}, true, false, message.VerifyLater},
		"repeat":               {correspondence.Migrated{}, false, false, message.PublishNow},
		"repeat, live":         {correspondence.Migrated{}, true, false, message.PublishNow},
		"repeat, on its way":   {correspondence.Migrated{}, true, true, message.VerifyLater},
		"with a dialog":        {correspondence.Migrated{AttachmentStatuses: none, DialogID: new(id.String())}, true, false, message.Done},
		"first after a failed": {correspondence.Migrated{AttachmentStatuses: none}, true, true, message.VerifyLater},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, _ := message.AfterMigrate(&test.answer, test.live, test.underWay)
			assert.Equal(t, test.want, next)
		})
	}
}

func TestUntangle(t *testing.T) {
	t.Parallel()
	body := &correspondence.MigrateRequest{
		ForwardingHistory: []correspondence.Forwarding{
			{ForwardedOnDate: created, ForwardedByPartyUUID: reader},
			{ForwardedOnDate: created, ForwardedByPartyUUID: reader, ForwardedToUserID: new(int32(1))},
			{ForwardedOnDate: created, ForwardedByPartyUUID: sender},
		},
		NotificationHistory: []correspondence.Notification{{NotificationSent: created}, {NotificationSent: created, IsReminder: true}},
	}
	made, changed := message.Untangle(body)
	assert.True(t, changed)
	assert.Equal(t, created.Add(time.Millisecond), made.ForwardingHistory[1].ForwardedOnDate)
	assert.Equal(t, created, body.ForwardingHistory[1].ForwardedOnDate, "the request stays as it is")
	assert.Len(t, made.NotificationHistory, 1)
	_, changed = message.Untangle(made)
	assert.False(t, changed)
}

// Whatever a message says, the request keeps to the limits of chapter 5, names no null list, and a repetition has no news.
func TestRequestKeepsTheLimits(t *testing.T) {
	t.Parallel()
	texts := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringOfN(rapid.RuneFrom([]rune("aA &<\"😀å\x00 ")), 0, 700, -1).Draw(t, "text")
	})
	units := func(s string) int { return len(utf16.Encode([]rune(s))) }
	rapid.Check(t, func(t *rapid.T) {
		m := plain()
		m.Content = altinn2.Text{Language: texts.Draw(t, "language"), Title: texts.Draw(t, "title"), Summary: texts.Draw(t, "summary"), Body: "x"}
		m.SendersReference, m.MessageSender, m.ArchiveUnitReference = texts.Draw(t, "reference"), texts.Draw(t, "sender"), texts.Draw(t, "archive")
		for range rapid.IntRange(0, 14).Draw(t, "properties") {
			m.Properties = append(m.Properties, altinn2.Property{Key: texts.Draw(t, "key"), Value: texts.Draw(t, "value")})
		}
		for range rapid.IntRange(0, 4).Draw(t, "events") {
			kind := rapid.SampledFrom([]altinn2.EventType{altinn2.EventRead, altinn2.EventConfirmed, altinn2.EventArchived, altinn2.EventSoftDeleted}).Draw(t, "kind")
			m.Events = append(m.Events, event(kind, created.Add(time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "after")))))
		}
		for range rapid.IntRange(0, 3).Draw(t, "forwardings") {
			m.Forwardings = append(m.Forwardings, altinn2.Forwarding{At: created, ByPartyUUID: reader, ToEmail: texts.Draw(t, "email"), Text: texts.Draw(t, "note")})
		}
		request, err := message.Make(message.Input{Message: m, Now: now})
		require.NoError(t, err)
		c := request.Body.CorrespondenceData.Correspondence
		assert.LessOrEqual(t, units(c.Content.MessageTitle), 255)
		assert.LessOrEqual(t, units(c.Content.MessageSummary), 255)
		assert.LessOrEqual(t, units(c.SendersReference), 255)
		assert.NotEmpty(t, c.SendersReference)
		assert.LessOrEqual(t, len(c.PropertyList), 10)
		raw, err := json.Marshal(request.Body)
		require.NoError(t, err)
		for _, list := range []string{"eventHistory", "notificationHistory", "forwardingHistory", "existingAttachments", "propertyList"} {
			assert.NotContains(t, string(raw), `"`+list+`":null`)
		}
		sent := message.Sent(nil).With(message.Told(request.Body))
		news, err := message.Since(m, sent, now)
		require.NoError(t, err)
		assert.True(t, news.IsEmpty())
		assert.Equal(t, sent, sent.With(news.Known))
	})
}
