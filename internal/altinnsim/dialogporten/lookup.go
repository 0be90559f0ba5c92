package dialogporten

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

const (
	refInstance       = "urn:altinn:instance-id:"
	refCorrespondence = "urn:altinn:correspondence-id:"
	refDialog         = "urn:altinn:dialog-id:"
	labelInstance     = "urn:altinn:integration:storage:"
)

// lookUp is GET dialoglookup. Deleted dialogs are found as well.
func (c *call) lookUp() *problem {
	const member = "instanceRef"
	ref := strings.TrimSpace(c.parameter(member))
	label, id, ok := parseReference(strings.ToLower(ref))
	if !ok {
		return problemWith(http.StatusBadRequest, member, "InstanceRef must be a supported identifier: '"+refInstance+
			"{partyId}/{uuid}', '"+refCorrespondence+"{uuid}' or '"+refDialog+"{uuid}'.")
	}
	if label != "" {
		holders := c.store.labelled(label)
		switch len(holders) {
		case 0:
			return notFound("InstanceRef", ref)
		case 1:
			id = holders[0]
		default:
			return serverError()
		}
	}
	state := c.store.load(id)
	if state == nil {
		return notFound("InstanceRef", ref)
	}
	if !byOrg(c, state) {
		return forbidden("The authenticated service owner does not own the resolved dialog.")
	}
	if label == "" {
		ref = state.reference(ref)
	}
	writeJSON(c.w, http.StatusOK, c.lookedUp(id, ref, state))
	return nil
}

// parseReference gives the label to look for, or else the dialog's id.
func parseReference(ref string) (label string, id uuid.UUID, ok bool) {
	if instance, is := strings.CutPrefix(ref, refInstance); is {
		party, guid, _ := strings.Cut(instance, "/")
		_, valid := parsePlainGUID(guid)
		return labelInstance + instance, uuid.Nil, valid && allDigits(party)
	}
	if guid, is := strings.CutPrefix(ref, refCorrespondence); is {
		_, valid := parsePlainGUID(guid)
		return ref, uuid.Nil, valid
	}
	guid, is := strings.CutPrefix(ref, refDialog)
	id, valid := parsePlainGUID(guid)
	return "", id, is && valid
}

// reference prefers the app instance, then the correspondence, to the dialog's own id.
func (s *snapshot) reference(own string) string {
	for _, label := range s.labels {
		if instance, ok := strings.CutPrefix(label, labelInstance); ok {
			return refInstance + instance
		}
	}
	for _, label := range s.labels {
		if strings.HasPrefix(label, refCorrespondence) {
			return label
		}
	}
	return own
}

func (c *call) lookedUp(id uuid.UUID, ref string, state *snapshot) []byte {
	resource, _ := c.resource(state.serviceResource)
	stored := state.aggregate()
	o := openObject(nil)
	o.id("dialogId", id)
	o.text("instanceRef", ref)
	o.text("party", state.party)
	o.name("serviceResource")
	r := openObject(o.buf)
	r.text("id", strings.TrimPrefix(state.serviceResource, resourcePrefix))
	r.flag("isDelegable", true)
	r.number("minimumAuthenticationLevel", 3)
	r.name("name")
	r.buf = append(r.buf, '[', ']')
	o.buf = r.close()
	o.name("serviceOwner")
	w := openObject(o.buf)
	w.text("orgNumber", resource.OrgNumber)
	w.text("code", state.org)
	w.name("name")
	w.buf = append(w.buf, '[', ']')
	o.buf = w.close()
	o.name("title")
	o.buf = appendLocalizations(o.buf, stored.content.fields[contentTitle].values)
	if field := &stored.content.fields[contentNonSensitiveTitle]; field.given {
		o.name("nonSensitiveTitle")
		o.buf = appendLocalizations(o.buf, field.values)
	}
	return o.close()
}
