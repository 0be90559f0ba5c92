package dialogporten

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

const (
	defaultLimit = 100
	largestLimit = 1000
)

// orderKey is what listings can be ordered by (Chapter 10).
type orderKey int

const (
	orderContentUpdatedAt orderKey = iota
	orderUpdatedAt
	orderCreatedAt
	orderDueAt
	orderID
)

func (k orderKey) name() string {
	return nth(int(k)+1, "contentupdatedat", "updatedat", "createdat", "dueat", "id")
}

func orderKeyOf(name string) (orderKey, bool) {
	for k := orderContentUpdatedAt; k <= orderID; k++ {
		if strings.EqualFold(k.name(), name) {
			return k, true
		}
	}
	return 0, false
}

type orderTerm struct {
	key       orderKey
	ascending bool
}

// order is the terms of an orderBy; the last is always the id.
type order []orderTerm

func defaultOrder() order { return order{{key: orderContentUpdatedAt}, {key: orderID}} }

func parseOrder(text string) (order, bool) {
	var o order
	for part := range strings.SplitSeq(text, ",") {
		name, direction, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "_")
		key, ok := orderKeyOf(name)
		repeated := slices.ContainsFunc(o, func(t orderTerm) bool { return t.key == key })
		if !ok || repeated || direction != "" && direction != "asc" && direction != "desc" {
			return nil, false
		}
		o = append(o, orderTerm{key: key, ascending: direction == "asc"})
	}
	if !slices.ContainsFunc(o, func(t orderTerm) bool { return t.key == orderID }) {
		o = append(o, orderTerm{key: orderID})
	}
	return o, true
}

func (o order) text() string {
	parts := make([]string, 0, len(o))
	for _, term := range o {
		direction := "_desc"
		if term.ascending {
			direction = "_asc"
		}
		parts = append(parts, term.key.name()+direction)
	}
	return strings.Join(parts, ",")
}

// position is a place in a listing: the values of its order's terms.
type position struct {
	times [orderID]instant
	id    uuid.UUID
}

func positionOf(id uuid.UUID, s *snapshot) position {
	return position{times: [...]instant{s.contentUpdatedAt, s.updatedAt, s.createdAt, s.dueAt}, id: id}
}

// compare puts what is listed first first. As in PostgreSQL, absent times are greater than all others.
func (o order) compare(a, b *position) int {
	for _, term := range o {
		var by int
		if term.key == orderID {
			by = bytes.Compare(a.id[:], b.id[:])
		} else {
			by = compareTimes(a.times[term.key], b.times[term.key])
		}
		if !term.ascending {
			by = -by
		}
		if by != 0 {
			return by
		}
	}
	return 0
}

func compareTimes(a, b instant) int {
	switch {
	case a == b:
		return 0
	case a == noInstant:
		return 1
	case b == noInstant:
		return -1
	case a < b:
		return -1
	}
	return 1
}

// token is the continuation token of the page that a position ends: contentupdatedat_<date>,id_<guid>.
func (o order) token(at *position) string {
	parts := make([]string, 0, len(o))
	for _, term := range o {
		value := at.id.String()
		if term.key != orderID {
			value = ""
			if t := at.times[term.key]; t.given() {
				value = string(appendInstant(nil, t))
			}
		}
		parts = append(parts, term.key.name()+"_"+value)
	}
	return strings.Join(parts, ",")
}

// parseToken reads a token of the same order.
func (o order) parseToken(text string) (*position, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != len(o) {
		return nil, false
	}
	at := &position{times: [...]instant{noInstant, noInstant, noInstant, noInstant}}
	for i, term := range o {
		name, value, _ := strings.Cut(parts[i], "_")
		if !strings.EqualFold(name, term.key.name()) {
			return nil, false
		}
		ok := true
		switch {
		case term.key == orderID:
			at.id, ok = parseGUID(value)
		case value != "":
			var fault instantFault
			at.times[term.key], fault = parseInstant(value)
			ok = fault == instantFine
		}
		if !ok {
			return nil, false
		}
	}
	return at, true
}

// paging is the part of a listing's query that all listings share.
type paging struct {
	limit int
	order order
	after *position
}

func (c *call) paging(f *faults, sortable bool) paging {
	p := paging{limit: defaultLimit, order: defaultOrder()}
	if text := c.parameter("limit"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			f.add("limit", c.parameterFault(text, "Int32"))
		}
		p.limit = int(n)
	}
	if text := c.parameter("orderBy"); text != "" && sortable {
		o, ok := parseOrder(text)
		if !ok {
			f.add("orderBy", c.parameterFault(text, "OrderSet`2"))
			o = defaultOrder()
		}
		p.order = o
	}
	if text := c.parameter("continuationToken"); text != "" {
		at, ok := p.order.parseToken(text)
		if !ok {
			f.add("continuationToken", c.parameterFault(text, "ContinuationTokenSet`2"))
		}
		p.after = at
	}
	return p
}

func (r *rules) limit(n int) {
	if n < 1 || n > largestLimit {
		r.report("limit", "'Limit' must be between 1 and 1000. You entered "+itoa(n)+".")
	}
}

// hit is a dialog of a listing.
type hit struct {
	at    position
	state *snapshot
}

// page keeps the first of many hits: a heap whose root is the last that is kept.
type page struct {
	paging
	hits []hit
}

// offer takes a hit that lies behind the continuation token. One more than the limit is kept, to see if there are more.
func (p *page) offer(id uuid.UUID, state *snapshot) {
	h := hit{at: positionOf(id, state), state: state}
	if p.after != nil && p.order.compare(&h.at, p.after) <= 0 {
		return
	}
	if len(p.hits) <= p.limit {
		p.hits = append(p.hits, h)
		p.up(len(p.hits) - 1)
		return
	}
	if p.order.compare(&h.at, &p.hits[0].at) < 0 {
		p.hits[0] = h
		p.down()
	}
}

func (p *page) later(i, j int) bool { return p.order.compare(&p.hits[i].at, &p.hits[j].at) > 0 }

func (p *page) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !p.later(i, parent) {
			return
		}
		p.hits[i], p.hits[parent] = p.hits[parent], p.hits[i]
		i = parent
	}
}

func (p *page) down() {
	i := 0
	for {
		last := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(p.hits) && p.later(child, last) {
				last = child
			}
		}
		if last == i {
			return
		}
		p.hits[i], p.hits[last] = p.hits[last], p.hits[i]
		i = last
	}
}

// write answers with the page.
func (p *page) write(w http.ResponseWriter, item func([]byte, *hit) []byte) {
	slices.SortFunc(p.hits, func(a, b hit) int { return p.order.compare(&a.at, &b.at) })
	more := len(p.hits) > p.limit
	if more {
		p.hits = p.hits[:p.limit]
	}
	o := openObject(nil)
	o.name("items")
	o.buf = appendList(o.buf, p.hits, item)
	o.flag("hasNextPage", more)
	if more {
		o.text("continuationToken", p.order.token(&p.hits[len(p.hits)-1].at))
	}
	o.text("orderBy", p.order.text())
	writeJSON(w, http.StatusOK, o.close())
}
