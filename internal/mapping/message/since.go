package message

import (
	"time"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// News is what is new about a message that was brought over before: what goes out, and what counts as told.
type News struct {
	// Statuses, Notifications and Forwardings go out, each list in one call, in this order (17.9); an empty one makes no call.
	Statuses      []correspondence.StatusEvent
	Notifications []correspondence.Notification
	Forwardings   []correspondence.Forwarding
	// Known is all that happened up to now.
	Known *History
	// Purged: the message is permanently deleted.
	Purged bool
	// Undated: what was told does not date a dialog that is yet to be made, since it has no Published event, or not the earliest (9.4). That
	// goes out only by the migrate call again, which takes all statuses (5.8, 7.2).
	Undated bool
}

// IsEmpty tells whether nothing goes out.
func (n *News) IsEmpty() bool {
	return len(n.Statuses)+len(n.Notifications)+len(n.Forwardings) == 0
}

// Since tells what is new about a message of which sent was sent before (17.9). What its first load said of text, dates and files
// stays as it is. An error is an *Error.
func Since(m *altinn2.Message, sent Sent, now time.Time) (*News, error) {
	if m.Deletion == altinn2.Purged && !hasPurgeEvent(m) {
		// A purge cannot be undone: it is passed on only as what happened, with time and party (Invariant 11).
		return nil, &Error{ReasonPurgeUntold, "the message is purged, but its events do not say by whom: see to the events in Altinn 2"}
	}
	known, err := historyOf(m, now)
	if err != nil {
		return nil, err
	}
	news := &News{Known: known, Purged: IsPurged(m), Undated: true}
	var published time.Time
	for _, e := range known.Statuses {
		if e.Status == correspondence.StatusPublished && (published.IsZero() || e.StatusChanged.Before(published)) {
			published, news.Undated = e.StatusChanged, !sent.has(digestOfStatus(e))
		}
		if isSynced(e.Status) && !sent.has(digestOfStatus(e)) {
			e.StatusText = "" // the service writes its own (7.3)
			news.Statuses = append(news.Statuses, e)
		}
	}
	for _, n := range known.Notifications {
		if !sent.has(digestOfNotification(n)) {
			news.Notifications = append(news.Notifications, n)
		}
	}
	for _, f := range known.Forwardings {
		if !sent.has(digestOfForwarding(f)) {
			news.Forwardings = append(news.Forwardings, f)
		}
	}
	return news, nil
}

// isSynced tells whether the service takes a status after the first load; others are dropped over there without a word (7.2).
func isSynced(s correspondence.Status) bool {
	switch s {
	case correspondence.StatusRead, correspondence.StatusConfirmed, correspondence.StatusArchived,
		correspondence.StatusPurgedByRecipient, correspondence.StatusPurgedByAltinn,
		correspondence.StatusSoftDeletedByRecipient, correspondence.StatusRestoredByRecipient:
		return true
	case correspondence.StatusInitialized, correspondence.StatusPublished:
		return false
	default:
		return false
	}
}

// Told is what a migrate request told of a message.
func Told(body *correspondence.MigrateRequest) *History {
	return &History{
		Statuses: body.EventHistory, Notifications: body.NotificationHistory, Forwardings: body.ForwardingHistory,
	}
}
