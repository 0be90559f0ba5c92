package message

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Equality in 5.6 cuts instants to whole seconds in UTC: Altinn 2 keeps an event in more than one store, with other fractions (P5).
// It is no distance: 08:00:00.999 and 08:00:01.000 differ.

type statusKey struct {
	status correspondence.Status
	second int64
	party  uuid.UUID
}

func keyOfStatus(e correspondence.StatusEvent) statusKey {
	return statusKey{e.Status, second(e.StatusChanged), e.EventUserPartyUUID}
}

type notificationKey struct {
	second   int64
	channel  correspondence.Channel
	id       int32
	address  string
	reminder bool
}

func keyOfNotification(n correspondence.Notification) notificationKey {
	return notificationKey{
		second(n.NotificationSent), n.NotificationChannel, n.Altinn2NotificationID, n.NotificationAddress, n.IsReminder,
	}
}

type forwardingKey struct {
	second   int64
	by       uuid.UUID
	toUser   int32
	hasUser  bool
	toUserID uuid.UUID
}

// keyOfForwarding leaves out e-mail, mailbox and text.
func keyOfForwarding(f correspondence.Forwarding) forwardingKey {
	key := forwardingKey{second: second(f.ForwardedOnDate), by: f.ForwardedByPartyUUID}
	if f.ForwardedToUserID != nil {
		key.toUser, key.hasUser = *f.ForwardedToUserID, true
	}
	if f.ForwardedToUserUUID != nil {
		key.toUserID = *f.ForwardedToUserUUID
	}
	return key
}

// second is the whole second an instant lies in, downwards also before 1970.
func second(t time.Time) int64 { return t.Unix() }

// firsts keeps the first of equal entries, in the list's order.
func firsts[T any, K comparable](list []T, key func(T) K) []T {
	seen := make(map[K]bool, len(list))
	kept := make([]T, 0, len(list))
	for _, entry := range list {
		if k := key(entry); !seen[k] {
			seen[k] = true
			kept = append(kept, entry)
		}
	}
	return kept
}
