package altinnsim

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// clock is a service's own clock: the simulator's, but for the faults.
func (s *Sim) clock(service string) func() time.Time {
	return func() time.Time { return s.Now().Add(s.Faults.Skew(service)) }
}

// hidden are the rows that the faults keep from a request to Storage.
func (s *Sim) hidden(r *http.Request) func(row storage.Row, since, now int64) bool {
	hidden := s.Faults.Hidden(r)
	if hidden == nil {
		return nil
	}
	return func(row storage.Row, since, now int64) bool { return hidden(row.GUID, since, now) }
}

// putFaults replaces all rules, by those of the body or of ?profile=.
func (s *Sim) putFaults(r *http.Request) (any, error) {
	var rules []faults.Rule
	var err error
	if profile := r.URL.Query().Get("profile"); profile != "" {
		rules, err = faults.Profile(profile)
	} else {
		rules, err = faults.Read(r.Body)
	}
	if err == nil {
		err = s.Faults.Set(rules)
	}
	if err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

// putFault replaces one rule or adds it; the others go on.
func (s *Sim) putFault(r *http.Request) (any, error) {
	rule, err := faults.ReadOne(r.Body)
	name := r.PathValue("name")
	if err == nil && rule.Name != "" && rule.Name != name {
		err = fmt.Errorf("the rule is named %q in the path and %q in the body", name, rule.Name)
	}
	if err == nil {
		rule.Name = name
		err = s.Faults.Put(rule)
	}
	if err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

func (s *Sim) deleteFault(r *http.Request) (any, error) {
	if name := r.PathValue("name"); !s.Faults.Drop(name) {
		return nil, controlError{status: http.StatusNotFound, err: fmt.Errorf("no fault rule is named %q", name)}
	}
	return nothing{}, nil
}

// putWithheld hides instances whose commit has not happened, or shows them again.
func (s *Sim) putWithheld(r *http.Request) (any, error) {
	var in struct {
		Items   []string  `json:"items"`   // {partyId}/{guid} or the guid alone
		Until   time.Time `json:"until"`   // missing: until they are released
		Release bool      `json:"release"` // show them
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	for _, item := range in.Items {
		guid, err := guidOf(item)
		if err != nil {
			return nil, badInput(err)
		}
		if err := s.withhold(guid, in.Until, in.Release); err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, storage.ErrNotFound) {
				status = http.StatusNotFound
			}
			return nil, controlError{status: status, err: err}
		}
	}
	return nothing{}, nil
}

func (s *Sim) withhold(guid uuid.UUID, until time.Time, release bool) error {
	if release {
		return s.Storage.Release(guid)
	}
	return s.Storage.Withhold(guid, until)
}
