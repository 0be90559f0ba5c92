// Package orgs serves the list of service owners that lies on Altinn's content delivery network
// (Storage reference, chapter 17), and keeps the resource registry that goes with them.
package orgs

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Path is where the list lies.
const Path = "/orgs/altinn-orgs.json"

// Service serves the list. It is safe for concurrent use.
type Service struct {
	mu        sync.RWMutex
	orgs      map[string]world.Organisation
	resources map[string]world.Resource // by id in lower case
}

// New makes a Service that knows nobody.
func New() *Service {
	s := &Service{}
	s.Reset()
	return s
}

// Reset forgets all organisations and resources.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs, s.resources = map[string]world.Organisation{}, map[string]world.Resource{}
}

// Put adds organisations or replaces them by their code.
func (s *Service) Put(organisations ...world.Organisation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range organisations {
		s.orgs[o.Code] = o
	}
}

// CodeOf is the code of the organisation with that number; of several that share it, the first by code.
func (s *Service) CodeOf(number string) (code string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for candidate, o := range s.orgs {
		if o.Number == number && (!ok || candidate < code) {
			code, ok = candidate, true
		}
	}
	return code, ok
}

// NumberOf is the number of the organisation with that code.
func (s *Service) NumberOf(code string) (number string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.orgs[code]
	return o.Number, ok
}

// PutResources adds resources or replaces them by their id.
func (s *Service) PutResources(resources ...world.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range resources {
		s.resources[strings.ToLower(r.ID)] = r
	}
}

// Resource finds a resource by its id, without urn:altinn:resource:. Case does not matter.
func (s *Service) Resource(id string) (world.Resource, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.resources[strings.ToLower(id)]
	return r, ok
}

// Resources is how many resources there are.
func (s *Service) Resources() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.resources)
}

// entry is an organisation in the list.
type entry struct {
	Name         world.Texts `json:"name"`
	Logo         string      `json:"logo"`
	Emblem       string      `json:"emblem"`
	Number       string      `json:"orgnr"`
	Homepage     string      `json:"homepage"`
	Environments []string    `json:"environments"`
}

// ServeHTTP answers the list.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		answer.Empty(w, http.StatusMethodNotAllowed)
		return
	}
	s.mu.RLock()
	list := make(map[string]entry, len(s.orgs))
	for code, o := range s.orgs {
		base := "https://altinncdn.no/orgs/" + code + "/" + code
		environments := slices.Clone(o.Environments)
		if environments == nil {
			environments = []string{"tt02", "production"}
		}
		list[code] = entry{
			Name: o.Name, Logo: base + ".png", Emblem: base + ".svg", Number: o.Number,
			Homepage: "https://www.example.no", Environments: environments,
		}
	}
	s.mu.RUnlock()
	answer.JSON(w, http.StatusOK, map[string]any{"orgs": list})
}
