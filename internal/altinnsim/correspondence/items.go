package correspondence

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Item is a message as Correspondence keeps it. Its lists are only ever appended to or replaced as a whole, so that a copy
// of an Item stays as it was.
type Item struct {
	ID                   uuid.UUID
	Altinn2ID            int32 // any number, 0 too
	Native               bool  // born in Altinn 3: without an Altinn 2 id
	ResourceID           string
	Sender               string
	Recipient            string // in lower case
	SendersReference     string
	MessageSender        *string
	Language             string
	Title, Summary, Body string
	RequestedPublishTime time.Time
	Due                  *time.Time
	Created              time.Time
	PublishedColumn      time.Time // zero: not set
	PartyID              int32
	Hidden               bool // IsMigrating
	ConfirmationNeeded   bool
	IgnoreReservation    *bool
	References           []Reference
	Properties           []Property // by key
	Replies              []ReplyOption
	Attachments          []uuid.UUID // in display order
	Statuses             []Status
	DeleteEvents         []DeleteEvent
	Notifications        []Notification
	Forwardings          []Forwarding
	FixedIDs             []FixedID
}

// Reference is an external reference (chapter 12).
type Reference struct {
	Kind  ReferenceKind
	Value string
}

// Property is a key and a value of the property list.
type Property struct{ Key, Value string }

// ReplyOption is where a recipient may answer.
type ReplyOption struct {
	URL  string
	Text *string
}

// Status is an entry of the log of statuses. Synced is when Altinn 2 told of it, zero if it did not.
type Status struct {
	Kind   StatusKind
	At     time.Time
	Party  uuid.UUID
	Text   string
	Synced time.Time
}

// DeleteEvent is a move to the trash, out of it, or a permanent deletion.
type DeleteEvent struct {
	Kind   DeleteKind
	At     time.Time
	Party  uuid.UUID
	Synced time.Time
}

// Notification is one that Altinn 2 sent.
type Notification struct {
	Altinn2ID int32 // any number, 0 too
	Native    bool  // Altinn 3 sent it: without an Altinn 2 id
	Channel   Channel
	Address   string
	SentAt    time.Time
	Reminder  bool
	Synced    time.Time
}

// sameID says whether both have the same Altinn 2 id.
func (n Notification) sameID(other Notification) bool {
	return !n.Native && !other.Native && n.Altinn2ID == other.Altinn2ID
}

// Forwarding is a share, an e-mail copy or a copy to a digital mailbox.
type Forwarding struct {
	At              time.Time
	ByParty         uuid.UUID
	ByUserID        int32
	ByUser          uuid.UUID
	ToUserID        *int32
	ToUser          *uuid.UUID
	Text            *string
	ToEmail         *string
	MailboxSupplier *string
	Activity        uuid.UUID // kept before the activity is sent; nil: none yet
	Synced          time.Time
}

// FixedID is an activity id that is kept per item and action (chapter 12). A retried creation adds a second set.
type FixedID struct {
	Action     StatusKind
	Attachment uuid.UUID
	ID         uuid.UUID
}

// DialogID is the dialog that the item refers to.
func (i Item) DialogID() (string, bool) {
	for _, r := range i.References {
		if r.Kind == ReferenceDialog {
			return r.Value, true
		}
	}
	return "", false
}

// Purged says whether the item ever was purged. A hard deletion of the first load does not count: it is a delete event
// alone (5.4).
func (i Item) Purged() bool {
	return slices.ContainsFunc(i.Statuses, func(s Status) bool { return s.Kind.purges() })
}

// earliest is the first status of a kind by time, not by place.
func (i Item) earliest(kind StatusKind) (Status, bool) {
	var found Status
	ok := false
	for _, s := range i.Statuses {
		if s.Kind == kind && (!ok || s.At.Before(found.At)) {
			found, ok = s, true
		}
	}
	return found, ok
}

func (i Item) has(kind StatusKind) bool {
	_, ok := i.earliest(kind)
	return ok
}

func (i Item) count(kind StatusKind) (n int) {
	for _, s := range i.Statuses {
		if s.Kind == kind {
			n++
		}
	}
	return n
}

// trashed says whether the latest move to the trash is strictly later than the latest move out of it, or there is none. An
// instant may be that of year 1.
func (i Item) trashed() bool {
	var in, out *time.Time
	for _, e := range i.DeleteEvents {
		switch {
		case e.Kind == DeleteSoft && (in == nil || e.At.After(*in)):
			in = &e.At
		case e.Kind == DeleteRestore && (out == nil || e.At.After(*out)):
			out = &e.At
		}
	}
	return in != nil && (out == nil || in.After(*out))
}

// label is the system label of the item's dialog (9.9).
func (i Item) label() string {
	switch {
	case i.Native:
		return "Default"
	case i.trashed():
		return "Bin"
	case i.has(Archived):
		return "Archive"
	}
	return "Default"
}

func (i *Item) withReference(r Reference) {
	i.References = append(slices.Clip(i.References), r)
}

func (i *Item) withoutReference(kind ReferenceKind) {
	i.References = slices.DeleteFunc(slices.Clone(i.References), func(r Reference) bool { return r.Kind == kind })
}

// entry is the place of an item.
type entry struct {
	mu   sync.Mutex
	item Item
}

// snapshot is the item as it is now.
func (e *entry) snapshot() Item {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.item
}

// change changes the item.
func (e *entry) change(how func(*Item)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	how(&e.item)
}

// store keeps items. It is safe for concurrent use.
type store struct {
	mu       sync.RWMutex
	byID     map[uuid.UUID]*entry
	byNumber map[int32]*entry
	byFile   map[uuid.UUID][]*entry // which items have an attachment
	walk     []place                // 6.2's order up to sorted, what came later after it
	sorted   int
}

// place is where an item stands in the walk of 6.2.
type place struct {
	created int64
	id      uuid.UUID
	entry   *entry
}

func newStore() *store {
	s := &store{}
	s.reset()
	return s
}

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID, s.byNumber, s.byFile = map[uuid.UUID]*entry{}, map[int32]*entry{}, map[uuid.UUID][]*entry{}
	s.walk, s.sorted = nil, 0
}

// insert adds an item; false when its Altinn 2 id is taken.
func (s *store) insert(item Item) (*entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !item.Native && s.byNumber[item.Altinn2ID] != nil {
		return nil, false
	}
	return s.put(item), true
}

// replace puts an item in the place of one with the same id.
func (s *store) replace(item Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.byID[item.ID]; old != nil {
		if !old.item.Native {
			delete(s.byNumber, old.item.Altinn2ID)
		}
		s.walk = slices.DeleteFunc(s.walk, func(p place) bool { return p.id == item.ID })
		s.sorted = 0
	}
	s.put(item)
}

func (s *store) put(item Item) *entry {
	e := &entry{item: item}
	s.byID[item.ID] = e
	if !item.Native {
		s.byNumber[item.Altinn2ID] = e
	}
	for _, file := range item.Attachments {
		s.byFile[file] = append(s.byFile[file], e)
	}
	s.walk = append(s.walk, place{item.Created.UnixMicro(), item.ID, e})
	return e
}

func (s *store) get(id uuid.UUID) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

func (s *store) byAltinn2(number int32) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byNumber[number]
}

func (s *store) having(file uuid.UUID) []*entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.byFile[file])
}

func (s *store) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byID)
}

func (s *store) all() []*entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*entry, 0, len(s.byID))
	for _, e := range s.byID {
		out = append(out, e)
	}
	return out
}

// before is the order of 6.2: newest first, then id ascending. It is also what "continued by the pair" means, so the two
// agree.
func (p place) before(q place) int {
	return cmp.Or(-cmp.Compare(p.created, q.created), bytes.Compare(p.id[:], q.id[:]))
}

// window are up to limit hidden items from a place on, not including it.
func (s *store) window(from place, createdFrom time.Time, limit int) []place {
	s.mu.Lock()
	if s.sorted < len(s.walk) {
		slices.SortFunc(s.walk, place.before)
		s.sorted = len(s.walk)
	}
	start, exact := slices.BinarySearchFunc(s.walk, from, place.before)
	if exact {
		start++
	}
	rest := slices.Clone(s.walk[start:min(len(s.walk), start+windowScan)])
	more := start+windowScan < len(s.walk)
	s.mu.Unlock()
	var out []place
	for _, p := range rest {
		if !createdFrom.IsZero() && p.created < createdFrom.UnixMicro() {
			return out
		}
		item := p.entry.snapshot()
		if item.Native || !item.Hidden || item.Purged() {
			continue
		}
		if out = append(out, p); len(out) == limit {
			return out
		}
	}
	if more {
		return append(out, s.window(rest[len(rest)-1], createdFrom, limit-len(out))...)
	}
	return out
}

// windowScan is how many places are looked at while nobody else may write.
const windowScan = 20_000
