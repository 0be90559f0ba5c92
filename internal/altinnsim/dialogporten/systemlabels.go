package dialogporten

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

const maxBulk = 200

// labelChange is the body of a change of end-user labels (Chapter 13).
type labelChange struct {
	add         []int
	remove      []int
	performedBy actor
	dialogs     []dialogRevision
}

type dialogRevision struct{ id, revision optionalID }

func (b *binder) labelChange(dst *labelChange) {
	b.object(func(name string) bool {
		switch name {
		case "addLabels", "systemLabels":
			if !b.null() {
				bindList(b, &dst.add, 2, func(n *int) { b.enum(systemLabelNames, n) })
			}
		case "removeLabels":
			bindList(b, &dst.remove, 2, func(n *int) { b.enum(systemLabelNames, n) })
		case "performedBy":
			dst.performedBy = actor{}
			if !b.null() {
				b.actor(&dst.performedBy)
			}
		case "dialogs":
			bindList(b, &dst.dialogs, 2, b.dialogRevision)
		default:
			return false
		}
		return true
	})
}

func (b *binder) dialogRevision(dst *dialogRevision) {
	b.element(func(name string) bool {
		switch name {
		case "dialogId":
			dst.id = someID(b.id())
		case "endUserContextRevision":
			b.optionalID(&dst.revision)
		default:
			return false
		}
		return true
	})
}

// labelChange checks labels and who changes them.
func (r *rules) labelChange(change *labelChange, endUser string) {
	switch {
	case endUser == "" && !change.performedBy.given:
		r.report("endUserId", "EnduserId is required")
	case endUser != "" && change.performedBy.given:
		r.report("endUserId", "EnduserId must be omitted when performedBy is supplied.")
	case endUser != "" && !validEndUser(endUser):
		r.report("endUserId", "EnduserId must be a valid end user identifier. It must match the format '"+prefixPerson+
			"{norwegian f-nr/d-nr}' or '"+prefixSystemUser+"{uuid}'.")
	}
	if change.performedBy.given {
		r.actor("performedBy", &change.performedBy)
	}
	r.systemLabels("addLabels", change.add)
	r.systemLabels("removeLabels", change.remove)
}

func (r *rules) systemLabels(member string, labels []int) {
	for i, label := range labels {
		if systemLabelNames(label) == "" {
			r.report(member+"["+itoa(i)+"]", display(member)+" has a range of values which does not include '"+itoa(label)+"'.")
		}
		if label == labelSent {
			r.report(member+"["+itoa(i)+"]", "Cannot add or remove the Sent system label.")
		}
	}
}

// changeLabels gives the state with labels added and removed: the last of Default, Bin and Archive counts, and what is
// taken out of Bin or Archive is Default.
func (s *snapshot) changeLabels(change *labelChange) *snapshot {
	next := s.clone()
	for _, label := range change.remove {
		switch {
		case label == labelMarkedAsUnopened:
			next.marked = false
		case label == int(next.systemLabel):
			next.systemLabel = labelDefault
		}
	}
	for _, label := range change.add {
		if label == labelMarkedAsUnopened {
			next.marked = true
		} else {
			next.systemLabel = uint8(label) //nolint:gosec // checked
		}
	}
	if next.systemLabel == s.systemLabel && next.marked == s.marked {
		return nil
	}
	next.userRevision = newRevision()
	return next
}

// mayChangeLabels looks at who changes labels: administrators name an actor, others an end user with access.
func (c *call) mayChangeLabels(change *labelChange) *problem {
	if change.performedBy.given && !c.admin {
		return forbidden("performedBy is only allowed for admin-integrations.")
	}
	return nil
}

// hasAccess stands in for the authorisation of end users: a person has access to what is theirs and, since roles are
// not known here, to what belongs to organisations.
func hasAccess(endUser string, state *snapshot) bool {
	return !strings.HasPrefix(state.party, prefixPerson) || !strings.HasPrefix(endUser, prefixPerson) || state.party == endUser
}

// setSystemLabels is PUT endusercontext/systemlabels.
func (c *call) setSystemLabels() *problem {
	var change labelChange
	if p := c.bind(func(b *binder) { b.labelChange(&change) }); p != nil {
		return p
	}
	endUser := strings.ToLower(c.parameter("enduserId"))
	r := c.newRules()
	r.labelChange(&change, endUser)
	if r.any() {
		return invalid(r.faults)
	}
	next, p := c.change(byResource, func(state *snapshot) (*snapshot, *problem) {
		if !state.alive() {
			return nil, dialogNotFound(c.dialogID())
		}
		if p := c.mayChangeLabels(&change); p != nil {
			return nil, p
		}
		if !c.admin && !hasAccess(endUser, state) {
			return nil, inaccessible([]uuid.UUID{c.dialogID()})
		}
		if c.mismatch(state.userRevision) {
			return nil, preconditionFailed()
		}
		if p := c.unnamedActor(change.performedBy); p != nil {
			return nil, p
		}
		if p := c.overlapped(); p != nil {
			return nil, p
		}
		return state.changeLabels(&change), nil
	})
	if p != nil {
		return p
	}
	c.revised(http.StatusNoContent, next.userRevision)
	return nil
}

// unnamedActor refuses an actor whom the party register does not know (Chapter 7, Actor).
func (c *call) unnamedActor(a actor) *problem {
	n := &normalizer{service: c.Service, now: c.now}
	n.actor(&a)
	return n.problem()
}

func inaccessible(ids []uuid.UUID) *problem {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		texts = append(texts, id.String())
	}
	return forbidden("The following dialogs do not exist or the user does not have access to them: (" +
		strings.Join(texts, ", ") + ").")
}

// bulkSetSystemLabels is POST endusercontext/systemlabels/actions/bulkset: all dialogs or none.
func (c *call) bulkSetSystemLabels() *problem {
	var change labelChange
	if p := c.bind(func(b *binder) { b.labelChange(&change) }); p != nil {
		return p
	}
	endUser := strings.ToLower(c.parameter("enduserId"))
	r := c.newRules()
	r.labelChange(&change, endUser)
	if len(change.dialogs) == 0 || len(change.dialogs) > maxBulk {
		r.report("dto.dialogs", "Must supply between 1 and 200 dialogs to update")
	}
	uniqueIDs(r, "dto.dialogs", change.dialogs, func(d *dialogRevision) optionalID { return d.id })
	if r.any() {
		return invalid(r.faults)
	}
	if p := c.mayChangeLabels(&change); p != nil {
		return p
	}
	if p := c.bulk(&change, endUser); p != nil {
		return p
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) bulk(change *labelChange, endUser string) *problem {
	targets := slices.Clone(change.dialogs)
	// Locks are taken in the order of ids, so that two such requests can't wait for each other.
	slices.SortFunc(targets, func(a, b dialogRevision) int { return bytes.Compare(a.id.id[:], b.id.id[:]) })
	held := make([]*record, 0, len(targets))
	var missing []uuid.UUID
	for _, target := range targets {
		found := c.store.find(target.id.id)
		if found != nil {
			found.mu.Lock()
			defer found.mu.Unlock()
		}
		if found == nil || !c.inReach(found.state.Load(), endUser) {
			missing = append(missing, target.id.id)
			continue
		}
		held = append(held, found)
	}
	if len(missing) > 0 {
		return inaccessible(missing)
	}
	for i, target := range targets {
		if target.revision.given && held[i].state.Load().userRevision != target.revision.id {
			return preconditionFailed()
		}
	}
	if p := c.unnamedActor(change.performedBy); p != nil {
		return p
	}
	if p := c.overlapped(); p != nil {
		return p
	}
	for _, found := range held {
		if next := found.state.Load().changeLabels(change); next != nil {
			found.state.Store(next)
		}
	}
	return nil
}

func (c *call) inReach(state *snapshot, endUser string) bool {
	return state != nil && state.alive() && byResource(c, state) && (c.admin || hasAccess(endUser, state))
}
