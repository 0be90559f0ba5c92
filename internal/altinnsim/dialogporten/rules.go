package dialogporten

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits that many members share (Chapter 7).
const (
	maxText                       = 255
	maxURI                        = 1023
	minKey, maxKey                = 3, 36
	minTag, maxTag                = 3, 63
	minLabel                      = 3
	maxLabel                      = 255
	maxLabels                     = 20
	maxTertiary                   = 5
	maxActivityText               = 255
	maxCorrespondenceActivityText = 4095
	resourcePrefix                = "urn:altinn:resource:"
)

// rules checks a bound body and collects every fault; path is where it stands.
type rules struct {
	faults
	path []step
	now  instant
	scopes
}

// in goes into a member, at into an element of the list that it stands at; out leaves either.
func (r *rules) in(name string) { r.path = append(r.path, step{name: name}) }

func (r *rules) at(index int) { r.path = append(r.path, step{index: index}) }

func (r *rules) out() { r.path = r.path[:len(r.path)-1] }

func (r *rules) key(member string) string {
	var text strings.Builder
	for _, s := range r.path {
		switch {
		case s.name == "":
			text.WriteString("[" + strconv.Itoa(s.index) + "]")
		case text.Len() > 0:
			text.WriteString("." + s.name)
		default:
			text.WriteString(s.name)
		}
	}
	if member != "" && text.Len() > 0 {
		text.WriteByte('.')
	}
	return text.String() + member
}

// report notes a fault of a member of where it stands; "" is the place itself.
func (r *rules) report(member, message string) { r.add(r.key(member), message) }

// display is a member's name as messages spell it.
func display(member string) string {
	return "'" + strings.ToUpper(member[:1]) + member[1:] + "'"
}

func (r *rules) mustNotBeEmpty(member string) {
	r.report(member, display(member)+" must not be empty.")
}

// required wants a text with more than white space.
func (r *rules) required(member string, text optional) {
	if strings.TrimSpace(text.text) == "" {
		r.mustNotBeEmpty(member)
	}
}

func (r *rules) maxLength(member string, text optional, limit int) {
	if len(text.text) > limit {
		r.tooLong(member, units(text.text), limit)
	}
}

func (r *rules) tooLong(member string, length, limit int) {
	if length > limit {
		r.report(member, "The length of "+display(member)+" must be "+strconv.Itoa(limit)+" characters or fewer. You entered "+
			strconv.Itoa(length)+" characters.")
	}
}

func (r *rules) minLength(member string, text optional, limit int) {
	if !text.given || len(text.text) >= 3*limit {
		return
	}
	if length := units(text.text); length < limit {
		r.report(member, "The length of "+display(member)+" must be at least "+strconv.Itoa(limit)+" characters. You entered "+
			strconv.Itoa(length)+" characters.")
	}
}

// units is the length of a text as .NET counts it.
func units(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r > 0xffff && r != utf8.RuneError {
			n++
		}
	}
	return n
}

func (r *rules) known(member string, names enumeration, n int) {
	if names(n) == "" {
		r.report(member, display(member)+" has a range of values which does not include '"+strconv.Itoa(n)+"'.")
	}
}

func (r *rules) inPast(member string, t instant) {
	if t.given() && t > r.now+clockSlack {
		r.report(member, display(member)+" must be in the past.")
	}
}

func (r *rules) inFuture(member string, t instant) {
	if t.given() && t < r.now {
		r.report(member, display(member)+" must be in the future.")
	}
}

// notBefore wants two given times in order.
func (r *rules) notBefore(member string, t instant, other string, bound instant) {
	if t.given() && bound.given() && t < bound {
		r.report(member, display(member)+" must be after "+display(other)+".")
	}
}

// v7 wants a UUIDv7 of the past (Chapter 11): two independent faults.
func (r *rules) v7(id optionalID) {
	if !id.given {
		return
	}
	if !validV7(id.id) {
		r.report("id", "Invalid Id. Expected big endian UUIDv7 format. Got '"+id.id.String()+"'.")
	}
	millis := idMillis(id.id)
	if millis*1000 >= int64(r.now+clockSlack) {
		r.report("id", "Invalid Id. Expected the unix timestamp portion of the UUIDv7 to be in the past. Extrapolated '"+
			dotNetRoundTrip(millis)+"' from '"+id.id.String()+"'.")
	}
}

// uniqueIDs wants no id twice in a list.
func uniqueIDs[T any](r *rules, member string, list []T, id func(*T) optionalID) {
	const few = 16
	var seen map[uuid.UUID]int
	var duplicates []string
	for i := range list {
		mine := id(&list[i])
		if !mine.given {
			continue
		}
		if len(list) > few && seen == nil {
			seen = make(map[uuid.UUID]int, len(list))
		}
		earlier := 0
		if seen != nil {
			earlier = seen[mine.id]
			seen[mine.id]++
		} else {
			for j := range i {
				if other := id(&list[j]); other.given && other.id == mine.id {
					earlier++
				}
			}
		}
		if earlier == 1 {
			duplicates = append(duplicates, mine.id.String())
		}
	}
	r.duplicates(member, duplicates)
}

func (r *rules) duplicates(member string, items []string) {
	if len(items) > 0 {
		r.report(member, "Can not contain duplicate items: ["+strings.Join(items, ",")+"].")
	}
}

// uniqueValues wants no value twice in a list, in whatever case.
func (r *rules) uniqueValues(member string, list []optional) {
	var duplicates []string
	for i := range list {
		earlier := 0
		for j := range i {
			if strings.EqualFold(list[j].text, list[i].text) {
				earlier++
			}
		}
		if earlier == 1 {
			duplicates = append(duplicates, list[i].text)
		}
	}
	r.duplicates(member, duplicates)
}

// httpsURL wants a url that is given, https and of no more than 1023 characters.
func (r *rules) httpsURL(u uri) {
	const member = "url"
	if !u.given {
		r.mustNotBeEmpty(member)
		return
	}
	if !u.absolute || u.scheme != schemeHTTPS {
		r.report(member, display(member)+" is not a well-formatted HTTPS URL.")
	}
	r.uriLength(member, u)
}

// wellFormed wants a URI that needs no escaping, if one is given.
func (r *rules) wellFormed(member string, u uri) {
	if !u.given {
		return
	}
	if !wellFormedURI(u.original) {
		r.report(member, display(member)+" is not a well formatted URI.")
	}
	r.uriLength(member, u)
}

func (r *rules) uriLength(member string, u uri) {
	if len(u.display) > maxURI {
		r.tooLong(member, units(u.display), maxURI)
	}
}

// wellFormedText is wellFormed for a URI that the service holds as text.
func (r *rules) wellFormedText(member string, text optional) {
	if !text.given {
		return
	}
	if !wellFormedURI(text.text) {
		r.report(member, display(member)+" is not a well-formatted URI.")
	}
	r.maxLength(member, text, maxURI)
}

// attribute wants [urn:altinn:<type>:]<name> (Chapter 7, API action).
func (r *rules) attribute(text optional) {
	const member = "authorizationAttribute"
	if !text.given {
		return
	}
	r.maxLength(member, text, maxText)
	if !validAttribute(text.text) {
		r.report(member, display(member)+" must be on format 'urn:altinn:{resourcetype}:{resourcename}' or {resourcename} with "+
			"valid names (letters, digits, '-' or '_', starting with a letter).")
	}
}

func validAttribute(text string) bool {
	const prefix = "urn:altinn:"
	if len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
		kind, name, ok := strings.Cut(text[len(prefix):], ":")
		return ok && validName(kind) && validName(name)
	}
	return validName(text)
}

// validName is [a-z][a-z0-9_-]* in any case.
func validName(text string) bool {
	for i := range len(text) {
		c := text[i] | 0x20
		letter := c >= 'a' && c <= 'z' && text[i] >= 'A'
		digit := text[i] >= '0' && text[i] <= '9'
		if !letter && (i == 0 || !digit && text[i] != '_' && text[i] != '-') {
			return false
		}
	}
	return text != ""
}

// party wants a party URN; a missing one is for another rule.
func (r *rules) party(member string, text optional) {
	if text.given && !validParty(text.text) {
		r.report(member, display(member)+" must be on format '"+prefixOrganization+"{norwegian org-nr}', '"+prefixPerson+
			"{norwegian f-nr/d-nr}', '"+prefixSelfIdentified+"{username}' or '"+prefixEmail+"{e-mail}' with valid values, respectively.")
	}
}
