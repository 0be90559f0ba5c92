package storage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
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
	s.stamp(s.put(d, row, in))
	return nil
}

// stamp notes that a row was put in place now. The caller holds the lock.
func (s *Service) stamp(at slot) { s.extra(at).put = floorMicros(s.now()) }

// since is when a row came to be as it is: when it was last changed, or put in place with an old time. The caller holds
// the lock.
func (s *Store) since(at slot) int64 {
	changed := s.row(at).LastChanged
	if x := s.extras[at]; x != nil {
		return max(changed, x.put)
	}
	return changed
}

// put puts a document in place. The caller holds the lock.
func (s *Store) put(d *document, row Row, in shape) slot {
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
	if key, ok := in.form(); ok {
		s.forms[key] = Migration{Instance: row.GUID}
	}
	return at
}

// PutEvents replaces the events of an instance. Each is an event as the service would answer it.
func (s *Service) PutEvents(guid uuid.UUID, events []json.RawMessage) error {
	parsed, err := parseEvents(guid, events)
	if err != nil {
		return err
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
	d.edit(memberValues, func(object *document) {
		for _, v := range values {
			object.set(v.Key, appendJSON(nil, v.Value))
		}
	})
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
