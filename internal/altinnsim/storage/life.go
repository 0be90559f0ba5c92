package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// The calls in this file and in elements.go are what people and apps do to instances. Each moves lastChanged, writes
// instance events and an outbox row exactly as 3.11 tells, or does not.

// Option says how a change is made.
type Option func(*manner)

type manner struct {
	at    time.Time
	byOrg bool
}

// At gives a change another time than now: the application server's clock is wrong, or the change was made then and is
// committed only now, so that it appears behind those who have passed its time (3.10).
func At(t time.Time) Option { return func(m *manner) { m.at = t } }

// ByServiceOwner lets the service owner make the change, not the instance's owner.
func ByServiceOwner() Option { return func(m *manner) { m.byOrg = true } }

// moment is the manner's time in microseconds, and whether the service owner acts.
func (s *Service) moment(options []Option) (at int64, byOrg bool) {
	var m manner
	for _, option := range options {
		option(&m)
	}
	if m.at.IsZero() {
		m.at = s.now()
	}
	return floorMicros(m.at), m.byOrg
}

// ErrTaken is an instance that is there already.
var ErrTaken = errors.New("the instance is there already")

// Create stores a new instance as it is written, with its events: one Created at least, which is made up when there is
// none. Its created and lastChanged are the document's.
func (s *Service) Create(raw []byte, events ...json.RawMessage) error {
	d, row, in, err := parseDocument(raw, s.host)
	if err != nil {
		return err
	}
	parsed, err := parseEvents(row.GUID, events)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.byGUID[row.GUID]; taken {
		return fmt.Errorf("create instance %s: %w", row.GUID, ErrTaken)
	}
	at := s.put(d, row, in)
	s.extra(at).events = parsed
	if len(parsed) == 0 {
		s.note(at, happening{kind: eventCreated, at: row.Created, process: true})
	}
	s.announce(at, eventCreated, false)
	return nil
}

// Save writes an event of its owner's saving, and moves lastChanged.
func (s *Service) Save(guid uuid.UUID, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, byOrg := s.moment(options)
		s.touch(at, now, byOrg)
		s.tell(at, happening{kind: "Saved", at: now, byOrg: byOrg})
		return nil
	})
}

// SoftDelete deletes an instance softly (9).
func (s *Service) SoftDelete(guid uuid.UUID, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error { s.delete(at, false, options); return nil })
}

// HardDelete marks an instance for removal (9). It stays to be read until Remove.
func (s *Service) HardDelete(guid uuid.UUID, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error { s.delete(at, true, options); return nil })
}

// Undelete undoes a soft delete (9). Nothing happens when there is nothing to undo.
func (s *Service) Undelete(guid uuid.UUID, options ...Option) error {
	return s.change(guid, func(at slot, row *Row) error {
		switch {
		case row.Flags.Has(HardDeleted):
			return fmt.Errorf("undelete instance %s, which is hard-deleted: %w", guid, ErrNotFound)
		case !row.Flags.Has(SoftDeleted):
			return nil
		}
		now, byOrg := s.moment(options)
		row.Flags &^= SoftDeleted
		row.Deleted = 0
		s.setStatus(at, []Value{{"isSoftDeleted", "false"}, {"softDeleted", ""}})
		s.touch(at, now, byOrg)
		s.tell(at, happening{kind: "Undeleted", at: now, byOrg: byOrg})
		return nil
	})
}

// delete marks an instance. The caller holds the lock.
func (s *Service) delete(at slot, hard bool, options []Option) {
	now, byOrg := s.moment(options)
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
	s.touch(at, now, byOrg)
	s.tell(at, happening{kind: eventDeleted, at: now, byOrg: byOrg})
}

// Confirm is the service owner's confirmation that it has what it needs. A repeat does nothing at all.
func (s *Service) Confirm(guid uuid.UUID, options ...Option) error {
	return s.change(guid, func(at slot, row *Row) error {
		if row.Flags.Has(Confirmed) {
			return nil
		}
		now, _ := s.moment(options)
		org := orgOf(s.apps[row.App])
		d := s.materialize(at)
		var confirmations []json.RawMessage
		_ = json.Unmarshal(d.get(memberConfirmed), &confirmations) // missing or null: none
		confirmations = append(confirmations, answer.Marshal(struct {
			StakeholderID string `json:"stakeholderId"`
			ConfirmedOn   string `json:"confirmedOn"`
		}{org, FormatTime(now)}))
		d.set(memberConfirmed, answer.Marshal(confirmations))
		row.Flags |= Confirmed
		s.touch(at, now, true)
		s.tell(at, happening{kind: "ConfirmedComplete", at: now, byOrg: true, process: true})
		return nil
	})
}

// SetSubstatus is the service owner's word on where the matter stands: two text keys, or texts.
func (s *Service) SetSubstatus(guid uuid.UUID, label, description string, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, _ := s.moment(options)
		substatus := struct {
			Label       string  `json:"label"`
			Description *string `json:"description"`
		}{Label: label}
		if description != "" {
			substatus.Description = &description
		}
		s.materialize(at)
		s.setStatus(at, []Value{{"substatus", string(answer.Marshal(substatus))}})
		s.touch(at, now, true)
		s.tell(at, happening{kind: "SubstatusUpdated", at: now, byOrg: true, process: true})
		return nil
	})
}

// Sign notes a signature. The instance itself does not change.
func (s *Service) Sign(guid uuid.UUID, options ...Option) error {
	return s.PostEvent(guid, "Signed", options...)
}

// PostEvent stores an event that an app posts. lastChanged does not move.
func (s *Service) PostEvent(guid uuid.UUID, eventType string, options ...Option) error {
	return s.change(guid, func(at slot, _ *Row) error {
		now, byOrg := s.moment(options)
		s.materialize(at)
		s.tell(at, happening{kind: eventType, at: now, byOrg: byOrg, process: true})
		return nil
	})
}

// SetReadStatus says whether the owner has read the instance: Unread, Read or UpdatedSinceLastReview. Nothing tells of it.
func (s *Service) SetReadStatus(guid uuid.UUID, status string) error {
	return s.change(guid, func(at slot, _ *Row) error {
		s.materialize(at)
		s.setStatus(at, []Value{{"readStatus", string(appendJSON(nil, status))}})
		return nil
	})
}

// SetPresentationText sets one of the texts that belong in a title. Nothing tells of it.
func (s *Service) SetPresentationText(guid uuid.UUID, key, text string) error {
	return s.change(guid, func(at slot, _ *Row) error {
		s.materialize(at).edit(memberTexts, func(texts *document) { texts.set(key, appendJSON(nil, text)) })
		return nil
	})
}

// setStatus writes members of a document's status: the values are JSON, "" removes the member. Other authors read the
// row.
func (s *Store) setStatus(at slot, values []Value) {
	x := s.extras[at]
	if x == nil || x.document == nil {
		return
	}
	x.document.edit(memberStatus, func(status *document) {
		for _, v := range values {
			if v.Value == "" {
				status.remove(v.Key)
				continue
			}
			status.set(v.Key, []byte(v.Value))
		}
	})
	s.row(at).Flags &^= NoStatus
}

// materialize makes a document of an instance that its author wrote on demand until now: what happens to it from here on
// its author knows nothing of. The caller holds the lock.
func (s *Store) materialize(at slot) *document {
	x := s.extra(at)
	if x.document != nil {
		return x.document
	}
	events := slices.Clone(s.events(at))
	d, err := parseObject(s.appendInstance(nil, at, View{SelfLinks: true, Elements: true}))
	if err != nil {
		d = &document{} // does not happen: authors write JSON
	}
	// The dialog id stands among the document's values from now on.
	s.row(at).Flags &^= DerivedDialogID
	x.document, x.events, x.ownEvents, x.values = d, events, true, nil
	return d
}

// touch moves lastChanged, and says whose change it was. The caller holds the lock.
func (s *Service) touch(at slot, now int64, byOrg bool) {
	s.move(at, now)
	x := s.extras[at]
	if x == nil || x.document == nil {
		return
	}
	x.document.set(memberChangedBy, appendJSON(nil, s.changer(at, byOrg)))
}

// changer is who changes something, as lastChangedBy has it: a user id or an organisation number.
func (s *Service) changer(at slot, byOrg bool) string {
	row := s.row(at)
	if !byOrg && s.userOf != nil {
		if number := s.userOf(row.Party); number != 0 {
			return strconv.FormatInt(number, 10)
		}
	}
	return s.numberOf(orgOf(s.apps[row.App]))
}

// Event types that decide something here.
const (
	eventCreated    = "Created"
	eventSaved      = "Saved"
	eventDeleted    = "Deleted"
	eventSentToSign = "SentToSign"
)

// happening is an event on its way to be written.
type happening struct {
	kind    string
	at      int64
	data    uuid.UUID // the element it concerns; Nil: the instance
	byOrg   bool
	process bool  // it tells where the process is
	task    *Task // there, if it is not where the document says
}

// tell writes an event and its outbox row. The caller holds the lock.
func (s *Service) tell(at slot, h happening) {
	s.note(at, h)
	s.announce(at, h.kind, h.data != uuid.Nil)
}

// announce writes the outbox row of a change. The caller holds the lock.
func (s *Service) announce(at slot, kind string, data bool) {
	row := s.row(at)
	s.onChange(outbox.Change{
		Instance: row.GUID, AppID: s.apps[row.App], PartyID: row.Party, Created: time.UnixMicro(row.Created),
		EventType: kind, Data: data,
	})
}

// note writes an instance event. The caller holds the lock.
func (s *Service) note(at slot, h happening) {
	row := s.row(at)
	x := s.extra(at)
	id := uuid.NewSHA1(row.GUID, fmt.Appendf(nil, "%s %d %d", h.kind, h.at, len(x.events)))
	id[6] = id[6]&0x0f | 0x40
	event := Event{ID: id, Created: FormatTime(h.at), Type: h.kind}
	out := struct {
		ID           string          `json:"id"`
		InstanceID   string          `json:"instanceId"`
		DataID       string          `json:"dataId,omitempty"`
		Created      string          `json:"created"`
		EventType    string          `json:"eventType"`
		OwnerPartyID string          `json:"instanceOwnerPartyId"`
		User         map[string]any  `json:"user"`
		ProcessInfo  json.RawMessage `json:"processInfo,omitempty"`
	}{
		ID: id.String(), InstanceID: row.Key(), Created: event.Created, EventType: h.kind,
		OwnerPartyID: strconv.Itoa(int(row.Party)), User: s.actor(at, h.byOrg),
	}
	if h.data != uuid.Nil {
		out.DataID = h.data.String()
	}
	if h.process && x.document != nil {
		out.ProcessInfo = processInfo(x.document.get(memberProcess), h)
	}
	event.JSON = answer.Marshal(out)
	x.events = append(slices.Clip(x.events), event)
}

func (s *Service) actor(at slot, byOrg bool) map[string]any {
	row := s.row(at)
	if !byOrg && s.userOf != nil {
		if number := s.userOf(row.Party); number != 0 {
			return map[string]any{"userId": number, "authenticationLevel": 3}
		}
	}
	level := 3
	if byOrg {
		level = 0
	}
	return map[string]any{"orgId": orgOf(s.apps[row.App]), "authenticationLevel": level}
}

// processInfo is the process state that an event tells: the document's, or that of another task.
func processInfo(process json.RawMessage, h happening) json.RawMessage {
	if h.task == nil {
		return process
	}
	state, err := parseObject(process)
	if err != nil {
		state = &document{}
	}
	state.remove("ended")
	state.remove("endEvent")
	state.set("currentTask", answer.Marshal(*h.task))
	return state.bytes()
}

// parseEvents reads events as the service would answer them.
func parseEvents(guid uuid.UUID, raws []json.RawMessage) ([]Event, error) {
	events := make([]Event, 0, len(raws))
	for i, raw := range raws {
		event, err := parseEvent(raw)
		if err != nil {
			return nil, fmt.Errorf("event %d of instance %s: %w", i, guid, err)
		}
		events = append(events, event)
	}
	return events, nil
}

// Task is a task of a process (11.1).
type Task struct {
	Flow      int    `json:"flow"` // numbered by the service when 0
	Started   string `json:"started"`
	ElementID string `json:"elementId"`
	Name      string `json:"name"`
	Type      string `json:"altinnTaskType"`
	FlowType  string `json:"flowType,omitempty"`
}

// StepEvent is an event that goes with a process step.
type StepEvent struct {
	Type string
	// Task is where the process was then. Nil: where the step leads.
	Task *Task
}

// Step is a step of a process.
type Step struct {
	// To is the task that begins. Nil: the process ends, and the instance is archived.
	To *Task
	// Events are those of PUT …/process/instanceandevents. None: PUT …/process, which writes SentToSign when a signing
	// task begins, and is silent otherwise.
	Events []StepEvent
}

// ProcessStep moves an instance's process on.
func (s *Service) ProcessStep(guid uuid.UUID, step Step, options ...Option) error {
	return s.change(guid, func(at slot, row *Row) error {
		now, byOrg := s.moment(options)
		d := s.materialize(at)
		d.edit(memberProcess, func(process *document) { stepTo(process, step.To, now) })
		if step.To == nil {
			row.Flags |= Archived | Ended
			row.Settled = now
			s.setStatus(at, []Value{{"isArchived", "true"}, {"archived", `"` + FormatTime(now) + `"`}})
		}
		s.touch(at, now, byOrg)
		for _, event := range step.Events {
			s.note(at, happening{kind: event.Type, at: now, byOrg: byOrg, process: true, task: event.Task})
		}
		switch {
		case len(step.Events) > 0:
			// The latest event gives the type; these have one time, and then it is the first.
			s.announce(at, step.Events[0].Type, false)
		case step.To != nil && strings.EqualFold(step.To.Type, "signing"):
			s.tell(at, happening{kind: eventSentToSign, at: now, byOrg: byOrg, process: true})
		}
		return nil
	})
}

// firstFlow is the number of a process's first task.
const firstFlow = 2

// stepTo writes where a process is.
func stepTo(process *document, to *Task, now int64) {
	var current struct {
		Flow int `json:"flow"`
	}
	_ = json.Unmarshal(process.get("currentTask"), &current) // missing: the process begins
	process.remove("currentTask")
	if len(process.get("started")) == 0 {
		process.set("started", appendJSON(nil, FormatTime(now)))
		process.set("startEvent", appendJSON(nil, "StartEvent_1"))
	}
	if to == nil {
		process.set("ended", appendJSON(nil, FormatTime(now)))
		process.set("endEvent", appendJSON(nil, "EndEvent_1"))
		return
	}
	task := *to
	if task.Flow == 0 {
		task.Flow = max(current.Flow+1, firstFlow)
	}
	if task.Started == "" {
		task.Started = FormatTime(now)
	}
	process.set("currentTask", answer.Marshal(task))
}
