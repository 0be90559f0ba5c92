package storage

import (
	"github.com/google/uuid"
)

// Removal is what is remembered of an instance that is physically gone, for comparisons: the service itself forgets it.
type Removal struct {
	AppID   string
	Created int64 // microseconds since 1970
	// Told says whether a consumer could know: the instance was to be seen as hard-deleted before, or a message told of
	// its end. Otherwise nothing does (3.10).
	Told bool
	// Replaced says that the form was migrated again, under another guid (12.3).
	Replaced bool
}

// Remove takes an instance away physically: no event, no message (3.11).
func (s *Service) Remove(guid uuid.UUID) error {
	return s.change(guid, func(at slot, row *Row) error {
		s.remove(at, Removal{Told: row.Flags.Has(HardDeleted)})
		return nil
	})
}

// remove takes a row away. The caller holds the lock.
func (s *Store) remove(at slot, removal Removal) {
	row := s.row(at)
	removal.AppID, removal.Created = s.apps[row.App], row.Created
	if key, ok := s.formOf(at); ok && s.forms[key].Instance == row.GUID {
		delete(s.forms, key)
	}
	s.orgIndex(orgOf(removal.AppID)).remove(at)
	delete(s.byGUID, row.GUID)
	delete(s.extras, at)
	s.alive--
	s.removed[row.GUID] = removal
}

// Untell notes that the message of a form's end has been lost, if there was one: then nothing tells of it.
func (s *Service) Untell(guid uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if removal, ok := s.removed[guid]; ok && removal.Replaced {
		removal.Told = false
		s.removed[guid] = removal
	}
}

// Removed is what is remembered of an instance that is gone.
func (s *Service) Removed(guid uuid.UUID) (Removal, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	removal, ok := s.removed[guid]
	return removal, ok
}
