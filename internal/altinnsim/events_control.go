package altinnsim

import (
	"fmt"
	"net/http"

	"github.com/altinn/dialogsync/internal/altinnsim/events"
)

func (s *Sim) setUpEvents() error {
	var err error
	s.Events, err = events.New(events.Config{
		Now: s.clock(ServiceEvents), Host: s.options.Host, Seed: s.options.Seed, Caller: s.reader(ServiceEvents).Caller,
		PartyOf: s.partyOf, Settings: s.options.Events,
	})
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	s.closers = append(s.closers, s.Events.Close)
	return nil
}

// putEvents changes how events are treated. What is left out is as at the start.
func (s *Sim) putEvents(r *http.Request) (any, error) {
	settings := s.Events.Initial()
	if err := readBody(r, &settings); err != nil {
		return nil, err
	}
	if err := s.Events.SetSettings(settings); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

func (s *Sim) getEvents(*http.Request) (any, error) {
	return map[string]any{
		"settings": s.Events.Settings(), "counts": s.Events.Counts(), "subscriptions": s.Events.Subscriptions(),
		"deadLetters": s.Events.DeadLetters(),
	}, nil
}
