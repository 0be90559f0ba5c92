package dialogporten

import (
	"net/http"
	"slices"
)

// Service-owner labels (Chapter 13): seen by the organisation that owns the resource, on dialogs that are alive.

func (c *call) labelled(state *snapshot) *problem {
	if !state.alive() {
		return dialogNotFound(c.dialogID())
	}
	return nil
}

// listLabels is GET context/labels.
func (c *call) listLabels() *problem {
	state, p := c.read(byOwnResource)
	if p == nil {
		p = c.labelled(state)
	}
	if p != nil {
		return p
	}
	c.w.Header()["Etag"] = []string{state.contextRevision.String()}
	writeJSON(c.w, http.StatusOK, state.appendLabels(nil))
	return nil
}

// addLabel is POST context/labels. It touches neither the dialog's revision nor its dates.
func (c *call) addLabel() *problem {
	var value optional
	if p := c.bind(func(b *binder) { b.value(&value) }); p != nil {
		return p
	}
	next, p := c.change(byOwnResource, func(state *snapshot) (*snapshot, *problem) {
		if p := c.labelled(state); p != nil {
			return nil, p
		}
		if c.mismatch(state.contextRevision) {
			return nil, preconditionFailed()
		}
		label := normalLabel(value.text)
		if r := labelRules(state.labels, value, label); r.any() {
			return nil, invalid(r.faults)
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		next := state.clone()
		next.labels = append(slices.Clone(state.labels), label)
		slices.Sort(next.labels)
		next.contextRevision = newRevision()
		c.store.addLabel(label, c.dialogID())
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.contextRevision)
	return nil
}

// labelRules checks one more label; its place is behind those that are there.
func labelRules(stored []string, value optional, label string) *rules {
	const member = "serviceOwnerLabels"
	r := &rules{}
	r.in("dto")
	if len(stored) >= maxLabels {
		r.report(member, "Maximum 20 service owner labels are allowed.")
	}
	if value.given && slices.Contains(stored, label) {
		r.duplicates(member, []string{label})
	}
	r.inList(member, len(stored), func() { r.boundedValue(value, minLabel, maxLabel) })
	return r
}

// removeLabel is DELETE context/labels/{label}.
func (c *call) removeLabel() *problem {
	next, p := c.change(byOwnResource, func(state *snapshot) (*snapshot, *problem) {
		if p := c.labelled(state); p != nil {
			return nil, p
		}
		label := normalLabel(c.label)
		if !slices.Contains(state.labels, label) {
			return nil, notFound("Label", c.label)
		}
		if c.mismatch(state.contextRevision) {
			return nil, preconditionFailed()
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		next := state.clone()
		next.labels = slices.DeleteFunc(slices.Clone(state.labels), func(other string) bool { return other == label })
		next.contextRevision = newRevision()
		c.store.removeLabel(label, c.dialogID())
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.contextRevision)
	return nil
}
