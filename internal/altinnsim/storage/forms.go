package storage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// formKey is an archive reference: they are numbered apart in Altinn 1 and Altinn 2.
type formKey struct {
	version   uint8
	reference string
}

// Migration is a row of the migration-state tables: which instance an archive reference has become (12.3).
type Migration struct {
	Version   uint8     `json:"mainVersion"`
	Reference string    `json:"reference"`
	Instance  uuid.UUID `json:"instance"`
	Started   time.Time `json:"started"`
	// Completed is when the events were stored; zero: the form is still incomplete.
	Completed time.Time `json:"completed,omitzero"`
	// Replaced is the instance that the reference was before, and that is gone; Nil: none.
	Replaced uuid.UUID `json:"replaced,omitzero"`
}

// Referencer is an Author that finds its forms by their archive references.
type Referencer interface {
	FormOf(version uint8, reference string) (RowID, bool)
}

// form is the archive reference of a migrated form; A1ArchRef comes first.
func (in shape) form() (formKey, bool) {
	if reference := in.DataValues[a1ReferenceKey]; reference != "" {
		return formKey{version: 1, reference: reference}, true
	}
	if reference := in.DataValues[a2ReferenceKey]; reference != "" {
		return formKey{version: 2, reference: reference}, true
	}
	return formKey{}, false
}

// formOf is the archive reference of a row. The caller holds the lock.
func (s *Store) formOf(at slot) (formKey, bool) {
	if s.row(at).Version >= mainVersionDefault {
		return formKey{}, false
	}
	var in shape
	in.DataValues = map[string]string{}
	for _, v := range s.facts(at).Values {
		in.DataValues[v.Key] = v.Value
	}
	return in.form()
}

// holder is the instance that an archive reference is now. The caller holds the lock.
func (s *Store) holder(key formKey) (slot, bool) {
	if known, ok := s.forms[key]; ok {
		at, ok := s.byGUID[known.Instance]
		return at, ok
	}
	for number, author := range s.authors {
		referencer, ok := author.(Referencer)
		if !ok {
			continue
		}
		id, ok := referencer.FormOf(key.version, key.reference)
		if !ok || id < 1 || int(id) > s.rows {
			continue
		}
		at := slot(id - 1) //nolint:gosec // a row's id
		row := s.row(at)
		// Row ids are the store's own: only one author has made that row.
		if held, alive := s.byGUID[row.GUID]; alive && held == at && int(row.author) == number && row.Version == key.version {
			return at, true
		}
	}
	return 0, false
}

// Form is an archived form as Altinn 2 sends it.
type Form struct {
	// Instance is the instance with its data values, one of which is the archive reference. Its data are the elements, in
	// the order in which they are stored.
	Instance json.RawMessage
	// Events are the form's events.
	Events []json.RawMessage
}

// Migrate makes an archived form arrive, all of it. See MigrateInstance, MigrateElement and MigrateEvents, which it
// calls in this order: for a moment each, readers see what is not complete.
func (s *Service) Migrate(form Form) (Migration, error) {
	state, elements, err := s.MigrateInstance(form.Instance)
	if err != nil {
		return state, err
	}
	return s.CompleteForm(state.Instance, elements, form.Events)
}

// CompleteForm stores what is missing of a form.
func (s *Service) CompleteForm(guid uuid.UUID, elements, events []json.RawMessage) (Migration, error) {
	for i, element := range elements {
		if err := s.MigrateElement(guid, element); err != nil {
			return Migration{}, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return s.MigrateEvents(guid, events)
}

// MigrateInstance stores a form without elements and events: it can be listed and read from now on. An instance that the
// reference has been before is removed with all that belongs to it, and if it had a dialog, a message tells of its end.
// The elements of the document are returned; they come next.
func (s *Service) MigrateInstance(raw json.RawMessage) (Migration, []json.RawMessage, error) {
	d, row, in, err := parseDocument(raw, s.host)
	if err != nil {
		return Migration{}, nil, err
	}
	key, ok := in.form()
	if !ok {
		return Migration{}, nil, fmt.Errorf("form %s: neither %s nor %s among its data values", row.GUID, a1ReferenceKey, a2ReferenceKey)
	}
	var shaped struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(raw, &shaped); err != nil {
		return Migration{}, nil, fmt.Errorf("form %s: %w", row.GUID, err)
	}
	d.set(memberData, []byte("[]"))
	row.Version = key.version
	s.mu.Lock()
	defer s.mu.Unlock()
	state := Migration{Version: key.version, Reference: key.reference, Instance: row.GUID, Started: s.now().UTC()}
	before, again := s.holder(key)
	if again {
		state.Replaced = s.row(before).GUID
	}
	if _, taken := s.byGUID[row.GUID]; taken && state.Replaced != row.GUID {
		return Migration{}, nil, fmt.Errorf("form %s: %w", row.GUID, ErrTaken)
	}
	if again {
		s.replace(before)
	}
	at := s.put(d, row, in)
	s.extra(at).events = nil
	s.stamp(at)
	s.forms[key] = state
	return state, shaped.Data, nil
}

// replace removes the instance that a form was before. The caller holds the lock.
func (s *Service) replace(at slot) {
	row := s.row(at)
	told := slices.ContainsFunc(s.facts(at).Values, func(v Value) bool { return v.Key == DialogIDKey })
	if told {
		told = s.onChange(outbox.Change{
			Instance: row.GUID, AppID: s.apps[row.App], PartyID: row.Party, Created: time.UnixMicro(row.Created),
			EventType: eventDeleted, Migration: true,
		})
	}
	s.remove(at, Removal{Told: told || row.Flags.Has(HardDeleted), Replaced: true})
}

// MigrateElement stores a data element of a form: the instance takes its lastChanged, whatever that was before.
func (s *Service) MigrateElement(guid uuid.UUID, raw json.RawMessage) error {
	element := elementOf(raw)
	changed, ok := ParseTime(element.Changed)
	if !ok {
		return fmt.Errorf("element %s of form %s: lastChanged %q is not a time", element.ID, guid, element.Changed)
	}
	return s.change(guid, func(at slot, _ *Row) error {
		d := s.materialize(at)
		d.setElements(append(d.elements(), slices.Clone(raw)))
		s.move(at, changed)
		return nil
	})
}

// MigrateEvents stores the events of a form that have a type, and marks it as complete. This, and nothing before it, is
// announced: as created, and as migration.
func (s *Service) MigrateEvents(guid uuid.UUID, raws []json.RawMessage) (Migration, error) {
	events, err := parseEvents(guid, raws)
	if err != nil {
		return Migration{}, err
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return e.Type == "" })
	var state Migration
	err = s.change(guid, func(at slot, row *Row) error {
		key, ok := s.formOf(at)
		if !ok {
			return fmt.Errorf("instance %s is no migrated form: %w", guid, ErrNotFound)
		}
		s.materialize(at)
		x := s.extra(at)
		x.events = append(slices.Clip(x.events), events...)
		state = s.forms[key]
		state.Version, state.Reference, state.Instance, state.Completed = key.version, key.reference, guid, s.now().UTC()
		s.forms[key] = state
		s.onChange(outbox.Change{
			Instance: guid, AppID: s.apps[row.App], PartyID: row.Party, Created: time.UnixMicro(row.Created),
			EventType: eventCreated, Migration: true,
		})
		return nil
	})
	return state, err
}

// MigrateDelete removes a form without any message.
func (s *Service) MigrateDelete(guid uuid.UUID) error {
	return s.change(guid, func(at slot, row *Row) error {
		if row.Version >= mainVersionDefault {
			return fmt.Errorf("instance %s is no migrated form: %w", guid, ErrNotFound)
		}
		s.remove(at, Removal{Told: row.Flags.Has(HardDeleted)})
		return nil
	})
}

// FormReference is the archive reference of a migrated form, and its main version.
func (s *Service) FormReference(guid uuid.UUID) (version uint8, reference string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, ok := s.byGUID[guid]
	if !ok {
		return 0, "", false
	}
	key, ok := s.formOf(at)
	return key.version, key.reference, ok
}

// Migrations are the forms that have arrived one by one: all, or those that are not complete. Forms of a generated
// history have been there always.
func (s *Service) Migrations(incomplete bool) []Migration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Migration, 0, len(s.forms))
	for _, state := range s.forms {
		if !state.Started.IsZero() && (!incomplete || state.Completed.IsZero()) {
			out = append(out, state)
		}
	}
	slices.SortFunc(out, func(a, b Migration) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Version, b.Version), cmp.Compare(number(a.Reference), number(b.Reference)))
	})
	return out
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // references are numbers; others are equal
	return n
}

// Sample visits instances from the nth on, round and round, and returns the first that is accepted among at most tries.
// What somebody withholds is not visited.
func (s *Service) Sample(n uint64, tries int, accept func(Item) bool) (Row, string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := floorMicros(s.now())
	for i := range min(tries, s.rows) {
		at := slot((n + uint64(i)) % uint64(s.rows)) //nolint:gosec // a slot
		row := *s.row(at)
		if known, ok := s.byGUID[row.GUID]; !ok || known != at || !s.visible(at, now) {
			continue
		}
		if item := (Item{Row: row, AppID: s.apps[row.App], Facts: func() Facts { return s.facts(at) }}); accept(item) {
			return row, item.AppID, true
		}
	}
	return Row{}, "", false
}

// Deletable says whether the instance's app lets it be deleted now (9).
func (s *Service) Deletable(row Row, appID string) bool { return !s.prevented(row, appID) }

// Look shows an instance that can be seen to accept, and returns what that says.
func (s *Service) Look(guid uuid.UUID, accept func(Item) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, row, ok := s.find(guid, floorMicros(s.now()))
	return ok && accept(Item{Row: *row, AppID: s.apps[row.App], Facts: func() Facts { return s.facts(at) }})
}

// ParseKey reads the guid and the party of an instance as the service would answer it.
func ParseKey(raw []byte) (guid uuid.UUID, party int32, err error) {
	var in shape
	if err := json.Unmarshal(raw, &in); err != nil {
		return uuid.Nil, 0, fmt.Errorf("read instance: %w", err)
	}
	row, err := in.row()
	return row.GUID, row.Party, err
}
