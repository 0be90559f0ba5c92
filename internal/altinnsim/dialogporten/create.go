package dialogporten

import (
	"net/http"
	"slices"
	"strings"
	"unique"

	"github.com/google/uuid"
)

// createDialog is POST dialogs, in the order of Chapter 6.
func (c *call) createDialog() *problem {
	w := c.workspaces.get()
	defer c.workspaces.put(w)
	w.begin(c)
	body := &w.body
	if p := bindBy(&w.binder, func(b *binder) { b.dialogCreation(body) }); p != nil {
		return p
	}
	if !body.serviceResource.given {
		return serverError() // Chapter 6: a step before validation falls over it
	}
	w.rules.dialogCreation(body, c.admin)
	if w.rules.any() {
		return invalid(w.rules.faults)
	}
	if tooLongForStorage(body) {
		return serverError()
	}
	return c.create(body)
}

func (c *call) newRules() *rules {
	return &rules{path: make([]step, 0, 12), now: c.now, scopes: c.scopes}
}

// tooLongForStorage is whether a text passes the rules but not its column, which holds 255 characters.
func tooLongForStorage(d *dialogBody) bool {
	for _, text := range [...]string{d.serviceResource.text, d.process.text, d.precedingProcess.text} {
		if len(text) > maxText && units(text) > maxText {
			return true
		}
	}
	for i := range d.attachments {
		for j := range d.attachments[i].urls {
			if mediaType := d.attachments[i].urls[j].mediaType.text; len(mediaType) > maxText && units(mediaType) > maxText {
				return true
			}
		}
	}
	return false
}

// create does what follows the rules: steps 3 to 12.
func (c *call) create(body *dialogBody) *problem {
	var domain faults
	// overridden turns an answer into 422 once a domain error is remembered.
	overridden := func(p *problem) *problem {
		if domain.any() {
			return unprocessable(domain)
		}
		return p
	}
	resource, known := c.resource(body.serviceResource.text)
	if !known {
		c.unknownResource(&domain, body.serviceResource.text)
	}
	resourceType := strings.ToLower(resource.Type)
	if p := c.unowned(body.serviceResource.text, resourceType, &body.aggregate); p != nil {
		return overridden(p)
	}
	if p := c.keyTaken(resource.Org, body.idempotentKey); p != nil {
		return overridden(p)
	}
	if !c.silent && !c.admin {
		c.futureTimes(&domain, body)
	}
	if p := c.activityTypes(body.activities); p != nil {
		return overridden(p)
	}
	n := &normalizer{service: c.Service, now: c.now}
	n.mintTransmissionIDs(body.transmissions)
	hierarchyOf(body.transmissions).check(&domain)
	if p := duplicateKeys(body.transmissions); p != nil {
		return overridden(p)
	}
	if domain.any() {
		return unprocessable(domain)
	}
	n.aggregate(&body.aggregate)
	if p := n.problem(); p != nil {
		return p
	}
	return c.insert(c.newState(body, resource, resourceType), body)
}

func (c *call) unknownResource(domain *faults, urn string) {
	domain.add(keyServiceRes, "Service resource '"+urn+"' is invalid due to one or more of the following reasons:\n"+
		"- The resource is not found in the resource registry.\n"+
		"- The resource does not have a 'CompetentAuthority.Organization' or 'CompetentAuthority.OrgCode'.\n"+
		"- The resource type is not one of: [GenericAccessResource, AltinnApp, MigratedApp, CorrespondenceService].")
	if c.admin {
		domain.add("Org", "Cannot find service owner organization shortname for referenced service resource.")
	}
}

// keyTaken refuses the idempotent key of a dialog that is alive.
func (c *call) keyTaken(org string, key optional) *problem {
	if !key.given {
		return nil
	}
	holder, taken := c.store.keyHolder(ownerKey{org, key.text})
	if !taken {
		return nil
	}
	if state := c.store.load(holder); state == nil || !state.alive() {
		return nil
	}
	return problemWith(http.StatusConflict, keyIdempotentKey,
		"'"+key.text+"' already exists with DialogId '"+holder.String()+"'")
}

func (c *call) futureTimes(domain *faults, body *dialogBody) {
	past := func(t instant) bool { return t.given() && t <= c.now }
	if past(body.dueAt) {
		domain.add("DueAt", textFuture)
	}
	if past(body.expiresAt) {
		domain.add("ExpiresAt", textFuture)
	}
	if past(body.visibleFrom) {
		domain.add("VisibleFrom", textFuture)
	}
}

// duplicateKeys refuses transmissions that share an idempotent key.
func duplicateKeys(list []transmission) *problem {
	var duplicates []string
	seen := make(map[string]int, len(list))
	for i := range list {
		if key := list[i].idempotentKey; key.given {
			if seen[key.text]++; seen[key.text] == 2 {
				duplicates = append(duplicates, key.text)
			}
		}
	}
	return conflictingKeys(duplicates)
}

func conflictingKeys(keys []string) *problem {
	if len(keys) == 0 {
		return nil
	}
	return problemWith(http.StatusConflict, keyIdempotentKey,
		"Duplicate IdempotentKey detected in dialog transmissions. Conflicting keys: '"+strings.Join(keys, "', '")+"'.")
}

// newState is the first state of a dialog. Texts are copied: they are parts of the request's body.
func (c *call) newState(body *dialogBody, resource Resource, resourceType string) *snapshot {
	s := &snapshot{
		org: shared(resource.Org), resourceType: shared(resourceType), labels: newLabels(body.labels),
		idempotentKey: kept(body.idempotentKey), visibleFrom: body.visibleFrom, deletedAt: noInstant,
		revision: newRevision(), contextRevision: newRevision(), userRevision: newRevision(),
		systemLabel: uint8(max(body.systemLabel, labelDefault)), //nolint:gosec // three values
	}
	s.serviceResource, s.party = shared(body.serviceResource.text), strings.ToLower(strings.Clone(body.party.text))
	s.apply(body)
	s.creationTimes(body, c.now)
	s.contentSeen = s.createdAt < contentSeenBefore || strings.HasPrefix(s.serviceResource, resourcePrefix+"app_"+s.org+"_a2")
	if s.visibleFrom.given() && s.visibleFrom > c.now {
		for i := range body.transmissions {
			body.transmissions[i].createdAt = s.visibleFrom
		}
		sortTransmissions(body.transmissions)
	}
	s.hasUnopened = unopenedAtCreation(&body.aggregate, s.correspondence())
	s.sent = slices.ContainsFunc(body.transmissions, func(t transmission) bool { return byParty(t.kind) })
	s.keep(&body.aggregate, c.keeping())
	return s
}

// apply takes over the members that PUT replaces as well.
func (s *snapshot) apply(body *dialogBody) {
	s.progress = noProgress
	if body.progress.given {
		s.progress = int8(body.progress.n) //nolint:gosec // 0 to 100
	}
	s.extendedStatus, s.externalReference = kept(body.extendedStatus), kept(body.externalReference)
	s.process, s.precedingProcess = kept(body.process), kept(body.precedingProcess)
	s.dueAt, s.expiresAt = body.dueAt, body.expiresAt
	s.status = uint8(storedStatus(body.status)) //nolint:gosec // eight values
	s.isAPIOnly = body.isAPIOnly
}

// shared is the one copy of a text that many dialogs have.
func shared(text string) string { return unique.Make(text).Value() }

func kept(text optional) optional {
	if text.given {
		text.text = strings.Clone(text.text)
	}
	return text
}

func newLabels(values []optional) []string {
	labels := make([]string, 0, len(values))
	for _, value := range values {
		labels = append(labels, strings.Clone(normalLabel(value.text)))
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// creationTimes are the first three rows of Chapter 12's table.
func (s *snapshot) creationTimes(body *dialogBody, now instant) {
	s.createdAt, s.updatedAt = now, now
	if body.createdAt.given() && body.createdAt != zeroInstant {
		s.createdAt = body.createdAt
		if body.updatedAt.given() && body.updatedAt != zeroInstant {
			s.updatedAt = body.updatedAt
		}
	}
	if s.visibleFrom.given() && s.visibleFrom > now {
		s.createdAt, s.updatedAt = s.visibleFrom, s.visibleFrom
	}
	s.contentUpdatedAt = s.updatedAt
}

// unopenedAtCreation leaves TransmissionOpened activities of the same body out of account (Chapter 12).
func unopenedAtCreation(a *aggregate, correspondence bool) bool {
	if slices.ContainsFunc(a.transmissions, func(t transmission) bool { return !byParty(t.kind) }) {
		return true
	}
	return correspondence && !hasActivity(a.activities, activityCorrespondenceOpened)
}

// unopened is hasUnopenedContent of a dialog as it is.
func unopened(a *aggregate, correspondence bool) bool {
	for i := range a.transmissions {
		if t := &a.transmissions[i]; !byParty(t.kind) && !openedIn(a.activities, t.id.id) {
			return true
		}
	}
	return correspondence && !hasActivity(a.activities, activityCorrespondenceOpened)
}

func hasActivity(list []activity, kind int) bool {
	return slices.ContainsFunc(list, func(a activity) bool { return a.kind == kind })
}

// insert puts a new dialog in place, or tells which unique index it runs into.
func (c *call) insert(state *snapshot, body *dialogBody) *problem {
	id := body.id.id
	if !body.id.given {
		id = c.newID()
	}
	if p := c.store.insert(id, state, rowsOf(&body.aggregate, state.hashed)); p != nil {
		return p
	}
	c.created(id, state.revision)
	return nil
}

func (s *store) insert(id uuid.UUID, state *snapshot, rows []rowKey) *problem {
	var f faults
	place, free := s.reserve(id)
	if !free {
		f.clash(rowKey{tableDialog, id})
		return unprocessable(f)
	}
	key := ownerKey{state.org, state.idempotentKey.text}
	if state.idempotentKey.given && !s.claimKey(key, id) {
		s.forget(id)
		f.add(keyDialog, "Key ('Org', 'IdempotentKey')=("+key.org+", "+key.key+") already exists.")
		return unprocessable(f)
	}
	if clash, ok := s.claimRows(rows); !ok {
		if state.idempotentKey.given {
			s.releaseKey(key, id)
		}
		s.forget(id)
		f.clash(clash)
		return unprocessable(f)
	}
	for _, label := range state.labels {
		s.addLabel(label, id)
	}
	s.counted(nil, state)
	place.state.Store(state)
	return nil
}
