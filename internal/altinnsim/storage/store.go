package storage

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/google/uuid"
)

// ErrNotFound is an instance that is not there.
var ErrNotFound = errors.New("no such instance")

// rowsPerChunk is how many rows are allotted at a time: growing moves none.
const rowsPerChunk = 1 << 14

// Store holds instances. It is safe for concurrent use.
type Store struct {
	mu       sync.RWMutex
	chunks   [][]Row
	rows     int // slots ever used
	alive    int
	byGUID   map[uuid.UUID]slot
	apps     []string
	appIndex map[string]uint16
	byOrg    map[string]*index
	authors  []Author
	extras   map[slot]*extra
	forms    map[formKey]Migration
	removed  map[uuid.UUID]Removal
}

// extra is what some rows have besides: only those that somebody put in place or changed.
type extra struct {
	document    *document // the instance itself, when it was put in place
	values      []Value
	events      []Event
	ownEvents   bool  // events are all there are: the author's do not count
	visibleFrom int64 // of a withheld row; 0: not by itself
	put         int64 // when it was put in place; 0: never
}

// documents is the author number of instances that were put in place.
const documents = math.MaxUint8

func newStore() *Store {
	s := &Store{appIndex: map[string]uint16{}}
	s.clear()
	return s
}

// clear empties the store. The numbers of app ids stay: whoever has asked for one may still use it. The caller holds the
// lock, or nobody else has the store yet.
func (s *Store) clear() {
	s.chunks, s.rows, s.alive = nil, 0, 0
	s.byGUID = map[uuid.UUID]slot{}
	s.byOrg = map[string]*index{}
	s.authors = nil
	s.extras = map[slot]*extra{}
	s.forms, s.removed = map[formKey]Migration{}, map[uuid.UUID]Removal{}
}

func (s *Store) row(at slot) *Row { return &s.chunks[at/rowsPerChunk][at%rowsPerChunk] }

func (s *Store) position(at slot) position {
	return position{changed: s.row(at).LastChanged, id: idOf(at)}
}

func idOf(at slot) RowID { return RowID(at) + 1 }

// App numbers an app id, for the rows of its instances.
func (s *Store) App(id string) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.app(id)
}

func (s *Store) app(id string) uint16 {
	if n, ok := s.appIndex[id]; ok {
		return n
	}
	n := uint16(len(s.apps)) //nolint:gosec // an organisation has tens of apps, and there are hundreds of organisations
	s.apps = append(s.apps, id)
	s.appIndex[id] = n
	return n
}

// orgOf is the part of an app id before the slash.
func orgOf(appID string) string {
	for i := range len(appID) {
		if appID[i] == '/' {
			return appID[:i]
		}
	}
	return appID
}

func (s *Store) orgIndex(org string) *index {
	x, ok := s.byOrg[org]
	if !ok {
		x = newIndex(s.position)
		s.byOrg[org] = x
	}
	return x
}

// add gives a row a slot. It is in no organisation's index yet.
func (s *Store) add(row Row) slot {
	at := slot(s.rows) //nolint:gosec // four thousand million instances do not fit in memory
	if s.rows%rowsPerChunk == 0 {
		s.chunks = append(s.chunks, make([]Row, rowsPerChunk))
	}
	s.rows++
	s.alive++
	*s.row(at) = row
	s.byGUID[row.GUID] = at
	delete(s.removed, row.GUID)
	return at
}

// Load adds the rows that an author makes. The rows get their ids in the order that they are made. It reports the first
// row whose guid is taken, and stops there.
func (s *Store) Load(author Author, rows func(yield func(Row) bool)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.authors) == documents {
		return errors.New("load instances: too many authors")
	}
	number := uint8(len(s.authors)) //nolint:gosec // bounded above
	s.authors = append(s.authors, author)
	added := map[string][]slot{}
	var err error
	rows(func(row Row) bool {
		if _, taken := s.byGUID[row.GUID]; taken {
			err = fmt.Errorf("load instances: guid %s is taken", row.GUID)
			return false
		}
		row.author = number
		org := orgOf(s.apps[row.App])
		added[org] = append(added[org], s.add(row))
		return true
	})
	for org, slots := range added {
		s.orgIndex(org).load(slots)
	}
	return err
}

// find is the slot of an instance that can be seen, and its row.
func (s *Store) find(guid uuid.UUID, now int64) (slot, *Row, bool) {
	at, ok := s.byGUID[guid]
	if !ok || !s.visible(at, now) {
		return 0, nil, false
	}
	return at, s.row(at), true
}

// visible says whether the row's commit has happened (3.10).
func (s *Store) visible(at slot, now int64) bool {
	if !s.row(at).Flags.Has(Withheld) {
		return true
	}
	from := s.extras[at].visibleFrom
	return from != 0 && from <= now
}

func (s *Store) extra(at slot) *extra {
	x, ok := s.extras[at]
	if !ok {
		x = &extra{}
		s.extras[at] = x
	}
	return x
}

// appendInstance appends an instance as JSON.
func (s *Store) appendInstance(dst []byte, at slot, v View) []byte {
	v.Row, v.ID = *s.row(at), idOf(at)
	x := s.extras[at]
	if x != nil && x.document != nil {
		return x.document.append(dst, v)
	}
	v.Values = s.values(at)
	return s.authors[v.Row.author].AppendInstance(dst, v)
}

// values are the data values that an authored row has gained.
func (s *Store) values(at slot) []Value {
	var values []Value
	if x := s.extras[at]; x != nil {
		values = x.values
	}
	if row := s.row(at); row.Flags.Has(DerivedDialogID) {
		id := string(AppendUUID(nil, DialogID(row.GUID, row.Created)))
		values = append([]Value{{Key: DialogIDKey, Value: id}}, values...)
	}
	return values
}

// facts are the facts of a row, whoever wrote it. Values are complete.
func (s *Store) facts(at slot) Facts {
	x := s.extras[at]
	if x != nil && x.document != nil {
		facts := x.document.facts()
		facts.Feedback, facts.FirstByOrg = tellsOfFeedback(x.events), firstByOrg(x.events)
		return facts
	}
	row := *s.row(at)
	facts := s.authors[row.author].Facts(row, idOf(at))
	facts.Values = append(append([]Value(nil), facts.Values...), s.values(at)...)
	if x != nil && x.ownEvents {
		facts.Feedback, facts.FirstByOrg = tellsOfFeedback(x.events), firstByOrg(x.events)
	}
	return facts
}

// events are all events of a row, as stored, in no order.
func (s *Store) events(at slot) []Event {
	x := s.extras[at]
	row := *s.row(at)
	if row.author == documents || x != nil && x.ownEvents {
		return x.events
	}
	events := s.authors[row.author].Events(row, idOf(at))
	if x != nil {
		events = append(events, x.events...)
	}
	return events
}

// Len is how many instances there are, the withheld ones included.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.alive
}

// LenByOrg is how many instances each organisation has.
func (s *Store) LenByOrg() map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]int, len(s.byOrg))
	for org, x := range s.byOrg {
		if x.count > 0 {
			out[org] = x.count
		}
	}
	return out
}

// Item is an instance as a comparison with its dialog needs it.
type Item struct {
	Row   Row
	AppID string
	Facts func() Facts // valid only while Each's yield runs
}

// Each calls yield for every instance, the withheld ones left out, in no order, until it returns false. Writers wait
// from time to time, and see the store between the calls: an instance that is added meanwhile may be missed.
func (s *Store) Each(now int64, yield func(Item) bool) {
	const batch = 4096
	for from := 0; ; from += batch {
		if !s.eachIn(from, from+batch, now, yield) {
			return
		}
	}
}

// eachIn visits some slots. It returns false at the end or when yield did.
func (s *Store) eachIn(from, to int, now int64, yield func(Item) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for at := slot(from); int(at) < min(to, s.rows); at++ { //nolint:gosec // as in add
		row := *s.row(at)
		if known, ok := s.byGUID[row.GUID]; !ok || known != at || !s.visible(at, now) {
			continue
		}
		if !yield(Item{Row: row, AppID: s.apps[row.App], Facts: func() Facts { return s.facts(at) }}) {
			return false
		}
	}
	return to < s.rows
}
