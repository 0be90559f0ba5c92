package dialogporten

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

const shards = 256

// record is the place of a dialog. mu is held by whoever makes the next state; state is nil before the dialog is
// complete and after it is purged.
type record struct {
	id    uuid.UUID
	mu    sync.Mutex
	state atomic.Pointer[snapshot]
}

// table is one of the service's unique indexes over ids (Chapter 18, item 2).
type table byte

const (
	tableDialog table = iota
	tableTransmission
	tableActivity
	tableGUIAction
	tableAPIAction
	tableAttachment
	tableAPIEndpoint
	tableAttachmentURL
)

// name is what a clash is reported under (Chapter 6, POST dialogs, step 12).
func (t table) name() string {
	return nth(int(t)+1, keyDialog, keyTransmission, keyActivity, "DialogGuiAction", "DialogApiAction", keyAttachment,
		"DialogApiActionEndpoint", "AttachmentUrl")
}

type rowKey struct {
	table table
	id    uuid.UUID
}

type ownerKey struct{ org, key string }

// store holds all dialogs and the indexes that span them, each cut into shards with a lock of its own. No lock is
// taken while another is held, but for a record's, which comes first.
type store struct {
	dialogs [shards]struct {
		sync.RWMutex
		byID map[uuid.UUID]*record
	}
	rows [shards]struct {
		sync.Mutex
		taken map[rowKey]struct{}
	}
	keys [shards]struct {
		sync.Mutex
		byKey map[ownerKey]uuid.UUID
	}
	labels [shards]struct {
		sync.RWMutex
		byLabel map[string][]uuid.UUID
	}
	alive   atomic.Int64
	deleted atomic.Int64
}

func newStore() *store {
	s := &store{}
	s.reset()
	return s
}

func (s *store) reset() {
	for i := range shards {
		d, r, k, l := &s.dialogs[i], &s.rows[i], &s.keys[i], &s.labels[i]
		d.Lock()
		d.byID = make(map[uuid.UUID]*record)
		d.Unlock()
		r.Lock()
		r.taken = make(map[rowKey]struct{})
		r.Unlock()
		k.Lock()
		k.byKey = make(map[ownerKey]uuid.UUID)
		k.Unlock()
		l.Lock()
		l.byLabel = make(map[string][]uuid.UUID)
		l.Unlock()
	}
	s.alive.Store(0)
	s.deleted.Store(0)
}

// shardOf spreads ids that were derived from a time and a name by their last bytes, which are random.
func shardOf(id uuid.UUID) int { return int(id[15] ^ id[12]) }

func shardOfText(text string) int {
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * prime
	}
	return int(h>>16^h) & (shards - 1)
}

func (s *store) find(id uuid.UUID) *record {
	shard := &s.dialogs[shardOf(id)]
	shard.RLock()
	defer shard.RUnlock()
	return shard.byID[id]
}

// load is the state of a dialog, nil if there is none.
func (s *store) load(id uuid.UUID) *snapshot {
	if found := s.find(id); found != nil {
		return found.state.Load()
	}
	return nil
}

// reserve takes a dialog id; false where it is taken.
func (s *store) reserve(id uuid.UUID) (*record, bool) {
	shard := &s.dialogs[shardOf(id)]
	fresh := &record{id: id}
	shard.Lock()
	defer shard.Unlock()
	if _, taken := shard.byID[id]; taken {
		return nil, false
	}
	shard.byID[id] = fresh
	return fresh, true
}

func (s *store) forget(id uuid.UUID) {
	shard := &s.dialogs[shardOf(id)]
	shard.Lock()
	delete(shard.byID, id)
	shard.Unlock()
}

func (s *store) each(yield func(uuid.UUID, *snapshot) bool) {
	var page []*record
	for i := range s.dialogs {
		shard := &s.dialogs[i]
		page = page[:0]
		shard.RLock()
		for _, r := range shard.byID {
			page = append(page, r)
		}
		shard.RUnlock()
		for _, r := range page {
			if state := r.state.Load(); state != nil && !yield(r.id, state) {
				return
			}
		}
	}
}

func (s *store) count() (alive, deleted int) { return int(s.alive.Load()), int(s.deleted.Load()) }

// counted keeps the counts in step with a dialog that goes from one state to another; nil is none.
func (s *store) counted(from, to *snapshot) {
	s.countOne(from, -1)
	s.countOne(to, 1)
}

func (s *store) countOne(state *snapshot, n int64) {
	switch {
	case state == nil:
	case state.alive():
		s.alive.Add(n)
	default:
		s.deleted.Add(n)
	}
}

func (s *store) claimRow(key rowKey) bool {
	shard := &s.rows[shardOf(key.id)]
	shard.Lock()
	defer shard.Unlock()
	before := len(shard.taken)
	shard.taken[key] = struct{}{}
	return len(shard.taken) > before
}

func (s *store) releaseRows(keys []rowKey) {
	for _, key := range keys {
		shard := &s.rows[shardOf(key.id)]
		shard.Lock()
		delete(shard.taken, key)
		shard.Unlock()
	}
}

// claimRows takes all keys or, at the first that is taken, none.
func (s *store) claimRows(keys []rowKey) (clash rowKey, ok bool) {
	for i, key := range keys {
		if !s.claimRow(key) {
			s.releaseRows(keys[:i])
			return key, false
		}
	}
	return rowKey{}, true
}

// claimKey takes an idempotent key of an organisation for a dialog.
func (s *store) claimKey(key ownerKey, id uuid.UUID) bool {
	shard := &s.keys[shardOfText(key.key)]
	shard.Lock()
	defer shard.Unlock()
	if _, taken := shard.byKey[key]; taken {
		return false
	}
	shard.byKey[key] = id
	return true
}

func (s *store) keyHolder(key ownerKey) (uuid.UUID, bool) {
	shard := &s.keys[shardOfText(key.key)]
	shard.Lock()
	defer shard.Unlock()
	id, ok := shard.byKey[key]
	return id, ok
}

func (s *store) releaseKey(key ownerKey, id uuid.UUID) {
	shard := &s.keys[shardOfText(key.key)]
	shard.Lock()
	defer shard.Unlock()
	if shard.byKey[key] == id {
		delete(shard.byKey, key)
	}
}

func (s *store) addLabel(label string, id uuid.UUID) {
	shard := &s.labels[shardOfText(label)]
	shard.Lock()
	defer shard.Unlock()
	shard.byLabel[label] = append(shard.byLabel[label], id)
}

func (s *store) removeLabel(label string, id uuid.UUID) {
	shard := &s.labels[shardOfText(label)]
	shard.Lock()
	defer shard.Unlock()
	left := slices.DeleteFunc(slices.Clone(shard.byLabel[label]), func(other uuid.UUID) bool { return other == id })
	if len(left) == 0 {
		delete(shard.byLabel, label)
		return
	}
	shard.byLabel[label] = left
}

// labelled are the dialogs that carry a label.
func (s *store) labelled(label string) []uuid.UUID {
	shard := &s.labels[shardOfText(label)]
	shard.RLock()
	defer shard.RUnlock()
	return slices.Clone(shard.byLabel[label])
}

// clash words the unique index that a row runs into.
func (f *faults) clash(key rowKey) { f.add(key.table.name(), idTaken(key.id)) }

func idTaken(id uuid.UUID) string { return "Key ('Id')=(" + id.String() + ") already exists." }

// rowsOf are the rows that an aggregate takes beside the dialog's own. Where bodies are hashed only those are tracked
// that can't be replaced.
func rowsOf(a *aggregate, hashed bool) []rowKey {
	rows := make([]rowKey, 0, 16)
	for i := range a.transmissions {
		rows = append(rows, rowKey{tableTransmission, a.transmissions[i].id.id})
	}
	for i := range a.activities {
		rows = append(rows, rowKey{tableActivity, a.activities[i].id.id})
	}
	if hashed {
		return rows
	}
	for i := range a.guiActions {
		rows = append(rows, rowKey{tableGUIAction, a.guiActions[i].id.id})
	}
	for i := range a.apiActions {
		rows = append(rows, rowKey{tableAPIAction, a.apiActions[i].id.id})
		for j := range a.apiActions[i].endpoints {
			rows = append(rows, rowKey{tableAPIEndpoint, a.apiActions[i].endpoints[j].id.id})
		}
	}
	rows = attachmentRows(rows, a.attachments)
	for i := range a.transmissions {
		rows = attachmentRows(rows, a.transmissions[i].attachments)
	}
	return rows
}

func attachmentRows(rows []rowKey, list []attachment) []rowKey {
	for i := range list {
		rows = append(rows, rowKey{tableAttachment, list[i].id.id})
		for j := range list[i].urls {
			rows = append(rows, rowKey{tableAttachmentURL, list[i].urls[j].id.id})
		}
	}
	return rows
}

// normalLabel is how labels and tags are stored.
func normalLabel(text string) string { return strings.ToLower(strings.TrimSpace(text)) }
