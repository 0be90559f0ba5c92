package dialogporten

import "strings"

const (
	languageHint  = "Culture specific codes like 'en_GB' and 'en-US' are normalized to 'en' (ISO 639)."
	norwegianHint = "Use 'nb' or 'nn' for Norwegian. "
)

// localizations checks a list of texts, at the place where the rules stand.
func (r *rules) localizations(list []localization, limit int) {
	r.uniqueLanguages(list)
	for i := range list {
		r.localization(i, &list[i], limit)
	}
}

func (r *rules) uniqueLanguages(list []localization) {
	var duplicates []string
	for i := range list {
		earlier := 0
		for j := range i {
			if list[j].language == list[i].language {
				earlier++
			}
		}
		if earlier == 1 {
			duplicates = append(duplicates, list[i].language)
		}
	}
	if len(duplicates) > 0 {
		r.report("", "Can not contain duplicate items: ["+strings.Join(duplicates, ", ")+"]. "+languageHint)
	}
}

func (r *rules) localization(i int, l *localization, limit int) {
	valid := strings.TrimSpace(l.text) != "" && len(l.text) <= limit && knownLanguage(l.language)
	if valid {
		return
	}
	r.at(i)
	defer r.out()
	r.required("value", some(l.text))
	r.maxLength("value", some(l.text), limit)
	if knownLanguage(l.language) {
		return
	}
	r.required("languageCode", some(l.language))
	hint := ""
	if l.language == "no" {
		hint = norwegianHint
	}
	r.report("languageCode", "'LanguageCode' '"+l.language+"' is not a valid language code. "+hint+languageHint)
}

// localizedMember checks a list member; a required one must have an element.
func (r *rules) localizedMember(member string, list []localization, required bool) {
	if required && len(list) == 0 {
		r.mustNotBeEmpty(member)
	}
	r.in(member)
	r.localizations(list, maxText)
	r.out()
}

// content checks the fields of a content. Their faults stand under the content itself: the field is not named
// (Chapter 3, Keys).
func (r *rules) content(c *content, kinds kindRange, required bool) {
	if !c.given {
		if required {
			r.mustNotBeEmpty("content")
		}
		return
	}
	r.in("content")
	defer r.out()
	if !c.fields[kinds.first].given {
		r.report("", kinds.first.typeName()+" must not be empty.")
	}
	for kind := kinds.first; kind <= kinds.last; kind++ {
		if c.fields[kind].given {
			r.contentValue(kind, &c.fields[kind])
		}
	}
}

func (r *rules) contentValue(kind contentKind, v *contentValue) {
	if strings.TrimSpace(v.mediaType) == "" {
		r.mustNotBeEmpty("mediaType")
	}
	if !kind.allows(v.mediaType, r.legacyHTML) {
		r.report("mediaType", "MediaType '"+v.mediaType+"' is not allowed for content type "+kind.typeName()+
			". Allowed media types are '"+strings.Join(kind.mediaTypes(r.legacyHTML), "', '")+"'")
	}
	if embeds(v.mediaType) {
		r.addresses(v.values)
	}
	if len(v.values) == 0 {
		r.mustNotBeEmpty("value")
	}
	r.in("value")
	defer r.out()
	r.localizations(v.values, kind.maxLength(r.correspondence))
	if v.mediaType != mediaHTML {
		return
	}
	for i := range v.values {
		if !validHTML(v.values[i].text) {
			r.at(i)
			r.report("", htmlFault)
			r.out()
		}
	}
}

func (r *rules) addresses(values []localization) {
	r.in("value")
	defer r.out()
	for i := range values {
		if !httpsURL(values[i].text) {
			r.at(i)
			r.report("value", "'Value' is not a well-formatted HTTPS URL.")
			r.out()
		}
	}
}

const actorFault = "If 'ActorType' is 'ServiceOwner', both 'ActorId' and 'ActorName' must be null. " +
	"For any other value of 'ActorType', 'ActorId' or 'ActorName' must be set, but not both simultaneously."

// actor checks a required actor.
func (r *rules) actor(member string, a *actor) {
	if !a.given {
		r.mustNotBeEmpty(member)
		return
	}
	r.in(member)
	defer r.out()
	r.known("actorType", actorNames, a.kind)
	fits := a.id.given != a.name.given
	if a.kind == actorServiceOwner {
		fits = !a.id.given && !a.name.given
	}
	if !fits {
		r.report("", actorFault)
	}
	r.party("actorId", a.id)
	r.maxLength("actorName", a.name, maxText)
}
