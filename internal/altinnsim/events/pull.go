package events

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

const (
	// readDelay is how long after its arrival an event becomes readable (15.6).
	readDelay = 30 * time.Second
	// defaultSize is how many events a page has.
	defaultSize = 50
	// maxKept is how many events of one resource are kept; then the older half is forgotten.
	maxKept = 1 << 17
)

// keep stores an event for readers. The caller holds the lock.
func (s *Service) keep(e *stored) {
	s.lastSeq++
	e.seq = s.lastSeq
	events := s.log[e.resource]
	events = append(events, e)
	if len(events) > maxKept {
		for _, old := range events[:maxKept/2] {
			delete(s.byID, old.id)
		}
		events = slices.Clone(events[maxKept/2:])
	}
	s.log[e.resource], s.byID[e.id] = events, e
}

// question is what a reader asks for.
type question struct {
	from, to time.Time // zero: no bound
	after    string
	kinds    []string
	subject  *string
	size     int
}

// pull answers an app's events in order of arrival.
func (s *Service) pull(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	if caller.Org == "" {
		return &refusal{status: http.StatusForbidden}
	}
	q, err := s.question(r.URL.Query())
	if err != nil {
		return err
	}
	org, app := r.PathValue("org"), r.PathValue("app")
	page := []json.RawMessage{}
	last := ""
	// What the policy does not allow is left out rather than refused.
	if caller.Admin || s.Settings().policy(caller.Org, org, app) {
		for _, e := range s.read(appResource(org, app), q) {
			page, last = append(page, e.json), e.id
		}
	}
	if len(page) > 0 {
		query := r.URL.Query()
		query.Del("from")
		query.Set("after", last)
		w.Header().Set("next", "https://platform."+s.config.Host+r.URL.EscapedPath()+"?"+query.Encode())
	}
	answer.JSON(w, http.StatusOK, page)
	return nil
}

func (s *Service) question(query url.Values) (question, error) {
	q := question{after: query.Get("after"), kinds: query["type"], size: defaultSize}
	if q.after == "" && query.Get("from") == "" {
		return q, badRequest("The 'From' or 'After' parameter must be defined.")
	}
	for name, into := range map[string]*time.Time{"from": &q.from, "to": &q.to} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return q, badRequest("The '" + name + "' parameter must be a time with a time zone.")
		}
		*into = at
	}
	if text := query.Get("size"); text != "" {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 {
			return q, badRequest("The 'Size' parameter must be a number larger that 0.")
		}
		q.size = size
	}
	return q, s.questionSubject(query, &q)
}

// questionSubject reads whose events are asked for: of a party id or of an organisation number.
func (s *Service) questionSubject(query url.Values, q *question) error {
	party := query.Get("party")
	if unit := query.Get("unit"); unit != "" {
		if party != "" {
			return badRequest("Only one of 'Party' and 'Unit' can be defined.")
		}
		id, ok := s.config.PartyOf("", unit)
		if !ok {
			return &refusal{status: http.StatusNotFound}
		}
		party = strconv.FormatInt(int64(id), 10)
	}
	if party == "" {
		return nil
	}
	if _, err := strconv.ParseInt(party, 10, 32); err != nil {
		return badRequest("The 'Party' parameter must be a number.")
	}
	subject := partySubject + party
	q.subject = &subject
	return nil
}

// read finds a page of events that are readable already. After an id that nobody knows comes nothing.
func (s *Service) read(resource string, q question) []*stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.log[resource]
	readable := s.config.Now().Add(-s.settings.wait(readDelay))
	if q.after != "" {
		last, ok := s.byID[q.after]
		if !ok {
			return nil
		}
		events = events[sort.Search(len(events), func(i int) bool { return events[i].seq > last.seq }):]
	}
	var out []*stored
	for _, e := range events {
		if len(out) == q.size || e.arrived.After(readable) {
			break
		}
		if q.matches(e) {
			out = append(out, e)
		}
	}
	return out
}

func (q question) matches(e *stored) bool {
	return (q.from.IsZero() || !e.time.Before(q.from)) && (q.to.IsZero() || !e.time.After(q.to)) &&
		(len(q.kinds) == 0 || slices.Contains(q.kinds, e.kind)) && (q.subject == nil || *q.subject == e.subject)
}
