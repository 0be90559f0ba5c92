package dialogporten

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/google/uuid"
)

// snapshot is the state of a dialog between two writes. It is never changed: readers need no lock.
type snapshot struct {
	org             string
	serviceResource string
	resourceType    string // lower case
	party           string
	idempotentKey   optional

	extendedStatus    optional
	externalReference optional
	process           optional
	precedingProcess  optional
	labels            []string // ordinal order

	createdAt        instant
	updatedAt        instant
	contentUpdatedAt instant
	deletedAt        instant
	visibleFrom      instant
	dueAt            instant
	expiresAt        instant

	revision        uuid.UUID
	contextRevision uuid.UUID // service-owner context
	userRevision    uuid.UUID // end-user context

	progress    int8 // -1: none
	status      uint8
	systemLabel uint8 // Default, Bin or Archive
	marked      bool  // MarkedAsUnopened
	sent        bool  // Sent
	frozen      bool
	isAPIOnly   bool
	hasUnopened bool
	contentSeen bool
	activities  int32
	attachments int32
	fromOwner   int32 // transmissions
	fromParty   int32
	below       []byte // the members of the read model from content to activities; nil where bodies are hashed
	digest      uint64 // of below's parts that PUT replaces, where bodies are hashed
	hashed      bool
	childIDs    []uuid.UUID // of activities and transmissions, where bodies are hashed
	seen        []seenEntry
}

const noProgress = -1

func (s *snapshot) alive() bool { return !s.deletedAt.given() }

func (s *snapshot) correspondence() bool { return s.resourceType == correspondenceType }

// clone begins the next state.
func (s *snapshot) clone() *snapshot {
	next := *s
	return &next
}

// labelNumbers are the end-user labels in the order in which they are shown.
func (s *snapshot) labelNumbers() []int {
	numbers := []int{int(s.systemLabel)}
	if s.marked {
		numbers = append(numbers, labelMarkedAsUnopened)
	}
	if s.sent {
		numbers = append(numbers, labelSent)
	}
	return numbers
}

// aggregate decodes what is below the dialog's own members.
func (s *snapshot) aggregate() *aggregate {
	a := &aggregate{}
	if s.below == nil {
		return a
	}
	b := newBinder("{" + string(s.below) + "}")
	b.stored = true
	b.bind(func() { b.object(func(name string) bool { return b.aggregateMember(a, name) }) })
	return a
}

// keeping says how what is below the dialog's own members is kept.
type keeping struct {
	*buffers
	hash bool
	seed maphash.Seed
}

func (s *Service) keeping() keeping { return keeping{&s.buffers, s.config.HashBodies, s.seed} }

// keep sets what is below the dialog's own members.
func (s *snapshot) keep(a *aggregate, how keeping) {
	s.activities, s.attachments = int32(len(a.activities)), int32(len(a.attachments)) //nolint:gosec // bodies are 20 MB
	s.fromParty, s.fromOwner = 0, 0
	for i := range a.transmissions {
		if byParty(a.transmissions[i].kind) {
			s.fromParty++
		} else {
			s.fromOwner++
		}
	}
	if how.hash {
		s.hashed = true
		s.digest = how.digest(a)
		s.childIDs = childIDs(a)
		return
	}
	buffer := how.get()
	defer how.put(buffer)
	written := s.appendAggregate(buffer.AvailableBuffer(), a)
	s.below = slices.Clone(written)
	_, _ = buffer.Write(written)
}

// appendAggregate writes the members from content to activities (Chapter 9).
func (s *snapshot) appendAggregate(buf []byte, a *aggregate) []byte {
	o := object{buf: buf, first: true}
	if a.content.given {
		o.name("content")
		o.buf = appendContent(o.buf, &a.content, dialogContent())
	}
	o.number("fromServiceOwnerTransmissionsCount", int(s.fromOwner))
	o.number("fromPartyTransmissionsCount", int(s.fromParty))
	o.name("searchTags")
	o.buf = appendList(o.buf, a.tags, appendValue)
	o.name("attachments")
	o.buf = appendList(o.buf, a.attachments, appendAttachment)
	o.name("transmissions")
	o.buf = appendList(o.buf, a.transmissions, func(buf []byte, t *transmission) []byte {
		opened := openedIn(a.activities, t.id.id)
		return appendTransmission(buf, t, &opened)
	})
	o.name("guiActions")
	o.buf = appendList(o.buf, a.guiActions, appendGUIAction)
	o.name("apiActions")
	o.buf = appendList(o.buf, a.apiActions, appendAPIAction)
	o.name("activities")
	o.buf = appendList(o.buf, a.activities, appendActivity)
	return o.buf
}

func openedIn(activities []activity, transmissionID uuid.UUID) bool {
	for i := range activities {
		if activities[i].kind == activityTransmissionOpened && activities[i].transmission.id == transmissionID {
			return true
		}
	}
	return false
}

// document is the dialog as GET shows it; endUser is who looks at it, if anybody.
func (s *snapshot) document(id uuid.UUID, endUser string) []byte {
	const head = 1536
	o := openObject(make([]byte, 0, head+len(s.below)))
	s.appendHead(&o, id, true)
	o.buf = append(o.buf, ',')
	if s.below != nil {
		o.buf = append(o.buf, s.below...)
	} else {
		o.buf = s.appendAggregate(o.buf, &aggregate{})
	}
	s.appendTail(&o, endUser)
	return o.close()
}

// appendHead writes the dialog's own members; full adds those that a listing leaves out.
func (s *snapshot) appendHead(o *object, id uuid.UUID, full bool) {
	o.id("id", id)
	if full {
		o.optional("idempotentKey", s.idempotentKey)
	}
	o.id("revision", s.revision)
	o.text("org", s.org)
	o.text("serviceResource", s.serviceResource)
	o.text("serviceResourceType", s.resourceType)
	o.text("party", s.party)
	if s.progress != noProgress {
		o.number("progress", int(s.progress))
	}
	o.optional("process", s.process)
	o.optional("precedingProcess", s.precedingProcess)
	o.optional("extendedStatus", s.extendedStatus)
	o.optional("externalReference", s.externalReference)
	o.instant("deletedAt", s.deletedAt)
	o.instant("visibleFrom", s.visibleFrom)
	o.instant("dueAt", s.dueAt)
	if full {
		o.instant("expiresAt", s.expiresAt)
	}
	o.instant("createdAt", s.createdAt)
	o.instant("updatedAt", s.updatedAt)
	o.instant("contentUpdatedAt", s.contentUpdatedAt)
	o.enum("status", statusNames, int(s.status))
	o.enum("systemLabel", systemLabelNames, int(s.systemLabel))
	o.flag("isApiOnly", s.isAPIOnly)
	o.flag("hasUnopenedContent", s.hasUnopened)
	o.flag("isContentSeen", s.contentSeen && !s.marked)
}

func (s *snapshot) appendTail(o *object, endUser string) {
	o.name("seenSinceLastUpdate")
	o.buf = s.appendSeenSince(o.buf, s.updatedAt, endUser)
	o.name("seenSinceLastContentUpdate")
	o.buf = s.appendSeenSince(o.buf, s.contentUpdatedAt, endUser)
	o.name("serviceOwnerContext")
	o.buf = s.appendOwnerContext(o.buf)
	o.name("endUserContext")
	o.buf = s.appendUserContext(o.buf)
}

func (s *snapshot) appendOwnerContext(buf []byte) []byte {
	c := openObject(buf)
	c.id("revision", s.contextRevision)
	c.name("serviceOwnerLabels")
	c.buf = s.appendLabels(c.buf)
	return c.close()
}

func (s *snapshot) appendLabels(buf []byte) []byte {
	return appendList(buf, s.labels, func(buf []byte, label *string) []byte {
		value := some(*label)
		return appendValue(buf, &value)
	})
}

func (s *snapshot) appendUserContext(buf []byte) []byte {
	c := openObject(buf)
	c.id("revision", s.userRevision)
	c.name("systemLabels")
	c.buf = appendLabelNames(c.buf, s.labelNumbers())
	return c.close()
}

func appendLabelNames(buf []byte, numbers []int) []byte {
	return appendList(buf, numbers, func(buf []byte, n *int) []byte { return appendText(buf, systemLabelNames(*n)) })
}

// appendSeenSince writes the last view of each user since a time.
func (s *snapshot) appendSeenSince(buf []byte, since instant, endUser string) []byte {
	var latest []seenEntry
	for _, entry := range slices.Backward(s.seen) {
		if entry.at >= since && !slices.ContainsFunc(latest, func(e seenEntry) bool { return e.actor.id == entry.actor.id }) {
			latest = append(latest, entry)
		}
	}
	return appendList(buf, latest, func(buf []byte, e *seenEntry) []byte { return appendSeen(buf, e, endUser, true) })
}

func (s *snapshot) summary(id uuid.UUID) Summary {
	out := Summary{
		ID: id, Org: s.org, Party: s.party, ServiceResource: s.serviceResource, Status: statusNames(int(s.status)),
		SystemLabel: systemLabelNames(int(s.systemLabel)), CreatedAt: s.createdAt.time(), UpdatedAt: s.updatedAt.time(),
		ContentUpdatedAt: s.contentUpdatedAt.time(), Labels: s.labels, Revision: s.revision, Activities: int(s.activities),
		Attachments: int(s.attachments), Transmissions: int(s.fromOwner + s.fromParty),
	}
	if s.deletedAt.given() {
		at := time.UnixMicro(int64(s.deletedAt)).UTC()
		out.DeletedAt = &at
	}
	return out
}

// childIDs are the ids of activities and transmissions.
func childIDs(a *aggregate) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(a.activities)+len(a.transmissions))
	for i := range a.activities {
		ids = append(ids, a.activities[i].id.id)
	}
	for i := range a.transmissions {
		ids = append(ids, a.transmissions[i].id.id)
	}
	return ids
}

// digest stands for what PUT replaces.
func (k keeping) digest(a *aggregate) uint64 {
	buffer := k.get()
	defer k.put(buffer)
	written := appendReplaceable(buffer.AvailableBuffer(), a)
	_, _ = buffer.Write(written) // what it has grown to is kept
	return maphash.Bytes(k.seed, written)
}

// appendReplaceable writes what PUT replaces.
func appendReplaceable(buf []byte, a *aggregate) []byte {
	buf = appendContent(buf, &a.content, dialogContent())
	buf = appendList(buf, a.tags, appendValue)
	buf = appendList(buf, a.attachments, appendAttachment)
	buf = appendList(buf, a.guiActions, appendGUIAction)
	return appendList(buf, a.apiActions, appendAPIAction)
}
