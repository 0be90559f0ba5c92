package altinn2

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// Prefix is what all paths of the export begin with.
const Prefix = "/a2/v1"

const path = Prefix + "/correspondences"

// Bounds of a page (16.2).
const (
	defaultLimit = 100
	maxLimit     = 500
)

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Caller reads who asks; any token will do, since the contract names no scope. Default: an administrator.
	Caller func(*http.Request) (auth.Caller, error)
}

// Service is the simulated export. It is safe for concurrent use.
type Service struct {
	*Store

	config Config
	mux    *http.ServeMux
	// Bridge takes what Correspondence tells Altinn 2.
	Bridge *Bridge
	// Live lets messages change by themselves.
	Live *Live
}

// New makes an empty Service.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Caller == nil {
		config.Caller = auth.Reader{Mode: auth.Off}.Caller
	}
	s := &Service{Store: newStore(func() time.Time { return config.Now().UTC() }), config: config, mux: http.NewServeMux()}
	s.Bridge = newBridge(s.Store, config.Caller)
	s.Live = newLive(s.Store)
	s.handle("GET "+path+"/changes", s.changesOf)
	s.handle("GET "+path+"/history", s.history)
	s.handle("GET "+path+"/count", s.counts)
	s.handle("GET "+path+"/{id}", s.one)
	s.handle("GET "+path+"/{id}/attachments/{attachment}/content", s.content)
	return s
}

// Reset forgets everything and stops the changes.
func (s *Service) Reset() {
	s.Live.Reset()
	s.Store.Reset()
	s.Bridge.Reset()
}

// Close stops the changes and waits for them.
func (s *Service) Close() { s.Live.Reset() }

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer.Route(s.mux, &problemWriter{ResponseWriter: w}, r)
}

func (s *Service) handle(pattern string, handler func(http.ResponseWriter, *http.Request) *refusal) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.config.Caller(r)
		if err != nil || caller.Anonymous {
			answer.Unauthorized(w) // problemWriter adds the document
			return
		}
		if refused := handler(w, r); refused != nil {
			refused.write(w)
		}
	})
}

// page is what the walks answer.
type page struct {
	Items      []Record  `json:"items"`
	NextCursor *string   `json:"nextCursor"`
	HasMore    bool      `json:"hasMore"`
	AsOf       time.Time `json:"asOf"`
}

func (s *Service) answerPage(w http.ResponseWriter, found walked, next *cursor) {
	out := page{Items: make([]Record, 0, len(found.records)), HasMore: found.more, AsOf: found.asOf}
	for _, r := range found.records {
		out.Items = append(out.Items, s.Answered(r))
	}
	if next != nil {
		text := next.String()
		out.NextCursor = &text
	}
	answer.JSON(w, http.StatusOK, out)
}

func limitOf(r *http.Request) (int, *refusal) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, invalid("limit: %q is not a number from 1 to %d", text, maxLimit)
	}
	return limit, nil
}

// instantOf is a query parameter, the zero time when it is missing.
func instantOf(r *http.Request, name string) (time.Time, *refusal) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, invalid("%s: %q is not an instant (RFC 3339)", name, text)
	}
	return t.UTC(), nil
}

// changesOf is the live lane: it never ends.
func (s *Service) changesOf(w http.ResponseWriter, r *http.Request) *refusal {
	limit, refused := limitOf(r)
	if refused != nil {
		return refused
	}
	since, refused := instantOf(r, "since")
	if refused != nil {
		return refused
	}
	resource := r.URL.Query().Get("resourceId")
	world, sequence := s.reach()
	position := cursor{Version: cursorVersion, Lane: laneChanges, Filter: fingerprint(world, laneChanges, resource)}
	switch text := r.URL.Query().Get("cursor"); {
	case text != "":
		c, ok := readCursor(text, laneChanges, position.Filter)
		// One that lies ahead of all changes is of another simulator: what comes up to there would be skipped.
		if !ok || c.Sequence > sequence {
			return errCursor
		}
		position = c
	case !since.IsZero():
		position.Sequence = s.before(since)
	}
	found, last := s.changesPage(position.Sequence, resource, limit)
	position.Sequence = last
	s.answerPage(w, found, &position)
	return nil
}

// history is the walk from the newest to the oldest. Its cursor is null at the end.
func (s *Service) history(w http.ResponseWriter, r *http.Request) *refusal {
	limit, refused := limitOf(r)
	if refused != nil {
		return refused
	}
	before, refused := instantOf(r, "createdBefore")
	if refused != nil {
		return refused
	}
	from, refused := instantOf(r, "createdFrom")
	if refused != nil {
		return refused
	}
	q := r.URL.Query()
	resource, floor := q.Get("resourceId"), int64(math.MinInt64)
	if !from.IsZero() {
		floor = from.UnixMicro()
	}
	world, _ := s.reach()
	position := cursor{
		Version: cursorVersion, Lane: laneHistory, Filter: fingerprint(world, laneHistory, resource, strconv.FormatInt(floor, 10)),
		History: &historyPlace{Created: before.UnixMicro()}, // no id lies below 0: nothing of that instant is passed
	}
	text := q.Get("cursor")
	switch {
	case text != "":
		c, ok := readCursor(text, laneHistory, position.Filter)
		if !ok {
			return errCursor
		}
		position = c
	case before.IsZero():
		return invalid("createdBefore is needed on the first call")
	}
	position.History.Floor = floor
	found, last := s.historyPage(*position.History, resource, limit)
	if !found.more {
		s.answerPage(w, found, nil)
		return nil
	}
	position.History = &last
	s.answerPage(w, found, &position)
	return nil
}

// dayCount is the count of a day, UTC.
type dayCount struct {
	Day   string `json:"day"` // 2006-01-02
	Count int    `json:"count"`
}

// totals are for the gap check. The contract leaves their form open.
type totals struct {
	Count int        `json:"count"`
	Days  []dayCount `json:"days,omitzero"` // with groupBy=day, or else nil; days without a message are left out
	AsOf  time.Time  `json:"asOf"`
}

func (s *Service) counts(w http.ResponseWriter, r *http.Request) *refusal {
	from, refused := instantOf(r, "createdFrom")
	if refused != nil {
		return refused
	}
	to, refused := instantOf(r, "createdTo")
	if refused != nil {
		return refused
	}
	group := r.URL.Query().Get("groupBy")
	if group != "" && group != "day" {
		return invalid("groupBy: %q is not day", group)
	}
	total, days, asOf := s.count(from, to, r.URL.Query().Get("resourceId"))
	out := totals{Count: total, AsOf: asOf}
	if group == "day" {
		out.Days = []dayCount{}
		for _, day := range slices.Sorted(maps.Keys(days)) {
			out.Days = append(out.Days, dayCount{day, days[day]})
		}
	}
	answer.JSON(w, http.StatusOK, out)
	return nil
}

func (s *Service) find(r *http.Request) (Record, *refusal) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return Record{}, errMissing
	}
	record, ok := s.Message(int32(id))
	if !ok {
		return Record{}, errMissing
	}
	return record, nil
}

func (s *Service) one(w http.ResponseWriter, r *http.Request) *refusal {
	record, refused := s.find(r)
	if refused != nil {
		return refused
	}
	answer.JSON(w, http.StatusOK, s.Answered(record))
	return nil
}

// content sends an attachment's bytes, or a range of them.
func (s *Service) content(w http.ResponseWriter, r *http.Request) *refusal {
	record, refused := s.find(r)
	if refused != nil {
		return refused
	}
	i := slices.IndexFunc(record.Attachments, func(a Attachment) bool { return a.ID == r.PathValue("attachment") })
	if i < 0 || record.Deletion == DeletionPurged {
		return errMissing
	}
	a := record.Attachments[i]
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-MD5", s.Sum(a))
	http.ServeContent(w, r, "", time.Time{}, a.Open())
	return nil
}
