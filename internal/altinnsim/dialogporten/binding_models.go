package dialogporten

import "strings"

// knownMember is the spelling of a member that was given in another case, "" if there is none like it.
func knownMember(name string) string {
	const members = " action activities actorId actorName actorType addLabels additionalInfo apiActions attachments " +
		"authorizationAttribute consumerType content contentReference createdAt deprecated description dialogId dialogs " +
		"displayName documentationUrl dueAt endUserContextRevision endpoints expiresAt extendedStatus extendedType " +
		"externalReference from guiActions httpMethod id idempotentKey isApiOnly isDeleteDialogAction isSilentUpdate " +
		"languageCode mainContentReference mediaType name navigationalActions nonSensitiveSummary nonSensitiveTitle op party " +
		"path performedBy precedingProcess priority process progress prompt relatedTransmissionId removeLabels requestSchema " +
		"responseSchema searchTags sender senderName serviceOwnerContext serviceOwnerLabels serviceResource status summary " +
		"sunsetAt systemLabel systemLabels title transmissionId transmissions type updatedAt url urls value version visibleFrom "
	if strings.IndexByte(name, ' ') >= 0 {
		return ""
	}
	at := strings.Index(strings.ToLower(members), " "+strings.ToLower(name)+" ")
	if at < 0 {
		return ""
	}
	return members[at+1 : at+1+len(name)]
}

// dialogCreation reads the body of POST dialog.
func (b *binder) dialogCreation(d *dialogBody) {
	b.object(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&d.id)
		case "idempotentKey":
			b.optionalText(&d.idempotentKey)
		case "serviceResource":
			b.text(&d.serviceResource)
		case "party":
			b.text(&d.party)
		case "visibleFrom":
			b.optionalInstant(&d.visibleFrom)
		case "createdAt":
			b.optionalInstant(&d.createdAt)
		case "updatedAt":
			b.optionalInstant(&d.updatedAt)
		case "status":
			d.statusGiven = b.optionalEnum(statusNames, &d.status)
		case "systemLabel":
			b.optionalEnum(systemLabelNames, &d.systemLabel)
		case "serviceOwnerContext":
			b.serviceOwnerContext(&d.labels)
		default:
			return b.sharedMember(d, name)
		}
		return true
	})
}

// dialogUpdate reads the body of PUT dialog; whatever else is in it is ignored (Chapter 8).
func (b *binder) dialogUpdate(d *dialogBody) {
	b.object(func(name string) bool {
		if name == "status" {
			d.statusGiven = true
			b.enum(statusNames, &d.status)
			return true
		}
		return b.sharedMember(d, name)
	})
}

// sharedMember reads what creation and update have in common.
func (b *binder) sharedMember(d *dialogBody, name string) bool {
	switch name {
	case "progress":
		b.optionalInt(&d.progress)
	case "extendedStatus":
		b.optionalText(&d.extendedStatus)
	case "externalReference":
		b.optionalText(&d.externalReference)
	case "dueAt":
		b.optionalInstant(&d.dueAt)
	case "expiresAt":
		b.optionalInstant(&d.expiresAt)
	case "process":
		b.optionalText(&d.process)
	case "precedingProcess":
		b.optionalText(&d.precedingProcess)
	case "isApiOnly":
		b.flag(&d.isAPIOnly)
	default:
		return b.aggregateMember(&d.aggregate, name)
	}
	return true
}

func (b *binder) aggregateMember(a *aggregate, name string) bool {
	switch name {
	case "content":
		b.content(&a.content, dialogContent())
	case "searchTags":
		b.values(&a.tags)
	case "attachments":
		bindList(b, &a.attachments, 4, func(e *attachment) { b.attachment(e, true) })
	case "transmissions":
		bindList(b, &a.transmissions, 2, func(e *transmission) { b.transmission(e, b.stored) })
	case "guiActions":
		bindList(b, &a.guiActions, 4, b.guiAction)
	case "apiActions":
		bindList(b, &a.apiActions, 2, b.apiAction)
	case "activities":
		bindList(b, &a.activities, 8, b.activity)
	default:
		return false
	}
	return true
}

func (b *binder) serviceOwnerContext(labels *[]optional) {
	*labels = nil
	if b.null() {
		return
	}
	b.object(func(name string) bool {
		if name != "serviceOwnerLabels" {
			return false
		}
		b.values(labels)
		return true
	})
}

// values reads a list of {"value": text}.
func (b *binder) values(dst *[]optional) {
	bindList(b, dst, 4, b.value)
}

func (b *binder) value(dst *optional) {
	b.element(func(name string) bool {
		if name != "value" {
			return false
		}
		b.text(dst)
		return true
	})
}

// content reads the fields that are among the kinds.
func (b *binder) content(dst *content, kinds kindRange) {
	*dst = content{}
	if b.null() {
		return
	}
	dst.given = true
	b.object(func(name string) bool {
		for kind := kinds.first; kind <= kinds.last; kind++ {
			if kind.name() == name {
				b.contentValue(&dst.fields[kind], kind == contentTitle || kind == contentTransmissionTitle)
				return true
			}
		}
		return false
	})
}

func (b *binder) contentValue(dst *contentValue, required bool) {
	if !required && b.null() {
		*dst = contentValue{}
		return
	}
	*dst = contentValue{given: true, mediaType: mediaPlain}
	b.object(func(name string) bool {
		switch name {
		case "mediaType":
			b.plainText(&dst.mediaType)
		case "value":
			b.localizations(&dst.values)
		default:
			return false
		}
		return true
	})
}

func (b *binder) localizations(dst *[]localization) {
	const piece = 64
	if cap(b.texts)-len(b.texts) < 8 {
		b.texts = make([]localization, 0, piece)
	}
	start := len(b.texts)
	b.list(func() {
		b.texts = append(b.texts, localization{})
		b.localization(&b.texts[len(b.texts)-1])
	})
	*dst = b.texts[start:len(b.texts):len(b.texts)]
}

// localization reads {"value", "languageCode"}; both must be there (Chapter 2).
func (b *binder) localization(dst *localization) {
	hasValue, hasLanguage := false, false
	there := b.element(func(name string) bool {
		switch name {
		case "value":
			hasValue = true
			b.plainText(&dst.text)
		case "languageCode":
			hasLanguage = true
			b.plainText(&dst.language)
		default:
			return false
		}
		return true
	})
	if !b.stored {
		dst.language = normalLanguage(dst.language)
	}
	if b.fault != nil || !there || hasValue && hasLanguage {
		return
	}
	var missing []string
	if !hasValue {
		missing = append(missing, "'value'")
	}
	if !hasLanguage {
		missing = append(missing, "'languageCode'")
	}
	b.fail("JSON deserialization for type 'LocalizationDto' was missing required properties including: " +
		strings.Join(missing, ", ") + ".")
}

func (b *binder) actor(dst *actor) {
	*dst = actor{given: true}
	b.object(func(name string) bool {
		switch name {
		case "actorType":
			b.enum(actorNames, &dst.kind)
		case "actorId":
			b.optionalText(&dst.id)
		case "actorName":
			b.optionalText(&dst.name)
		default:
			return false
		}
		return true
	})
}

// attachment reads one of a dialog or a transmission; only some have urls with ids of their own.
func (b *binder) attachment(dst *attachment, urlIDs bool) {
	dst.expiresAt = noInstant
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "displayName":
			b.localizations(&dst.displayName)
		case "name":
			b.optionalText(&dst.name)
		case "urls":
			bindList(b, &dst.urls, 1, func(u *attachmentURL) { b.attachmentURL(u, urlIDs) })
		case "expiresAt":
			b.optionalInstant(&dst.expiresAt)
		default:
			return false
		}
		return true
	})
}

func (b *binder) attachmentURL(dst *attachmentURL, withID bool) {
	b.element(func(name string) bool {
		switch name {
		case "id":
			if !withID {
				return false
			}
			b.optionalID(&dst.id)
		case "url":
			b.uri(&dst.url)
		case "mediaType":
			b.optionalText(&dst.mediaType)
		case "consumerType":
			b.enum(consumerNames, &dst.consumer)
		default:
			return false
		}
		return true
	})
}

func (b *binder) guiAction(dst *guiAction) {
	dst.method = verbGET
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "action":
			b.text(&dst.action)
		case "url":
			b.uri(&dst.url)
		case "authorizationAttribute":
			b.optionalText(&dst.attribute)
		case "isDeleteDialogAction":
			b.flag(&dst.isDeleteDialog)
		case "httpMethod":
			b.enum(verbNames, &dst.method)
		case "priority":
			b.enum(priorityNames, &dst.priority)
		case "title":
			b.localizations(&dst.title)
		case "prompt":
			b.prompt(&dst.prompt)
		default:
			return false
		}
		return true
	})
}

// prompt is the one list that may be null.
func (b *binder) prompt(dst *[]localization) {
	if b.null() {
		*dst = nil
		return
	}
	b.localizations(dst)
}

func (b *binder) apiAction(dst *apiAction) {
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "action":
			b.text(&dst.action)
		case "authorizationAttribute":
			b.optionalText(&dst.attribute)
		case "name":
			b.optionalText(&dst.name)
		case "endpoints":
			bindList(b, &dst.endpoints, 1, b.apiEndpoint)
		default:
			return false
		}
		return true
	})
}

func (b *binder) apiEndpoint(dst *apiEndpoint) {
	dst.sunsetAt = noInstant
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "version":
			b.optionalText(&dst.version)
		case "url":
			b.uri(&dst.url)
		case "httpMethod":
			b.enum(verbNames, &dst.method)
		case "documentationUrl":
			b.optionalURI(&dst.documentation)
		case "requestSchema":
			b.optionalURI(&dst.requestSchema)
		case "responseSchema":
			b.optionalURI(&dst.responseSchema)
		case "deprecated":
			b.flag(&dst.deprecated)
		case "sunsetAt":
			b.optionalInstant(&dst.sunsetAt)
		default:
			return false
		}
		return true
	})
}

func (b *binder) activity(dst *activity) {
	dst.createdAt = noInstant
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "createdAt":
			b.optionalInstant(&dst.createdAt)
		case "extendedType":
			b.optionalURI(&dst.extendedType)
		case "type":
			b.enum(activityNames, &dst.kind)
		case "transmissionId":
			b.optionalID(&dst.transmission)
		case "performedBy":
			b.actor(&dst.performedBy)
		case "description":
			b.localizations(&dst.description)
		default:
			return false
		}
		return true
	})
}

// transmission reads one of a dialog's body, of POST or of PUT transmission; PUT's attachment urls have ids.
func (b *binder) transmission(dst *transmission, urlIDs bool) {
	dst.createdAt = noInstant
	b.element(func(name string) bool {
		switch name {
		case "id":
			b.optionalID(&dst.id)
		case "idempotentKey":
			b.optionalText(&dst.idempotentKey)
		case "createdAt":
			b.transmissionTime(&dst.createdAt, urlIDs)
		case "authorizationAttribute":
			b.optionalText(&dst.attribute)
		case "extendedType":
			b.optionalURI(&dst.extendedType)
		case "externalReference":
			b.optionalText(&dst.externalReference)
		case "relatedTransmissionId":
			b.optionalID(&dst.related)
		case "type":
			b.enum(transmissionNames, &dst.kind)
		case "sender":
			b.actor(&dst.sender)
		case "content":
			b.content(&dst.content, transmissionContent())
		case "attachments":
			bindList(b, &dst.attachments, 2, func(e *attachment) { b.attachment(e, urlIDs) })
		case "navigationalActions":
			bindList(b, &dst.navigation, 1, b.navigationalAction)
		case "isSilentUpdate":
			if !urlIDs || b.stored {
				return false
			}
			b.flag(&dst.silent)
		default:
			return false
		}
		return true
	})
}

// transmissionTime is nullable on PUT transmission alone. .NET's default time counts as absent.
func (b *binder) transmissionTime(dst *instant, nullable bool) {
	if nullable {
		b.optionalInstant(dst)
	} else {
		b.instant(dst)
	}
	if *dst == zeroInstant {
		*dst = noInstant
	}
}

func (b *binder) navigationalAction(dst *navigationalAction) {
	dst.expiresAt = noInstant
	b.element(func(name string) bool {
		switch name {
		case "title":
			b.localizations(&dst.title)
		case "url":
			b.uri(&dst.url)
		case "expiresAt":
			b.optionalInstant(&dst.expiresAt)
		default:
			return false
		}
		return true
	})
}
