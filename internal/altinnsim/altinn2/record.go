package altinn2

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Record is a message as the export answers it (16.1).
type Record struct {
	ID                   int32             `json:"altinn2CorrespondenceId"`
	ArchiveUnit          *string           `json:"archiveUnitReference"`
	ResourceID           string            `json:"resourceId"`
	ServiceOwner         string            `json:"serviceOwnerCode,omitempty"`
	ServiceCode          string            `json:"serviceCode,omitempty"`
	ServiceEdition       string            `json:"serviceEditionCode,omitempty"`
	Sender               Sender            `json:"sender"`
	MessageSender        *string           `json:"messageSender"`
	SendersReference     string            `json:"sendersReference"`
	Recipient            Recipient         `json:"recipient"`
	Content              Content           `json:"content"`
	Created              time.Time         `json:"created"`
	VisibleFrom          time.Time         `json:"visibleFrom"`
	DueAt                *time.Time        `json:"dueAt"`
	ConfirmationRequired bool              `json:"confirmationRequired"`
	IgnoreReservation    *bool             `json:"ignoreReservation"`
	Properties           map[string]string `json:"properties"`
	ExternalReferences   []Reference       `json:"externalReferences"`
	ReplyOptions         []ReplyOption     `json:"replyOptions"`
	Attachments          []Attachment      `json:"attachments"`
	Events               []Event           `json:"events"`
	Notifications        []Notification    `json:"notifications"`
	Forwardings          []Forwarding      `json:"forwardings"`
	Deletion             Deletion          `json:"deletion"`
	ChangedAt            time.Time         `json:"changedAt"`
	ChangeSeq            int64             `json:"changeSeq"`
}

// Sender is the organisation that sent a message.
type Sender struct {
	OrgNumber string    `json:"orgNumber"`
	PartyUUID uuid.UUID `json:"partyUuid"`
}

// Kinds of recipients.
const (
	KindOrganisation   = "organization"
	KindPerson         = "person"
	KindSelfIdentified = "selfIdentified"
)

// Recipient is who got a message.
type Recipient struct {
	Kind         string    `json:"kind"`
	OrgNumber    string    `json:"orgNumber,omitempty"`
	PersonNumber string    `json:"personNumber,omitempty"`
	PartyUUID    uuid.UUID `json:"partyUuid"`
	PartyID      int32     `json:"partyId"`
	Deceased     bool      `json:"deceased"`
}

// Content is a message's text. A purged message has none.
type Content struct {
	Language *string `json:"language"`
	Title    *string `json:"title"`
	Summary  *string `json:"summary"`
	Body     *string `json:"body"`
}

// Reference is an external reference; Type is Correspondence's number of its type.
type Reference struct {
	Type  int    `json:"type"`
	Value string `json:"value"`
}

// ReplyOption is where a recipient may answer.
type ReplyOption struct {
	URL  string  `json:"url"`
	Text *string `json:"text"`
}

// Attachment is a file of a message. Several messages may have the same one.
type Attachment struct {
	ID               string    `json:"altinn2AttachmentId"`
	FileName         *string   `json:"fileName"`
	DisplayName      *string   `json:"displayName"`
	SendersReference *string   `json:"sendersReference"`
	Encrypted        bool      `json:"encrypted"`
	Created          time.Time `json:"created"`
	Size             int64     `json:"size"`
	MD5              string    `json:"md5"`
	// Content is what a put attachment consists of; without it the bytes follow from its id and its size.
	Content []byte `json:"content,omitempty"`
}

// Types of events (16.1).
const (
	EventCreated        = "created"
	EventPublished      = "published"
	EventRead           = "read"
	EventConfirmed      = "confirmed"
	EventArchived       = "archived"
	EventSoftDeleted    = "softDeleted"
	EventRestored       = "restored"
	EventPurged         = "purgedByRecipient"
	EventPurgedByOwner  = "purgedByServiceOwner"
	channelEmail        = "email"
	channelSMS          = "sms"
	archiveUnitProperty = "Altinn2ArchiveUnitReference"
)

// Event is an entry of a message's history, in no order in particular.
type Event struct {
	Type      string    `json:"type"`
	At        time.Time `json:"at"`
	UserUUID  uuid.UUID `json:"userUuid"`
	PartyUUID uuid.UUID `json:"partyUuid"` // zeros: the system
}

// Notification is one that was sent.
type Notification struct {
	ID       int32     `json:"altinn2NotificationId"`
	Channel  string    `json:"channel"` // email, sms
	SentAt   time.Time `json:"sentAt"`
	Address  string    `json:"address"`
	Reminder bool      `json:"reminder"`
}

// Forwarding is a share, an e-mail copy or a copy to a digital mailbox.
type Forwarding struct {
	At              time.Time  `json:"at"`
	ByPartyUUID     uuid.UUID  `json:"byPartyUuid"`
	ByUserID        int32      `json:"byUserId"`
	ByUserUUID      uuid.UUID  `json:"byUserUuid"`
	ToUserID        *int32     `json:"toUserId"`
	ToUserUUID      *uuid.UUID `json:"toUserUuid"`
	Text            *string    `json:"text"`
	ToEmail         *string    `json:"toEmail"`
	MailboxSupplier *string    `json:"mailboxSupplierOrgNumber"`
}

// Deletion is the state of a message at reading time.
type Deletion string

// The states.
const (
	DeletionNone   Deletion = "none"
	DeletionSoft   Deletion = "softDeleted"
	DeletionPurged Deletion = "purged"
)

// clone is a record whose lists can be changed.
func (r Record) clone() Record {
	r.Events, r.Notifications, r.Forwardings = slices.Clone(r.Events), slices.Clone(r.Notifications), slices.Clone(r.Forwardings)
	r.Attachments = slices.Clone(r.Attachments)
	return r
}

// answered is what the export tells: a purged message keeps answering with its events and without text.
func (r Record) answered() Record {
	if r.Deletion == DeletionPurged {
		empty := ""
		r.Content = Content{Language: r.Content.Language, Title: &empty, Summary: &empty, Body: &empty}
		r.Attachments, r.ReplyOptions = nil, nil
	}
	if r.Properties == nil {
		r.Properties = map[string]string{}
	}
	r.ExternalReferences, r.ReplyOptions, r.Attachments = orEmpty(r.ExternalReferences), orEmpty(r.ReplyOptions), orEmpty(r.Attachments)
	r.Events, r.Notifications, r.Forwardings = orEmpty(r.Events), orEmpty(r.Notifications), orEmpty(r.Forwardings)
	if slices.ContainsFunc(r.Attachments, func(a Attachment) bool { return a.Content != nil }) {
		r.Attachments = slices.Clone(r.Attachments)
		for i := range r.Attachments {
			r.Attachments[i].Content = nil
		}
	}
	return r
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
