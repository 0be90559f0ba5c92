package dialogporten

import (
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// origin is the request that a transmission came with; their rules differ a little (Chapter 7).
type origin int

const (
	ofCreation origin = iota
	ofUpdate
	ofPosting
	ofReplacement
)

// dialogAttachment checks an attachment of the dialog itself; update leaves the expiry to a later check.
func (r *rules) dialogAttachment(a *attachment, creation bool) {
	r.v7(a.id)
	r.localizedMember("displayName", a.displayName, false)
	r.maxLength("name", a.name, maxText)
	r.attachmentURLs(a.urls, false, false)
	if creation {
		r.inFuture("expiresAt", a.expiresAt)
	}
}

// attachmentURLs checks that there is one and each of them. POST transmission takes any well-formed URI.
func (r *rules) attachmentURLs(urls []attachmentURL, ofTransmission, anyURI bool) {
	if len(urls) == 0 {
		r.mustNotBeEmpty("urls")
	}
	uniqueIDs(r, "urls", urls, func(u *attachmentURL) optionalID { return u.id })
	for i := range urls {
		u := &urls[i]
		r.inList("urls", i, func() {
			r.v7(u.id)
			if anyURI && u.url.given {
				r.wellFormed("url", u.url)
			} else {
				r.httpsURL(u.url)
			}
			if ofTransmission {
				r.maxLength("mediaType", u.mediaType, maxText)
			}
			r.known("consumerType", consumerNames, u.consumer)
		})
	}
}

func (r *rules) guiActions(list []guiAction, creation bool) {
	const member = "guiActions"
	count := func(priority int) (n int) {
		for i := range list {
			if list[i].priority == priority {
				n++
			}
		}
		return n
	}
	if count(priorityPrimary) > 1 {
		r.report(member, "Only one primary GUI action is allowed.")
	}
	if count(prioritySecondary) > 1 {
		r.report(member, "Only one secondary GUI action is allowed.")
	}
	if count(priorityTertiary) > maxTertiary {
		r.report(member, "Only five tertiary GUI actions are allowed.")
	}
	uniqueIDs(r, member, list, func(a *guiAction) optionalID { return a.id })
	for i := range list {
		r.inList(member, i, func() { r.guiAction(&list[i], creation) })
	}
}

func (r *rules) guiAction(a *guiAction, creation bool) {
	if creation {
		r.v7(a.id)
	}
	r.required("action", a.action)
	r.maxLength("action", a.action, maxText)
	r.httpsURL(a.url)
	r.attribute(a.attribute)
	r.known("priority", priorityNames, a.priority)
	if a.method != verbGET && a.method != verbPOST && a.method != verbDELETE {
		r.report("httpMethod", "'HttpMethod' for GUI actions must be one of the following: [GET, POST, DELETE].")
	}
	r.localizedMember("title", a.title, true)
	r.localizedMember("prompt", a.prompt, false)
}

func (r *rules) apiAction(a *apiAction, creation bool) {
	if creation {
		r.v7(a.id)
	}
	r.required("action", a.action)
	r.maxLength("action", a.action, maxText)
	r.attribute(a.attribute)
	r.maxLength("name", a.name, maxText)
	if len(a.endpoints) == 0 {
		r.mustNotBeEmpty("endpoints")
	}
	uniqueIDs(r, "endpoints", a.endpoints, func(e *apiEndpoint) optionalID { return e.id })
	for i := range a.endpoints {
		r.inList("endpoints", i, func() { r.apiEndpoint(&a.endpoints[i], creation) })
	}
}

func (r *rules) apiEndpoint(e *apiEndpoint, creation bool) {
	if creation {
		r.v7(e.id)
	}
	r.maxLength("version", e.version, maxText)
	r.httpsURL(e.url)
	r.known("httpMethod", verbNames, e.method)
	r.wellFormed("documentationUrl", e.documentation)
	r.wellFormed("requestSchema", e.requestSchema)
	r.wellFormed("responseSchema", e.responseSchema)
	if e.sunsetAt.given() && !e.deprecated {
		r.report("deprecated", "'Deprecated' must be equal to 'True' when SunsetAt is set.")
	}
}

// activity checks what an activity tells by itself.
func (r *rules) activity(a *activity) {
	r.v7(a.id)
	r.inPast("createdAt", a.createdAt)
	r.wellFormed("extendedType", a.extendedType)
	r.known("type", activityNames, a.kind)
	r.actor("performedBy", &a.performedBy)
	r.activityDescription(a)
	switch {
	case a.kind == activityTransmissionOpened && !a.transmission.given:
		r.report("transmissionId", "An activity of type TransmissionOpened needs to reference a transmission.")
	case a.kind != activityTransmissionOpened && a.transmission.given:
		r.report("transmissionId", "Only activities of type TransmissionOpened can reference a transmission.")
	}
}

func (r *rules) activityDescription(a *activity) {
	const member = "description"
	if a.kind != activityInformation {
		if len(a.description) > 0 {
			r.report(member, "Description is only allowed when the type is 'Information'.")
		}
		return
	}
	if len(a.description) == 0 {
		r.report(member, "Description is required when the type is 'Information'.")
	}
	limit := maxActivityText
	if r.correspondence {
		limit = maxCorrespondenceActivityText
	}
	r.in(member)
	r.localizations(a.description, limit)
	r.out()
}

// transmission checks what a transmission tells by itself.
func (r *rules) transmission(t *transmission, contentRequired bool, from origin) {
	r.v7(t.id)
	r.minLength("idempotentKey", t.idempotentKey, minKey)
	r.maxLength("idempotentKey", t.idempotentKey, maxKey)
	if from != ofReplacement {
		r.inPast("createdAt", t.createdAt)
	}
	r.wellFormed("extendedType", t.extendedType)
	r.maxLength("externalReference", t.externalReference, maxText)
	r.known("type", transmissionNames, t.kind)
	if t.related.given && t.id.given && t.related.id == t.id.id {
		r.report("relatedTransmissionId", "A transmission cannot reference itself (RelatedTransmissionId is equal to Id, '"+
			t.id.id.String()+"').")
	}
	r.actor("sender", &t.sender)
	r.attribute(t.attribute)
	uniqueIDs(r, "attachments", t.attachments, func(a *attachment) optionalID { return a.id })
	for i := range t.attachments {
		r.inList("attachments", i, func() { r.transmissionAttachment(&t.attachments[i], from) })
	}
	for i := range t.navigation {
		r.inList("navigationalActions", i, func() { r.navigationalAction(&t.navigation[i]) })
	}
	r.content(&t.content, transmissionContent(), contentRequired)
}

func (r *rules) transmissionAttachment(a *attachment, from origin) {
	r.v7(a.id)
	r.localizedMember("displayName", a.displayName, false)
	r.maxLength("name", a.name, maxText)
	r.attachmentURLs(a.urls, true, from == ofPosting)
	if from == ofCreation {
		r.inFuture("expiresAt", a.expiresAt)
	}
}

func (r *rules) navigationalAction(n *navigationalAction) {
	r.localizedMember("title", n.title, true)
	r.httpsURL(n.url)
	r.inFuture("expiresAt", n.expiresAt)
}

// sortLocalizations puts texts into the order in which they are shown.
func sortLocalizations(list []localization) {
	slices.SortStableFunc(list, func(a, b localization) int { return strings.Compare(a.language, b.language) })
}
