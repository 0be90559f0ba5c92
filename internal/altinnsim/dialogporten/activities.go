package dialogporten

import "net/http"

// createActivity is POST activities.
func (c *call) createActivity() *problem {
	var body activity
	if p := c.bind(func(b *binder) { b.activity(&body) }); p != nil {
		return p
	}
	r := c.newRules()
	r.in("activity")
	r.activity(&body)
	if r.any() {
		return invalid(r.faults)
	}
	next, p := c.change(byOrg, func(state *snapshot) (*snapshot, *problem) { return c.appendActivity(state, &body) })
	if p != nil {
		return p
	}
	c.created(body.id.id, next.revision)
	return nil
}

// appendActivity checks an activity against its dialog, in the order of Chapter 6, and adds it.
func (c *call) appendActivity(state *snapshot, body *activity) (*snapshot, *problem) {
	switch {
	case !state.alive() && !c.admin:
		return nil, dialogGone(c.dialogID())
	case state.frozen && !c.admin:
		return nil, forbidden(textFrozen)
	}
	if p := c.activityTypes([]activity{*body}); p != nil {
		return nil, p
	}
	stored := state.aggregate()
	if body.transmission.given && !state.hasTransmissionID(stored, body.transmission.id) {
		return nil, problemWith(http.StatusUnprocessableEntity, "Activity.TransmissionId",
			missingTransmissions([]string{body.transmission.id.String()}))
	}
	if p := c.unowned(state.serviceResource, state.resourceType, &aggregate{}); p != nil {
		return nil, p
	}
	if c.mismatch(state.revision) {
		return nil, preconditionFailed()
	}
	if p := c.overlapped(); p != nil {
		return nil, p
	}
	fresh := []activity{*body}
	n := &normalizer{service: c.Service, now: c.now}
	n.id(&fresh[0].id)
	rows := []rowKey{{tableActivity, fresh[0].id.id}}
	if clash, ok := c.store.claimRows(rows); !ok {
		var f faults
		f.clash(clash)
		return nil, unprocessable(f)
	}
	n.activities(fresh)
	if p := n.problem(); p != nil {
		c.store.releaseRows(rows)
		return nil, p
	}
	body.id = fresh[0].id
	stored.activities = append(stored.activities, fresh[0])
	sortActivities(stored.activities)
	next := state.clone()
	next.hasUnopened = unopenedAfterActivity(state, stored, fresh[0].kind)
	next.keepAll(state, stored, false, c.keeping())
	next.revise(c.now, c.silent, false)
	return next, nil
}

// unopenedAfterActivity is cleared by the activity that opens the last of what was unopened.
func unopenedAfterActivity(state *snapshot, a *aggregate, kind int) bool {
	opens := kind == activityTransmissionOpened || kind == activityCorrespondenceOpened
	return state.hasUnopened && (state.hashed || !opens || unopened(a, state.correspondence()))
}

// updateFormSavedTime is POST activities/{aid}/actions/updateFormSavedActivityTime.
func (c *call) updateFormSavedTime() *problem {
	at := noInstant
	if p := c.bind(func(b *binder) { b.instant(&at) }); p != nil {
		return p
	}
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		stored := state.aggregate()
		var found *activity
		for i := range stored.activities {
			if stored.activities[i].id.id == c.ids[1] {
				found = &stored.activities[i]
			}
		}
		switch {
		case found == nil:
			return nil, notFound(keyActivity, c.ids[1].String())
		case found.kind != activityFormSaved:
			return nil, problemWith(http.StatusUnprocessableEntity, "Type",
				"Only FormSaved activities is allowed to be updated using admin scope.")
		case c.mismatch(state.revision):
			return nil, preconditionFailed()
		case at > c.now+clockSlack:
			return nil, serverError()
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		found.createdAt = at
		sortActivities(stored.activities)
		next := state.clone()
		next.keepAll(state, stored, false, c.keeping())
		next.revision, next.updatedAt = newRevision(), max(state.updatedAt, at)
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}
