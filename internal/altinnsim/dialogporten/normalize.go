package dialogporten

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// normalizer turns what a request brought into what is stored: ids for what has none, defaults, spelling, order. The
// lists that it gets are new parts of a dialog, all made in one write.
type normalizer struct {
	service *Service
	now     instant
	// unnamed is an actor whom the party register does not know.
	unnamed string
}

func (n *normalizer) id(id *optionalID) {
	if !id.given {
		*id = someID(n.service.mint.next(n.now))
	}
}

func byID(a, b optionalID) int { return bytes.Compare(a.id[:], b.id[:]) }

func (n *normalizer) aggregate(a *aggregate) {
	normalizeContent(&a.content, dialogContent())
	normalizeTags(a.tags)
	n.attachments(a.attachments)
	n.transmissions(a.transmissions)
	n.guiActions(a.guiActions)
	n.apiActions(a.apiActions)
	n.activities(a.activities)
}

func normalizeContent(c *content, kinds kindRange) {
	for kind := kinds.first; kind <= kinds.last; kind++ {
		field := &c.fields[kind]
		field.mediaType = currentMediaType(field.mediaType)
		sortLocalizations(field.values)
	}
}

func normalizeTags(tags []optional) {
	for i := range tags {
		tags[i] = some(normalLabel(tags[i].text))
	}
}

func (n *normalizer) attachments(list []attachment) {
	for i := range list {
		n.id(&list[i].id)
		sortLocalizations(list[i].displayName)
		n.urls(list[i].urls)
	}
	slices.SortStableFunc(list, func(a, b attachment) int { return byID(a.id, b.id) })
}

func (n *normalizer) urls(list []attachmentURL) {
	for i := range list {
		n.id(&list[i].id)
	}
	slices.SortStableFunc(list, func(a, b attachmentURL) int { return byID(a.id, b.id) })
}

func (n *normalizer) guiActions(list []guiAction) {
	for i := range list {
		n.id(&list[i].id)
		sortLocalizations(list[i].title)
		sortLocalizations(list[i].prompt)
	}
	slices.SortStableFunc(list, func(a, b guiAction) int { return byID(a.id, b.id) })
}

func (n *normalizer) apiActions(list []apiAction) {
	for i := range list {
		n.id(&list[i].id)
		n.endpoints(list[i].endpoints)
	}
	slices.SortStableFunc(list, func(a, b apiAction) int { return byID(a.id, b.id) })
}

func (n *normalizer) endpoints(list []apiEndpoint) {
	for i := range list {
		n.id(&list[i].id)
	}
	slices.SortStableFunc(list, func(a, b apiEndpoint) int { return byID(a.id, b.id) })
}

func (n *normalizer) activities(list []activity) {
	for i := range list {
		n.id(&list[i].id)
		if !list[i].createdAt.given() || list[i].createdAt == zeroInstant {
			list[i].createdAt = n.now
		}
		n.actor(&list[i].performedBy)
		sortLocalizations(list[i].description)
	}
	sortActivities(list)
}

func sortActivities(list []activity) {
	slices.SortStableFunc(list, func(a, b activity) int { return byTime(a.createdAt, b.createdAt, a.id, b.id) })
}

func sortTransmissions(list []transmission) {
	slices.SortStableFunc(list, func(a, b transmission) int { return byTime(a.createdAt, b.createdAt, a.id, b.id) })
}

func byTime(a, b instant, idA, idB optionalID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return byID(idA, idB)
}

func (n *normalizer) transmissions(list []transmission) {
	for i := range list {
		n.transmission(&list[i])
	}
	sortTransmissions(list)
}

func (n *normalizer) transmission(t *transmission) {
	n.id(&t.id)
	if !t.createdAt.given() {
		t.createdAt = n.now
	}
	n.actor(&t.sender)
	normalizeContent(&t.content, transmissionContent())
	n.attachments(t.attachments)
	for i := range t.navigation {
		sortLocalizations(t.navigation[i].title)
	}
}

// actor looks up the name of an actor who has an id.
func (n *normalizer) actor(a *actor) {
	if !a.id.given {
		return
	}
	urn := strings.ToLower(a.id.text)
	name, ok := n.service.actorName(urn)
	if !ok && n.unnamed == "" {
		n.unnamed = urn
	}
	a.id, a.name = some(urn), some(name)
}

func (n *normalizer) problem() *problem {
	if n.unnamed == "" {
		return nil
	}
	return problemWith(422, "ActorId", textInvalidLookup+n.unnamed)
}

// mintTransmissionIDs gives ids to new transmissions and their attachments, as the checks of the hierarchy need them.
func (n *normalizer) mintTransmissionIDs(list []transmission) {
	for i := range list {
		t := &list[i]
		n.id(&t.id)
		for j := range t.attachments {
			n.id(&t.attachments[j].id)
		}
	}
}

// newID is a UUIDv7 of now.
func (c *call) newID() uuid.UUID { return c.mint.next(c.now) }
