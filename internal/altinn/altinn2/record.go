package altinn2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Message is a record of the export (16.1), always in its state at reading time. Texts that are null are empty.
type Message struct {
	ID                   int32  `json:"altinn2CorrespondenceId"`
	ArchiveUnitReference string `json:"archiveUnitReference"`
	// ResourceID may be empty; then the three codes tell it.
	ResourceID           string              `json:"resourceId"`
	ServiceOwnerCode     Code                `json:"serviceOwnerCode"`
	ServiceCode          Code                `json:"serviceCode"`
	ServiceEditionCode   Code                `json:"serviceEditionCode"`
	Sender               Sender              `json:"sender"`
	MessageSender        string              `json:"messageSender"`
	SendersReference     string              `json:"sendersReference"`
	Recipient            Recipient           `json:"recipient"`
	Content              Text                `json:"content"`
	Created              time.Time           `json:"created"`
	VisibleFrom          time.Time           `json:"visibleFrom"`
	DueAt                *time.Time          `json:"dueAt"`
	ConfirmationRequired bool                `json:"confirmationRequired"`
	IgnoreReservation    *bool               `json:"ignoreReservation"`
	Properties           Properties          `json:"properties"`
	ExternalReferences   []ExternalReference `json:"externalReferences"`
	ReplyOptions         []ReplyOption       `json:"replyOptions"`
	// Attachments stand in the order in which they are shown.
	Attachments   []Attachment   `json:"attachments"`
	Events        []Event        `json:"events"`
	Notifications []Notification `json:"notifications"`
	Forwardings   []Forwarding   `json:"forwardings"`
	Deletion      Deletion       `json:"deletion"`
	ChangedAt     time.Time      `json:"changedAt"`
	// ChangeSeq grows with every committed change.
	ChangeSeq int64 `json:"changeSeq"`
}

// Code is a service's code, owner or edition. The contract gives them no type: a number is taken as it is written.
type Code string

// UnmarshalJSON reads a text or a number; null is empty.
func (c *Code) UnmarshalJSON(data []byte) error {
	*c = ""
	if len(data) > 0 && (data[0] == '-' || data[0] >= '0' && data[0] <= '9') {
		*c = Code(data)
		return nil
	}
	if err := json.Unmarshal(data, (*string)(c)); err != nil {
		return fmt.Errorf("code: %w", err)
	}
	return nil
}

// Sender is the organisation that sent a message.
type Sender struct {
	OrgNumber string    `json:"orgNumber"`
	PartyUUID uuid.UUID `json:"partyUuid"`
}

// RecipientKind is what a recipient is.
type RecipientKind string

// The kinds.
const (
	Organization   RecipientKind = "organization"
	Person         RecipientKind = "person"
	SelfIdentified RecipientKind = "selfIdentified"
)

// Recipient is who got a message.
type Recipient struct {
	Kind         RecipientKind `json:"kind"`
	OrgNumber    string        `json:"orgNumber"`
	PersonNumber string        `json:"personNumber"`
	PartyUUID    uuid.UUID     `json:"partyUuid"`
	PartyID      int32         `json:"partyId"`
	Deceased     bool          `json:"deceased"`
}

// Text is what a message says. A purged message has none.
type Text struct {
	Language string `json:"language"`
	Title    string `json:"title"`
	Summary  string `json:"summary"`
	Body     string `json:"body"`
}

// Property is an entry of a message's properties.
type Property struct{ Key, Value string }

// Properties keep the order in which they were written.
type Properties []Property

// UnmarshalJSON reads an object of texts; null values are empty.
func (p *Properties) UnmarshalJSON(data []byte) error {
	*p = nil
	decoder := json.NewDecoder(bytes.NewReader(data))
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("properties: %w", err)
	}
	if token == nil {
		return nil
	}
	if token != json.Delim('{') {
		return &json.UnmarshalTypeError{Value: "properties that are no object", Field: "properties"}
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("properties: %w", err)
		}
		var value *string
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("properties: %w", err)
		}
		property := Property{}
		property.Key, _ = key.(string) // an object's keys are texts
		if value != nil {
			property.Value = *value
		}
		*p = append(*p, property)
	}
	return nil
}

// ExternalReference refers to something elsewhere; Type is Correspondence's number of its type.
type ExternalReference struct {
	Type  int    `json:"type"`
	Value string `json:"value"`
}

// ReplyOption is where a recipient may answer.
type ReplyOption struct {
	URL  string `json:"url"`
	Text string `json:"text"`
}

// Attachment is a file of a message. Several messages may have the same one.
type Attachment struct {
	ID               string    `json:"altinn2AttachmentId"`
	FileName         string    `json:"fileName"`
	DisplayName      string    `json:"displayName"`
	SendersReference string    `json:"sendersReference"`
	Encrypted        bool      `json:"encrypted"`
	Created          time.Time `json:"created"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// MD5 is in hex digits; it may be empty.
	MD5 string `json:"md5"`
}

// EventType is the type of an event.
type EventType string

// The types.
const (
	EventCreated              EventType = "created"
	EventPublished            EventType = "published"
	EventRead                 EventType = "read"
	EventConfirmed            EventType = "confirmed"
	EventArchived             EventType = "archived"
	EventSoftDeleted          EventType = "softDeleted"
	EventRestored             EventType = "restored"
	EventPurgedByRecipient    EventType = "purgedByRecipient"
	EventPurgedByServiceOwner EventType = "purgedByServiceOwner"
)

// Event is something that happened to a message. Events stand in no order.
type Event struct {
	Type EventType `json:"type"`
	At   time.Time `json:"at"`
	// UserUUID is nil where no user is known.
	UserUUID *uuid.UUID `json:"userUuid"`
	// PartyUUID is the acting party; zeros: the system.
	PartyUUID uuid.UUID `json:"partyUuid"`
}

// Channel is the channel of a notification.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// Notification is one that was sent.
type Notification struct {
	ID       int32     `json:"altinn2NotificationId"`
	Channel  Channel   `json:"channel"`
	SentAt   time.Time `json:"sentAt"`
	Address  string    `json:"address"`
	Reminder bool      `json:"reminder"`
}

// Forwarding is a share with a user, a copy to an e-mail address or to a digital mailbox.
type Forwarding struct {
	At                       time.Time  `json:"at"`
	ByPartyUUID              uuid.UUID  `json:"byPartyUuid"`
	ByUserID                 int32      `json:"byUserId"`
	ByUserUUID               uuid.UUID  `json:"byUserUuid"`
	ToUserID                 *int32     `json:"toUserId"`
	ToUserUUID               *uuid.UUID `json:"toUserUuid"`
	Text                     string     `json:"text"`
	ToEmail                  string     `json:"toEmail"`
	MailboxSupplierOrgNumber string     `json:"mailboxSupplierOrgNumber"`
}

// Deletion is the state of a message at reading time.
type Deletion string

// The states. A purged message keeps answering, with its events and without text.
const (
	NotDeleted  Deletion = "none"
	SoftDeleted Deletion = "softDeleted"
	Purged      Deletion = "purged"
)
