package altinnsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/authentication"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/maskinporten"
	"github.com/altinn/dialogsync/internal/altinnsim/orgs"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// routes serves each service behind the recorder and the faults, and the simulator's own endpoints behind neither.
func (s *Sim) routes() http.Handler {
	mux := http.NewServeMux()
	mount := func(name, pattern string, service http.Handler) {
		mux.Handle(pattern, s.recorded(name, s.Faults.Wrap(name, service)))
	}
	mount(ServiceStorage, storage.Prefix+"/", s.Storage)
	mount(ServiceRegister, register.Prefix+"/", s.Register)
	mount(ServiceOrgs, orgs.Path, s.Orgs)
	mount(ServiceDialogporten, "/api/v1/", s.Dialogporten)
	mount(ServiceCorrespondence, correspondence.Prefix+"/", s.Correspondence)
	mount(ServiceAltinn2, altinn2.Prefix+"/", s.Altinn2)
	mount(ServiceBridge, altinn2.BridgePrefix+"/", s.Altinn2.Bridge)
	mount(ServiceMaskinporten, maskinporten.Prefix+"/", s.Maskinporten)
	mount(ServiceAuthentication, authentication.Prefix+"/", s.Authentication)
	mount(ServiceEvents, events.Prefix+"/", s.Events)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	s.control(mux)
	return mux
}

// control are the endpoints of the design's chapter 9.
func (s *Sim) control(mux *http.ServeMux) {
	endpoint := func(pattern string, handler func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			result, err := handler(r)
			if err != nil {
				writeControlError(w, err)
				return
			}
			if _, empty := result.(nothing); empty {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			answer.JSON(w, http.StatusOK, result)
		})
	}
	endpoint("POST /_sim/reset", func(*http.Request) (any, error) { s.Reset(); return nothing{}, nil })
	endpoint("PUT /_sim/clock", s.putClock)
	endpoint("GET /_sim/clock", func(*http.Request) (any, error) {
		return map[string]any{"now": s.Now(), "frozen": s.frozen.Load() != nil}, nil
	})
	mux.Handle(servicebus.ControlPath, s.bus.control)
	mux.Handle(servicebus.ControlPath+"/", s.bus.control)
	endpoint("PUT /_sim/dialogs", s.putDialogs)
	endpoint("PUT /_sim/storage", s.putStorage)
	endpoint("PUT /_sim/parties", s.putParties)
	endpoint("PUT /_sim/world", s.putWorld)
	endpoint("PUT /_sim/resources", s.putResources)
	endpoint("POST /_sim/generate", s.postGenerate)
	endpoint("PUT /_sim/faults", s.putFaults)
	endpoint("PUT /_sim/faults/{name}", s.putFault)
	endpoint("DELETE /_sim/faults/{name}", s.deleteFault)
	endpoint("PUT /_sim/withheld", s.putWithheld)
	endpoint("GET /_sim/faults", func(*http.Request) (any, error) { return s.Faults.Rules(), nil })
	endpoint("PUT /_sim/clients", s.putClients)
	endpoint("GET /_sim/clients", func(*http.Request) (any, error) { return s.Maskinporten.Clients(), nil })
	endpoint("PUT /_sim/tokens", s.putTokens)
	endpoint("DELETE /_sim/tokens", s.deleteTokens)
	endpoint("PUT /_sim/events", s.putEvents)
	endpoint("GET /_sim/events", s.getEvents)
	endpoint("PUT /_sim/parties/late", s.putLateParties)
	endpoint("GET /_sim/outbox", func(*http.Request) (any, error) { return s.outboxReport(), nil })
	endpoint("PUT /_sim/outbox", s.putOutbox)
	endpoint("POST /_sim/outbox/flush", s.flushOutbox)
	endpoint("GET /_sim/live", func(*http.Request) (any, error) { return s.liveReport(), nil })
	endpoint("PUT /_sim/live", s.putLive)
	endpoint("GET /_sim/forms", s.getForms)
	endpoint("POST /_sim/forms", s.postForm)
	endpoint("POST /_sim/forms/{guid}/complete", s.completeForm)
	endpoint("DELETE /_sim/forms/{guid}", s.deleteForm)
	endpoint("POST /_sim/changes", s.postChange)
	endpoint("GET /_sim/dialogs/{id}", s.getDialog)
	endpoint("GET /_sim/items/{key...}", s.getItem)
	endpoint("GET /_sim/stats", s.stats)
	endpoint("GET /_sim/diff", s.getDiff)
	endpoint("PUT /_sim/messages", s.putMessages)
	endpoint("PUT /_sim/messages/live", s.putLiveMessages)
	endpoint("GET /_sim/messages/live", func(*http.Request) (any, error) { return s.Altinn2.Live.Report(), nil })
	endpoint("POST /_sim/messages/{id}/changes", s.changeMessage)
	endpoint("GET /_sim/callbacks", func(*http.Request) (any, error) { return s.Altinn2.Bridge.CallBacks(), nil })
	endpoint("PUT /_sim/correspondences", s.putCorrespondences)
	endpoint("POST /_sim/correspondences/{id}/acts", s.actOnCorrespondence)
	endpoint("POST /_sim/jobs/run", func(*http.Request) (any, error) {
		return map[string]int{"started": s.Correspondence.RunScheduled()}, nil
	})
}

// nothing is the result of an endpoint that answers 204.
type nothing struct{}

// controlError is a fault of whoever called one of the simulator's own endpoints.
type controlError struct {
	status int
	err    error
}

func (e controlError) Error() string { return e.err.Error() }
func (e controlError) Unwrap() error { return e.err }

func badInput(err error) error { return controlError{status: http.StatusBadRequest, err: err} }

func writeControlError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if known, ok := errors.AsType[controlError](err); ok {
		status = known.status
	}
	answer.WriteProblem(w, answer.Problem{Status: status, Detail: err.Error()})
}

func readBody(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return badInput(fmt.Errorf("read body: %w", err))
	}
	return nil
}

func (s *Sim) putClock(r *http.Request) (any, error) {
	var in struct {
		Now *time.Time `json:"now"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if in.Now == nil {
		s.Freeze(time.Time{})
		return nothing{}, nil
	}
	s.Freeze(*in.Now)
	return nothing{}, nil
}

func (s *Sim) putDialogs(r *http.Request) (any, error) {
	var in []json.RawMessage
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Dialogporten.Put(in); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

// storageBody is what PUT /_sim/storage takes. Events are by the instance's id or its guid.
type storageBody struct {
	Applications []json.RawMessage            `json:"applications"`
	Texts        []json.RawMessage            `json:"texts"`
	Instances    []json.RawMessage            `json:"instances"`
	Events       map[string][]json.RawMessage `json:"events"`
}

func (s *Sim) putStorage(r *http.Request) (any, error) {
	var in storageBody
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	for _, step := range [...]struct {
		name string
		put  func(json.RawMessage) error
		raws []json.RawMessage
	}{
		{"applications", s.Storage.PutApplication, in.Applications},
		{"texts", s.Storage.PutTexts, in.Texts},
		{"instances", func(raw json.RawMessage) error { return s.Storage.PutInstance(raw) }, in.Instances},
	} {
		for i, raw := range step.raws {
			if err := step.put(raw); err != nil {
				return nil, badInput(fmt.Errorf("%s[%d]: %w", step.name, i, err))
			}
		}
	}
	for key, events := range in.Events {
		guid, err := guidOf(key)
		if err == nil {
			err = s.Storage.PutEvents(guid, events)
		}
		if err != nil {
			return nil, badInput(fmt.Errorf("events of %s: %w", key, err))
		}
	}
	return nothing{}, nil
}

// guidOf is the guid in {partyId}/{guid} or alone.
func guidOf(key string) (uuid.UUID, error) {
	for i := range len(key) {
		if key[i] == '/' {
			key = key[i+1:]
			break
		}
	}
	guid, err := uuid.Parse(key)
	if err != nil {
		return uuid.Nil, fmt.Errorf("key: %w", err)
	}
	return guid, nil
}

func (s *Sim) putParties(r *http.Request) (any, error) {
	var in []json.RawMessage
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Register.Put(in); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

// putLateParties makes parties unknown to Register until a time, or until they are put or revealed when there is none.
func (s *Sim) putLateParties(r *http.Request) (any, error) {
	var in []struct {
		PartyID int32     `json:"partyId"`
		From    time.Time `json:"from"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	for _, late := range in {
		s.Register.WithholdUntil(late.PartyID, late.From)
	}
	return nothing{}, nil
}

func (s *Sim) putResources(r *http.Request) (any, error) {
	var in []world.Resource
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	s.Orgs.PutResources(in...)
	return nothing{}, nil
}

func (s *Sim) postGenerate(r *http.Request) (any, error) {
	options := DefaultOptions()
	options.Seed = s.options.Seed
	messages := altinn2.DefaultOptions()
	messages.Seed = s.options.Seed
	options.Messages = &messages
	if err := readBody(r, &options); err != nil {
		return nil, err
	}
	totals, err := s.Generate(options)
	if err != nil {
		return nil, badInput(err)
	}
	return totals, nil
}

// sight is what the simulator shows of an item or a dialog.
type sight struct {
	State    json.RawMessage   `json:"state"`
	Events   []json.RawMessage `json:"events,omitempty"`
	Dialog   json.RawMessage   `json:"dialog,omitempty"`
	Counts   map[string]int    `json:"counts"` // of requests, by method and endpoint
	Requests any               `json:"requests"`
}

var errNotFound = errors.New("nothing is known of it")

func (s *Sim) getDialog(r *http.Request) (any, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return nil, badInput(fmt.Errorf("dialog id: %w", err))
	}
	state, ok := s.Dialogporten.Dialog(id)
	requests := s.book.Of(dialogKey(id))
	if !ok && len(requests) == 0 {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	return sight{State: state, Counts: s.Requests.Item(id), Requests: requests}, nil
}

func (s *Sim) getItem(r *http.Request) (any, error) {
	if id, ok := messageNumber(r.PathValue("key")); ok {
		return s.getMessage(id)
	}
	guid, err := guidOf(r.PathValue("key"))
	if err != nil {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	state, ok := s.Storage.Instance(guid)
	requests := s.Story(guid.String())
	if !ok && len(requests) == 0 {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	out := sight{State: state, Counts: s.countsOf(guid), Requests: requests}
	for _, event := range s.Storage.Events(guid) {
		out.Events = append(out.Events, event.JSON)
	}
	if id, ok := s.dialogOf(guid); ok {
		out.Dialog, _ = s.Dialogporten.Dialog(id)
	}
	return out, nil
}

// stats is what GET /_sim/stats answers.
func (s *Sim) stats(r *http.Request) (any, error) {
	items, err := s.itemStats(r)
	if err != nil {
		return nil, err
	}
	alive, deleted := s.Dialogporten.Count()
	return map[string]any{
		"now": s.Now(), "traffic": s.Requests.Summary(), "instances": s.Storage.Len(), "instancesByOrg": s.Storage.LenByOrg(),
		"dialogs": alive, "deletedDialogs": deleted, "resources": s.Orgs.Resources(), "faults": s.Faults.Rules(),
		"items":  items,
		"events": s.Events.Counts(), "correspondence": s.messageStats(),
	}, nil
}

func (s *Sim) getDiff(r *http.Request) (any, error) {
	q := r.URL.Query()
	scope := diff.Scope{Org: q.Get("org")}
	var err error
	for name, into := range map[string]*int{"mainVersion": &scope.MainVersion, "first": &scope.First} {
		if text := q.Get(name); text != "" {
			if *into, err = strconv.Atoi(text); err != nil {
				return nil, badInput(fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	for name, into := range map[string]*time.Time{"from": &scope.From, "to": &scope.To} {
		if text := q.Get(name); text != "" {
			micros, ok := storage.ParseTime(text)
			if !ok {
				return nil, badInput(fmt.Errorf("%s: %q is not a time", name, text))
			}
			*into = time.UnixMicro(micros)
		}
	}
	return s.DiffIn(r.Context(), scope)
}
