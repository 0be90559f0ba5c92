package dialogporten

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// putDialog is PUT dialogs/{id}.
func (c *call) putDialog() *problem {
	body := newDialogBody()
	if p := c.bind(func(b *binder) { b.dialogUpdate(body) }); p != nil {
		return p
	}
	return c.update(func(*snapshot, *aggregate) (*dialogBody, *problem) { return body, nil })
}

// update replaces a dialog's content by a body that may be made of what is stored.
func (c *call) update(bodyFor func(*snapshot, *aggregate) (*dialogBody, *problem)) *problem {
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		stored := state.aggregate()
		body, p := bodyFor(state, stored)
		if p != nil {
			return nil, p
		}
		if p := c.mayUpdate(state, stored, body); p != nil {
			return nil, p
		}
		u := &updating{call: c, state: state, stored: stored, body: body, n: &normalizer{service: c.Service, now: c.now}}
		return u.run()
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}

// mayUpdate is steps 3 to 6 of PUT in Chapter 6.
func (c *call) mayUpdate(state *snapshot, stored *aggregate, body *dialogBody) *problem {
	r := c.newRules()
	r.dialogUpdate(body, state.visibleFrom, stored.transmissions, c.admin)
	switch {
	case r.any():
		return invalid(r.faults)
	case !state.alive():
		return dialogGone(c.dialogID())
	case state.frozen && !c.admin:
		return forbidden(textFrozen)
	case c.mismatch(state.revision):
		return preconditionFailed()
	case tooLongForStorage(body):
		return serverError()
	}
	return nil
}

// updating is one update on its way through steps 7 to 16.
type updating struct {
	*call
	state  *snapshot
	stored *aggregate
	body   *dialogBody
	merged aggregate
	n      *normalizer
	domain faults
}

func (u *updating) run() (*snapshot, *problem) {
	if !u.silent && !u.admin {
		u.changedTimes()
	}
	u.appendActivities()
	if p := u.activityTypes(u.body.activities); p != nil {
		return nil, p
	}
	u.appendTransmissions()
	if p := u.conflictingTransmissions(); p != nil {
		return nil, p
	}
	u.activityReferences()
	u.merge()
	u.attachmentTimes()
	if p := u.unowned(u.state.serviceResource, u.state.resourceType, &u.merged); p != nil {
		return nil, p
	}
	if u.domain.any() {
		return nil, unprocessable(u.domain)
	}
	if p := u.n.problem(); p != nil {
		return nil, p
	}
	return u.save()
}

func (u *updating) changedTimes() {
	if t := u.body.expiresAt; t != u.state.expiresAt && (!t.given() || t <= u.now) {
		u.domain.add("ExpiresAt", textFutureOrKept)
	}
	if t := u.body.dueAt; t != u.state.dueAt && t.given() && t <= u.now {
		u.domain.add("DueAt", textFutureOrKept+" (Or null)")
	}
}

// appendActivities adds the new activities, unless one of them is stored already.
func (u *updating) appendActivities() {
	var repeated []string
	for i := range u.body.activities {
		if id := u.body.activities[i].id; id.given && u.state.hasActivityID(u.stored, id.id) {
			repeated = append(repeated, id.id.String())
		}
	}
	if len(repeated) > 0 {
		u.domain.add(keyActivity, alreadyExists(keyActivity, strings.Join(repeated, ", ")))
		u.merged.activities = u.stored.activities
		return
	}
	u.n.activities(u.body.activities)
	u.merged.activities = append(slices.Clip(u.stored.activities), u.body.activities...)
	sortActivities(u.merged.activities)
}

func (s *snapshot) hasActivityID(stored *aggregate, id uuid.UUID) bool {
	for i := range stored.activities {
		if stored.activities[i].id.id == id {
			return true
		}
	}
	return s.hashed && containsID(s.childIDs[:s.activities], id)
}

func (s *snapshot) hasTransmissionID(stored *aggregate, id uuid.UUID) bool {
	return hasTransmission(stored.transmissions, id) || s.hashed && containsID(s.childIDs[s.activities:], id)
}

func containsID(ids []uuid.UUID, id uuid.UUID) bool {
	return slices.Contains(ids, id)
}

// appendTransmissions adds the new transmissions, unless they or their attachments are stored already.
func (u *updating) appendTransmissions() {
	fresh := u.body.transmissions
	u.merged.transmissions = u.stored.transmissions
	u.n.mintTransmissionIDs(fresh)
	var repeated, repeatedAttachments []string
	for i := range fresh {
		if u.state.hasTransmissionID(u.stored, fresh[i].id.id) {
			repeated = append(repeated, fresh[i].id.id.String())
		}
		for j := range fresh[i].attachments {
			if id := fresh[i].attachments[j].id.id; hasTransmissionAttachment(u.stored.transmissions, id) {
				repeatedAttachments = append(repeatedAttachments, id.String())
			}
		}
	}
	switch {
	case len(repeated) > 0:
		u.domain.add(keyTransmission, alreadyExists(keyTransmission, strings.Join(repeated, ", ")))
		return
	case len(repeatedAttachments) > 0:
		u.domain.add("DialogAttachment", alreadyExists("DialogAttachment", strings.Join(repeatedAttachments, ", ")))
		return
	}
	u.checkHierarchy(u.state, u.stored, fresh, &u.domain)
	u.transmissionTimes(fresh, &u.domain)
	u.n.transmissions(fresh)
	u.merged.transmissions = append(slices.Clip(u.stored.transmissions), fresh...)
	sortTransmissions(u.merged.transmissions)
}

func hasTransmissionAttachment(list []transmission, id uuid.UUID) bool {
	for i := range list {
		for j := range list[i].attachments {
			if list[i].attachments[j].id.id == id {
				return true
			}
		}
	}
	return false
}

// checkHierarchy checks new transmissions together with the stored ones. Where bodies are hashed those are known by
// id alone.
func (c *call) checkHierarchy(state *snapshot, stored *aggregate, fresh []transmission, domain *faults) {
	h := hierarchyOf(stored.transmissions, fresh)
	if state.hashed && h.known != nil {
		for _, id := range state.childIDs[state.activities:] {
			h.known[id] = true
		}
	}
	h.check(domain)
}

// transmissionTimes refuses attachments of new transmissions that have expired.
func (c *call) transmissionTimes(fresh []transmission, domain *faults) {
	for i := range fresh {
		list := fresh[i].attachments
		for j := range list {
			if a := &list[j]; a.expiresAt.given() && a.expiresAt <= c.now {
				domain.add("Transmissions.Attachments.ExpiresAt", expiredAttachment(a))
			}
		}
	}
}

func expiredAttachment(a *attachment) string {
	text := "Must be in future or null, got '" + a.expiresAt.dotNetText() + "'."
	if a.id.given {
		text += " (Id: " + a.id.id.String() + ")"
	}
	return text
}

// conflictingTransmissions refuses an idempotent key that two transmissions of the dialog have.
func (u *updating) conflictingTransmissions() *problem {
	return duplicateKeys(u.merged.transmissions)
}

// activityReferences wants the transmissions that activities refer to.
func (u *updating) activityReferences() {
	var missing []string
	for i := range u.merged.activities {
		reference := u.merged.activities[i].transmission
		if reference.given && !hasTransmission(u.merged.transmissions, reference.id) &&
			!u.state.hasTransmissionID(u.stored, reference.id) {
			missing = append(missing, reference.id.String())
		}
	}
	if len(missing) > 0 {
		u.domain.add("Activities", missingTransmissions(missing))
	}
}

func missingTransmissions(ids []string) string {
	return "Invalid 'TransmissionId, entity '" + keyTransmission + "' with the following key(s) does not exist: (" +
		strings.Join(ids, ", ") + ") in 'Transmissions'"
}

// attachmentTimes refuses expiry times of the past that are new; neither silence nor the admin scope lifts that.
func (u *updating) attachmentTimes() {
	const key = "Attachments.ExpiresAt"
	for i := range u.body.attachments {
		a := &u.body.attachments[i]
		if !a.expiresAt.given() || a.expiresAt > u.now {
			continue
		}
		before := findAttachment(u.stored.attachments, a.id)
		switch {
		case before == nil:
			u.domain.add(key, expiredAttachment(a))
		case before.expiresAt != a.expiresAt:
			u.domain.add(key, "Must be in future, current value, or null. (Id: "+a.id.id.String()+")")
		}
	}
}

func findAttachment(list []attachment, id optionalID) *attachment {
	for i := range list {
		if id.given && list[i].id.id == id.id {
			return &list[i]
		}
	}
	return nil
}

// merge replaces what PUT replaces (Chapter 8).
func (u *updating) merge() {
	u.merged.content = u.body.content
	normalizeContent(&u.merged.content, dialogContent())
	normalizeTags(u.body.tags)
	u.merged.tags = mergeTags(u.stored.tags, u.body.tags)
	u.merged.attachments = u.n.mergeAttachments(u.stored.attachments, u.body.attachments)
	u.merged.guiActions = mergeByID(u.stored.guiActions, u.body.guiActions,
		func(a *guiAction) *optionalID { return &a.id },
		func(_ *guiAction, after guiAction) guiAction { u.n.guiActions([]guiAction{after}); return after }, u.n.guiActions)
	u.merged.apiActions = mergeByID(u.stored.apiActions, u.body.apiActions,
		func(a *apiAction) *optionalID { return &a.id }, u.n.mergeAPIAction, u.n.apiActions)
}

// save makes the next state, or none if nothing changes.
func (u *updating) save() (*snapshot, *problem) {
	next := u.state.clone()
	next.apply(u.body)
	content := u.contentChanged(next)
	if !content && !u.otherwiseChanged(next) {
		return u.labelReset(), nil
	}
	if p := u.overlapped(); p != nil {
		return nil, p
	}
	if p := u.exchangeRows(); p != nil {
		return nil, p
	}
	next.hasUnopened = unopened(&u.merged, u.state.correspondence())
	if u.state.hashed {
		next.hasUnopened = u.state.hasUnopened || next.hasUnopened
	}
	for i := range u.body.transmissions {
		next.sent = next.sent || byParty(u.body.transmissions[i].kind)
	}
	if next.sent != u.state.sent {
		next.userRevision = newRevision()
	}
	next.keepAll(u.state, &u.merged, true, u.keeping())
	next.revise(u.now, u.silent, content)
	return next, nil
}

// labelReset is what a write without effect still does when it is not silent (Chapter 14).
func (u *updating) labelReset() *snapshot {
	if u.silent || u.state.systemLabel == labelDefault {
		return nil
	}
	next := u.state.clone()
	next.resetLabel()
	return next
}

// resetLabel moves a dialog out of the archive or the bin.
func (s *snapshot) resetLabel() {
	if s.systemLabel != labelDefault {
		s.systemLabel, s.userRevision = labelDefault, newRevision()
	}
}

// revise gives a changed dialog its new revision and dates (Chapter 12).
func (s *snapshot) revise(now instant, silent, contentChanged bool) {
	s.revision = newRevision()
	if s.visibleFrom.given() && s.visibleFrom > now {
		s.updatedAt, s.contentUpdatedAt = s.visibleFrom, s.visibleFrom
	} else if !silent {
		s.updatedAt = max(s.updatedAt, now)
		if contentChanged {
			s.contentUpdatedAt = max(s.contentUpdatedAt, now)
		}
	}
	if silent {
		return
	}
	s.resetLabel()
	if contentChanged {
		s.contentSeen = false
	}
}

// contentChanged is whether a change counts as one of content.
func (u *updating) contentChanged(next *snapshot) bool {
	if next.status != u.state.status || next.extendedStatus != u.state.extendedStatus || len(u.body.transmissions) > 0 {
		return true
	}
	if u.state.hashed {
		return u.keeping().digest(&u.merged) != u.state.digest
	}
	return !bytes.Equal(appendReplaceableContent(nil, u.stored), appendReplaceableContent(nil, &u.merged))
}

// appendReplaceableContent writes what PUT replaces, but for the tags.
func appendReplaceableContent(buf []byte, a *aggregate) []byte {
	if a.content.given {
		buf = appendContent(buf, &a.content, dialogContent())
	}
	buf = appendList(buf, a.attachments, appendAttachment)
	buf = appendList(buf, a.guiActions, appendGUIAction)
	return appendList(buf, a.apiActions, appendAPIAction)
}

func (u *updating) otherwiseChanged(next *snapshot) bool {
	s := u.state
	if next.progress != s.progress || next.externalReference != s.externalReference || next.process != s.process ||
		next.precedingProcess != s.precedingProcess || next.dueAt != s.dueAt || next.expiresAt != s.expiresAt ||
		next.isAPIOnly != s.isAPIOnly || len(u.body.activities) > 0 {
		return true
	}
	return !s.hashed && !slices.Equal(u.stored.tags, u.merged.tags)
}

// exchangeRows claims the ids of what is new and frees those of what is gone.
func (u *updating) exchangeRows() *problem {
	before, after := rowsOf(u.stored, u.state.hashed), rowsOf(&u.merged, u.state.hashed)
	held := make(map[rowKey]bool, len(before))
	for _, key := range before {
		held[key] = true
	}
	var fresh []rowKey
	for _, key := range after {
		if held[key] {
			delete(held, key)
		} else {
			fresh = append(fresh, key)
		}
	}
	if clash, ok := u.store.claimRows(fresh); !ok {
		var f faults
		f.clash(clash)
		return unprocessable(f)
	}
	gone := make([]rowKey, 0, len(held))
	for key := range held {
		gone = append(gone, key)
	}
	u.store.releaseRows(gone)
	return nil
}

// keepAll stores what is below the dialog. Where bodies are hashed, a holds only what is new, and what PUT replaces.
func (s *snapshot) keepAll(before *snapshot, a *aggregate, replaced bool, how keeping) {
	s.keep(a, how)
	if !before.hashed {
		return
	}
	fresh := s.childIDs
	s.childIDs = slices.Concat(before.childIDs[:before.activities], fresh[:s.activities],
		before.childIDs[before.activities:], fresh[s.activities:])
	s.activities += before.activities
	s.fromOwner += before.fromOwner
	s.fromParty += before.fromParty
	if !replaced {
		s.digest, s.attachments = before.digest, before.attachments
	}
}
