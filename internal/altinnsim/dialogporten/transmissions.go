package dialogporten

import (
	"net/http"
	"slices"
)

// createTransmission is POST transmissions.
func (c *call) createTransmission() *problem {
	var body transmission
	if p := c.bind(func(b *binder) { b.transmission(&body, false) }); p != nil {
		return p
	}
	r := c.newRules()
	r.inList("transmissions", 0, func() { r.transmission(&body, true, ofPosting) })
	if r.any() {
		return invalid(r.faults)
	}
	next, p := c.change(byOrg, func(state *snapshot) (*snapshot, *problem) { return c.appendTransmission(state, &body) })
	if p != nil {
		return p
	}
	c.created(body.id.id, next.revision)
	return nil
}

// appendTransmission checks a transmission against its dialog, in the order of Chapter 6, and adds it.
func (c *call) appendTransmission(state *snapshot, body *transmission) (*snapshot, *problem) {
	if p := c.mayAddTransmission(state); p != nil {
		return nil, p
	}
	stored := state.aggregate()
	if key := body.idempotentKey; key.given && hasKey(stored.transmissions, key) {
		return nil, conflictingKeys([]string{key.text})
	}
	fresh := []transmission{*body}
	n := &normalizer{service: c.Service, now: c.now}
	n.mintTransmissionIDs(fresh)
	var domain faults
	c.checkHierarchy(state, stored, fresh, &domain)
	c.transmissionTimes(fresh, &domain)
	if domain.any() {
		return nil, unprocessable(domain)
	}
	if p := c.unowned(state.serviceResource, state.resourceType, &aggregate{transmissions: fresh}); p != nil {
		return nil, p
	}
	n.transmissions(fresh)
	if p := n.problem(); p != nil {
		return nil, p
	}
	if p := c.overlapped(); p != nil {
		return nil, p
	}
	if clash, ok := c.store.claimRows(rowsOf(&aggregate{transmissions: fresh}, state.hashed)); !ok {
		var f faults
		f.clash(clash)
		return nil, unprocessable(f)
	}
	body.id = fresh[0].id
	stored.transmissions = append(stored.transmissions, fresh[0])
	sortTransmissions(stored.transmissions)
	next := state.clone()
	if byParty(fresh[0].kind) {
		next.addSent()
	} else {
		next.hasUnopened = true
	}
	next.keepAll(state, stored, false, c.keeping())
	next.revise(c.now, c.silent, true)
	return next, nil
}

// addSent notes that the party has sent something.
func (s *snapshot) addSent() {
	if !s.sent {
		s.sent, s.userRevision = true, newRevision()
	}
}

func (c *call) mayAddTransmission(state *snapshot) *problem {
	switch {
	case !state.alive():
		return dialogGone(c.dialogID())
	case state.frozen && !c.admin:
		return forbidden(textFrozen)
	case c.mismatch(state.revision):
		return preconditionFailed()
	}
	return nil
}

func hasKey(list []transmission, key optional) bool {
	return slices.ContainsFunc(list, func(t transmission) bool { return t.idempotentKey == key })
}

// putTransmission is PUT transmissions/{tid}: it replaces the whole transmission.
func (c *call) putTransmission() *problem {
	var body transmission
	if p := c.bind(func(b *binder) { b.transmission(&body, true) }); p != nil {
		return p
	}
	r := c.newRules()
	if !c.silent && !body.silent {
		r.report("isSilentUpdate", "IsSilentUpdate must be true when updating transmissions.")
	}
	body.id = someID(c.ids[1])
	// An API-only dialog may have transmissions without content; which it is, is known once the dialog is read.
	state := c.store.load(c.dialogID())
	r.in("dto")
	replacement := body
	replacement.id = optionalID{}
	r.transmission(&replacement, state == nil || !state.isAPIOnly, ofReplacement)
	if r.any() {
		return invalid(r.faults)
	}
	next, p := c.change(byOrg, func(state *snapshot) (*snapshot, *problem) { return c.replaceTransmission(state, &body) })
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}

// replaceTransmission checks a transmission against its dialog, in the order of Chapter 6, and puts it in place.
func (c *call) replaceTransmission(state *snapshot, body *transmission) (*snapshot, *problem) {
	if p := c.unowned(state.serviceResource, state.resourceType, &aggregate{transmissions: []transmission{*body}}); p != nil {
		return nil, p
	}
	switch {
	case !state.alive():
		return nil, dialogGone(c.dialogID())
	case state.frozen && !c.admin:
		return nil, forbidden(textFrozen)
	}
	stored := state.aggregate()
	at := slices.IndexFunc(stored.transmissions, func(t transmission) bool { return t.id == body.id })
	if at < 0 {
		return nil, notFound(keyTransmission, body.id.id.String())
	}
	others := slices.Delete(slices.Clone(stored.transmissions), at, at+1)
	if key := body.idempotentKey; key.given && hasKey(others, key) {
		return nil, problemWith(http.StatusConflict, keyIdempotentKey,
			"Duplicate IdempotentKey detected in dialog transmissions. Conflicting key: '"+key.text+"'.")
	}
	var domain faults
	hierarchyOf(others, []transmission{*body}).check(&domain)
	if domain.any() {
		return nil, unprocessable(domain)
	}
	if c.mismatch(state.revision) {
		return nil, preconditionFailed()
	}
	return c.saveTransmission(state, stored, at, body)
}

func (c *call) saveTransmission(state *snapshot, stored *aggregate, at int, body *transmission) (*snapshot, *problem) {
	before := stored.transmissions[at]
	after := *body
	if !after.createdAt.given() {
		after.createdAt = before.createdAt
	}
	n := &normalizer{service: c.Service, now: c.now}
	after.attachments = n.mergeAttachments(before.attachments, after.attachments)
	n.actor(&after.sender)
	normalizeContent(&after.content, transmissionContent())
	for i := range after.navigation {
		sortLocalizations(after.navigation[i].title)
	}
	if p := n.problem(); p != nil {
		return nil, p
	}
	if string(appendTransmission(nil, &before, nil)) == string(appendTransmission(nil, &after, nil)) {
		return nil, nil
	}
	merged := *stored
	merged.transmissions = slices.Clone(stored.transmissions)
	merged.transmissions[at] = after
	sortTransmissions(merged.transmissions)
	if p := c.overlapped(); p != nil {
		return nil, p
	}
	u := &updating{call: c, state: state, stored: stored, merged: merged}
	if p := u.exchangeRows(); p != nil {
		return nil, p
	}
	next := state.clone()
	if byParty(after.kind) {
		next.addSent()
	}
	next.hasUnopened = unopened(&merged, state.correspondence())
	next.keepAll(state, &merged, false, c.keeping())
	next.revise(c.now, true, true)
	return next, nil
}
