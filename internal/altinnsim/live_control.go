package altinnsim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// setUpOutbox comes before Storage, which writes into it.
func (s *Sim) setUpOutbox() error {
	buses := s.options.Buses
	if s.options.SyncCommandURL != "" {
		forwarder, err := outbox.NewForwarder(s.options.SyncCommandURL, s.options.SyncCommandToken, nil)
		if err != nil {
			return err
		}
		s.forwarder, buses = forwarder, append([]outbox.Bus{forwarder}, buses...)
	}
	var err error
	s.Outbox, err = outbox.New(outbox.Config{Seed: s.options.Seed, Settings: s.options.Outbox, Buses: buses, Lost: func(instance uuid.UUID) {
		s.Storage.Untell(instance)
	}})
	if err != nil {
		return err
	}
	if s.forwarder != nil {
		s.closers = append(s.closers, s.forwarder.Close)
	}
	s.closers = append(s.closers, s.Outbox.Close)
	return nil
}

func (s *Sim) resetOutbox() {
	s.Outbox.Reset()
	if s.forwarder != nil {
		s.forwarder.Reset()
	}
}

// setUpLive comes last: it moves all the others.
func (s *Sim) setUpLive() {
	s.Live = live.New(live.Config{
		Seed: s.options.Seed, Now: s.clock(ServiceStorage), Storage: s.Storage, Generator: s.arriving, Announce: s.announce,
	})
	s.closers = append(s.closers, s.Live.Close)
}

func (s *Sim) numberOf(org string) string {
	if number, ok := s.Orgs.NumberOf(org); ok {
		return number
	}
	return org
}

// announce posts an app event as the app would.
func (s *Sim) announce(ctx context.Context, event live.AppEvent) error {
	org, app, _ := strings.Cut(event.AppID, "/")
	out := events.Event{Type: event.Type, Org: org, App: app, PartyID: event.PartyID, InstanceGUID: event.Instance}
	if party, ok := s.Register.ByPartyID(event.PartyID); ok {
		out.AlternativeSubject = alternativeSubject(party)
	}
	return s.Events.Publish(ctx, out)
}

func alternativeSubject(party world.Party) string {
	switch {
	case party.Organisation != "":
		return "/org/" + party.Organisation
	case party.Person != "":
		return "/person/" + party.Person
	}
	return party.ExternalURN
}

// arrivals make up what comes while the simulator runs.
type arrivals struct {
	mu      sync.Mutex
	options *GenerateOptions // of the last generated world; nil: none was generated
	world   *generator.Generator
	forms   uint64 // that were asked for over HTTP
	halves  map[uuid.UUID]half
}

func (a *arrivals) remember(options GenerateOptions) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options, a.world = &options, nil
}

func (a *arrivals) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options, a.world, a.forms, a.halves = nil, nil, 0, nil
}

// arriving is the generator of what comes: of the apps of the world that was generated last, or of the default ones,
// which are registered then.
func (s *Sim) arriving() (*generator.Generator, error) {
	a := &s.arrivals
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.world != nil {
		return a.world, nil
	}
	options := DefaultOptions()
	options.Seed = s.options.Seed
	if a.options != nil {
		options = *a.options
	}
	// What arrives has times of its own: the generated world's say nothing.
	var never time.Time
	options.From, options.To, options.End, options.Monster = never, never, never, nil
	g, err := generator.New(options, s.Now(), s.options.Host, s.Storage.App)
	if err != nil {
		return nil, fmt.Errorf("set up the generator: %w", err)
	}
	if a.options == nil {
		if err := s.install(g); err != nil {
			return nil, err
		}
	}
	a.world = g
	return g, nil
}

// outboxReport is what GET /_sim/outbox answers.
func (s *Sim) outboxReport() any {
	out := struct {
		outbox.Report

		Forwarded *outbox.Forwarded `json:"forwarded,omitempty"`
	}{Report: s.Outbox.Report()}
	if s.forwarder != nil {
		counts := s.forwarder.Counts()
		out.Forwarded = &counts
	}
	return out
}

// putOutbox changes the settings that the body names.
func (s *Sim) putOutbox(r *http.Request) (any, error) {
	settings := s.Outbox.Settings()
	if err := readBody(r, &settings); err != nil {
		return nil, err
	}
	if err := s.Outbox.Set(settings); err != nil {
		return nil, badInput(err)
	}
	return s.outboxReport(), nil
}

func (s *Sim) flushOutbox(r *http.Request) (any, error) {
	if err := s.Outbox.Flush(r.Context()); err != nil {
		return nil, err
	}
	return s.outboxReport(), nil
}

// liveReport is what GET /_sim/live answers.
type liveReport struct {
	live.Report

	// Settled says that nothing happens any more, and that everything that has happened can be seen and has been told of.
	Settled bool `json:"settled"`
	// OutboxWaiting are rows that are not sent, CommandsWaiting sync commands that no consumer has taken.
	OutboxWaiting   int `json:"outboxWaiting"`
	CommandsWaiting int `json:"commandsWaiting"`
}

func (s *Sim) liveReport() liveReport {
	// What happens first is asked first: a change that ends in between shows in the outbox.
	out := liveReport{Report: s.Live.Report()}
	out.OutboxWaiting = s.Outbox.Waiting()
	if s.forwarder != nil {
		out.CommandsWaiting = s.forwarder.Counts().Waiting
	}
	out.Settled = !out.Running && out.Pending == 0 && out.OutboxWaiting == 0 && out.CommandsWaiting == 0
	return out
}

// putLive changes the settings that the body names: a rate starts, rate 0 stops.
func (s *Sim) putLive(r *http.Request) (any, error) {
	settings := s.Live.Settings()
	if err := readBody(r, &settings); err != nil {
		return nil, err
	}
	if err := s.Live.Set(settings); err != nil {
		return nil, badInput(err)
	}
	return s.liveReport(), nil
}
