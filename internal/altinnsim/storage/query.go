package storage

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// parameter is one name=value of a query string, decoded, in the order it was sent.
type parameter struct{ name, value string }

// parseQuery splits a query string. net/url drops pairs with a raw semicolon, which tokens may hold (3.7), hence by hand.
func parseQuery(raw string) []parameter {
	var out []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, parameter{name: unescape(name), value: unescape(value)})
	}
	return out
}

// unescape decodes once; what is not well-formed stays as it is.
func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// Names of parameters, in lower case: they are matched without regard to case (3.2).
const (
	paramOrg          = "org"
	paramAppID        = "appid"
	paramParty        = "instanceowner.partyid"
	paramChanged      = "lastchanged"
	paramCreated      = "created"
	paramVisibleAfter = "visibleafter"
	paramDueBefore    = "duebefore"
	paramEnded        = "process.ended"
	paramTask         = "process.currenttask"
	paramComplete     = "process.iscomplete"
	paramArchived     = "status.isarchived"
	paramSoftDeleted  = "status.issoftdeleted"
	paramHardDeleted  = "status.isharddeleted"
	paramExcludeConf  = "excludeconfirmedby"
	paramConfirmed    = "confirmed"
	paramVersionIn    = "mainversioninclude"
	paramVersionEx    = "mainversionexclude"
	paramA2Reference  = "datavalues.a2archref"
	paramA3Reference  = "a3ref"
	paramSearch       = "searchstring"
	paramElements     = "includedataelements"
	paramOrder        = "order"
	paramSize         = "size"
	paramToken        = "continuationtoken"
)

const (
	defaultSize        = 100
	a3ReferenceLength  = 12
	mainVersionDefault = 3
)

// parametersError are values that do not parse: 400 with a list of messages for each parameter (3.2).
type parametersError map[string][]string

func (e parametersError) Error() string { return fmt.Sprintf("%d bad parameters", len(e)) }

// faultError is answered 500 with its text as a JSON string (3.8).
type faultError string

func (e faultError) Error() string { return string(e) }

// badRequestError is answered 400 with its text as a JSON string.
type badRequestError string

func (e badRequestError) Error() string { return string(e) }

// listQuery is a list request, parsed.
type listQuery struct {
	params     []parameter
	org, appID string
	party      *int32
	changed    span
	created    span
	texts      []textFilter
	task       string
	complete   *bool
	flags      []flagFilter
	excludedBy string
	confirmed  *bool
	include    *int
	exclude    *int
	a2, a3     string
	search     string
	elements   bool
	descending bool
	size       int
	token      string
	hasToken   bool
}

type flagFilter struct {
	flag Flags
	want bool
}

// span is a range of microseconds, both ends included.
type span struct{ from, to int64 }

func (s span) holds(t int64) bool { return s.from <= t && t <= s.to }

// values are the values of a parameter in the order sent.
func (q *listQuery) values(name string) []string {
	var out []string
	for _, p := range q.params {
		if strings.EqualFold(p.name, name) {
			out = append(out, p.value)
		}
	}
	return out
}

func (q *listQuery) first(name string) string {
	if values := q.values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// parseList reads a query string. Errors are parametersError, badRequestError or faultError.
func parseList(raw string) (*listQuery, error) {
	q := &listQuery{params: parseQuery(raw), size: defaultSize, elements: true, descending: true}
	if err := q.readTyped(); err != nil {
		return nil, err
	}
	q.org, q.appID, q.task = q.first(paramOrg), q.first(paramAppID), q.first(paramTask)
	q.excludedBy, q.search = q.first(paramExcludeConf), q.first(paramSearch)
	q.a2, q.a3 = q.first(paramA2Reference), q.first(paramA3Reference)
	if q.a3 != "" && len(q.a3) != a3ReferenceLength {
		return nil, badRequestError("A3Ref must be exactly 12 characters.")
	}
	if order := q.first(paramOrder); order != "" {
		q.descending = strings.HasPrefix(strings.ToLower(order), "desc:")
	}
	if tokens := q.values(paramToken); len(tokens) > 0 {
		q.token, q.hasToken = tokens[0], tokens[0] != ""
	}
	return q, nil
}

// readDates reads the date filters. It comes after the checks of who may ask: a bad date is found by the query (3.3).
func (q *listQuery) readDates() error {
	var err error
	if q.changed, err = dateRange(paramNames()[paramChanged], q.values(paramChanged)); err != nil {
		return err
	}
	if q.created, err = dateRange(paramNames()[paramCreated], q.values(paramCreated)); err != nil {
		return err
	}
	for _, name := range [...]string{paramVisibleAfter, paramDueBefore, paramEnded} {
		filters, err := textFilters(name, q.values(name))
		if err != nil {
			return err
		}
		q.texts = append(q.texts, filters...)
	}
	return nil
}

// paramNames spells date parameters as error texts do.
func paramNames() map[string]string {
	return map[string]string{
		paramChanged: "lastChanged", paramCreated: "created", paramVisibleAfter: "visibleAfter",
		paramDueBefore: "dueBefore", paramEnded: "process.ended",
	}
}

// readTyped reads the parameters that are numbers or booleans.
func (q *listQuery) readTyped() error {
	bad := parametersError{}
	integer := func(name, spelt string) *int {
		text := q.first(name)
		if text == "" {
			return nil
		}
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil {
			bad[spelt] = append(bad[spelt], "The value '"+text+"' is not valid.")
			return nil
		}
		value := int(n)
		return &value
	}
	boolean := func(name, spelt string) *bool {
		text := strings.TrimSpace(q.first(name))
		if text == "" {
			return nil
		}
		value := strings.EqualFold(text, "true")
		if !value && !strings.EqualFold(text, "false") {
			bad[spelt] = append(bad[spelt], "The value '"+text+"' is not valid.")
			return nil
		}
		return &value
	}
	if party := integer(paramParty, "instanceOwner.partyId"); party != nil {
		id := int32(*party) //nolint:gosec // parsed as 32 bits
		q.party = &id
	}
	q.include, q.exclude = integer(paramVersionIn, "mainVersionInclude"), integer(paramVersionEx, "mainVersionExclude")
	if size := integer(paramSize, "size"); size != nil {
		q.size = *size
	}
	q.complete = boolean(paramComplete, "process.isComplete")
	q.confirmed = boolean(paramConfirmed, "confirmed")
	if elements := boolean(paramElements, "includeDataElements"); elements != nil {
		q.elements = *elements
	}
	for _, f := range [...]struct {
		name, spelt string
		flag        Flags
	}{
		{paramArchived, "status.isArchived", Archived},
		{paramSoftDeleted, "status.isSoftDeleted", SoftDeleted},
		{paramHardDeleted, "status.isHardDeleted", HardDeleted},
	} {
		if want := boolean(f.name, f.spelt); want != nil {
			q.flags = append(q.flags, flagFilter{flag: f.flag, want: *want})
		}
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

// resume reads the continuation token: the row to go on after, whether there is one, and whether the page can have rows
// at all (3.6).
func (q *listQuery) resume() (after position, ok, rows bool, err error) {
	if !q.hasToken {
		return position{}, false, true, nil
	}
	token := unescape(q.token)
	ticks, id, found := strings.Cut(token, ";")
	if !found {
		return position{}, false, false, nil
	}
	t, err := strconv.ParseInt(ticks, 10, 64)
	if err != nil {
		return position{}, false, false, notANumber(ticks)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return position{}, false, false, notANumber(id)
	}
	if n <= 0 {
		return position{}, false, true, nil
	}
	return position{changed: microsOf(t), id: RowID(n)}, true, true, nil
}

func notANumber(text string) error {
	return faultError("The input string '" + text + "' was not in a correct format.")
}

// token is the continuation token after a row, as it stands inside next: encoded twice (3.7).
func token(ticks int64, id RowID) string {
	return strconv.FormatInt(ticks, 10) + "%253b" + strconv.FormatInt(int64(id), 10)
}

// rebuilt is the query of a link: parameters in their order, values of a repeated one at its first place, encoded, with
// the token at the end (3.7). A token parameter in another spelling stays.
func (q *listQuery) rebuilt(token string) string {
	var out strings.Builder
	done := map[string]bool{}
	for _, p := range q.params {
		key := strings.ToLower(p.name)
		if done[key] || p.name == "continuationToken" {
			continue
		}
		done[key] = true
		for _, other := range q.params {
			if strings.ToLower(other.name) != key || other.name == "continuationToken" {
				continue
			}
			if out.Len() > 0 {
				out.WriteByte('&')
			}
			out.WriteString(escape(p.name) + "=" + escape(other.value))
		}
	}
	if token != "" {
		if out.Len() > 0 {
			out.WriteByte('&')
		}
		out.WriteString("continuationToken=" + token)
	}
	return out.String()
}

// escape percent-encodes everything but letters, digits and - . _ ~.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// asParametersError is the error as parametersError, nil when it is none.
func asParametersError(err error) parametersError {
	bad, _ := errors.AsType[parametersError](err)
	return bad
}
