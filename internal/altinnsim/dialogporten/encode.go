package dialogporten

// The functions here write the read models of Chapter 9: absent values are left out, empty lists are [].

func appendLocalizations(buf []byte, list []localization) []byte {
	return appendList(buf, list, func(buf []byte, l *localization) []byte {
		o := openObject(buf)
		o.text("value", l.text)
		o.text("languageCode", l.language)
		return o.close()
	})
}

// appendContent writes the given fields of a content.
func appendContent(buf []byte, c *content, kinds kindRange) []byte {
	o := openObject(buf)
	for kind := kinds.first; kind <= kinds.last; kind++ {
		if c.fields[kind].given {
			o.name(kind.name())
			o.buf = appendContentValue(o.buf, &c.fields[kind])
		}
	}
	return o.close()
}

func appendContentValue(buf []byte, v *contentValue) []byte {
	o := openObject(buf)
	o.name("value")
	o.buf = appendLocalizations(o.buf, v.values)
	o.text("mediaType", v.mediaType)
	return o.close()
}

func appendActor(buf []byte, a *actor) []byte {
	o := openObject(buf)
	o.enum("actorType", actorNames, a.kind)
	o.optional("actorName", a.name)
	o.optional("actorId", a.id)
	return o.close()
}

func appendValue(buf []byte, v *optional) []byte {
	o := openObject(buf)
	o.text("value", v.text)
	return o.close()
}

func appendAttachment(buf []byte, a *attachment) []byte {
	o := openObject(buf)
	o.id("id", a.id.id)
	if len(a.displayName) > 0 {
		o.name("displayName")
		o.buf = appendLocalizations(o.buf, a.displayName)
	}
	o.optional("name", a.name)
	o.name("urls")
	o.buf = appendList(o.buf, a.urls, appendAttachmentURL)
	o.instant("expiresAt", a.expiresAt)
	return o.close()
}

func appendAttachmentURL(buf []byte, u *attachmentURL) []byte {
	o := openObject(buf)
	o.id("id", u.id.id)
	o.uri("url", u.url)
	o.optional("mediaType", u.mediaType)
	o.enum("consumerType", consumerNames, u.consumer)
	return o.close()
}

func appendGUIAction(buf []byte, a *guiAction) []byte {
	o := openObject(buf)
	o.id("id", a.id.id)
	o.text("action", a.action.text)
	o.uri("url", a.url)
	o.optional("authorizationAttribute", a.attribute)
	o.flag("isDeleteDialogAction", a.isDeleteDialog)
	o.enum("priority", priorityNames, a.priority)
	o.enum("httpMethod", verbNames, a.method)
	o.name("title")
	o.buf = appendLocalizations(o.buf, a.title)
	if len(a.prompt) > 0 {
		o.name("prompt")
		o.buf = appendLocalizations(o.buf, a.prompt)
	}
	return o.close()
}

func appendAPIAction(buf []byte, a *apiAction) []byte {
	o := openObject(buf)
	o.id("id", a.id.id)
	o.text("action", a.action.text)
	o.optional("authorizationAttribute", a.attribute)
	o.optional("name", a.name)
	o.name("endpoints")
	o.buf = appendList(o.buf, a.endpoints, appendAPIEndpoint)
	return o.close()
}

func appendAPIEndpoint(buf []byte, e *apiEndpoint) []byte {
	o := openObject(buf)
	o.id("id", e.id.id)
	o.optional("version", e.version)
	o.uri("url", e.url)
	o.enum("httpMethod", verbNames, e.method)
	o.uri("documentationUrl", e.documentation)
	o.uri("requestSchema", e.requestSchema)
	o.uri("responseSchema", e.responseSchema)
	o.flag("deprecated", e.deprecated)
	o.instant("sunsetAt", e.sunsetAt)
	return o.close()
}

func appendActivity(buf []byte, a *activity) []byte {
	o := activityMembers(buf, a)
	o.name("performedBy")
	o.buf = appendActor(o.buf, &a.performedBy)
	if len(a.description) > 0 {
		o.name("description")
		o.buf = appendLocalizations(o.buf, a.description)
	}
	return o.close()
}

// appendActivityItem writes an activity as GET activities lists it.
func appendActivityItem(buf []byte, a *activity) []byte {
	o := activityMembers(buf, a)
	return o.close()
}

func activityMembers(buf []byte, a *activity) object {
	o := openObject(buf)
	o.id("id", a.id.id)
	o.instant("createdAt", a.createdAt)
	o.uri("extendedType", a.extendedType)
	o.enum("type", activityNames, a.kind)
	o.optionalID("transmissionId", a.transmission)
	return o
}

// appendTransmission writes a transmission; opened is nil where the read model does not tell.
func appendTransmission(buf []byte, t *transmission, opened *bool) []byte {
	o := openObject(buf)
	o.id("id", t.id.id)
	o.optional("idempotentKey", t.idempotentKey)
	o.instant("createdAt", t.createdAt)
	o.optional("authorizationAttribute", t.attribute)
	o.uri("extendedType", t.extendedType)
	o.optional("externalReference", t.externalReference)
	o.optionalID("relatedTransmissionId", t.related)
	o.enum("type", transmissionNames, t.kind)
	o.name("sender")
	o.buf = appendActor(o.buf, &t.sender)
	if opened != nil {
		o.flag("isOpened", *opened)
	}
	if t.content.given {
		o.name("content")
		o.buf = appendContent(o.buf, &t.content, transmissionContent())
	}
	o.name("attachments")
	o.buf = appendList(o.buf, t.attachments, appendAttachment)
	o.name("navigationalActions")
	o.buf = appendList(o.buf, t.navigation, appendNavigationalAction)
	return o.close()
}

func appendNavigationalAction(buf []byte, n *navigationalAction) []byte {
	o := openObject(buf)
	o.name("title")
	o.buf = appendLocalizations(o.buf, n.title)
	o.uri("url", n.url)
	o.instant("expiresAt", n.expiresAt)
	return o.close()
}

func appendSeen(buf []byte, e *seenEntry, current string, withCurrent bool) []byte {
	o := openObject(buf)
	o.id("id", e.id)
	o.instant("seenAt", e.at)
	o.name("seenBy")
	o.buf = appendActor(o.buf, &e.actor)
	o.flag("isViaServiceOwner", e.viaServiceOwner)
	if withCurrent {
		o.flag("isCurrentEndUser", current != "" && e.actor.id.text == current)
	}
	return o.close()
}
