package correspondence

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits of 5.3 and 5.5, in UTF-16 units.
const (
	maxResource  = 255
	maxReference = 4096
	maxShort     = 255
	maxMessage   = 30_000
	maxListed    = 10 // external references, properties
	maxKey       = 50
	maxValue     = 300
	maxNote      = 4000
	maxEmail     = 1000
)

var (
	resourcePattern = regexp.MustCompile(`^(urn:altinn:resource:)?[^:]{1,255}$`)
	mailboxPattern  = regexp.MustCompile(`^(0192:|urn:altinn:organization:identifier-no:)\d{9}$`)
)

// statusEvent is an element of eventHistory and of syncedStatusEvents (5.4).
type statusEvent struct {
	kind  StatusKind
	text  string
	at    time.Time
	party uuid.UUID
}

func readStatus(o object) statusEvent {
	o.must("eventUserPartyUuid")
	e := statusEvent{
		kind: StatusKind(o.enum("status", statusNames(), "the status")), text: o.optional("statusText"),
		at: o.instant("statusChanged"), party: o.id("eventUserPartyUuid"),
	}
	o.optionalID("eventUserUuid") // must be a uuid, and is ignored
	return e
}

// readNotification reads an element of notificationHistory (5.5).
func readNotification(o object) Notification {
	o.must("notificationChannel", "notificationSent", "altinn2NotificationId", "notificationAddress", "isReminder")
	return Notification{
		Channel: Channel(o.enum("notificationChannel", channelNames(), "the notification channel")), SentAt: o.instant("notificationSent"),
		Altinn2ID: o.number("altinn2NotificationId"), Address: o.required("notificationAddress"), Reminder: o.flag("isReminder"),
	}
}

// readForwarding reads an element of forwardingHistory (5.5).
func readForwarding(o object) Forwarding {
	o.must("forwardedOnDate", "forwardedByPartyUuid")
	f := Forwarding{
		At: o.instant("forwardedOnDate"), ByParty: o.id("forwardedByPartyUuid"), ByUserID: o.number("forwardedByUserId"),
		ByUser: o.id("forwardedByUserUuid"), ToUserID: o.optionalNumber("forwardedToUserId"), ToUser: o.optionalID("forwardedToUserUuid"),
		Text: o.text("forwardingText"), ToEmail: o.text("forwardedToEmail"), MailboxSupplier: o.text("mailboxSupplier"),
	}
	o.length("forwardingText", deref(f.Text), 0, maxNote)
	o.length("forwardedToEmail", deref(f.ToEmail), 0, maxEmail)
	// The attribute of .NET lets an empty text pass, whatever the pattern.
	if supplier := deref(f.MailboxSupplier); supplier != "" && !mailboxPattern.MatchString(supplier) {
		o.fail("mailboxSupplier", "The field MailboxSupplier must match the regular expression '"+mailboxPattern.String()+"'.")
	}
	return f
}

// migration is the body of the migrate call (chapter 5).
type migration struct {
	item          Item
	sender        *string
	recipients    []string
	files         []uuid.UUID
	hasContent    bool
	language      *string
	summary       *string
	publish       *time.Time
	statuses      []statusEvent
	notifications []Notification
	forwardings   []Forwarding
	makeAvailable bool
}

func (m *migration) read(o object) {
	o.must("correspondenceData", "altinn2CorrespondenceId")
	m.item.Altinn2ID = o.number("altinn2CorrespondenceId")
	data, ok := o.child("correspondenceData")
	if ok {
		m.readData(data)
	} else {
		o.notNull("correspondenceData")
	}
	o.notNull("eventHistory", "notificationHistory", "forwardingHistory")
	o.objects("eventHistory", "EventHistory", func(e object) { m.statuses = append(m.statuses, readStatus(e)) })
	o.objects("notificationHistory", "NotificationHistory", func(e object) { m.notifications = append(m.notifications, readNotification(e)) })
	o.objects("forwardingHistory", "ForwardingHistory", func(e object) { m.forwardings = append(m.forwardings, readForwarding(e)) })
	m.item.Hidden, m.item.Created = o.flag("IsMigrating"), o.instant("created")
	m.item.PartyID, m.makeAvailable = o.number("partyId"), o.flag("makeAvailable")
}

func (m *migration) readData(o object) {
	o.must("correspondence", "recipients")
	if inner, ok := o.child("correspondence"); ok {
		m.readCorrespondence(inner)
	} else {
		o.notNull("correspondence")
	}
	o.notNull("recipients", "existingAttachments")
	o.list("recipients", "Recipients", func(path, _ string, value any) {
		text, ok := value.(string)
		if !ok && value != nil {
			panic(wrongType(path, "System.String"))
		}
		m.recipients = append(m.recipients, text)
	})
	o.list("existingAttachments", "ExistingAttachments", func(path, _ string, value any) {
		id, ok := parseID(value)
		if !ok {
			panic(wrongType(path, "System.Guid"))
		}
		m.files = append(m.files, id)
	})
	o.optionalID("idempotentKey")
	o.optionalInstant("published") // ignored since December 2025
}

func (m *migration) readCorrespondence(o object) {
	o.must("resourceId", "sendersReference")
	i := &m.item
	i.ResourceID, i.SendersReference = o.required("resourceId"), o.required("sendersReference")
	if !o.isNull("resourceId") {
		o.length("resourceId", i.ResourceID, 1, maxResource)
		if i.ResourceID != "" && !resourcePattern.MatchString(i.ResourceID) {
			o.fail("resourceId", "The field ResourceId must match the regular expression '"+resourcePattern.String()+"'.")
		}
	}
	if !o.isNull("sendersReference") {
		o.length("sendersReference", i.SendersReference, 1, maxReference)
	}
	i.ResourceID = strings.TrimPrefix(i.ResourceID, "urn:altinn:resource:")
	m.sender = o.text("sender")
	i.MessageSender = o.text("messageSender")
	o.length("messageSender", deref(i.MessageSender), 0, maxShort)
	if content, ok := o.child("content"); ok {
		m.readContent(content)
	}
	m.publish, i.Due = o.optionalInstant("requestedPublishTime"), o.optionalInstant("dueDateTime")
	m.readReferences(o)
	m.readProperties(o)
	o.objects("replyOptions", "ReplyOptions", func(r object) {
		r.must("linkURL")
		i.Replies = append(i.Replies, ReplyOption{URL: r.required("linkURL"), Text: r.text("linkText")})
	})
	i.IgnoreReservation, i.ConfirmationNeeded = o.optionalFlag("ignoreReservation"), o.flag("isConfirmationNeeded")
	o.flag("isConfidential") // read, and not mapped
}

func (m *migration) readContent(o object) {
	m.hasContent = true
	o.must("messageTitle", "messageBody")
	o.notNull("attachments") // ignored otherwise
	m.language, m.summary = o.text("language"), o.text("messageSummary")
	m.item.Title, m.item.Body = o.required("messageTitle"), o.required("messageBody")
	if !o.isNull("messageTitle") {
		o.length("messageTitle", m.item.Title, 1, maxShort)
		if m.item.Title == "" {
			// Validation is before 1020; both are told, since the two rules do not say which of them speaks.
			o.fail("messageTitle", errNoTitle.text)
		}
	}
	o.length("messageSummary", deref(m.summary), 0, maxShort)
	if !o.isNull("messageBody") {
		o.length("messageBody", m.item.Body, 1, maxMessage)
	}
}

func (m *migration) readReferences(o object) {
	var kinds []Reference
	o.objects("externalReferences", "ExternalReferences", func(r object) {
		r.must("referenceValue", "referenceType")
		kinds = append(kinds, Reference{
			Kind:  ReferenceKind(r.enum("referenceType", referenceNames(), "the reference type")),
			Value: r.required("referenceValue"),
		})
	})
	m.item.References = kinds
	const name = "externalReferences"
	if len(kinds) > maxListed {
		o.fail(name, "ExternalReferences can contain at most 10 references")
	}
	var types []string
	for _, r := range kinds {
		switch r.Kind { //nolint:exhaustive // the others are free
		case ReferenceTransmission:
			o.fail(name, "Cannot initialize a correspondence with a reference of type DialogportenTransmissionId")
		case ReferenceTransmissionType:
			types = append(types, r.Value)
		}
	}
	if len(types) == 1 {
		if number, ok := enumNumber(transmissionNames(), types[0]); !ok || number < 1 || number >= len(transmissionNames()) {
			o.fail(name, "The value of a reference of type DialogportenTransmissionType must be a transmission type")
		}
	}
}

func (m *migration) readProperties(o object) {
	const name = "propertyList"
	o.notNull(name)
	properties, ok := o.dictionary(name)
	if !ok {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		text, isText := properties[key].(string)
		if !isText && properties[key] != nil {
			panic(wrongType(o.path+"."+name+"."+key, "System.String"))
		}
		m.item.Properties = append(m.item.Properties, Property{key, text})
		if units(key) > maxKey {
			o.fail(name, "PropertyList Key can not be longer than 50 characters")
		}
		if units(text) > maxValue {
			o.fail(name, "PropertyList Value can not be longer than 300 characters")
		}
	}
	if len(properties) > maxListed {
		o.fail(name, "PropertyList can contain at most 10 properties")
	}
}

// availability is the body of the make-available call (chapter 6).
type availability struct {
	one           *uuid.UUID
	several       []uuid.UUID
	batch         int32
	from, to      *time.Time
	events, async bool
}

func (a *availability) read(o object) {
	a.one = o.optionalID("correspondenceId")
	o.list("correspondenceIds", "CorrespondenceIds", func(path, _ string, value any) {
		id, ok := parseID(value)
		if !ok {
			panic(wrongType(path, "System.Guid"))
		}
		a.several = append(a.several, id)
	})
	a.batch = deref(o.optionalNumber("batchSize"))
	a.from, a.to = o.optionalInstant("createdFrom"), o.optionalInstant("createdTo")
	a.events, a.async = o.flag("createEvents"), o.flag("asyncProcessing")
}

// synced is the body of a sync call (chapter 7).
type synced struct {
	id uuid.UUID
}

// read reads the item's id and the list. Its server name is SyncedEvents whatever its own name.
func (s *synced) read(o object, name, kind string, each func(object)) {
	s.id = o.id("correspondenceId")
	n := 0
	o.objects(name, "SyncedEvents", func(element object) {
		n++
		each(element)
	})
	if n == 0 {
		o.binder.invalid.add(o.server+"SyncedEvents", "At least one "+kind+" event is required.")
	}
}
