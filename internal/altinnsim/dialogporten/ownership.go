package dialogporten

import (
	"slices"
	"strings"
)

const correspondenceType = "correspondenceservice"

// supportedType is whether dialogs may be made for a resource of that type (Chapter 6, POST dialogs, step 3).
func supportedType(kind string) bool {
	switch strings.ToLower(kind) {
	case "genericaccessresource", "altinnapp", "migratedapp", correspondenceType:
		return true
	}
	return false
}

// resource looks up a service resource by its URN; ok wants an owner and a supported type as well.
func (s *Service) resource(urn string) (Resource, bool) {
	id, isResource := strings.CutPrefix(strings.ToLower(urn), resourcePrefix)
	if !isResource {
		return Resource{}, false
	}
	found, ok := s.config.Resources.Resource(id)
	return found, ok && found.Org != "" && supportedType(found.Type)
}

// owns is whether the caller's organisation owns a resource.
func (c *call) owns(urn string) bool {
	if c.everyOrg {
		return true
	}
	id, isResource := strings.CutPrefix(strings.ToLower(urn), resourcePrefix)
	if !isResource {
		return false
	}
	found, ok := c.config.Resources.Resource(id)
	return ok && c.isOwner(found)
}

func (c *call) isOwner(found Resource) bool {
	if c.caller.OrgNumber != "" && found.OrgNumber != "" {
		return c.caller.OrgNumber == found.OrgNumber
	}
	return found.Org != "" && strings.EqualFold(c.caller.Org, found.Org)
}

// isOrg is whether a dialog belongs to the caller's organisation.
func (c *call) isOrg(state *snapshot) bool {
	if c.everyOrg {
		return true
	}
	if c.caller.Org != "" {
		return strings.EqualFold(c.caller.Org, state.org)
	}
	return c.owns(state.serviceResource)
}

// A scope of dialogs that a caller can see.
type visibility func(*call, *snapshot) bool

// byResource is whose resource it is; administrators see all.
func byResource(c *call, state *snapshot) bool { return c.admin || byOwnResource(c, state) }

// byOwnResource is byResource without the administrators' way around. A dialog that was put in place for a resource
// that the registry does not know is its organisation's.
func byOwnResource(c *call, state *snapshot) bool {
	if _, known := c.resource(state.serviceResource); !known && c.isOrg(state) {
		return true
	}
	return c.owns(state.serviceResource)
}

// byOrg is whose dialog it is; administrators see all.
func byOrg(c *call, state *snapshot) bool { return c.admin || c.isOrg(state) }

// read finds the path's dialog to look at.
func (c *call) read(visible visibility) (*snapshot, *problem) {
	state := c.store.load(c.dialogID())
	if state == nil || !visible(c, state) {
		return nil, dialogNotFound(c.dialogID())
	}
	return state, nil
}

// change finds the path's dialog and runs write while no other writer can: it gives the next state, or nil where
// nothing changes.
func (c *call) change(visible visibility, write func(*snapshot) (*snapshot, *problem)) (*snapshot, *problem) {
	found := c.store.find(c.dialogID())
	if found == nil {
		return nil, dialogNotFound(c.dialogID())
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	state := found.state.Load()
	if state == nil || !visible(c, state) {
		return nil, dialogNotFound(c.dialogID())
	}
	next, p := write(state)
	switch {
	case p != nil:
		return nil, p
	case next == nil:
		return state, nil
	}
	found.state.Store(next)
	c.store.counted(state, next)
	return next, nil
}

// mismatch is whether If-Match was sent with another revision.
func (c *call) mismatch(revision [16]byte) bool { return c.ifMatch.given && c.ifMatch.id != revision }

// overlapped asks whether another writer is to have come in between (Chapter 4).
func (c *call) overlapped() *problem {
	if c.config.Overlap == nil || !c.config.Overlap(c.r, c.dialogID()) {
		return nil
	}
	if c.ifMatch.given {
		return preconditionFailed()
	}
	return problemWith(409, "", textConcurrency)
}

// unowned refuses references to resources of others, and correspondence without its scope. Administrators may all.
func (c *call) unowned(serviceResource, resourceType string, a *aggregate) *problem {
	if c.admin {
		return nil
	}
	var foreign []string
	check := func(urn string) {
		urn = strings.ToLower(urn)
		if strings.HasPrefix(urn, resourcePrefix) && !c.owns(urn) && !contains(foreign, urn) {
			foreign = append(foreign, urn)
		}
	}
	check(serviceResource)
	for i := range a.apiActions {
		check(a.apiActions[i].attribute.text)
	}
	for i := range a.guiActions {
		check(a.guiActions[i].attribute.text)
	}
	for i := range a.transmissions {
		check(a.transmissions[i].attribute.text)
	}
	if len(foreign) > 0 {
		return forbidden("Not allowed to reference the following unowned resources: [" + strings.Join(foreign, ", ") + "].")
	}
	if resourceType == correspondenceType && !c.correspondence {
		return forbidden("User cannot create or modify a dialog with resource type correspondenceservice.")
	}
	return nil
}

func contains(list []string, text string) bool {
	return slices.Contains(list, text)
}

// activityTypes refuses the activity types that need the correspondence scope.
func (c *call) activityTypes(list []activity) *problem {
	if c.correspondence {
		return nil
	}
	for i := range list {
		if kind := list[i].kind; kind == activityCorrespondenceOpened || kind == activityCorrespondenceConfirmed {
			return forbidden("Use of CorrespondenceConfirmed or CorrespondenceOpened activity types requires the scope " +
				scopeCorrespondence + ".")
		}
	}
	return nil
}
