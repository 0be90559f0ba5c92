package storage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// PutInstance puts an instance in place as it is written, without validation but for what the store must know: id,
// party, app, creation time. What was there under its guid is replaced and keeps its row id and its events.
func (s *Service) PutInstance(raw []byte) error {
	d, row, in, err := parseDocument(raw, s.host)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	row.App = s.app(in.AppID)
	at, known := s.byGUID[row.GUID]
	if known {
		s.orgIndex(orgOf(s.apps[s.row(at).App])).remove(at)
		*s.row(at) = row
	} else {
		at = s.add(row)
	}
	x := s.extra(at)
	*x = extra{document: d, events: x.events, ownEvents: true}
	s.orgIndex(orgOf(in.AppID)).insert(at)
	return nil
}

// PutEvents replaces the events of an instance. Each is an event as the service would answer it.
func (s *Service) PutEvents(guid uuid.UUID, events []json.RawMessage) error {
	parsed := make([]Event, 0, len(events))
	for i, raw := range events {
		event, err := parseEvent(raw)
		if err != nil {
			return fmt.Errorf("event %d of instance %s: %w", i, guid, err)
		}
		parsed = append(parsed, event)
	}
	return s.change(guid, func(at slot, _ *Row) error {
		x := s.extra(at)
		x.events, x.ownEvents = parsed, true
		return nil
	})
}

func parseEvent(raw json.RawMessage) (Event, error) {
	var in struct {
		ID      string `json:"id"`
		Created string `json:"created"`
		Type    string `json:"eventType"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	event := Event{Created: in.Created, Type: in.Type}
	if in.ID != "" {
		id, err := uuid.Parse(in.ID)
		if err != nil {
			return Event{}, fmt.Errorf("event id: %w", err)
		}
		event.ID = id
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	event.JSON = compact.Bytes()
	return event, nil
}

// change alters an instance. ErrNotFound when there is none.
func (s *Service) change(guid uuid.UUID, alter func(at slot, row *Row) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.byGUID[guid]
	if !ok {
		return fmt.Errorf("instance %s: %w", guid, ErrNotFound)
	}
	return alter(at, s.row(at))
}

// SetLastChanged moves an instance on the axis that lists are ordered by, without an event.
func (s *Service) SetLastChanged(guid uuid.UUID, t time.Time) error {
	return s.change(guid, func(at slot, _ *Row) error {
		s.move(at, floorMicros(t))
		return nil
	})
}

// move changes a row's time. The caller holds the lock.
func (s *Store) move(at slot, changed int64) {
	row := s.row(at)
	x := s.orgIndex(orgOf(s.apps[row.App]))
	x.remove(at)
	row.LastChanged = changed
	row.Flags &^= NoLastChanged
	x.insert(at)
	if e := s.extras[at]; e != nil && e.document != nil {
		e.document.set(memberChanged, appendJSON(nil, FormatTime(changed)))
	}
}

// Remove takes an instance away physically: nothing tells of it afterwards (3.11).
func (s *Service) Remove(guid uuid.UUID) error {
	return s.change(guid, func(at slot, row *Row) error {
		s.orgIndex(orgOf(s.apps[row.App])).remove(at)
		delete(s.byGUID, guid)
		delete(s.extras, at)
		s.alive--
		return nil
	})
}

// Withhold hides an instance whose commit has not happened: its time is set, and nobody sees it yet (3.10). It shows at
// the time until, or when Release is called; the zero time: not by itself.
func (s *Service) Withhold(guid uuid.UUID, until time.Time) error {
	return s.change(guid, func(at slot, row *Row) error {
		row.Flags |= Withheld
		x := s.extra(at)
		x.visibleFrom = 0
		if !until.IsZero() {
			x.visibleFrom = floorMicros(until)
		}
		return nil
	})
}

// Release shows an instance that was withheld.
func (s *Service) Release(guid uuid.UUID) error {
	return s.change(guid, func(_ slot, row *Row) error {
		row.Flags &^= Withheld
		return nil
	})
}

// SetValue sets a data value, without moving lastChanged (8).
func (s *Service) SetValue(guid uuid.UUID, key, value string) error {
	return s.change(guid, func(at slot, _ *Row) error {
		s.setValues(at, []Value{{Key: key, Value: value}})
		return nil
	})
}

// setValues merges data values. The caller holds the lock.
func (s *Store) setValues(at slot, values []Value) {
	x := s.extras[at]
	if x != nil && x.document != nil {
		x.document.setValues(values)
		return
	}
	row := s.row(at)
	for _, v := range values {
		if v.Key == DialogIDKey && v.Value == string(AppendUUID(nil, DialogID(row.GUID, row.Created))) {
			row.Flags |= DerivedDialogID
			s.dropValue(at, DialogIDKey)
			continue
		}
		if v.Key == DialogIDKey {
			row.Flags &^= DerivedDialogID
		}
		x := s.extra(at)
		if i := slices.IndexFunc(x.values, func(old Value) bool { return old.Key == v.Key }); i >= 0 {
			x.values[i] = v
			continue
		}
		x.values = append(x.values, v)
	}
}

func (s *Store) dropValue(at slot, key string) {
	if x := s.extras[at]; x != nil {
		x.values = slices.DeleteFunc(x.values, func(v Value) bool { return v.Key == key })
	}
}

func (d *document) setValues(values []Value) {
	members, err := parseMembers(d.get(memberValues))
	if err != nil {
		members = nil // missing or null
	}
	object := document{members: members}
	for _, v := range values {
		object.set(v.Key, appendJSON(nil, v.Value))
	}
	d.set(memberValues, object.append(nil, View{Elements: true}))
}

// Save writes an event of its owner's saving, and moves lastChanged to now (3.11).
func (s *Service) Save(guid uuid.UUID) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now := floorMicros(s.now())
		s.move(at, now)
		s.note(at, "Saved", now)
		return nil
	})
}

// SoftDelete deletes an instance as its owner would, softly (9).
func (s *Service) SoftDelete(guid uuid.UUID) error {
	return s.change(guid, func(at slot, _ *Row) error { s.delete(at, false); return nil })
}

// HardDelete marks an instance for removal (9). It stays to be read until Remove.
func (s *Service) HardDelete(guid uuid.UUID) error {
	return s.change(guid, func(at slot, _ *Row) error { s.delete(at, true); return nil })
}

// Undelete undoes a soft delete (9).
func (s *Service) Undelete(guid uuid.UUID) error {
	return s.change(guid, func(at slot, row *Row) error {
		if row.Flags.Has(HardDeleted) {
			return fmt.Errorf("undelete instance %s, which is hard-deleted: %w", guid, ErrNotFound)
		}
		s.undelete(at)
		return nil
	})
}

// delete marks, moves lastChanged to now and writes the event. The caller holds the lock.
func (s *Service) delete(at slot, hard bool) {
	now := floorMicros(s.now())
	row := s.row(at)
	row.Flags |= SoftDeleted
	row.Flags &^= NoStatus
	row.Deleted = now
	members := []Value{{"isSoftDeleted", "true"}, {"softDeleted", `"` + FormatTime(now) + `"`}}
	if hard {
		row.Flags |= HardDeleted
		members = append(members, Value{"isHardDeleted", "true"}, Value{"hardDeleted", `"` + FormatTime(now) + `"`})
	}
	s.setStatus(at, members)
	s.move(at, now)
	s.note(at, "Deleted", now)
}

func (s *Service) undelete(at slot) {
	row := s.row(at)
	if !row.Flags.Has(SoftDeleted) {
		return
	}
	now := floorMicros(s.now())
	row.Flags &^= SoftDeleted
	row.Deleted = 0
	s.setStatus(at, []Value{{"isSoftDeleted", "false"}, {"softDeleted", ""}})
	s.move(at, now)
	s.note(at, "Undeleted", now)
}

// setStatus writes members of a document's status: the values are JSON, "" removes the member. Other authors read the
// row.
func (s *Store) setStatus(at slot, values []Value) {
	x := s.extras[at]
	if x == nil || x.document == nil {
		return
	}
	members, err := parseMembers(x.document.get(memberStatus))
	if err != nil {
		members = nil // missing or null
	}
	status := document{members: members}
	for _, v := range values {
		if v.Value == "" {
			status.members = slices.DeleteFunc(status.members, func(m member) bool { return m.name == v.Key })
			continue
		}
		status.set(v.Key, []byte(v.Value))
	}
	x.document.set(memberStatus, status.append(nil, View{Elements: true}))
}

// note writes an instance event of the instance's owner. The caller holds the lock.
func (s *Service) note(at slot, kind string, now int64) {
	row := s.row(at)
	x := s.extra(at)
	id := uuid.NewSHA1(row.GUID, fmt.Appendf(nil, "%s %d %d", kind, now, len(x.events)))
	id[6] = id[6]&0x0f | 0x40
	user := map[string]any{"authenticationLevel": 3}
	if s.userOf != nil {
		if number := s.userOf(row.Party); number != 0 {
			user["userId"] = number
		}
	}
	if len(user) == 1 {
		user["orgId"] = orgOf(s.apps[row.App])
	}
	event := Event{ID: id, Created: FormatTime(now), Type: kind}
	event.JSON = answer.Marshal(struct {
		ID           string         `json:"id"`
		InstanceID   string         `json:"instanceId"`
		Created      string         `json:"created"`
		EventType    string         `json:"eventType"`
		OwnerPartyID string         `json:"instanceOwnerPartyId"`
		User         map[string]any `json:"user"`
	}{id.String(), row.Key(), event.Created, kind, strconv.Itoa(int(row.Party)), user})
	x.events = append(slices.Clip(x.events), event)
}

// Instance is an instance as a single read answers it, and whether it can be read.
func (s *Service) Instance(guid uuid.UUID) (json.RawMessage, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, _, ok := s.find(guid, floorMicros(s.now()))
	if !ok {
		return nil, false
	}
	return s.appendInstance(nil, at, View{SelfLinks: true, Elements: true}), true
}

// Row is the row of an instance, the withheld ones included, and its app.
func (s *Service) Row(guid uuid.UUID) (row Row, appID string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, ok := s.byGUID[guid]
	if !ok {
		return Row{}, "", false
	}
	row = *s.row(at)
	return row, s.apps[row.App], true
}

// Events are the events of an instance as the service delivers them: in the order of the text of their times (5).
func (s *Service) Events(guid uuid.UUID) []Event {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, _, ok := s.find(guid, floorMicros(s.now()))
	if !ok {
		return nil
	}
	events := slices.Clone(s.events(at))
	sortEvents(events)
	return events
}

func sortEvents(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.Created, b.Created) })
}

// told is what comparisons read of an event.
type told struct {
	User struct {
		OrgID string `json:"orgId"`
	} `json:"user"`
	ProcessInfo struct {
		CurrentTask struct {
			TaskType string `json:"altinnTaskType"`
		} `json:"currentTask"`
	} `json:"processInfo"`
}

func tell(event Event) told {
	var t told
	_ = json.Unmarshal(event.JSON, &t) // an odd event tells nothing
	return t
}

// delivered are the events that the existing consumer asks for (5); others do not reach a dialog.
func delivered(events []Event) []Event {
	types := [...]string{
		"Created", "Deleted", "Saved", "Submited", "Undeleted", "SubstatusUpdated", "Signed", "SentToSign",
		"SentToPayment", "SentToSendIn", "SentToFormFill", "InstanceForwarded", "InstanceRightRevoked", "NotificationSentSms",
		"MessageArchived", "MessageRead",
	}
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return !slices.Contains(types[:], e.Type) })
}

func tellsOfFeedback(events []Event) bool {
	return slices.ContainsFunc(delivered(events), func(e Event) bool {
		return strings.EqualFold(tell(e).ProcessInfo.CurrentTask.TaskType, "feedback")
	})
}

func firstByOrg(events []Event) bool {
	events = delivered(events)
	if len(events) == 0 {
		return false
	}
	first := slices.MinFunc(events, func(a, b Event) int { return cmp.Compare(a.Created, b.Created) })
	return tell(first).User.OrgID != ""
}
