package dialogporten

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PutError says which dialog Put could not read.
type PutError struct {
	Index int // in the list
	Err   error
}

func (e *PutError) Error() string { return fmt.Sprintf("dialog %d: %v", e.Index, e.Err) }

func (e *PutError) Unwrap() error { return e.Err }

// bindingError makes a Go error of a binding fault.
type bindingError struct{ fault bindingFault }

func (e *bindingError) Error() string { return e.fault.path + ": " + e.fault.message }

// storedDialog is a dialog as a GET shows it.
type storedDialog struct {
	dialogBody
	id           optionalID
	org          optional
	resourceType optional
	state        snapshot
}

func (s *Service) putOne(raw json.RawMessage) error {
	d := &storedDialog{dialogBody: *newDialogBody(), state: snapshot{
		deletedAt: noInstant, contentUpdatedAt: noInstant,
		revision: newRevision(), contextRevision: newRevision(), userRevision: newRevision(), systemLabel: labelDefault,
	}}
	b := newBinder(string(raw))
	b.stored = true
	if fault := b.bind(func() { b.storedDialog(d) }); fault != nil {
		return &bindingError{*fault}
	}
	now := s.now()
	if !d.id.given {
		d.id = someID(s.mint.next(now))
	}
	s.complete(d, now)
	return s.replace(d)
}

// storedDialog reads a read model.
func (b *binder) storedDialog(d *storedDialog) {
	state := &d.state
	b.object(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&d.id)
		case "revision":
			state.revision = b.id()
		case "org":
			b.text(&d.org)
		case "serviceResourceType":
			b.text(&d.resourceType)
		case "deletedAt":
			b.instant(&state.deletedAt)
		case "contentUpdatedAt":
			b.instant(&state.contentUpdatedAt)
		case "hasUnopenedContent":
			b.flag(&state.hasUnopened)
		case "isContentSeen":
			b.flag(&state.contentSeen)
		case "idempotentKey":
			b.text(&d.idempotentKey)
		case "serviceResource":
			b.text(&d.serviceResource)
		case "party":
			b.text(&d.party)
		case "visibleFrom":
			b.instant(&d.visibleFrom)
		case "createdAt":
			b.instant(&d.createdAt)
		case "updatedAt":
			b.instant(&d.updatedAt)
		case "status":
			b.enum(statusNames, &d.status)
		case "systemLabel":
			b.enum(systemLabelNames, &d.systemLabel)
		case "serviceOwnerContext":
			b.storedOwnerContext(d)
		case "endUserContext":
			b.storedUserContext(state)
		case "seenSinceLastUpdate":
			bindList(b, &state.seen, 2, b.storedSeen)
		default:
			return b.sharedMember(&d.dialogBody, name)
		}
		return true
	})
}

func (b *binder) storedOwnerContext(d *storedDialog) {
	b.object(func(name string) bool {
		switch name {
		case "revision":
			d.state.contextRevision = b.id()
		case "serviceOwnerLabels":
			b.values(&d.labels)
		default:
			return false
		}
		return true
	})
}

func (b *binder) storedUserContext(state *snapshot) {
	b.object(func(name string) bool {
		switch name {
		case "revision":
			state.userRevision = b.id()
		case "systemLabels":
			var labels []int
			bindList(b, &labels, 2, func(n *int) { b.enum(systemLabelNames, n) })
			for _, label := range labels {
				state.setLabel(label)
			}
		default:
			return false
		}
		return true
	})
}

func (s *snapshot) setLabel(label int) {
	switch label {
	case labelMarkedAsUnopened:
		s.marked = true
	case labelSent:
		s.sent = true
	case labelDefault, labelBin, labelArchive:
		s.systemLabel = uint8(label)
	}
}

func (b *binder) storedSeen(entry *seenEntry) {
	b.element(func(name string) bool {
		switch name {
		case "id":
			entry.id = b.id()
		case "seenAt":
			b.instant(&entry.at)
		case "seenBy":
			b.actor(&entry.actor)
		case "isViaServiceOwner":
			b.flag(&entry.viaServiceOwner)
		default:
			return false
		}
		return true
	})
}

// complete fills in what the read model left out.
func (s *Service) complete(d *storedDialog, now instant) {
	state := &d.state
	state.idempotentKey, state.visibleFrom = kept(d.idempotentKey), d.visibleFrom
	state.serviceResource, state.party = shared(d.serviceResource.text), strings.Clone(d.party.text)
	resource, _ := s.resource(state.serviceResource)
	state.org, state.resourceType = shared(resource.Org), shared(strings.ToLower(resource.Type))
	if d.org.given {
		state.org = shared(d.org.text)
	}
	if d.resourceType.given {
		state.resourceType = shared(strings.ToLower(d.resourceType.text))
	}
	if d.systemLabel != 0 {
		state.setLabel(d.systemLabel)
	}
	for _, label := range d.labels {
		state.labels = append(state.labels, strings.Clone(label.text))
	}
	slices.Sort(state.labels)
	state.apply(&d.dialogBody)
	state.createdAt = earliestGiven(d.createdAt, now)
	state.updatedAt = earliestGiven(d.updatedAt, state.createdAt)
	state.contentUpdatedAt = earliestGiven(state.contentUpdatedAt, state.updatedAt)
	n := &normalizer{service: s, now: now}
	n.fillIDs(&d.aggregate)
	sortTexts(&d.aggregate)
	sortActivities(d.activities)
	sortTransmissions(d.transmissions)
	state.keep(&d.aggregate, s.keeping())
}

// earliestGiven is the first of two times that is given.
func earliestGiven(t, otherwise instant) instant {
	if t.given() {
		return t
	}
	return otherwise
}

// sortTexts orders localisations as a GET shows them, whatever order they came in.
func sortTexts(a *aggregate) {
	normalizeContent(&a.content, dialogContent())
	for i := range a.attachments {
		sortLocalizations(a.attachments[i].displayName)
	}
	for i := range a.guiActions {
		sortLocalizations(a.guiActions[i].title)
		sortLocalizations(a.guiActions[i].prompt)
	}
	for i := range a.activities {
		sortLocalizations(a.activities[i].description)
	}
	for i := range a.transmissions {
		normalizeContent(&a.transmissions[i].content, transmissionContent())
		for j := range a.transmissions[i].attachments {
			sortLocalizations(a.transmissions[i].attachments[j].displayName)
		}
		for j := range a.transmissions[i].navigation {
			sortLocalizations(a.transmissions[i].navigation[j].title)
		}
	}
}

// fillIDs gives ids to whatever came without.
func (n *normalizer) fillIDs(a *aggregate) {
	for i := range a.activities {
		n.id(&a.activities[i].id)
	}
	for i := range a.guiActions {
		n.id(&a.guiActions[i].id)
	}
	for i := range a.apiActions {
		n.id(&a.apiActions[i].id)
		for j := range a.apiActions[i].endpoints {
			n.id(&a.apiActions[i].endpoints[j].id)
		}
	}
	n.fillAttachmentIDs(a.attachments)
	for i := range a.transmissions {
		n.id(&a.transmissions[i].id)
		n.fillAttachmentIDs(a.transmissions[i].attachments)
	}
}

func (n *normalizer) fillAttachmentIDs(list []attachment) {
	for i := range list {
		n.id(&list[i].id)
		for j := range list[i].urls {
			n.id(&list[i].urls[j].id)
		}
	}
}

// replace puts a dialog in place of whatever is stored under its id. Ids of children that another dialog holds stay
// that dialog's: nothing is validated here.
func (s *Service) replace(d *storedDialog) error {
	id, state := d.id.id, d.state
	if found := s.store.find(id); found != nil {
		found.mu.Lock()
		if before := found.state.Load(); before != nil {
			s.store.purge(found, before)
		}
		found.mu.Unlock()
	}
	place, free := s.store.reserve(id)
	if !free {
		return fmt.Errorf("dialog %s: %w", id, errBusy)
	}
	if state.idempotentKey.given {
		s.store.claimKey(ownerKey{state.org, state.idempotentKey.text}, id)
	}
	for _, row := range rowsOf(&d.aggregate, state.hashed) {
		s.store.claimRow(row)
	}
	for _, label := range state.labels {
		s.store.addLabel(label, id)
	}
	s.store.counted(nil, &state)
	place.state.Store(&state)
	return nil
}

// errBusy is a dialog that somebody else writes at the same time.
var errBusy = errors.New("it is being written at the same time")
