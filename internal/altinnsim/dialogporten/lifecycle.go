package dialogporten

import "net/http"

const textCorrespondenceType = "User cannot modify resource type correspondenceservice."

// lacksCorrespondence is whether a dialog is of the correspondence type and the scope for it is missing; administrators
// are not excepted.
func (c *call) lacksCorrespondence(state *snapshot) bool {
	return state.correspondence() && !c.correspondence
}

// deleteDialog is DELETE dialogs/{id}: a soft deletion, which leaves the dates alone.
func (c *call) deleteDialog() *problem {
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		switch {
		case !state.alive():
			return nil, dialogGone(c.dialogID())
		case state.frozen && !c.admin:
			return nil, forbidden(textFrozen)
		case c.lacksCorrespondence(state):
			return nil, forbidden(textCorrespondenceType)
		case c.mismatch(state.revision):
			return nil, preconditionFailed()
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		next := state.clone()
		next.deletedAt, next.revision = c.now, newRevision()
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}

// restoreDialog is POST actions/restore.
func (c *call) restoreDialog() *problem {
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		switch {
		case c.mismatch(state.revision):
			return nil, preconditionFailed()
		case state.alive():
			return nil, nil
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		next := state.clone()
		next.deletedAt, next.revision = noInstant, newRevision()
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}

// freezeDialog is POST actions/freeze; there is no way back.
func (c *call) freezeDialog() *problem {
	if !c.admin {
		return forbidden("Only ServiceOwner admin can freeze dialogs.")
	}
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		switch {
		case !state.alive():
			return nil, dialogGone(c.dialogID())
		case c.mismatch(state.revision):
			return nil, preconditionFailed()
		case state.frozen:
			return nil, nil
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		next := state.clone()
		next.frozen, next.revision = true, newRevision()
		next.updatedAt = max(next.updatedAt, c.now)
		return next, nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.revision)
	return nil
}

// purgeDialog is POST actions/purge: the dialog and all below it are gone, and their ids are free.
func (c *call) purgeDialog() *problem {
	found := c.store.find(c.dialogID())
	if found == nil {
		return dialogNotFound(c.dialogID())
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	state := found.state.Load()
	switch {
	case state == nil || !byResource(c, state):
		return dialogNotFound(c.dialogID())
	case c.lacksCorrespondence(state):
		return forbidden(textCorrespondenceType)
	case c.mismatch(state.revision):
		return preconditionFailed()
	}
	if p := c.overlapped(); p != nil {
		return p
	}
	c.store.purge(found, state)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// purge takes a dialog out. Its record's lock is held.
func (s *store) purge(found *record, state *snapshot) {
	found.state.Store(nil)
	s.counted(state, nil)
	s.releaseRows(state.rows())
	if state.idempotentKey.given {
		s.releaseKey(ownerKey{state.org, state.idempotentKey.text}, found.id)
	}
	for _, label := range state.labels {
		s.removeLabel(label, found.id)
	}
	s.forget(found.id)
}

// rows are the rows that a stored dialog holds beside its own.
func (s *snapshot) rows() []rowKey {
	if !s.hashed {
		return rowsOf(s.aggregate(), false)
	}
	rows := make([]rowKey, 0, len(s.childIDs))
	for i, id := range s.childIDs {
		kind := tableActivity
		if i >= int(s.activities) {
			kind = tableTransmission
		}
		rows = append(rows, rowKey{kind, id})
	}
	return rows
}
