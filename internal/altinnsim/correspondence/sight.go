package correspondence

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Shown is an item as the simulator shows it and takes it.
type Shown struct {
	ID                   uuid.UUID           `json:"correspondenceId"`
	Altinn2ID            *int32              `json:"altinn2CorrespondenceId"`
	ResourceID           string              `json:"resourceId"`
	Sender               string              `json:"sender"`
	Recipient            string              `json:"recipient"`
	SendersReference     *string             `json:"sendersReference"`
	MessageSender        *string             `json:"messageSender"`
	Language             *string             `json:"language"`
	Title                string              `json:"title"`
	Summary              string              `json:"summary"`
	Body                 string              `json:"body"`
	RequestedPublishTime *time.Time          `json:"requestedPublishTime"`
	Due                  *time.Time          `json:"dueDateTime"`
	Created              *time.Time          `json:"created"`
	PartyID              int32               `json:"partyId"`
	Hidden               bool                `json:"isMigrating"`
	ConfirmationNeeded   bool                `json:"isConfirmationNeeded"`
	IgnoreReservation    *bool               `json:"ignoreReservation"`
	References           []shownKind         `json:"externalReferences"`
	Properties           map[string]string   `json:"propertyList"`
	Replies              []shownReply        `json:"replyOptions"`
	Attachments          []shownFile         `json:"attachments"`
	Statuses             []shownStatus       `json:"statuses"`
	DeleteEvents         []shownDelete       `json:"deleteEvents"`
	Notifications        []shownNotification `json:"notifications"`
	Forwardings          []shownForwarding   `json:"forwardings"`
	FixedIDs             []shownFixed        `json:"activityIds"`
	Jobs                 []DeadLetter        `json:"deadLetters,omitempty"`
}

// named is an enumeration value that is shown as its name, and taken as a name or a number.
type named string

// UnmarshalJSON takes a text or a number.
func (n *named) UnmarshalJSON(raw []byte) error {
	*n = named(strings.Trim(string(raw), `"`))
	return nil
}

func (n named) in(names []string) (int, error) {
	number, ok := enumNumber(names, string(n))
	if !ok {
		return 0, fmt.Errorf("%q is none of %s", string(n), strings.Join(names, ", "))
	}
	return number, nil
}

type shownKind struct {
	Type  named  `json:"referenceType"`
	Value string `json:"referenceValue"`
}

// shownFile is an attachment, as an object or as its id alone.
type shownFile struct {
	ID          uuid.UUID `json:"attachmentId"`
	Altinn2ID   string    `json:"altinn2AttachmentId"`
	FileName    *string   `json:"fileName"`
	DisplayName *string   `json:"displayName"`
	Size        int64     `json:"size"`
	MD5         string    `json:"checksum"`
	Purged      bool      `json:"purged"`
}

// UnmarshalJSON takes an id or an object.
func (f *shownFile) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &f.ID) == nil {
		return nil
	}
	type plain shownFile
	return json.Unmarshal(raw, (*plain)(f)) //nolint:wrapcheck // encoding/json adds where it was
}

type shownStatus struct {
	Status named      `json:"status"`
	At     time.Time  `json:"at"`
	Party  uuid.UUID  `json:"partyUuid"`
	Text   string     `json:"statusText"`
	Synced *time.Time `json:"syncedFromAltinn2,omitempty"`
}

type shownDelete struct {
	Type   named      `json:"type"`
	At     time.Time  `json:"at"`
	Party  uuid.UUID  `json:"partyUuid"`
	Synced *time.Time `json:"syncedFromAltinn2,omitempty"`
}

type shownNotification struct {
	Altinn2ID *int32     `json:"altinn2NotificationId"`
	Channel   named      `json:"channel"`
	Address   string     `json:"address"`
	SentAt    time.Time  `json:"sentAt"`
	Reminder  bool       `json:"isReminder"`
	Template  string     `json:"template"`
	Synced    *time.Time `json:"syncedFromAltinn2,omitempty"`
}

// shownForwarding has the names of the migration API.
type shownForwarding struct {
	At              *time.Time `json:"forwardedOnDate"`
	AtShort         *time.Time `json:"at"`
	ByParty         *uuid.UUID `json:"forwardedByPartyUuid"`
	ByPartyShort    *uuid.UUID `json:"byPartyUuid"`
	ByPartyOnly     *uuid.UUID `json:"partyUuid"`
	ByUserID        int32      `json:"forwardedByUserId"`
	ByUser          *uuid.UUID `json:"forwardedByUserUuid"`
	ToUserID        *int32     `json:"forwardedToUserId"`
	ToUser          *uuid.UUID `json:"forwardedToUserUuid"`
	ToUserShort     *uuid.UUID `json:"toUserUuid,omitempty"`
	Text            *string    `json:"forwardingText"`
	TextShort       *string    `json:"text,omitempty"`
	ToEmail         *string    `json:"forwardedToEmail"`
	ToEmailShort    *string    `json:"toEmail,omitempty"`
	MailboxSupplier *string    `json:"mailboxSupplier"`
	Activity        *uuid.UUID `json:"activityId"`
	Synced          *time.Time `json:"syncedFromAltinn2,omitempty"`
}

type shownFixed struct {
	Action     named      `json:"action"`
	Attachment *uuid.UUID `json:"attachmentId,omitempty"`
	ID         uuid.UUID  `json:"activityId"`
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Show is an item as the simulator shows it.
func (s *Service) Show(item Item) Shown {
	out := Shown{
		ID: item.ID, Altinn2ID: numberOrNull(item.Altinn2ID, item.Native), ResourceID: item.ResourceID, Sender: item.Sender,
		Recipient: item.Recipient, SendersReference: &item.SendersReference, MessageSender: item.MessageSender, Language: &item.Language,
		Title: item.Title, Summary: item.Summary, Body: item.Body, RequestedPublishTime: &item.RequestedPublishTime, Due: item.Due,
		Created: &item.Created, PartyID: item.PartyID, Hidden: item.Hidden, ConfirmationNeeded: item.ConfirmationNeeded,
		IgnoreReservation: item.IgnoreReservation, References: []shownKind{}, Properties: map[string]string{},
		Replies: shownReplies(item.Replies), Attachments: []shownFile{}, Statuses: []shownStatus{}, DeleteEvents: []shownDelete{},
		Notifications: []shownNotification{}, Forwardings: []shownForwarding{}, FixedIDs: []shownFixed{},
	}
	for _, r := range item.References {
		out.References = append(out.References, shownKind{named(r.Kind.String()), r.Value})
	}
	for _, p := range item.Properties {
		out.Properties[p.Key] = p.Value
	}
	for _, id := range item.Attachments {
		f := s.files.get(id)
		out.Attachments = append(out.Attachments, shownFile{f.id, f.altinn2ID, f.fileName, f.displayName, f.size, f.checksum, f.purged})
	}
	for _, e := range item.Statuses {
		out.Statuses = append(out.Statuses, shownStatus{named(e.Kind.String()), e.At, e.Party, e.Text, optional(e.Synced)})
	}
	for _, e := range item.DeleteEvents {
		out.DeleteEvents = append(out.DeleteEvents, shownDelete{named(e.Kind.String()), e.At, e.Party, optional(e.Synced)})
	}
	for _, n := range item.Notifications {
		out.Notifications = append(out.Notifications, shownNotification{
			numberOrNull(n.Altinn2ID, n.Native), named(n.Channel.String()), n.Address, n.SentAt, n.Reminder, "Altinn2Message", optional(n.Synced),
		})
	}
	for _, f := range item.Forwardings {
		shown := shownForwarding{
			At: &f.At, AtShort: &f.At, ByParty: &f.ByParty, ByPartyShort: &f.ByParty, ByPartyOnly: &f.ByParty, ByUserID: f.ByUserID,
			ByUser: &f.ByUser, ToUserID: f.ToUserID, ToUser: f.ToUser, Text: f.Text, ToEmail: f.ToEmail, MailboxSupplier: f.MailboxSupplier,
			Synced: optional(f.Synced),
		}
		if f.Activity != uuid.Nil {
			shown.Activity = &f.Activity
		}
		out.Forwardings = append(out.Forwardings, shown)
	}
	for _, f := range item.FixedIDs {
		shown := shownFixed{Action: named(f.Action.String()), ID: f.ID}
		if f.Attachment != uuid.Nil {
			shown.Attachment = &f.Attachment
		}
		out.FixedIDs = append(out.FixedIDs, shown)
	}
	for _, d := range s.DeadLetters() {
		if d.Item == item.ID {
			out.Jobs = append(out.Jobs, d)
		}
	}
	return out
}

// Put puts items in place as Show shows them, without validation. Members that are left out have plain values: created is
// the first status, the time of publishing is created, the language nb.
func (s *Service) Put(raws []json.RawMessage) error {
	for n, raw := range raws {
		var in Shown
		if err := json.Unmarshal(raw, &in); err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		item, err := s.taken(in)
		if err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		s.items.replace(item)
	}
	return nil
}

func (s *Service) taken(in Shown) (Item, error) {
	item := Item{
		ID: in.ID, Altinn2ID: deref(in.Altinn2ID), Native: in.Altinn2ID == nil, ResourceID: in.ResourceID, Sender: in.Sender,
		Recipient: strings.ToLower(in.Recipient), SendersReference: deref(in.SendersReference), MessageSender: in.MessageSender,
		Language: deref(in.Language), Title: in.Title, Summary: in.Summary, Body: in.Body, Due: in.Due,
		PartyID: in.PartyID, Hidden: in.Hidden, ConfirmationNeeded: in.ConfirmationNeeded,
		IgnoreReservation: in.IgnoreReservation,
	}
	if item.ID == uuid.Nil {
		item.ID = s.mint.v7(s.now())
	}
	if item.Language == "" {
		item.Language = "nb"
	}
	for _, r := range in.Replies {
		item.Replies = append(item.Replies, ReplyOption(r))
	}
	for _, key := range slices.Sorted(maps.Keys(in.Properties)) {
		item.Properties = append(item.Properties, Property{key, in.Properties[key]})
	}
	for _, f := range in.Attachments {
		if f.ID == uuid.Nil {
			f.ID = s.mint.v4()
		}
		if !s.files.has(f.ID) {
			s.files.put(file{
				id: f.ID, altinn2ID: f.Altinn2ID, fileName: f.FileName, displayName: f.DisplayName, size: f.Size, checksum: f.MD5, purged: f.Purged,
			})
		}
		item.Attachments = append(item.Attachments, f.ID)
	}
	if err := takeLists(&item, in); err != nil {
		return Item{}, err
	}
	switch {
	case in.Created != nil:
		item.Created = in.Created.UTC()
	case len(item.Statuses) > 0:
		item.Created = item.Statuses[0].At
	default:
		item.Created = s.now()
	}
	item.RequestedPublishTime = item.Created
	if in.RequestedPublishTime != nil {
		item.RequestedPublishTime = in.RequestedPublishTime.UTC()
	}
	return item, nil
}

func takeLists(item *Item, in Shown) error {
	for _, r := range in.References {
		kind, err := r.Type.in(referenceNames())
		if err != nil {
			return fmt.Errorf("externalReferences: %w", err)
		}
		item.References = append(item.References, Reference{ReferenceKind(kind), r.Value})
	}
	for _, e := range in.Statuses {
		kind, err := e.Status.in(statusNames())
		if err != nil {
			return fmt.Errorf("statuses: %w", err)
		}
		item.Statuses = append(item.Statuses, Status{StatusKind(kind), e.At.UTC(), e.Party, e.Text, deref(e.Synced)})
	}
	for _, e := range in.DeleteEvents {
		kind, err := e.Type.in(deleteNames())
		if err != nil {
			return fmt.Errorf("deleteEvents: %w", err)
		}
		item.DeleteEvents = append(item.DeleteEvents, DeleteEvent{DeleteKind(kind), e.At.UTC(), e.Party, deref(e.Synced)})
	}
	for _, n := range in.Notifications {
		kind, err := n.Channel.in(channelNames())
		if err != nil {
			return fmt.Errorf("notifications: %w", err)
		}
		item.Notifications = append(item.Notifications, Notification{
			deref(n.Altinn2ID), n.Altinn2ID == nil, Channel(kind), n.Address, n.SentAt.UTC(), n.Reminder, deref(n.Synced),
		})
	}
	for _, f := range in.Forwardings {
		item.Forwardings = append(item.Forwardings, Forwarding{
			At: deref(first(f.At, f.AtShort)).UTC(), ByParty: deref(first(f.ByParty, f.ByPartyShort, f.ByPartyOnly)), ByUserID: f.ByUserID,
			ByUser: deref(f.ByUser), ToUserID: f.ToUserID, ToUser: first(f.ToUser, f.ToUserShort), Text: first(f.Text, f.TextShort),
			ToEmail: first(f.ToEmail, f.ToEmailShort), MailboxSupplier: f.MailboxSupplier, Activity: deref(f.Activity), Synced: deref(f.Synced),
		})
	}
	for _, f := range in.FixedIDs {
		kind, err := f.Action.in(statusNames())
		if err != nil {
			return fmt.Errorf("activityIds: %w", err)
		}
		item.FixedIDs = append(item.FixedIDs, FixedID{StatusKind(kind), deref(f.Attachment), f.ID})
	}
	return nil
}

// first is the first that is there.
func first[T any](values ...*T) *T {
	for _, value := range values {
		if value != nil {
			return value
		}
	}
	return nil
}
