package events

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// maxBody bounds what is read of a request, in bytes.
const maxBody = 1 << 20

type authorizedHandler func(w http.ResponseWriter, r *http.Request, caller auth.Caller) error

// handle serves a pattern below Prefix to whoever has a good token.
func (s *Service) handle(pattern string, next authorizedHandler) {
	for i := range pattern {
		if pattern[i] == ' ' {
			pattern = pattern[:i+1] + Prefix + pattern[i+1:]
			break
		}
	}
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.config.Caller(r)
		if err != nil || caller.Anonymous {
			answer.Unauthorized(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err = next(w, r, caller)
		if refused, ok := errors.AsType[*refusal](err); ok {
			if refused.text == "" {
				answer.Empty(w, refused.status)
				return
			}
			answer.Text(w, refused.status, refused.text)
			return
		}
		if err != nil {
			answer.WriteProblem(w, answer.Problem{Status: http.StatusInternalServerError, Detail: err.Error()})
		}
	})
}

func (s *Service) postSubscription(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	if !answer.IsJSON(r) {
		return &refusal{status: http.StatusUnsupportedMediaType}
	}
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return badRequest("The JSON value could not be converted.")
	}
	wanted, err := s.subscription(in, caller)
	if err != nil {
		return err
	}
	subscription := s.subscribe(wanted)
	w.Header().Set("Location", Prefix+"/subscription/"+strconv.Itoa(subscription.ID))
	answer.JSON(w, http.StatusCreated, subscription)
	return nil
}

// subscribe keeps a subscription, unless the same one is there, and sends the validation event in either case.
func (s *Service) subscribe(wanted *Subscription) Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.subscriptions)) {
		if existing := s.subscriptions[id]; existing.same(wanted) {
			s.startValidation(existing)
			return *existing
		}
	}
	s.lastID++
	wanted.ID = s.lastID
	s.subscriptions[wanted.ID] = wanted
	s.startValidation(wanted)
	return *wanted
}

func (s *Service) listSubscriptions(w http.ResponseWriter, _ *http.Request, caller auth.Caller) error {
	own := []Subscription{}
	name, _ := entity(caller)
	for _, subscription := range s.Subscriptions() {
		if subscription.CreatedBy == name {
			own = append(own, subscription)
		}
	}
	answer.JSON(w, http.StatusOK, map[string]any{"count": len(own), "subscriptions": own})
	return nil
}

// Subscriptions are all subscriptions, by id.
func (s *Service) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Subscription, 0, len(s.subscriptions))
	for _, id := range slices.Sorted(maps.Keys(s.subscriptions)) {
		out = append(out, *s.subscriptions[id])
	}
	return out
}

func (s *Service) getSubscription(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	subscription, err := s.ownSubscription(r, caller)
	if err != nil {
		return err
	}
	answer.JSON(w, http.StatusOK, subscription)
	return nil
}

func (s *Service) deleteSubscription(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	subscription, err := s.ownSubscription(r, caller)
	if err != nil {
		return err
	}
	delete(s.subscriptions, subscription.ID)
	answer.Empty(w, http.StatusOK)
	return nil
}

// ownSubscription is the subscription that the path names, if the caller made it. The caller holds the lock.
func (s *Service) ownSubscription(r *http.Request, caller auth.Caller) (*Subscription, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, badRequest("The id is not a number.")
	}
	subscription, ok := s.subscriptions[id]
	if !ok {
		return nil, &refusal{status: http.StatusNotFound}
	}
	if name, _ := entity(caller); subscription.CreatedBy != name {
		return nil, &refusal{status: http.StatusForbidden}
	}
	return subscription, nil
}
