package message

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Input is what a migrate request is made from.
type Input struct {
	Message *altinn2.Message
	// Attachments are the ids of the message's files in Correspondence, by their Altinn 2 ids.
	Attachments map[string]uuid.UUID
	// MakeAvailable orders the dialog along with it, with events: the live lane (17.3).
	MakeAvailable bool
	// Now is the clock: nothing that lies ahead becomes an activity.
	Now time.Time
}

// Request is a migrate request with what was changed to make it one.
type Request struct {
	Body     *correspondence.MigrateRequest
	Warnings []Warning
	// HeldBack is when the first event happens that lies ahead and was left out; zero: none was.
	HeldBack time.Time
}

// Make gives the migrate request of a message (chapter 5, prepared by 17.5). An error is an *Error.
func Make(in Input) (*Request, error) {
	m := in.Message
	who, err := identify(m)
	if err != nil {
		return nil, err
	}
	history, err := historyOf(m, in.Now)
	if err != nil {
		return nil, err
	}
	if err := Dated(m, in.Now); err != nil {
		return nil, err
	}
	var w warnings
	for _, warning := range history.warnings {
		w.add(warning, true)
	}
	sender, senderCut := shorten(valid(m.MessageSender))
	w.add(WarnMessageSenderCut, senderCut)
	existing := make([]uuid.UUID, 0, len(m.Attachments))
	for _, attachment := range Attachments(m) {
		existing = append(existing, in.Attachments[attachment.ID])
	}
	w.add(WarnAttachmentRepeated, len(existing) < len(m.Attachments))
	body := &correspondence.MigrateRequest{
		CorrespondenceData: correspondence.Data{
			Correspondence: correspondence.Correspondence{
				ResourceID: who.resource, Sender: who.sender, SendersReference: sendersReference(m, &w), MessageSender: orNil(sender),
				Content: content(m.Content, &w), RequestedPublishTime: visibleFrom(m), DueDateTime: utc(m.DueAt),
				ExternalReferences: externalReferences(m, &w), PropertyList: properties(m, &w), ReplyOptions: replyOptions(m, &w),
				IgnoreReservation: m.IgnoreReservation, IsConfirmationNeeded: m.ConfirmationRequired,
			},
			Recipients: []string{who.recipient}, ExistingAttachments: existing,
		},
		Altinn2CorrespondenceID: m.ID, EventHistory: history.Statuses, NotificationHistory: history.Notifications,
		ForwardingHistory: history.Forwardings, IsMigrating: true, Created: m.Created.UTC(), PartyID: m.Recipient.PartyID,
		MakeAvailable: in.MakeAvailable,
	}
	return &Request{Body: body, Warnings: w, HeldBack: history.HeldBack}, nil
}

// Dated fails with an *Error if a dialog that is made now would be dated by that: neither was the message published, nor is it to be seen
// later (17.5).
func Dated(m *altinn2.Message, now time.Time) error {
	if IsPublished(m) || m.VisibleFrom.After(now) {
		return nil
	}
	return &Error{ReasonNotPublished, "the message was never published, so its dialog would be dated today: " +
		"see in Altinn 2 whether it reached its recipient"}
}

// IsPublished tells whether a message has the event that dates its dialog: without that the time of the migration does (P1).
func IsPublished(m *altinn2.Message) bool {
	_, published := firstPublished(m)
	return published
}

func firstPublished(m *altinn2.Message) (at time.Time, published bool) {
	for _, event := range m.Events {
		if event.Type == altinn2.EventPublished && (!published || event.At.Before(at)) {
			at, published = event.At, true
		}
	}
	return at, published
}

// CreatedAt is the time that a message's dialog was created at (9.4).
func CreatedAt(m *altinn2.Message) time.Time {
	if published, ok := firstPublished(m); ok && m.Created.After(published) {
		return published.UTC()
	}
	return m.Created.UTC()
}

// visibleFrom is demanded; a message without it was visible from the start.
func visibleFrom(m *altinn2.Message) time.Time {
	if m.VisibleFrom.IsZero() {
		return m.Created.UTC()
	}
	return m.VisibleFrom.UTC()
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	moved := t.UTC()
	return &moved
}

// identity is whom and what a message concerns.
type identity struct{ resource, sender, recipient string }

const (
	organizationURN = "urn:altinn:organization:identifier-no:"
	personURN       = "urn:altinn:person:identifier-no:"
	partyUUIDURN    = "urn:altinn:party:uuid:"
	resourceURN     = "urn:altinn:resource:"
)

func identify(m *altinn2.Message) (identity, error) {
	var who identity
	if m.Created.IsZero() {
		return who, &Error{ReasonCreatedMissing, "the message has no creation time, which orders and dates its dialog"}
	}
	if who.resource = ResourceID(m); who.resource == "" {
		return who, &Error{ReasonResourceMissing, "the message has neither resourceId nor the codes that one is made of"}
	}
	if !isDigits(m.Sender.OrgNumber, organizationDigits) {
		return who, &Error{ReasonSenderMissing, "the message's sender has no organisation number"}
	}
	who.sender = organizationURN + m.Sender.OrgNumber
	if who.recipient = recipient(m.Recipient); who.recipient == "" {
		// No fallback, ever (Invariant 12).
		return who, &Error{ReasonRecipientUnknown, "the message's recipient has no identifier of its kind"}
	}
	return who, nil
}

// ResourceID is the message's resource; empty when it cannot be told.
func ResourceID(m *altinn2.Message) string {
	if id := strings.TrimPrefix(strings.TrimSpace(m.ResourceID), resourceURN); id != "" {
		return id
	}
	owner, service, edition := string(m.ServiceOwnerCode), string(m.ServiceCode), string(m.ServiceEditionCode)
	if owner == "" || service == "" || edition == "" {
		return ""
	}
	return strings.ToLower(owner) + "-migratedcorrespondence-" + service + "-" + edition
}

// Digits of national numbers.
const (
	organizationDigits = 9
	personDigits       = 11
)

func recipient(r altinn2.Recipient) string {
	switch {
	case r.Kind == altinn2.Organization && isDigits(r.OrgNumber, organizationDigits):
		return organizationURN + r.OrgNumber
	case r.Kind == altinn2.Person && isDigits(r.PersonNumber, personDigits):
		return personURN + r.PersonNumber
	case r.Kind == altinn2.SelfIdentified && r.PartyUUID != uuid.Nil:
		return partyUUIDURN + r.PartyUUID.String()
	default:
		return ""
	}
}

func isDigits(s string, count int) bool {
	return len(s) == count && strings.Trim(s, "0123456789") == ""
}
