package dialogporten

import (
	"strings"

	"github.com/google/uuid"
)

// The rule sets of Chapter 7 (creation) and Chapter 8 (update).

// dialogCreation checks the body of POST dialog.
func (r *rules) dialogCreation(d *dialogBody, admin bool) {
	r.in("dto")
	defer r.out()
	r.v7(d.id)
	r.creationTimes(d)
	r.minLength("idempotentKey", d.idempotentKey, minKey)
	r.maxLength("idempotentKey", d.idempotentKey, maxKey)
	r.serviceResource(d.serviceResource)
	r.party("party", d.party)
	r.required("party", d.party)
	r.maxLength("party", d.party, maxText)
	r.shared(d)
	r.notBefore("expiresAt", d.expiresAt, "dueAt", d.dueAt)
	r.notBefore("expiresAt", d.expiresAt, "visibleFrom", d.visibleFrom)
	if !admin {
		r.notBefore("dueAt", d.dueAt, "visibleFrom", d.visibleFrom)
	}
	if d.statusGiven {
		r.known("status", statusNames, d.status)
	}
	if d.systemLabel != 0 && (d.systemLabel < labelDefault || d.systemLabel > labelArchive) {
		r.report("systemLabel", "SystemLabel must be Default, Bin or Archive.")
	}
	r.children(d, true)
	uniqueIDs(r, "transmissions", d.transmissions, func(t *transmission) optionalID { return t.id })
	r.relatedInBody(d)
	for i := range d.transmissions {
		r.inList("transmissions", i, func() { r.transmission(&d.transmissions[i], !d.isAPIOnly, ofCreation) })
	}
	uniqueIDs(r, "activities", d.activities, func(a *activity) optionalID { return a.id })
	for i := range d.activities {
		r.activityInBody(d, i)
	}
	if len(d.labels) > 0 {
		r.in("serviceOwnerContext")
		r.labels(d.labels)
		r.out()
	}
}

func (r *rules) creationTimes(d *dialogBody) {
	r.inPast("createdAt", d.createdAt)
	hasUpdated := d.updatedAt.given() && d.updatedAt != zeroInstant
	hasCreated := d.createdAt.given() && d.createdAt != zeroInstant
	if hasUpdated && !hasCreated {
		r.report("createdAt", "CreatedAt must not be empty when 'UpdatedAt is set.")
	}
	r.inPast("updatedAt", d.updatedAt)
	if hasUpdated && hasCreated && d.updatedAt < d.createdAt {
		r.report("updatedAt", "'UpdatedAt' must be greater than or equal to 'CreatedAt'.")
	}
}

func (r *rules) serviceResource(urn optional) {
	const member = "serviceResource"
	if !wellFormedURI(urn.text) {
		r.report(member, "'ServiceResource' is not a well-formatted URI.")
	}
	r.maxLength(member, urn, maxURI)
	if !strings.HasPrefix(urn.text, resourcePrefix) {
		r.report(member, "'ServiceResource' must start with '"+resourcePrefix+"'.")
	}
}

// shared checks the members that creation and update have in common, but for their order in time.
func (r *rules) shared(d *dialogBody) {
	if d.progress.given && (d.progress.n < 0 || d.progress.n > 100) {
		r.report("progress", "'Progress' must be between 0 and 100. You entered "+itoa(d.progress.n)+".")
	}
	r.maxLength("extendedStatus", d.extendedStatus, maxText)
	r.maxLength("externalReference", d.externalReference, maxText)
	r.wellFormedText("process", d.process)
	if d.precedingProcess.given && strings.TrimSpace(d.process.text) == "" {
		r.report("process", "Process must not be empty when PrecedingProcess is set.")
	}
	r.wellFormedText("precedingProcess", d.precedingProcess)
}

// children checks content, tags, attachments and actions.
func (r *rules) children(d *dialogBody, creation bool) {
	r.content(&d.content, dialogContent(), !d.isAPIOnly)
	r.uniqueValues("searchTags", d.tags)
	for i := range d.tags {
		r.inList("searchTags", i, func() { r.boundedValue(d.tags[i], minTag, maxTag) })
	}
	uniqueIDs(r, "attachments", d.attachments, func(a *attachment) optionalID { return a.id })
	for i := range d.attachments {
		r.inList("attachments", i, func() { r.dialogAttachment(&d.attachments[i], creation) })
	}
	r.guiActions(d.guiActions, creation)
	uniqueIDs(r, "apiActions", d.apiActions, func(a *apiAction) optionalID { return a.id })
	for i := range d.apiActions {
		r.inList("apiActions", i, func() { r.apiAction(&d.apiActions[i], creation) })
	}
}

// inList runs a check at an element of a list.
func (r *rules) inList(member string, index int, check func()) {
	r.in(member)
	r.at(index)
	check()
	r.out()
	r.out()
}

// boundedValue checks a {"value"} of a tag or a label.
func (r *rules) boundedValue(value optional, shortest, longest int) {
	if !value.given {
		r.mustNotBeEmpty("value")
		return
	}
	r.minLength("value", value, shortest)
	r.maxLength("value", value, longest)
}

// labels checks the service-owner labels of a new dialog.
func (r *rules) labels(labels []optional) {
	const member = "serviceOwnerLabels"
	if len(labels) > maxLabels {
		r.report(member, "Maximum 20 service owner labels are allowed.")
	}
	r.uniqueValues(member, labels)
	for i := range labels {
		r.inList(member, i, func() { r.boundedValue(labels[i], minLabel, maxLabel) })
	}
}

// relatedInBody wants related transmissions to be in the same body.
func (r *rules) relatedInBody(d *dialogBody) {
	for i := range d.transmissions {
		if related := d.transmissions[i].related; related.given && !hasTransmission(d.transmissions, related.id) {
			r.inList("transmissions", i, func() { r.report("", absentItem(related.id)) })
		}
	}
}

func (r *rules) activityInBody(d *dialogBody, i int) {
	a := &d.activities[i]
	r.inList("activities", i, func() {
		if a.transmission.given && !hasTransmission(d.transmissions, a.transmission.id) {
			r.report("", absentItem(a.transmission.id))
		}
		r.activity(a)
	})
}

func absentItem(id uuid.UUID) string {
	return "Item '" + id.String() + "' in 'Transmissions' does not exist."
}

func hasTransmission(list []transmission, id uuid.UUID) bool {
	for i := range list {
		if list[i].id.given && list[i].id.id == id {
			return true
		}
	}
	return false
}

// dialogUpdate checks the body of PUT dialog against what is stored.
func (r *rules) dialogUpdate(d *dialogBody, visibleFrom instant, stored []transmission, admin bool) {
	r.in("dto")
	defer r.out()
	r.shared(d)
	r.notBefore("expiresAt", d.expiresAt, "dueAt", d.dueAt)
	r.known("status", statusNames, d.status)
	uniqueIDs(r, "transmissions", d.transmissions, func(t *transmission) optionalID { return t.id })
	if !d.isAPIOnly && lacksContent(stored) {
		r.report("transmissions", "This dialog is locked to IsApiOnly=true, as one or more of the existing immutable "+
			"transmissions do not have content.")
	}
	if !admin {
		r.notBeforeVisible("dueAt", d.dueAt, visibleFrom)
	}
	r.notBeforeVisible("expiresAt", d.expiresAt, visibleFrom)
	r.children(d, false)
	for i := range d.transmissions {
		r.inList("transmissions", i, func() { r.transmission(&d.transmissions[i], !d.isAPIOnly, ofUpdate) })
	}
	uniqueIDs(r, "activities", d.activities, func(a *activity) optionalID { return a.id })
	for i := range d.activities {
		r.inList("activities", i, func() { r.activity(&d.activities[i]) })
	}
}

func (r *rules) notBeforeVisible(member string, t, visibleFrom instant) {
	if t.given() && visibleFrom.given() && t < visibleFrom {
		r.report(member, strings.Trim(display(member), "'")+" must be greater than or equal to VisibleFrom.")
	}
}

func lacksContent(stored []transmission) bool {
	for i := range stored {
		if !stored[i].content.given {
			return true
		}
	}
	return false
}
