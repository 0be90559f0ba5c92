package register

import (
	"cmp"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Prefix is what all paths of the service begin with.
const Prefix = "/register/api/v1"

// maxQuestions is how many URNs a request may have.
const maxQuestions = 100

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock that parties come late by. Default time.Now.
	Now func() time.Time
	// Population are the synthetic parties.
	Population world.Population
	// Caller reads who asks. Default: an administrator.
	Caller func(*http.Request) (auth.Caller, error)
}

// Service is the simulated Register. It is safe for concurrent use.
type Service struct {
	*Parties
	caller func(*http.Request) (auth.Caller, error)
	mux    *http.ServeMux
}

// New makes a Service that knows the population.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Service{Parties: newParties(config.Population, config.Now), caller: config.Caller, mux: http.NewServeMux()}
	if s.caller == nil {
		s.caller = auth.Reader{Mode: auth.Off}.Caller
	}
	s.mux.HandleFunc("POST "+Prefix+"/dialogporten/parties/query", s.query)
	s.mux.HandleFunc("POST "+Prefix+"/correspondence/parties/query", s.query)
	s.mux.HandleFunc("POST "+Prefix+"/parties/lookup", s.lookup)
	s.mux.HandleFunc("GET "+Prefix+"/parties/{partyId}", s.getParty)
	return s
}

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer.Route(s.mux, w, r) }

// validationError is one fault of a question.
type validationError struct {
	Code   string   `json:"code"`
	Detail string   `json:"detail"`
	Paths  []string `json:"paths"`
}

// Codes of validation errors (16.1).
const (
	codeTooMany = "REG.VLD-00001"
	codeBadURN  = "REG.VLD-00002"
)

// query looks parties up. fields is accepted and ignored: all default fields are answered.
func (s *Service) query(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	var question struct {
		Data []string `json:"data"`
	}
	if !answer.ReadJSON(w, r, &question) {
		return
	}
	urns, faults := normalised(question.Data)
	if len(faults) > 0 {
		writeFaults(w, faults)
		return
	}
	parties, complete := s.findAll(urns)
	status := http.StatusOK
	if !complete {
		status = http.StatusPartialContent
	}
	answer.JSON(w, status, map[string]any{"data": parties})
}

// authorized refuses who may not ask.
func (s *Service) authorized(w http.ResponseWriter, r *http.Request) bool {
	caller, err := s.caller(r)
	switch {
	case err != nil || caller.Anonymous:
		answer.Unauthorized(w)
	case !caller.Has(auth.ScopePartyLookup):
		answer.Empty(w, http.StatusForbidden)
	default:
		return true
	}
	return false
}

func normalised(data []string) (urns []string, faults []validationError) {
	if len(data) > maxQuestions {
		return nil, []validationError{{Code: codeTooMany, Detail: "Too many items.", Paths: []string{"/data"}}}
	}
	for i, urn := range data {
		normal, ok := normalURN(urn)
		if !ok {
			faults = append(faults, validationError{
				Code: codeBadURN, Detail: "Invalid party URN.",
				Paths: []string{"/data/" + strconv.Itoa(i)},
			})
		}
		urns = append(urns, normal)
	}
	return urns, faults
}

func writeFaults(w http.ResponseWriter, faults []validationError) {
	w.Header().Set("Content-Type", answer.TypeProblem)
	w.WriteHeader(http.StatusBadRequest)
	// The client is gone if this fails.
	_, _ = w.Write(answer.Marshal(map[string]any{
		"type": "urn:altinn:error:STD-00000", "title": "Bad Request", "status": http.StatusBadRequest,
		"code": "STD-00000", "detail": "One or more validation errors occurred.", "validationErrors": faults,
	}))
}

// findAll finds parties, each once, in an order that has nothing to do with the question's but is always the same.
func (s *Service) findAll(urns []string) (parties []map[string]any, complete bool) {
	complete = true
	var all []found
	for _, urn := range urns {
		f, ok := s.find(urn)
		if !ok {
			complete = false
			continue
		}
		if !slices.ContainsFunc(all, f.same) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.shuffle(), b.shuffle()) })
	parties = make([]map[string]any, 0, len(all))
	for _, f := range all {
		parties = append(parties, f.answer())
	}
	return parties, complete
}

func (f found) same(other found) bool {
	if f.party.UUID != uuid.Nil || other.party.UUID != uuid.Nil {
		return f.party.UUID == other.party.UUID
	}
	return f.party.ID == other.party.ID && f.party.URN() == other.party.URN()
}

// shuffle is where a party stands in an answer.
func (f found) shuffle() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(f.party.UUID[:]) // never fails
	_, _ = h.Write([]byte(f.party.URN()))
	return h.Sum64()
}

// answer is a party as it is answered: what was put, and what always comes.
func (f found) answer() map[string]any {
	p := f.party
	out := map[string]any{}
	if f.members != nil {
		for name, value := range f.members {
			out[name] = value
		}
		return out
	}
	out["partyType"], out["partyUuid"], out["urn"] = p.Type, p.UUID.String(), world.URNPartyUUID+p.UUID.String()
	out["versionId"], out["partyId"], out["displayName"] = int64(8_000_000)+int64(p.ID), p.ID, p.DisplayName
	out["externalUrn"] = nil
	if p.ExternalURN != "" {
		out["externalUrn"] = p.ExternalURN
	}
	if p.Person != "" {
		out["personIdentifier"] = p.Person
	}
	if p.Organisation != "" {
		out["organizationIdentifier"] = p.Organisation
	}
	if len(p.UserIDs) > 0 {
		user := map[string]any{"userId": p.UserIDs[0], "userIds": p.UserIDs}
		if p.Username != "" {
			user["username"] = p.Username
		}
		out["user"] = user
	}
	return out
}
