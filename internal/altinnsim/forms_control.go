package altinnsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// half is what is missing of a form that was stopped half-way.
type half struct {
	elements, events []json.RawMessage
}

// formBody is what POST /_sim/forms takes: a form word for word, with its elements in instance.data, or what to make
// one up from.
type formBody struct {
	Instance json.RawMessage   `json:"instance"`
	Events   []json.RawMessage `json:"events"`

	AppID       string        `json:"appId"`       // default: one of the apps of archived forms
	MainVersion uint8         `json:"mainVersion"` // 1 or 2; default: that of the app, or 2
	PartyID     int32         `json:"partyId"`     // default: somebody
	Reference   string        `json:"reference"`   // archive reference; default: a new one
	Created     time.Time     `json:"created"`     // default: some time before lastChanged
	LastChanged time.Time     `json:"lastChanged"` // default: five minutes ago
	GUID        uuid.NullUUID `json:"guid"`        // default: a new one

	// Stop stops half-way: after "instance" or after "elements". POST /_sim/forms/{guid}/complete does the rest.
	Stop string `json:"stop"`
}

// Where a form can be stopped.
const (
	stopInstance = "instance"
	stopElements = "elements"
)

// firstAskedForm is the archive reference of the first form that was asked for without one.
const firstAskedForm = 800_000_000

// seedAsked keeps forms that are asked for apart from those of live mode.
const seedAsked = 1 << 40

// postForm makes an archived form arrive.
func (s *Sim) postForm(r *http.Request) (any, error) {
	var in formBody
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if in.Stop != "" && in.Stop != stopInstance && in.Stop != stopElements {
		return nil, badInput(fmt.Errorf("stop: %q is neither %s nor %s", in.Stop, stopInstance, stopElements))
	}
	if in.Instance == nil {
		if err := s.makeForm(&in); err != nil {
			return nil, badInput(err)
		}
	}
	state, elements, err := s.Storage.MigrateInstance(in.Instance)
	if err != nil {
		return nil, badInput(err)
	}
	rest := half{elements: elements, events: in.Events}
	if in.Stop == stopInstance {
		s.arrivals.keep(state.Instance, rest)
		return state, nil
	}
	for _, element := range elements {
		if err := s.Storage.MigrateElement(state.Instance, element); err != nil {
			return nil, badInput(err)
		}
	}
	rest.elements = nil
	if in.Stop == stopElements {
		s.arrivals.keep(state.Instance, rest)
		return state, nil
	}
	return s.complete(state.Instance, rest)
}

// makeForm makes up what was not told.
func (s *Sim) makeForm(in *formBody) error {
	g, err := s.arriving()
	if err != nil {
		return err
	}
	number := s.arrivals.number()
	spec := generator.FormSpec{
		AppID: in.AppID, Version: in.MainVersion, Party: in.PartyID, Reference: in.Reference, Created: in.Created,
		LastChanged: in.LastChanged, GUID: in.GUID.UUID,
	}
	if spec.Reference == "" {
		spec.Reference = strconv.FormatUint(firstAskedForm+number, 10)
	}
	if spec.LastChanged.IsZero() {
		spec.LastChanged = s.Now().Add(-5 * time.Minute)
	}
	form, err := g.Form(seedAsked+number, spec)
	if err != nil {
		return err
	}
	in.Instance, in.Events = form.Instance, form.Events
	return nil
}

func (a *arrivals) number() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forms++
	return a.forms
}

func (a *arrivals) keep(guid uuid.UUID, rest half) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.halves == nil {
		a.halves = map[uuid.UUID]half{}
	}
	a.halves[guid] = rest
}

func (a *arrivals) take(guid uuid.UUID) (half, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rest, ok := a.halves[guid]
	delete(a.halves, guid)
	return rest, ok
}

func (s *Sim) complete(guid uuid.UUID, rest half) (any, error) {
	state, err := s.Storage.CompleteForm(guid, rest.elements, rest.events)
	if err != nil {
		return nil, badInput(err)
	}
	return state, nil
}

// completeForm does what was left of a form.
func (s *Sim) completeForm(r *http.Request) (any, error) {
	guid, err := uuid.Parse(r.PathValue("guid"))
	if err != nil {
		return nil, badInput(fmt.Errorf("guid: %w", err))
	}
	rest, ok := s.arrivals.take(guid)
	if !ok {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	return s.complete(guid, rest)
}

// deleteForm removes a form without a message.
func (s *Sim) deleteForm(r *http.Request) (any, error) {
	guid, err := uuid.Parse(r.PathValue("guid"))
	if err != nil {
		return nil, badInput(fmt.Errorf("guid: %w", err))
	}
	return nothing{}, changed(s.Storage.MigrateDelete(guid))
}

func changed(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return controlError{status: http.StatusNotFound, err: err}
	case err != nil:
		return badInput(err)
	}
	return nil
}

// getForms tells the migration states of the forms that have arrived, those that are not complete with ?incomplete=true.
func (s *Sim) getForms(r *http.Request) (any, error) {
	return s.Storage.Migrations(r.URL.Query().Get("incomplete") == "true"), nil
}

// instanceChange is what POST /_sim/changes takes.
type instanceChange struct {
	Item   string    `json:"item"` // {partyId}/{guid} or the guid
	Action string    `json:"action"`
	At     time.Time `json:"at"` // lastChanged and time of the event; default: now
	Org    bool      `json:"byServiceOwner"`
	// Text is the substatus, the read status, the event type, or the presentation text.
	Text string `json:"text"`
	Key  string `json:"key"` // of the presentation text
}

// postChange changes an instance as people, apps and Storage do.
func (s *Sim) postChange(r *http.Request) (any, error) {
	var in instanceChange
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	guid, err := guidOf(in.Item)
	if err != nil {
		return nil, badInput(err)
	}
	var options []storage.Option
	if !in.At.IsZero() {
		options = append(options, storage.At(in.At))
	}
	if in.Org {
		options = append(options, storage.ByServiceOwner())
	}
	actions := map[string]func() error{
		"save":             func() error { return s.Storage.Save(guid, options...) },
		"softDelete":       func() error { return s.Storage.SoftDelete(guid, options...) },
		"hardDelete":       func() error { return s.Storage.HardDelete(guid, options...) },
		"restore":          func() error { return s.Storage.Undelete(guid, options...) },
		"confirm":          func() error { return s.Storage.Confirm(guid, options...) },
		"substatus":        func() error { return s.Storage.SetSubstatus(guid, in.Text, "", options...) },
		"sign":             func() error { return s.Storage.Sign(guid, options...) },
		"event":            func() error { return s.Storage.PostEvent(guid, in.Text, options...) },
		"readStatus":       func() error { return s.Storage.SetReadStatus(guid, in.Text) },
		"presentationText": func() error { return s.Storage.SetPresentationText(guid, in.Key, in.Text) },
		"archive": func() error {
			return s.Storage.ProcessStep(guid, storage.Step{Events: []storage.StepEvent{
				{Type: "process_EndTask"}, {Type: "process_EndEvent"}, {Type: "Submited"},
			}}, options...)
		},
		"remove": func() error { return s.Storage.Remove(guid) },
	}
	act, ok := actions[in.Action]
	if !ok {
		return nil, badInput(fmt.Errorf("unknown action %q", in.Action))
	}
	return nothing{}, changed(act())
}
