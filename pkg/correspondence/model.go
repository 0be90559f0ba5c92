package correspondence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// MigrateRequest is the body of the migrate call (correspondence reference, 5.1). No list may be nil: the service refuses null.
type MigrateRequest struct {
	CorrespondenceData      Data           `json:"correspondenceData"`
	Altinn2CorrespondenceID int32          `json:"altinn2CorrespondenceId"`
	EventHistory            []StatusEvent  `json:"eventHistory"`
	NotificationHistory     []Notification `json:"notificationHistory"`
	ForwardingHistory       []Forwarding   `json:"forwardingHistory"`
	// IsMigrating stores the item hidden. With false it is visible at once, without a dialog. The capital I is the service's.
	IsMigrating bool `json:"IsMigrating"`
	// Created is the message's own time: the dialog's date, and the order of the service's own walk.
	Created time.Time `json:"created"`
	// PartyID is the recipient's in Altinn 2.
	PartyID int32 `json:"partyId"`
	// MakeAvailable orders the dialog, with events. It counts on the first load alone.
	MakeAvailable bool `json:"makeAvailable"`
}

// Data is the message with what goes around it (5.2).
type Data struct {
	Correspondence Correspondence `json:"correspondence"`
	// Recipients has one URN: the service reads the first only.
	Recipients []string `json:"recipients"`
	// ExistingAttachments are ids that UploadAttachment answered, in the order in which they are shown.
	ExistingAttachments []uuid.UUID `json:"existingAttachments"`
}

// Correspondence is a message (5.3).
type Correspondence struct {
	ResourceID           string              `json:"resourceId"`
	Sender               string              `json:"sender"`
	SendersReference     string              `json:"sendersReference"`
	MessageSender        *string             `json:"messageSender"`
	Content              *Content            `json:"content"`
	RequestedPublishTime time.Time           `json:"requestedPublishTime"`
	DueDateTime          *time.Time          `json:"dueDateTime"`
	ExternalReferences   []ExternalReference `json:"externalReferences"`
	PropertyList         Properties          `json:"propertyList"`
	ReplyOptions         []ReplyOption       `json:"replyOptions"`
	IgnoreReservation    *bool               `json:"ignoreReservation"`
	IsConfirmationNeeded bool                `json:"isConfirmationNeeded"`
}

// Content is a message's text. A summary that is null fails the whole call, so it is text here.
type Content struct {
	Language       string `json:"language"`
	MessageTitle   string `json:"messageTitle"`
	MessageSummary string `json:"messageSummary"`
	MessageBody    string `json:"messageBody"`
}

// ExternalReference refers to something elsewhere.
type ExternalReference struct {
	ReferenceValue string        `json:"referenceValue"`
	ReferenceType  ReferenceType `json:"referenceType"`
}

// ReplyOption is where a recipient may answer; a nil text gives the standard one.
type ReplyOption struct {
	LinkURL  string  `json:"linkURL"`
	LinkText *string `json:"linkText"`
}

// Property is an entry of a property list.
type Property struct{ Key, Value string }

// Properties are a property list in an order of their own, though the service keeps none.
type Properties []Property

// MarshalJSON writes an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, property := range p {
		if i > 0 {
			out.WriteByte(',')
		}
		for j, text := range [...]string{property.Key, property.Value} {
			if j > 0 {
				out.WriteByte(':')
			}
			encoded, err := json.Marshal(text)
			if err != nil {
				return nil, fmt.Errorf("write property list: %w", err)
			}
			out.Write(encoded)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// StatusEvent is something that happened to a message (5.4).
type StatusEvent struct {
	Status        Status    `json:"status"`
	StatusText    string    `json:"statusText"`
	StatusChanged time.Time `json:"statusChanged"`
	// EventUserUUID is ignored by the service; nil where no user is known.
	EventUserUUID *uuid.UUID `json:"eventUserUuid"`
	// EventUserPartyUUID is the acting party; zeros for the system.
	EventUserPartyUUID uuid.UUID `json:"eventUserPartyUuid"`
}

// Notification is one that was sent (5.5).
type Notification struct {
	NotificationChannel   Channel   `json:"notificationChannel"`
	NotificationSent      time.Time `json:"notificationSent"`
	Altinn2NotificationID int32     `json:"altinn2NotificationId"`
	NotificationAddress   string    `json:"notificationAddress"`
	IsReminder            bool      `json:"isReminder"`
}

// Forwarding is a message shared with a user, or sent on to an e-mail address or a digital mailbox (5.5).
type Forwarding struct {
	ForwardedOnDate      time.Time  `json:"forwardedOnDate"`
	ForwardedByPartyUUID uuid.UUID  `json:"forwardedByPartyUuid"`
	ForwardedByUserID    int32      `json:"forwardedByUserId"`
	ForwardedByUserUUID  uuid.UUID  `json:"forwardedByUserUuid"`
	ForwardedToUserID    *int32     `json:"forwardedToUserId"`
	ForwardedToUserUUID  *uuid.UUID `json:"forwardedToUserUuid"`
	ForwardingText       *string    `json:"forwardingText"`
	ForwardedToEmail     *string    `json:"forwardedToEmail"`
	MailboxSupplier      *string    `json:"mailboxSupplier"`
}
