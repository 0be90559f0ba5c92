package message

import (
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
)

// Reasons why a message is not brought over.
const (
	ReasonPurged   = "purged"
	ReasonDeceased = "recipient_deceased"
	// ReasonResourceLeftOut and ReasonTooYoung are what operators chose, by a Selection.
	ReasonResourceLeftOut = "resource_left_out"
	ReasonTooYoung        = "too_young"
)

// Selection is which resources' messages are brought over, and when (chapter 1). The zero value is all of them, at once. Resource ids are
// in lower case.
type Selection struct {
	// Allowed are the only resources that are brought over; empty: all. Denied are not, whatever Allowed says.
	Allowed, Denied map[string]bool
	// MinAge is how old a message of a resource must be, by its creation.
	MinAge map[string]time.Duration
}

// LeavesOut tells why a message that was not brought over yet is left out by choice; empty: it is not. until is when it will not be any
// longer, zero for one whose time does not come by itself.
func (s *Selection) LeavesOut(m *altinn2.Message, now time.Time) (reason string, until time.Time) {
	resource := strings.ToLower(ResourceID(m))
	if s.Denied[resource] || len(s.Allowed) > 0 && !s.Allowed[resource] {
		return ReasonResourceLeftOut, time.Time{}
	}
	if old := m.Created.Add(s.MinAge[resource]); old.After(now) && s.MinAge[resource] > 0 {
		return ReasonTooYoung, old
	}
	return "", time.Time{}
}

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
