package altinn2

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// ErrUnknown is a message that is not there.
var ErrUnknown = errors.New("no such message")

// row is the place of a message. A message that was made up and has not changed since is made up again whenever it is asked
// for.
type row struct {
	id      int32
	created int64 // microseconds
	seq     int64
	changed int64 // microseconds
	author  *author
	number  uint32
	record  *Record // nil: the author's
}

func (r *row) get() Record {
	if r.record != nil {
		return *r.record
	}
	out := r.author.record(r.number)
	out.ChangeSeq = r.seq
	return out
}

// resource is the message's resource; it does not need the whole message.
func (r *row) resource() string {
	if r.record != nil {
		return r.record.ResourceID
	}
	return r.author.resourceOf(r.number)
}

// change is an entry of the log of changes. It is stale when its row changed again.
type change struct {
	seq int64
	row *row
}

// Store keeps messages. It is safe for concurrent use.
type Store struct {
	now func() time.Time

	mu        sync.RWMutex
	world     int64 // which one since the start: cursors of another lead nowhere
	rows      map[int32]*row
	byCreated []*row // newest first, then id descending, up to sortedTo
	sortedTo  int
	changes   []change // ascending
	stale     int
	seq       int64
	sums      map[sumKey]string
}

func newStore(now func() time.Time) *Store {
	s := &Store{now: now}
	s.Reset()
	return s
}

// Reset forgets all messages.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world++
	s.rows, s.byCreated, s.sortedTo, s.changes, s.stale, s.seq = map[int32]*row{}, nil, 0, nil, 0, 0
	s.sums = map[sumKey]string{}
}

// reach is which world this is, and how far its changes go.
func (s *Store) reach() (world, sequence int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.world, s.seq
}

// Len is how many messages there are.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rows)
}

// Message is a message as it is, with the text of a purged one too.
func (s *Store) Message(id int32) (Record, bool) {
	s.mu.RLock()
	found := s.rows[id]
	s.mu.RUnlock()
	if found == nil {
		return Record{}, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return found.get(), true
}

// Each calls yield for each message, newest first, until it returns false. What comes meanwhile may be seen or not.
func (s *Store) Each(yield func(Record) bool) {
	s.mu.Lock()
	s.sortCreated()
	rows := slices.Clone(s.byCreated)
	s.mu.Unlock()
	for _, r := range rows {
		s.mu.RLock()
		record := r.get()
		s.mu.RUnlock()
		if !yield(record) {
			return
		}
	}
}

// Put puts messages in place. One without changeSeq or changedAt changes now; one that names a sequence number keeps it.
func (s *Store) Put(raws []json.RawMessage) error {
	for i, raw := range raws {
		var r Record
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if err := s.PutRecord(r); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// PutRecord puts one message in place.
func (s *Store) PutRecord(r Record) error {
	if r.ID <= 0 {
		return errors.New("altinn2CorrespondenceId is a number above 0")
	}
	if r.ResourceID == "" {
		r.ResourceID = r.ServiceOwner + "-migratedcorrespondence-" + r.ServiceCode + "-" + r.ServiceEdition
	}
	if r.Deletion == "" {
		r.Deletion = DeletionNone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ChangedAt.IsZero() {
		r.ChangedAt = s.now() // under the lock, so that a page whose asOf is later has it
	}
	if r.ChangeSeq == 0 {
		r.ChangeSeq = s.seq + 1
	}
	for i := range r.Attachments {
		if a := &r.Attachments[i]; a.Content != nil {
			a.Size = int64(len(a.Content))
		}
		if r.Attachments[i].MD5 == "" {
			r.Attachments[i].MD5 = s.sum(r.Attachments[i])
		}
	}
	s.keep(r)
	return nil
}

// keep stores a record under its sequence number. The caller holds the lock.
func (s *Store) keep(r Record) {
	place := s.rows[r.ID]
	created := r.Created.UnixMicro()
	switch {
	case place == nil:
		place = &row{id: r.ID, created: created}
		s.rows[r.ID] = place
		s.insert(place)
	case place.created != created:
		place.created = created
		s.sortedTo = 0
		s.stale++
	default:
		s.stale++
	}
	place.seq, place.changed, place.record = r.ChangeSeq, r.ChangedAt.UnixMicro(), &r
	s.log(place)
}

// insert keeps byCreated in order where that is cheap: a message that comes now is among the newest.
func (s *Store) insert(added *row) {
	const near = 4096
	if s.sortedTo == len(s.byCreated) {
		at := sort.Search(len(s.byCreated), func(i int) bool { return s.byCreated[i].older(added) })
		if at < near || len(s.byCreated) < near {
			s.byCreated = slices.Insert(s.byCreated, at, added)
			s.sortedTo++
			return
		}
	}
	s.byCreated = append(s.byCreated, added)
}

// older says whether a row comes after another in the history walk.
func (r *row) older(other *row) bool {
	return cmp.Or(-cmp.Compare(r.created, other.created), -cmp.Compare(r.id, other.id)) > 0
}

// isSorted is called with the lock, for reading at least.
func (s *Store) isSorted() bool { return s.sortedTo == len(s.byCreated) && s.sortedTo > 0 }

// readSorted takes the lock with byCreated in order, for reading alone if it can, and gives what releases it. Sorting and
// reading are under one lock: what came in between would lie unsorted at the end.
func (s *Store) readSorted() (unlock func()) {
	s.mu.RLock()
	if s.isSorted() {
		return s.mu.RUnlock
	}
	s.mu.RUnlock()
	s.mu.Lock()
	s.sortCreated()
	return s.mu.Unlock
}

func (s *Store) sortCreated() {
	if s.isSorted() {
		return
	}
	slices.SortFunc(s.byCreated, func(a, b *row) int {
		return cmp.Or(-cmp.Compare(a.created, b.created), -cmp.Compare(a.id, b.id))
	})
	s.sortedTo = len(s.byCreated)
}

// log notes a change. Sequence numbers rise, unless they were put in place otherwise.
func (s *Store) log(r *row) {
	entry := change{r.seq, r}
	if last := len(s.changes) - 1; last >= 0 && s.changes[last].seq > entry.seq {
		at := sort.Search(len(s.changes), func(i int) bool { return s.changes[i].seq > entry.seq })
		s.changes = slices.Insert(s.changes, at, entry)
	} else {
		s.changes = append(s.changes, entry)
	}
	s.seq = max(s.seq, r.seq)
	const worth = 100_000
	if s.stale > worth && s.stale > len(s.rows) {
		s.changes = slices.DeleteFunc(s.changes, func(c change) bool { return c.row.seq != c.seq })
		s.stale = 0
	}
}

// Change changes a message: its change sequence moves on.
func (s *Store) Change(id int32, how func(*Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.rows[id]
	if place == nil {
		return fmt.Errorf("message %d: %w", id, ErrUnknown)
	}
	r := place.get().clone()
	if err := how(&r); err != nil {
		return fmt.Errorf("message %d: %w", id, err)
	}
	r.ChangedAt, r.ChangeSeq = s.now(), s.seq+1
	s.keep(r)
	return nil
}

// Add adds a message that comes now. An id of 0 takes the next one.
func (s *Store) Add(r Record) (int32, error) {
	s.mu.Lock()
	if r.ID == 0 {
		r.ID = s.nextID()
	}
	s.mu.Unlock()
	return r.ID, s.PutRecord(r)
}

// firstID begins the ids of messages that are made up.
const firstID = 30_000_000

// nextID is called with the lock.
func (s *Store) nextID() int32 {
	next := int32(firstID)
	for s.rows[next+int32(len(s.rows))] != nil { //nolint:gosec // far below the bound
		next++
	}
	return next + int32(len(s.rows)) //nolint:gosec // far below the bound
}

// walked is a page of a walk.
type walked struct {
	records []Record
	more    bool
	asOf    time.Time // read before the records are, under their lock: nothing that changed until then is left out
}

// historyPage are up to limit messages from a place on, and the last one's place.
func (s *Store) historyPage(from historyPlace, resource string, limit int) (page walked, last historyPlace) {
	defer s.readSorted()()
	page.asOf = s.now()
	at := sort.Search(len(s.byCreated), func(i int) bool { return from.passed(s.byCreated[i]) })
	last = from
	for _, r := range s.byCreated[at:] {
		if r.created < from.Floor {
			break
		}
		if resource != "" && r.resource() != resource {
			continue
		}
		if len(page.records) == limit {
			page.more = true
			break
		}
		page.records = append(page.records, r.get())
		last.Created, last.ID = r.created, r.id
	}
	return page, last
}

// changesPage are up to limit messages whose change is later than a sequence number, each once, as it is now, and the last
// one's number.
func (s *Store) changesPage(after int64, resource string, limit int) (page walked, last int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	page.asOf = s.now()
	at := sort.Search(len(s.changes), func(i int) bool { return s.changes[i].seq > after })
	last = after
	for _, c := range s.changes[at:] {
		if c.row.seq != c.seq || resource != "" && c.row.resource() != resource {
			continue
		}
		if len(page.records) == limit {
			page.more = true
			break
		}
		page.records, last = append(page.records, c.row.get()), c.seq
	}
	return page, last
}

// before is the sequence number before the first change at an instant or later.
func (s *Store) before(since time.Time) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.changes {
		if c.row.seq == c.seq && c.row.changed >= since.UnixMicro() {
			return c.seq - 1
		}
	}
	return s.seq
}

// count counts messages by the day of their creation, as of an instant.
func (s *Store) count(from, to time.Time, resource string) (total int, days map[string]int, asOf time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	asOf = s.now()
	days = map[string]int{}
	for _, r := range s.byCreated {
		if !from.IsZero() && r.created < from.UnixMicro() || !to.IsZero() && r.created >= to.UnixMicro() ||
			resource != "" && r.resource() != resource {
			continue
		}
		total++
		days[time.UnixMicro(r.created).UTC().Format(time.DateOnly)]++
	}
	return total, days, asOf
}
