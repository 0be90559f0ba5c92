package message_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// The pitfalls of chapter 14 that concern what is sent for one message. Those of single deliveries are tested in package
// delivery/message.

func TestP01NoPublishedEventIsADeadLetter(t *testing.T) {
	t.Parallel()
	m := plain(func(m *altinn2.Message) { m.Events = m.Events[:1] })
	_, err := message.Make(message.Input{Message: m, Now: now})
	var fault *message.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, message.ReasonNotPublished, fault.Reason)

	m.VisibleFrom = now.Add(time.Second)
	_, err = message.Make(message.Input{Message: m, Now: now})
	require.NoError(t, err, "it is to be published yet")
}

func TestP01DatesComeFromTheMessage(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain())
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	var sent map[string]any
	require.NoError(t, json.Unmarshal(raw, &sent))
	assert.Equal(t, "2025-06-30T10:06:09.487Z", sent["created"])
	assert.Equal(t, true, sent["IsMigrating"], "with a capital I")
	assert.NotContains(t, sent, "isMigrating")
	assert.NotContains(t, sent["correspondenceData"], "published", "a member that is ignored over there")
	assert.Equal(t, "Correspondence Published in Altinn 2", body.EventHistory[1].StatusText)
}

func TestP02RefusalsAreForeseen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alter func(*altinn2.Message)
		check func(*testing.T, *correspondence.MigrateRequest)
		warn  message.Warning
	}{
		"reference over 255": {
			func(m *altinn2.Message) { m.SendersReference = long(4096) },
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				assert.Equal(t, long(255), b.CorrespondenceData.Correspondence.SendersReference)
			}, message.WarnReferenceCut,
		},
		"tags that differ in case": {
			func(m *altinn2.Message) {
				m.Properties = altinn2.Properties{{Key: "a", Value: "Skatt"}, {Key: "b", Value: " sKATT "}, {Key: "c", Value: "ar20699019"}}
			},
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				assert.Equal(t, correspondence.Properties{{Key: "Altinn2ArchiveUnitReference", Value: "AR20699019"}, {Key: "a", Value: "Skatt"}},
					b.CorrespondenceData.Correspondence.PropertyList)
			}, message.WarnPropertyDropped,
		},
		"reply address that is not https": {
			func(m *altinn2.Message) {
				m.ReplyOptions = []altinn2.ReplyOption{
					{URL: "http://a.no", Text: "a"}, {URL: "a.no"}, {URL: "https://" + long(1100)}, {URL: "https://b.no/x", Text: " "}, {URL: "HTTPS://c.no", Text: "c"},
				}
			},
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				assert.Equal(t, []correspondence.ReplyOption{{LinkURL: "https://b.no/x"}, {LinkURL: "HTTPS://c.no", LinkText: new("c")}},
					b.CorrespondenceData.Correspondence.ReplyOptions)
			}, message.WarnReplyDropped,
		},
		"over-long note": {
			func(m *altinn2.Message) {
				m.Content.Title = long(255)
				m.Forwardings = []altinn2.Forwarding{{At: created, ByPartyUUID: reader, ToEmail: "a@b.no", Text: long(4000)}}
			},
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				note := *b.ForwardingHistory[0].ForwardingText
				nb := `videresendte "` + long(255) + `" til a@b.no og skrev: "` + note + `"`
				en := `forwarded "` + long(255) + `" to a@b.no with note: "` + note + `"`
				assert.Equal(t, 4095, max(len([]rune(nb)), len([]rune(en))))
			}, message.WarnNoteCut,
		},
		"process that is no URI": {
			func(m *altinn2.Message) {
				m.ExternalReferences = []altinn2.ExternalReference{{Type: 4, Value: "sak 12"}, {Type: 4, Value: "urn:sak:12"}, {Type: 4, Value: "urn:" + strings.Repeat("a", 300)}}
			},
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				assert.Equal(t, []correspondence.ExternalReference{{ReferenceValue: "urn:sak:12", ReferenceType: 4}},
					b.CorrespondenceData.Correspondence.ExternalReferences)
			}, message.WarnReferenceDropped,
		},
		"read ahead of now": {
			func(m *altinn2.Message) { m.Events = append(m.Events, event(altinn2.EventRead, now.Add(time.Minute))) },
			func(t *testing.T, b *correspondence.MigrateRequest) { t.Helper(); assert.Len(t, b.EventHistory, 2) },
			message.WarnHeldBack,
		},
		"summary whose entities lengthen it": {
			func(m *altinn2.Message) { m.Content.Summary = strings.Repeat("&", 255) },
			func(t *testing.T, b *correspondence.MigrateRequest) {
				t.Helper()
				summary := b.CorrespondenceData.Correspondence.Content.MessageSummary
				assert.LessOrEqual(t, len(strings.ReplaceAll(summary, "&", "&amp;")), 512)
				assert.Greater(t, len(summary), 90)
			}, message.WarnSummaryCut,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, warnings := make1(t, plain(test.alter))
			test.check(t, body)
			assert.Contains(t, warnings, test.warn)
		})
	}
}

func TestP02dTrashedIsBroughtOver(t *testing.T) {
	t.Parallel()
	m := plain(func(m *altinn2.Message) {
		m.Deletion = altinn2.SoftDeleted
		m.Events = append(m.Events, event(altinn2.EventSoftDeleted, created.Add(time.Hour)), event(altinn2.EventRestored, created.Add(2*time.Hour)))
	})
	assert.Empty(t, message.Select(m))
	body, _ := make1(t, m)
	assert.Equal(t, correspondence.StatusSoftDeletedByRecipient, body.EventHistory[2].Status)
	assert.Equal(t, correspondence.StatusRestoredByRecipient, body.EventHistory[3].Status)
}

func TestP02eSelfIdentifiedRecipient(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain(func(m *altinn2.Message) {
		m.Recipient = altinn2.Recipient{Kind: altinn2.SelfIdentified, PartyUUID: reader}
	}))
	assert.Equal(t, []string{"urn:altinn:party:uuid:" + reader.String()}, body.CorrespondenceData.Recipients)
}

func TestP05SecondStoreOfTheSameEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, time.July, 1, 8, 0, 0, 0, time.UTC)
	body, _ := make1(t, plain(func(m *altinn2.Message) {
		m.Events = append(m.Events,
			event(altinn2.EventRead, at.Add(999*time.Millisecond)), event(altinn2.EventRead, at.Add(100*time.Millisecond)),
			event(altinn2.EventRead, at.Add(time.Second)), altinn2.Event{Type: altinn2.EventRead, At: at, PartyUUID: sender})
		m.Notifications = []altinn2.Notification{
			{ID: 1, Channel: altinn2.Email, SentAt: at, Address: "a"},
			{ID: 1, Channel: altinn2.Email, SentAt: at.Add(time.Millisecond), Address: "a"},
			{ID: 1, Channel: altinn2.Email, SentAt: at, Address: "a", Reminder: true},
			{ID: 2, Channel: altinn2.Email, SentAt: at, Address: "a"},
			{ID: 1, Channel: altinn2.SMS, SentAt: at, Address: "a"},
			{ID: 1, Channel: altinn2.Email, SentAt: at, Address: "b"},
		}
		m.Forwardings = []altinn2.Forwarding{
			{At: at, ByPartyUUID: reader, ToEmail: "a@b.no"},
			{At: at.Add(time.Millisecond), ByPartyUUID: reader, ToEmail: "c@d.no", Text: "x"},
			{At: at, ByPartyUUID: reader, ToUserID: new(int32(1))},
			{At: at, ByPartyUUID: reader, ToUserUUID: &sender},
			{At: at, ByPartyUUID: sender},
		}
	}))
	require.Len(t, body.EventHistory, 5)
	assert.Equal(t, at.Add(999*time.Millisecond), body.EventHistory[2].StatusChanged, "the first of equal ones stays")
	assert.Equal(t, at.Add(time.Second), body.EventHistory[3].StatusChanged, "cut, not by distance")
	assert.Len(t, body.NotificationHistory, 5)
	assert.Len(t, body.ForwardingHistory, 4)
	assert.Equal(t, "a@b.no", *body.ForwardingHistory[0].ForwardedToEmail)
}

func TestP08TitleOver255(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ title, want string }{
		"255 stay":                    {long(255), long(255)},
		"256 are cut":                 {long(256), long(252) + "..."},
		"no surrogate pair is split":  {long(251) + strings.Repeat("😀", 3), long(251) + "..."},
		"pairs count as two":          {strings.Repeat("😀", 128), strings.Repeat("😀", 126) + "..."},
		"a pair that just fits stays": {long(250) + strings.Repeat("😀", 3), long(250) + "😀..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, _ := make1(t, plain(func(m *altinn2.Message) {
				m.Content.Title, m.Content.Summary, m.MessageSender = test.title, test.title, test.title
			}))
			c := body.CorrespondenceData.Correspondence
			assert.Equal(t, []string{test.want, test.want, test.want}, []string{c.Content.MessageTitle, c.Content.MessageSummary, *c.MessageSender})
		})
	}
}

func TestP10PartyOfTheEvent(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain(func(m *altinn2.Message) { m.Events = append(m.Events, event(altinn2.EventRead, created)) }))
	assert.Equal(t, reader, body.EventHistory[2].EventUserPartyUUID)
}

func TestP16NoDateThatCouldPerishADialog(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain())
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	for _, name := range []string{"allowSystemDeleteAfter", "expires", "notification\"", "isConfidential"} { // P18: no order of notifications
		assert.NotContains(t, string(raw), name)
	}
}

func TestP17ReminderFlagIsKept(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain(func(m *altinn2.Message) {
		m.Notifications = []altinn2.Notification{{ID: 5, Channel: altinn2.SMS, SentAt: created, Address: "99999999", Reminder: true}}
	}))
	assert.Equal(t, []correspondence.Notification{{
		NotificationChannel: 1, NotificationSent: created, Altinn2NotificationID: 5, NotificationAddress: "99999999", IsReminder: true,
	}}, body.NotificationHistory)
}

func TestP20AttachmentsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	a, b := uuid.New(), uuid.New()
	m := plain(func(m *altinn2.Message) {
		m.Attachments = []altinn2.Attachment{{ID: "SS2"}, {ID: "SS1"}, {ID: "SS2"}}
	})
	request, err := message.Make(message.Input{Message: m, Now: now, Attachments: map[string]uuid.UUID{"SS1": a, "SS2": b}})
	require.NoError(t, err)
	assert.Equal(t, []uuid.UUID{b, a}, request.Body.CorrespondenceData.ExistingAttachments)
	assert.Contains(t, request.Warnings, message.WarnAttachmentRepeated)
}

func TestP22ReferenceToADialogIsNotPassedOn(t *testing.T) {
	t.Parallel()
	body, _ := make1(t, plain(func(m *altinn2.Message) {
		m.ExternalReferences = []altinn2.ExternalReference{
			{Type: 3, Value: "x"}, {Type: 5, Value: "y"}, {Type: 0, Value: "z"}, {Type: 6, Value: "nonsense"}, {Type: 6, Value: "alert"},
		}
	}))
	assert.Equal(t, []correspondence.ExternalReference{{ReferenceValue: "z"}, {ReferenceValue: "alert", ReferenceType: 6}},
		body.CorrespondenceData.Correspondence.ExternalReferences)
}

func TestP23And24ForwardingsAndNotificationsAreNews(t *testing.T) {
	t.Parallel()
	m := plain()
	body, _ := make1(t, m)
	sent := message.Sent(nil).With(message.Told(body))
	m.Notifications = []altinn2.Notification{{ID: 5, Channel: altinn2.Email, SentAt: created, Address: "a"}}
	m.Forwardings = []altinn2.Forwarding{{At: created, ByPartyUUID: reader, MailboxSupplierOrgNumber: "984661185"}}
	news, err := message.Since(m, sent, now)
	require.NoError(t, err)
	assert.Empty(t, news.Statuses)
	assert.Len(t, news.Notifications, 1)
	assert.Equal(t, "urn:altinn:organization:identifier-no:984661185", *news.Forwardings[0].MailboxSupplier)
}
