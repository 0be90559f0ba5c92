package message

import (
	"slices"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
)

// Reasons why a message is not brought over.
const (
	ReasonPurged   = "purged"
	ReasonDeceased = "recipient_deceased"
)

// Select tells why a message that was not brought over yet is left out; empty: it is brought over. A message in the trash is, since
// it may be taken out again (17.2, P2d); a purged one would get a dialog that nobody could see gone (5.4).
func Select(m *altinn2.Message) (reason string) {
	switch {
	case IsPurged(m):
		return ReasonPurged
	case m.Recipient.Deceased:
		return ReasonDeceased
	default:
		return ""
	}
}

// IsPurged tells whether a message is permanently deleted, by its state or by an event.
func IsPurged(m *altinn2.Message) bool { return m.Deletion == altinn2.Purged || hasPurgeEvent(m) }

func hasPurgeEvent(m *altinn2.Message) bool {
	return slices.ContainsFunc(m.Events, func(e altinn2.Event) bool {
		return e.Type == altinn2.EventPurgedByRecipient || e.Type == altinn2.EventPurgedByServiceOwner
	})
}
