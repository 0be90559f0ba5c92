package message

import (
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// History is what happened to a message, as it is told to Correspondence: no entry twice by the rules of 5.6.
type History struct {
	Statuses      []correspondence.StatusEvent
	Notifications []correspondence.Notification
	Forwardings   []correspondence.Forwarding
	// HeldBack is when the first event happens that lies ahead and was left out; zero: none was. Dialogporten takes no activity of
	// the future (9.11).
	HeldBack time.Time

	warnings warnings
}

// historyOf tells what happened up to now. An error is an *Error.
func historyOf(m *altinn2.Message, now time.Time) (*History, error) {
	h := &History{}
	statuses := make([]correspondence.StatusEvent, 0, len(m.Events))
	for _, event := range m.Events {
		status, known := statusOf(event.Type)
		if !known {
			const unknown = "the message has an event of type %.40q, which this version does not know"
			return nil, &Error{ReasonEventUnknown, fmt.Sprintf(unknown, string(event.Type))}
		}
		if isActivity(status) && h.isAhead(event.At, now) {
			continue
		}
		statuses = append(statuses, correspondence.StatusEvent{
			Status: status, StatusText: statusText(status), StatusChanged: event.At.UTC(),
			EventUserUUID: event.UserUUID, EventUserPartyUUID: event.PartyUUID,
		})
	}
	notifications := make([]correspondence.Notification, 0, len(m.Notifications))
	for _, n := range m.Notifications {
		channel, known := channelOf(n.Channel)
		if !known {
			const unknown = "the message has a notification by the channel %.40q, which this version does not know"
			return nil, &Error{ReasonChannelUnknown, fmt.Sprintf(unknown, string(n.Channel))}
		}
		if !h.isAhead(n.SentAt, now) {
			notifications = append(notifications, correspondence.Notification{
				NotificationChannel: channel, NotificationSent: n.SentAt.UTC(), Altinn2NotificationID: n.ID,
				NotificationAddress: valid(n.Address), IsReminder: n.Reminder,
			})
		}
	}
	title, _ := shorten(valid(m.Content.Title))
	forwardings := make([]correspondence.Forwarding, 0, len(m.Forwardings))
	for i := range m.Forwardings {
		if !h.isAhead(m.Forwardings[i].At, now) {
			forwardings = append(forwardings, forwarding(&m.Forwardings[i], title, &h.warnings))
		}
	}
	h.Statuses = firsts(statuses, keyOfStatus)
	h.Notifications = firsts(notifications, keyOfNotification)
	h.Forwardings = firsts(forwardings, keyOfForwarding)
	return h, nil
}

// isAhead tells whether an event lies ahead, and remembers the first such.
func (h *History) isAhead(at, now time.Time) bool {
	if !at.After(now) {
		return false
	}
	h.warnings.add(WarnHeldBack, true)
	if h.HeldBack.IsZero() || at.Before(h.HeldBack) {
		h.HeldBack = at.UTC()
	}
	return true
}

func isActivity(s correspondence.Status) bool {
	return s == correspondence.StatusRead || s == correspondence.StatusConfirmed
}

func statusOf(t altinn2.EventType) (status correspondence.Status, known bool) {
	switch t {
	case altinn2.EventCreated:
		return correspondence.StatusInitialized, true
	case altinn2.EventPublished:
		return correspondence.StatusPublished, true
	case altinn2.EventRead:
		return correspondence.StatusRead, true
	case altinn2.EventConfirmed:
		return correspondence.StatusConfirmed, true
	case altinn2.EventArchived:
		return correspondence.StatusArchived, true
	case altinn2.EventSoftDeleted:
		return correspondence.StatusSoftDeletedByRecipient, true
	case altinn2.EventRestored:
		return correspondence.StatusRestoredByRecipient, true
	case altinn2.EventPurgedByRecipient:
		return correspondence.StatusPurgedByRecipient, true
	case altinn2.EventPurgedByServiceOwner:
		return correspondence.StatusPurgedByAltinn, true
	default:
		return 0, false
	}
}

// statusText is what was seen on the wire (5.4). That of Published decides what the service does on a first load (5.7).
func statusText(s correspondence.Status) string {
	switch s {
	case correspondence.StatusInitialized:
		return "Correspondence Created in Altinn 2"
	case correspondence.StatusPublished:
		return "Correspondence Published in Altinn 2"
	default:
		return "Migrated event " + s.String() + " from Altinn 2"
	}
}

func channelOf(c altinn2.Channel) (channel correspondence.Channel, known bool) {
	switch c {
	case altinn2.Email:
		return correspondence.ChannelEmail, true
	case altinn2.SMS:
		return correspondence.ChannelSMS, true
	default:
		return 0, false
	}
}
