package altinnsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/orgs"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
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
	endpoint("PUT /_sim/dialogs", s.putDialogs)
	endpoint("PUT /_sim/storage", s.putStorage)
	endpoint("PUT /_sim/parties", s.putParties)
	endpoint("PUT /_sim/world", s.putWorld)
	endpoint("PUT /_sim/resources", s.putResources)
	endpoint("POST /_sim/generate", s.postGenerate)
	endpoint("PUT /_sim/faults", s.putFaults)
	endpoint("GET /_sim/faults", func(*http.Request) (any, error) { return s.Faults.Rules(), nil })
	endpoint("GET /_sim/dialogs/{id}", s.getDialog)
	endpoint("GET /_sim/items/{key...}", s.getItem)
	endpoint("GET /_sim/stats", func(*http.Request) (any, error) { return s.stats(), nil })
	endpoint("GET /_sim/diff", s.getDiff)
	for _, name := range [...]string{"messages", "correspondences"} {
		mux.HandleFunc("PUT /_sim/"+name, func(w http.ResponseWriter, _ *http.Request) {
			answer.WriteProblem(w, answer.Problem{
				Status: http.StatusNotImplemented,
				Detail: "This simulator has no " + name + ": it serves Storage, Register, the list of service owners and Dialogporten.",
			})
		})
	}
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
	if err := readBody(r, &options); err != nil {
		return nil, err
	}
	totals, err := s.Generate(options)
	if err != nil {
		return nil, badInput(err)
	}
	return totals, nil
}

func (s *Sim) putFaults(r *http.Request) (any, error) {
	var rules []faults.Rule
	if err := readBody(r, &rules); err != nil {
		return nil, err
	}
	if err := s.Faults.Set(rules); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

// sight is what the simulator shows of an item or a dialog.
type sight struct {
	State    json.RawMessage   `json:"state"`
	Events   []json.RawMessage `json:"events,omitempty"`
	Dialog   json.RawMessage   `json:"dialog,omitempty"`
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
	return sight{State: state, Requests: requests}, nil
}

func (s *Sim) getItem(r *http.Request) (any, error) {
	guid, err := guidOf(r.PathValue("key"))
	if err != nil {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	state, ok := s.Storage.Instance(guid)
	requests := s.Story(guid.String())
	if !ok && len(requests) == 0 {
		return nil, controlError{status: http.StatusNotFound, err: errNotFound}
	}
	out := sight{State: state, Requests: requests}
	for _, event := range s.Storage.Events(guid) {
		out.Events = append(out.Events, event.JSON)
	}
	if id, ok := s.dialogOf(guid); ok {
		out.Dialog, _ = s.Dialogporten.Dialog(id)
	}
	return out, nil
}

// stats is what GET /_sim/stats answers.
func (s *Sim) stats() any {
	alive, deleted := s.Dialogporten.Count()
	return map[string]any{
		"now": s.Now(), "traffic": s.Requests.Summary(), "instances": s.Storage.Len(), "instancesByOrg": s.Storage.LenByOrg(),
		"dialogs": alive, "deletedDialogs": deleted, "resources": s.Orgs.Resources(), "faults": s.Faults.Rules(),
	}
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
