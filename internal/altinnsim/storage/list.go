package storage

import (
	"math"
	"slices"
	"strings"
)

// page is a page of a list, found but not written.
type page struct {
	rows []slot
	last *Row // of the last row; nil when there is none
}

// full says whether the page gets a continuation token (3.6).
func (p page) full(q *listQuery) bool { return len(p.rows) == q.size }

// page gathers the rows of a page but for the hidden ones; hidden may be nil. The caller holds the lock.
func (s *Service) page(q *listQuery, now int64, hidden func(Row, int64, int64) bool) (page, error) {
	var p page
	if q.size < 0 {
		return p, faultError("2201W: LIMIT must not be negative")
	}
	after, resumed, rows, err := q.resume()
	if err != nil || !rows || q.size == 0 {
		return p, err
	}
	take := func(at slot) bool {
		if s.visible(at, now) && s.matches(q, at) && (hidden == nil || !hidden(*s.row(at), s.since(at), now)) {
			p.rows = append(p.rows, at)
		}
		return len(p.rows) < q.size
	}
	x := s.listIndex(q)
	switch {
	case x == nil:
	case q.descending:
		descend(x, q.changed, after, resumed, take)
	default:
		ascend(x, q.changed, after, resumed, take)
	}
	if n := len(p.rows); n > 0 {
		p.last = s.row(p.rows[n-1])
	}
	return p, nil
}

// listIndex is what the page is walked in: the organisation's index, or one made for an end user, who need not name an
// organisation.
func (s *Service) listIndex(q *listQuery) *index {
	if q.org != "" {
		return s.byOrg[q.org]
	}
	x := newIndex(s.position)
	var own []slot
	for _, byOrg := range s.byOrg {
		for _, block := range byOrg.blocks {
			for _, at := range block {
				if q.party != nil && s.row(at).Party == *q.party {
					own = append(own, at)
				}
			}
		}
	}
	x.load(own)
	return x
}

// ascend visits rows by time and row id, after the position when there is one.
func ascend(x *index, changed span, after position, resumed bool, take func(slot) bool) {
	from := position{changed: changed.from}
	if resumed {
		if next := (position{changed: after.changed, id: after.id + 1}); from.before(next) {
			from = next
		}
	}
	c := x.seek(from)
	for {
		at, ok := x.next(&c)
		if !ok || x.at(at).changed > changed.to || !take(at) {
			return
		}
	}
}

// descend visits rows by falling time, and by rising row id among equal times. Continued after (t, id) it shows of t
// only the rows below id: the service's fault, which loses the rows above (3.5).
func descend(x *index, changed span, after position, resumed bool, take func(slot) bool) {
	end := x.end()
	if changed.to != math.MaxInt64 {
		end = x.seek(position{changed: changed.to + 1})
	}
	if resumed {
		if c := x.seek(after); c.before(end) {
			end = c
		}
	}
	for {
		last, ok := x.previous(end)
		if !ok || x.at(last).changed < changed.from {
			return
		}
		start := x.seek(position{changed: x.at(last).changed})
		for c := start; c.before(end); {
			at, ok := x.next(&c)
			if !ok || !take(at) {
				return
			}
		}
		end = start
	}
}

// matches applies what the index does not. Cheap tests come first.
func (s *Service) matches(q *listQuery, at slot) bool {
	row := s.row(at)
	switch {
	case q.appID != "" && s.apps[row.App] != q.appID,
		q.party != nil && row.Party != *q.party,
		!q.created.holds(row.Created),
		!q.wantsVersion(row.Version),
		!q.wantsFlags(row.Flags),
		q.confirmed != nil && row.Flags.Has(Confirmed) != *q.confirmed,
		q.a3 != "" && !strings.EqualFold(lastDigits(row), q.a3):
		return false
	}
	return !q.needsFacts() || q.matchesFacts(s.facts(at))
}

// wantsVersion hides A1 and A2 forms unless they are asked for (3.4).
func (q *listQuery) wantsVersion(version uint8) bool {
	v := int(version)
	switch {
	case q.a3 != "":
		return v == 3
	case q.a2 != "":
		return v == 2
	case q.include == nil && q.exclude == nil:
		return v == mainVersionDefault
	}
	return (q.include == nil || v == *q.include) && (q.exclude == nil || v != *q.exclude)
}

func (q *listQuery) wantsFlags(flags Flags) bool {
	for _, f := range q.flags {
		if flags.Has(NoStatus) || flags.Has(f.flag) != f.want {
			return false
		}
	}
	if q.complete != nil && *q.complete && !flags.Has(Ended) {
		return false
	}
	return q.excludedBy == "" || q.excludedBy != q.org || !flags.Has(Confirmed)
}

func (q *listQuery) needsFacts() bool {
	return len(q.texts) > 0 || q.task != "" || q.complete != nil && !*q.complete || q.a2 != "" || q.search != "" ||
		q.excludedBy != "" && q.excludedBy != q.org
}

func (q *listQuery) matchesFacts(facts Facts) bool {
	for _, f := range q.texts {
		if !f.matches(facts) {
			return false
		}
	}
	switch {
	case q.task != "" && facts.Task != q.task,
		q.complete != nil && !*q.complete && facts.Task == "",
		q.excludedBy != "" && slices.Contains(facts.Confirmations, q.excludedBy),
		q.a2 != "" && !slices.Contains(facts.Values, Value{Key: a2ReferenceKey, Value: q.a2}):
		return false
	}
	return q.search == "" || slices.ContainsFunc(facts.PresentationTexts, func(text string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(q.search))
	})
}

func lastDigits(row *Row) string {
	text := AppendUUID(make([]byte, 0, 36), row.GUID)
	return string(text[len(text)-a3ReferenceLength:])
}
