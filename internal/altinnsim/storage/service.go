package storage

import (
	"net/http"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// Paths of the service.
const (
	// Prefix is what all paths of the service begin with.
	Prefix           = "/storage/api/v1"
	instancesPath    = Prefix + "/instances"
	sblInstancesPath = Prefix + "/sbl/instances"
	applicationsPath = Prefix + "/applications"
	instancePattern  = "/{partyId}/{guid}"
)

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Host is the service's own Hostname setting, which links are made with (chapter 1). Default tt02.altinn.no.
	Host string
	// Caller reads who asks. Default: an administrator.
	Caller func(*http.Request) (auth.Caller, error)
	// PartyOf looks up a party by person number or organisation number. Default: nobody is known.
	PartyOf func(person, organisation string) (partyID int32, ok bool)
	// UserOf is the user that acts for a party, 0 for none. Default: nobody.
	UserOf func(partyID int32) int64
	// Hidden says which rows a request must not see, although they are there: a list, a single read or a read of events.
	// since is when the row was last changed or put in place, in microseconds since 1970, as is now. nil, or a nil answer:
	// it sees all.
	Hidden func(*http.Request) func(row Row, since, now int64) bool
	// NumberOf is the organisation number of a service owner. Default: the code stands for it.
	NumberOf func(org string) string
	// Announce is told of every change that writes an outbox row (3.11), in the change's own transaction: it must not
	// call the Service. It is false when the row is not written. Default: none is.
	Announce func(outbox.Change) bool
}

// DefaultHost is the public host that links are made with unless Config says otherwise.
const DefaultHost = "tt02.altinn.no"

// Service is the simulated Storage. It is safe for concurrent use.
type Service struct {
	*Store
	applications *applications
	now          func() time.Time
	host         string
	caller       func(*http.Request) (auth.Caller, error)
	partyOf      func(person, organisation string) (int32, bool)
	userOf       func(partyID int32) int64
	hidden       func(*http.Request) func(row Row, since, now int64) bool
	numberOf     func(org string) string
	onChange     func(outbox.Change) bool
	mux          *http.ServeMux
}

// New makes an empty Service.
func New(config Config) *Service {
	s := &Service{
		Store: newStore(), applications: newApplications(), now: config.Now, host: config.Host,
		caller: config.Caller, partyOf: config.PartyOf, userOf: config.UserOf, hidden: config.Hidden, mux: http.NewServeMux(),
		numberOf: config.NumberOf, onChange: config.Announce,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.host == "" {
		s.host = DefaultHost
	}
	if s.caller == nil {
		s.caller = auth.Reader{Mode: auth.Off}.Caller
	}
	if s.partyOf == nil {
		s.partyOf = func(string, string) (int32, bool) { return 0, false }
	}
	if s.numberOf == nil {
		s.numberOf = func(org string) string { return org }
	}
	if s.onChange == nil {
		s.onChange = func(outbox.Change) bool { return false }
	}
	if s.hidden == nil {
		s.hidden = func(*http.Request) func(Row, int64, int64) bool { return nil }
	}
	s.routes()
	return s
}

func (s *Service) routes() {
	s.mux.HandleFunc("GET "+instancesPath, s.authorized(s.list))
	s.mux.HandleFunc("GET "+instancesPath+"/{guid}", s.authorized(s.getInstance))
	s.mux.HandleFunc("GET "+instancesPath+instancePattern, s.authorized(s.getInstance))
	s.mux.HandleFunc("DELETE "+instancesPath+instancePattern, s.authorized(s.deleteInstance))
	s.mux.HandleFunc("GET "+instancesPath+instancePattern+"/events", s.authorized(s.listEvents))
	s.mux.HandleFunc("GET "+instancesPath+instancePattern+"/events/{eventId}", s.authorized(s.getEvent))
	s.mux.HandleFunc("PUT "+instancesPath+instancePattern+"/datavalues", s.authorized(s.putDataValues))
	s.mux.HandleFunc("DELETE "+sblInstancesPath+instancePattern, s.authorized(s.deleteSBL))
	s.mux.HandleFunc("PUT "+sblInstancesPath+instancePattern+"/undelete", s.authorized(s.undeleteSBL))
	s.mux.HandleFunc("GET "+applicationsPath, s.listApplications)
	s.mux.HandleFunc("GET "+applicationsPath+"/{org}", s.listApplications)
	s.mux.HandleFunc("GET "+applicationsPath+"/{org}/{app}", s.getApplication)
	s.mux.HandleFunc("GET "+applicationsPath+"/{org}/{app}/texts/{language}", s.authorized(s.getTexts))
}

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, Prefix+"/") {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	answer.Route(s.mux, w, r)
}

type authorizedHandler func(w http.ResponseWriter, r *http.Request, caller auth.Caller)

// authorized refuses a missing or bad token (2.4).
func (s *Service) authorized(next authorizedHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.caller(r)
		if err != nil || caller.Anonymous {
			answer.Unauthorized(w)
			return
		}
		next(w, r, caller)
	}
}

// Reset empties the service.
func (s *Service) Reset() {
	s.mu.Lock()
	s.clear()
	s.mu.Unlock()
	s.applications.clear()
}
