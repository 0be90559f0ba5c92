package dialogporten

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

// timeRange is a pair of inclusive bounds.
type timeRange struct{ after, before instant }

func (r timeRange) holds(t instant) bool {
	if r.after == noInstant && r.before == noInstant {
		return true
	}
	return t.given() && (!r.after.given() || r.after <= t) && (!r.before.given() || t <= r.before)
}

// searchQuery is the query of GET dialogs (Chapter 10).
type searchQuery struct {
	labels            []string
	parties           []string
	resources         []string
	extendedStatuses  []string
	statuses          []int
	systemLabels      []int
	externalReference string
	process           string
	search            string
	searchLanguage    string
	endUser           string
	deleted           int
	created           timeRange
	updated           timeRange
	contentUpdated    timeRange
	due               timeRange
	visible           timeRange
	contentSeen       optionalFlag
	excludeAPIOnly    optionalFlag
}

// searchDialogs is GET dialogs: always of the caller's own organisation.
func (c *call) searchDialogs() *problem {
	var f faults
	q := c.searchQuery(&f)
	found := &page{paging: c.paging(&f, true)}
	if f.any() {
		return invalid(f)
	}
	r := c.newRules()
	r.limit(found.limit)
	r.search(q)
	if r.any() {
		return invalid(r.faults)
	}
	for _, label := range q.labels {
		if star := strings.IndexByte(label, '*'); star >= 0 && star < len(label)-1 {
			return serverError()
		}
	}
	c.collect(q, func(id uuid.UUID, state *snapshot) {
		if c.isOrg(state) && q.matches(state) {
			found.offer(id, state)
		}
	})
	found.write(c.w, func(buf []byte, h *hit) []byte { return h.state.appendItem(buf, h.at.id, q.endUser) })
	return nil
}

// collect visits the dialogs that can match: all, or those of a label.
func (c *call) collect(q *searchQuery, visit func(uuid.UUID, *snapshot)) {
	for _, label := range q.labels {
		if strings.ContainsAny(label, "*%_") {
			continue
		}
		for _, id := range c.store.labelled(label) {
			if state := c.store.load(id); state != nil {
				visit(id, state)
			}
		}
		return
	}
	c.store.each(func(id uuid.UUID, state *snapshot) bool {
		visit(id, state)
		return true
	})
}

func (c *call) searchQuery(f *faults) *searchQuery {
	q := &searchQuery{
		externalReference: c.parameter("externalReference"), process: c.parameter("process"),
		search: c.parameter("search"), searchLanguage: c.parameter("searchLanguageCode"),
		endUser: strings.ToLower(c.parameter("endUserId")), extendedStatuses: c.parameters("extendedStatus"),
	}
	for _, values := range c.parameters("serviceOwnerLabels") {
		for label := range strings.SplitSeq(values, ",") {
			q.labels = append(q.labels, normalLabel(label))
		}
	}
	q.parties = append(q.parties, c.parameters("party")...)
	for _, resource := range c.parameters("serviceResource") {
		q.resources = append(q.resources, strings.ToLower(resource))
	}
	q.statuses = c.enumParameters(f, "status", "Values", statusNames)
	q.systemLabels = c.enumParameters(f, "systemLabel", "Values", systemLabelNames)
	if n := c.enumParameter(f, "deleted", "DeletedFilter", deletedNames); n > 0 {
		q.deleted = n - 1
	}
	q.created = c.timeRange(f, "created")
	q.updated = c.timeRange(f, "updated")
	q.contentUpdated = c.timeRange(f, "contentUpdated")
	q.due = c.timeRange(f, "due")
	q.visible = c.timeRange(f, "visible")
	c.flag(f, "isContentSeen", &q.contentSeen)
	c.flag(f, "excludeApiOnly", &q.excludeAPIOnly)
	return q
}

func (c *call) enumParameters(f *faults, name, kind string, names enumeration) []int {
	var numbers []int
	for _, text := range c.parameters(name) {
		n, ok := names.number(text)
		if !ok {
			f.add(name, c.parameterFault(text, kind))
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func (c *call) timeRange(f *faults, name string) timeRange {
	return timeRange{after: c.timeParameter(f, name+"After"), before: c.timeParameter(f, name+"Before")}
}

func (c *call) timeParameter(f *faults, name string) instant {
	text := c.parameter(name)
	if text == "" {
		return noInstant
	}
	// A plus that was not escaped arrives as a blank.
	t, fault := parseInstant(strings.ReplaceAll(text, " ", "+"))
	if fault != instantFine {
		f.add(name, c.parameterFault(text, "DateTimeOffset"))
		return noInstant
	}
	return t
}

func (r *rules) search(q *searchQuery) {
	for i, label := range q.labels {
		r.at(i)
		length := units(label)
		switch key := "serviceOwnerLabels[" + itoa(i) + "]"; {
		case length < minLabel:
			r.add(key, "The length of 'ServiceOwnerLabels' must be at least 3 characters. You entered "+itoa(length)+" characters.")
		case length > maxLabel:
			r.add(key, "The length of 'ServiceOwnerLabels' must be 255 characters or fewer. You entered "+itoa(length)+" characters.")
		}
		r.out()
	}
	for i, party := range q.parties {
		if !validParty(party) {
			where := rules{}
			where.party("party", some(party))
			r.add("party["+itoa(i)+"]", where.messages["party"][0])
		}
	}
	parties := maxFilterValues
	if q.endUser != "" {
		parties = maxEndUserParties
	}
	r.filterValues("party", len(q.parties), parties)
	r.filterValues("serviceResource", len(q.resources), maxFilterValues)
	r.filterValues("extendedStatus", len(q.extendedStatuses), maxFilterValues)
	r.enumValues("status", statusNames, q.statuses)
	r.enumValues("systemLabel", systemLabelNames, q.systemLabels)
	if q.process != "" {
		r.wellFormedText("process", some(q.process))
	}
	r.searchTexts(q)
	r.ordered("created", q.created)
	r.ordered("updated", q.updated)
	r.ordered("contentUpdated", q.contentUpdated)
	r.ordered("due", q.due)
	r.ordered("visible", q.visible)
}

func (r *rules) filterValues(member string, n, limit int) {
	if n > limit {
		r.add(member+".count", "'Count' must be less than or equal to '"+itoa(limit)+"'.")
	}
}

func (r *rules) enumValues(member string, names enumeration, numbers []int) {
	for i, n := range numbers {
		if names(n) == "" {
			r.add(member+"["+itoa(i)+"]", display(member)+" has a range of values which does not include '"+itoa(n)+"'.")
		}
	}
}

func (r *rules) searchTexts(q *searchQuery) {
	if q.search != "" {
		r.minLength("search", some(q.search), 3)
		if q.endUser == "" {
			r.report("search", "'Search' can only be used together with 'EndUserId'.")
		}
	}
	if language := normalLanguage(q.searchLanguage); q.searchLanguage != "" && !knownLanguage(language) {
		hint := ""
		if language == "no" {
			hint = norwegianHint
		}
		r.report("searchLanguageCode", "'SearchLanguageCode' '"+language+"' is not a valid language code. "+hint+languageHint)
	}
	if q.endUser == "" {
		return
	}
	if !validEndUser(q.endUser) {
		r.report("endUserId", "EndUserId must be a valid end user identifier. It must match the format '"+prefixPerson+
			"{norwegian f-nr/d-nr}' or '"+prefixSystemUser+"{uuid}'.")
	}
	if len(q.parties) == 0 && len(q.resources) == 0 {
		r.report("endUserId", "Either 'ServiceResource' or 'Party' must be specified if 'EndUserId' is provided.")
	}
}

func (r *rules) ordered(name string, t timeRange) {
	if t.after.given() && t.before.given() && t.after > t.before {
		r.report(name+"After", display(name+"After")+" must be less than or equal to "+display(name+"Before")+".")
	}
}

// matches is whether a dialog is one of those asked for. What is cheap to tell comes first.
func (q *searchQuery) matches(s *snapshot) bool {
	switch {
	case q.deleted == deletedExclude && !s.alive(), q.deleted == deletedOnly && s.alive(),
		len(q.statuses) > 0 && !q.hasStatus(int(s.status)),
		len(q.systemLabels) > 0 && !q.hasSystemLabel(s),
		q.contentSeen.given && q.contentSeen.flag != (s.contentSeen && !s.marked),
		q.excludeAPIOnly.flag && s.isAPIOnly:
		return false
	}
	return q.matchesTimes(s) && q.matchesTexts(s) && q.matchesLabels(s)
}

func (q *searchQuery) hasStatus(stored int) bool {
	return slices.ContainsFunc(q.statuses, func(n int) bool { return n == stored || storedStatus(n) == stored })
}

func (q *searchQuery) hasSystemLabel(s *snapshot) bool {
	return slices.ContainsFunc(s.labelNumbers(), func(n int) bool { return slices.Contains(q.systemLabels, n) })
}

func (q *searchQuery) matchesTimes(s *snapshot) bool {
	return q.created.holds(s.createdAt) && q.updated.holds(s.updatedAt) && q.contentUpdated.holds(s.contentUpdatedAt) &&
		q.due.holds(s.dueAt) && q.visible.holds(s.visibleFrom)
}

func (q *searchQuery) matchesTexts(s *snapshot) bool {
	switch {
	case len(q.parties) > 0 && !slices.ContainsFunc(q.parties, func(p string) bool { return strings.EqualFold(p, s.party) }),
		len(q.resources) > 0 && !slices.Contains(q.resources, strings.ToLower(s.serviceResource)),
		len(q.extendedStatuses) > 0 && (!s.extendedStatus.given || !slices.Contains(q.extendedStatuses, s.extendedStatus.text)),
		q.externalReference != "" && s.externalReference != some(q.externalReference),
		q.process != "" && s.process != some(q.process),
		q.search != "" && !q.matchesSearch(s):
		return false
	}
	return true
}

// matchesSearch looks for all words in the content's texts and the tags.
func (q *searchQuery) matchesSearch(s *snapshot) bool {
	stored := s.aggregate()
	var texts []string
	for kind := range stored.content.fields {
		for _, value := range stored.content.fields[kind].values {
			if q.searchLanguage == "" || value.language == normalLanguage(q.searchLanguage) {
				texts = append(texts, strings.ToLower(value.text))
			}
		}
	}
	for _, tag := range stored.tags {
		texts = append(texts, tag.text)
	}
	all := strings.Join(texts, "\n")
	for word := range strings.FieldsSeq(strings.ToLower(q.search)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

func (q *searchQuery) matchesLabels(s *snapshot) bool {
	for _, wanted := range q.labels {
		if !slices.ContainsFunc(s.labels, func(label string) bool { return labelMatches(label, wanted) }) {
			return false
		}
	}
	return true
}

// labelMatches compares a label with a pattern: a trailing * is any rest; then _ and % are wildcards of SQL.
func labelMatches(label, wanted string) bool {
	prefix, isPrefix := strings.CutSuffix(wanted, "*")
	switch {
	case !isPrefix:
		return label == wanted
	case strings.ContainsAny(prefix, "_%"):
		return like(label, prefix+"%")
	}
	return strings.HasPrefix(label, prefix)
}

func like(text, pattern string) bool {
	for {
		if pattern == "" {
			return text == ""
		}
		switch {
		case pattern[0] == '%':
			for i := range len(text) + 1 {
				if like(text[i:], pattern[1:]) {
					return true
				}
			}
			return false
		case text == "", pattern[0] != '_' && pattern[0] != text[0]:
			return false
		}
		text, pattern = text[1:], pattern[1:]
	}
}

// appendItem writes a dialog as a listing shows it.
func (s *snapshot) appendItem(buf []byte, id uuid.UUID, endUser string) []byte {
	stored := s.aggregate()
	o := openObject(buf)
	s.appendHead(&o, id, false)
	o.number("guiAttachmentCount", guiAttachments(stored.attachments))
	if stored.content.given {
		o.name("content")
		o.buf = appendSummaryContent(o.buf, &stored.content)
	}
	o.number("fromServiceOwnerTransmissionsCount", int(s.fromOwner))
	o.number("fromPartyTransmissionsCount", int(s.fromParty))
	if n := len(stored.activities); n > 0 {
		o.name("latestActivity")
		o.buf = appendActivity(o.buf, &stored.activities[n-1])
	}
	s.appendTail(&o, endUser)
	return o.close()
}

// appendSummaryContent leaves out what a listing does not show.
func appendSummaryContent(buf []byte, c *content) []byte {
	shown := *c
	shown.fields[contentAdditionalInfo] = contentValue{}
	shown.fields[contentMainReference] = contentValue{}
	return appendContent(buf, &shown, dialogContent())
}

// guiAttachments counts the attachments that have a url for browsers.
func guiAttachments(list []attachment) int {
	n := 0
	for i := range list {
		if slices.ContainsFunc(list[i].urls, func(u attachmentURL) bool { return u.consumer == consumerGUI }) {
			n++
		}
	}
	return n
}

// searchContexts is GET dialogs/endusercontext.
func (c *call) searchContexts() *problem {
	var f faults
	parties := c.parameters("party")
	labels := c.enumParameters(&f, "label", "Values", systemLabelNames)
	after := c.timeParameter(&f, "contentUpdatedAfter")
	found := &page{paging: c.paging(&f, false)}
	if f.any() {
		return invalid(f)
	}
	r := c.newRules()
	r.limit(found.limit)
	if len(parties) == 0 {
		r.mustNotBeEmpty("party")
	}
	r.search(&searchQuery{
		parties: parties, systemLabels: labels, created: anyTime(), updated: anyTime(),
		contentUpdated: anyTime(), due: anyTime(), visible: anyTime(),
	})
	if r.any() {
		return invalid(r.faults)
	}
	q := &searchQuery{
		parties: parties, systemLabels: labels, contentUpdated: timeRange{after, noInstant}, created: anyTime(),
		updated: anyTime(), due: anyTime(), visible: anyTime(),
	}
	c.store.each(func(id uuid.UUID, state *snapshot) bool {
		if c.isOrg(state) && q.matches(state) {
			found.offer(id, state)
		}
		return true
	})
	found.write(c.w, func(buf []byte, h *hit) []byte {
		o := openObject(buf)
		o.id("dialogId", h.at.id)
		o.id("endUserContextRevision", h.state.userRevision)
		o.name("systemLabels")
		o.buf = appendLabelNames(o.buf, h.state.labelNumbers())
		return o.close()
	})
	return nil
}

func anyTime() timeRange { return timeRange{noInstant, noInstant} }
