package dialogporten

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// getDialog is GET dialogs/{id}. Soft-deleted dialogs are shown.
func (c *call) getDialog() *problem {
	endUser := c.parameter("endUserId")
	if endUser != "" && !validEndUser(endUser) {
		return problemWith(http.StatusBadRequest, "endUserId", "EndUserId must be a valid end user identifier. It must match the "+
			"format '"+prefixPerson+"{norwegian f-nr/d-nr}' or '"+prefixSystemUser+"{uuid}'.")
	}
	state, p := c.read(byResource)
	if p != nil {
		return p
	}
	if endUser != "" {
		endUser = strings.ToLower(endUser)
		if state, p = c.seenBy(endUser); p != nil {
			return p
		}
	}
	c.w.Header()["Etag"] = []string{state.revision.String()}
	writeJSON(c.w, http.StatusOK, state.document(c.dialogID(), endUser))
	return nil
}

// validEndUser takes persons and system users.
func validEndUser(urn string) bool {
	if number, ok := strings.CutPrefix(urn, prefixPerson); ok {
		return validPersonNumber(number)
	}
	id, ok := strings.CutPrefix(urn, prefixSystemUser)
	if !ok {
		return false
	}
	_, valid := parsePlainGUID(id)
	return valid
}

// seenBy records a view. It is no change of the dialog: revision and dates stay.
func (c *call) seenBy(endUser string) (*snapshot, *problem) {
	return c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		next := state.clone()
		next.contentSeen, next.marked = true, false
		if state.marked {
			next.userRevision = newRevision()
		}
		for i := range state.seen {
			if entry := &state.seen[i]; entry.actor.id.text == endUser && entry.at >= state.updatedAt {
				return next, nil
			}
		}
		name, _ := c.actorName(endUser)
		next.seen = append(slices.Clip(state.seen), seenEntry{
			id: c.newID(), at: max(c.now, state.updatedAt),
			actor: actor{given: true, kind: 1, id: some(endUser), name: some(name)}, viaServiceOwner: true,
		})
		return next, nil
	})
}

// readAlive finds the path's dialog for its lists, which soft-deleted dialogs no longer show.
func (c *call) readAlive() (*snapshot, *problem) {
	state, p := c.read(byResource)
	if p == nil && !state.alive() {
		p = dialogGone(c.dialogID())
	}
	return state, p
}

// listActivities is GET activities.
func (c *call) listActivities() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	writeJSON(c.w, http.StatusOK, appendList(nil, state.aggregate().activities, appendActivityItem))
	return nil
}

func (c *call) getActivity() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	list := state.aggregate().activities
	for i := range list {
		if list[i].id.id == c.ids[1] {
			writeJSON(c.w, http.StatusOK, appendActivity(nil, &list[i]))
			return nil
		}
	}
	return notFound(keyActivity, c.ids[1].String())
}

// listTransmissions is GET transmissions, newest first.
func (c *call) listTransmissions() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	list := state.aggregate().transmissions
	newestFirst(list)
	writeJSON(c.w, http.StatusOK, appendList(nil, list, func(buf []byte, t *transmission) []byte {
		return appendTransmission(buf, t, nil)
	}))
	return nil
}

func newestFirst(list []transmission) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

func (c *call) getTransmission() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	list := state.aggregate().transmissions
	for i := range list {
		if list[i].id.id == c.ids[1] {
			writeJSON(c.w, http.StatusOK, appendTransmission(nil, &list[i], nil))
			return nil
		}
	}
	return notFound(keyTransmission, c.ids[1].String())
}

// listSeenLog is GET seenlog.
func (c *call) listSeenLog() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	writeJSON(c.w, http.StatusOK, appendList(nil, state.seen, func(buf []byte, e *seenEntry) []byte {
		return appendSeen(buf, e, "", false)
	}))
	return nil
}

func (c *call) getSeenLog() *problem {
	state, p := c.readAlive()
	if p != nil {
		return p
	}
	for i := range state.seen {
		if state.seen[i].id == c.ids[1] {
			writeJSON(c.w, http.StatusOK, appendSeen(nil, &state.seen[i], "", false))
			return nil
		}
	}
	return notFound("DialogSeenLog", c.ids[1].String())
}

// shouldSendNotification is GET actions/should-send-notification: no ownership, deleted dialogs too.
func (c *call) shouldSendNotification() *problem {
	condition, kind, related, p := c.notificationQuery()
	if p != nil {
		return p
	}
	state := c.store.load(c.dialogID())
	if state == nil {
		return dialogNotFound(c.dialogID())
	}
	exists := false
	list := state.aggregate().activities
	for i := range list {
		if list[i].kind == kind && (!related.given || list[i].transmission == related) {
			exists = true
		}
	}
	o := openObject(nil)
	o.flag("sendNotification", exists != (condition == conditionNotExists))
	writeJSON(c.w, http.StatusOK, o.close())
	return nil
}

func (c *call) notificationQuery() (condition, kind int, related optionalID, p *problem) {
	var binding, broken faults
	condition = c.enumParameter(&binding, "conditionType", "NotificationConditionType", conditionNames)
	kind = c.enumParameter(&binding, "activityType", "Values", activityNames)
	if text := c.parameter("transmissionId"); text != "" {
		id, ok := parseGUID(text)
		if !ok {
			binding.add("transmissionId", c.parameterFault(text, "Guid"))
		}
		related = someID(id)
	}
	if binding.any() {
		return 0, 0, related, invalid(binding)
	}
	r := rules{}
	r.known("conditionType", conditionNames, condition)
	r.known("activityType", activityNames, kind)
	switch {
	case kind == activityTransmissionOpened && (!related.given || related.id == uuid.Nil):
		r.report("transmissionId", "TransmissionId must not be empty when ActivityType is TransmissionOpened")
	case kind != activityTransmissionOpened && related.given:
		r.report("transmissionId", "TransmissionId must be empty when ActivityType is "+activityNames(kind)+".")
	}
	if broken = r.faults; broken.any() {
		return 0, 0, related, invalid(broken)
	}
	return condition, kind, related, nil
}

// enumParameter reads an enum of the query; 0 where it is absent.
func (c *call) enumParameter(f *faults, name, kind string, names enumeration) int {
	text := c.parameter(name)
	if text == "" {
		return 0
	}
	n, ok := names.number(text)
	if !ok {
		f.add(name, c.parameterFault(text, kind))
	}
	return n
}
