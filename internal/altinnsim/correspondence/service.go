package correspondence

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// Prefix is what all paths of the service begin with.
const Prefix = "/correspondence/api/v1"

// Paths of the migration API (3.1).
const (
	PathMigrate    = Prefix + "/migration/correspondence"
	PathAttachment = Prefix + "/migration/attachment"
	PathAvailable  = Prefix + "/migration/makemigratedcorrespondenceavailable"
	PathStatus     = PathMigrate + "/syncStatusEvent"
	PathForwarding = PathMigrate + "/syncForwardingEvent"
	PathNotified   = PathMigrate + "/syncNotificationEvent"
	pathItems      = Prefix + "/correspondence"
	pathUpkeep     = Prefix + "/maintenance"
)

// Scopes (3.1).
const (
	ScopeMigrate     = "altinn:correspondence.migrate"
	ScopeMaintenance = "altinn:correspondence.maintenance"
	ScopeRead        = "altinn:correspondence.read"
)

// DefaultBase is the address that links in dialogs begin with.
const DefaultBase = "https://platform.altinn.no"

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Seed makes ids repeatable.
	Seed uint64
	// Base is the address that links begin with. Default DefaultBase.
	Base string
	// Caller reads who asks. Default: an administrator.
	Caller func(*http.Request) (auth.Caller, error)
	// Outgoing answers what the service asks of others, under the paths of the platform: Dialogporten, Register, Events
	// and Altinn 2's call-backs. It must be set. The context of a request tells by Subject whom it is about.
	Outgoing http.Handler
	// Steps is asked before a step that may be made to fail: it gets POST /jobs/{step}/{item id}. Anything but a 2xx, or a
	// panic with http.ErrAbortHandler, is a crash at that place. Default: nothing fails. Steps are create-dialog,
	// keep-reference and publish.
	Steps http.Handler
	// Pauses are the waits before an HTTP call is repeated. Default 100, 200 and 400 ms (13.2).
	Pauses []time.Duration
	// Retry is how long a failed job waits after its nth attempt, counted from 1. Default: (n-1)^4 + 15 seconds and a
	// random part.
	Retry func(attempt int) time.Duration
	// Replicas is how many processes there are: four migration workers each. Default 5.
	Replicas int
	// Compact drops the text of a message, which no dialog holds.
	Compact bool
}

// Service is the simulated Correspondence. It is safe for concurrent use.
type Service struct {
	config Config
	mint   *mint
	items  *store
	files  *files
	jobs   *jobs
	mux    *http.ServeMux

	reserved   set[string] // national identity numbers
	registered set[int32]  // party ids that Altinn 2 was told of
}

// New makes an empty Service.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Base == "" {
		config.Base = DefaultBase
	}
	if config.Caller == nil {
		config.Caller = auth.Reader{Mode: auth.Off}.Caller
	}
	if config.Pauses == nil {
		config.Pauses = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	}
	if config.Replicas == 0 {
		config.Replicas = 5
	}
	s := &Service{config: config, mint: newMint(config.Seed), items: newStore(), files: newFiles(), mux: http.NewServeMux()}
	if config.Retry == nil {
		s.config.Retry = s.retryDelay
	}
	s.jobs = newJobs(s.config.Retry, map[queue]int{queueDefault: 15, queueLive: 4, queueMigration: 4 * config.Replicas})
	s.routes()
	return s
}

// retryDelay is what a failed job waits (13.2).
func (s *Service) retryDelay(attempt int) time.Duration {
	n := int64(attempt - 1)
	return time.Duration(n*n*n*n+15+s.mint.roll(30)*int64(attempt)) * time.Second
}

func (s *Service) routes() {
	s.handle("POST "+PathMigrate, ScopeMigrate, s.migrate)
	s.handle("POST "+PathAttachment, ScopeMigrate, s.upload)
	s.handle("POST "+PathAvailable, ScopeMigrate, s.available)
	s.handle("POST "+PathStatus, ScopeMigrate, s.syncStatuses)
	s.handle("POST "+PathForwarding, ScopeMigrate, s.syncForwardings)
	s.handle("POST "+PathNotified, ScopeMigrate, s.syncNotifications)
	s.handle("GET "+pathItems, ScopeRead, s.find)
	s.handle("GET "+pathItems+"/{id}", ScopeRead, s.overview)
	s.handle("GET "+pathItems+"/{id}/details", ScopeRead, s.details)
	s.handle("GET "+pathItems+"/{id}/content", ScopeRead, s.content)
	s.handle("POST "+pathUpkeep+"/{job}", ScopeMaintenance, s.maintain)
	s.handle("POST "+pathUpkeep+"/{job}/{argument}", ScopeMaintenance, s.maintain)
}

// call is one request on its way.
type call struct {
	w http.ResponseWriter
	r *http.Request
	// later is queued when the answer has been written.
	later []*job
}

func (c *call) enqueue(j *job) { c.later = append(c.later, j) }

// handle serves a path for callers with a scope.
func (s *Service) handle(pattern, scope string, handler func(*call) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.config.Caller(r)
		switch {
		case err != nil || caller.Anonymous:
			answer.Unauthorized(w)
			return
		case !caller.Has(scope):
			answer.Empty(w, http.StatusForbidden)
			return
		}
		c := &call{w: w, r: r}
		// What is stored is stored, and its jobs run, even when the call ends badly.
		defer func() { s.jobs.add(c.later...) }()
		if err := handler(c); err != nil {
			writeError(w, r, err)
		}
	})
}

// ServeHTTP answers what lies under Prefix. Paths are matched without regard to case, as the real service does.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer.Route(s.mux, w, canonical(r))
}

// Reset empties the service. It waits for the jobs that run.
func (s *Service) Reset() {
	s.jobs.reset()
	s.mint.reset(s.config.Seed)
	s.items.reset()
	s.files.reset()
	s.reserved.reset()
	s.registered.reset()
}

// Close ends all jobs and waits for those that run.
func (s *Service) Close() { s.jobs.reset() }

// Hold keeps jobs from starting until Release: a slow queue.
func (s *Service) Hold() { s.jobs.hold(true) }

// Release lets held jobs start.
func (s *Service) Release() { s.jobs.hold(false) }

// Idle waits until no job is queued or running. Those that wait for a retry, or for a time of publishing, do not count.
func (s *Service) Idle(ctx context.Context) error { return s.jobs.idle(ctx) }

// RunScheduled starts at once what waits for a retry or for a time of publishing, and says how many jobs that were.
func (s *Service) RunScheduled() int { return s.jobs.hurry() }

// Jobs tells what is queued, waiting and given up.
func (s *Service) Jobs() JobCounts { return s.jobs.counts() }

// DeadLetters are jobs that were given up.
func (s *Service) DeadLetters() []DeadLetter { return s.jobs.deadLetters() }

// Len is how many items there are.
func (s *Service) Len() int { return s.items.len() }

// Item is the item of an Altinn 2 id.
func (s *Service) Item(altinn2ID int32) (Item, bool) {
	e := s.items.byAltinn2(altinn2ID)
	if e == nil {
		return Item{}, false
	}
	return e.snapshot(), true
}

// ByID is an item by its own id.
func (s *Service) ByID(id uuid.UUID) (Item, bool) {
	e := s.items.get(id)
	if e == nil {
		return Item{}, false
	}
	return e.snapshot(), true
}

// Each calls yield for each item, in no order, until it returns false.
func (s *Service) Each(yield func(Item) bool) {
	for _, e := range s.items.all() {
		if !yield(e.snapshot()) {
			return
		}
	}
}

// FileID is the id that an Altinn 2 attachment has.
func (s *Service) FileID(altinn2ID string) (uuid.UUID, bool) {
	f, ok := s.files.byAltinn2(altinn2ID)
	return f.id, ok
}

// step asks whether a step is to go wrong.
func (s *Service) step(ctx context.Context, name string, item uuid.UUID) error {
	if s.config.Steps == nil {
		return nil
	}
	status, _, err := roundTrip(s.config.Steps, newRequest(ctx, http.MethodPost, "/jobs/"+name+"/"+item.String(), "", nil, ""))
	if err != nil || status >= http.StatusMultipleChoices {
		return crashError{step: name, abrupt: err != nil}
	}
	return nil
}

// crashError is a step at which the process died or failed on purpose.
type crashError struct {
	step   string
	abrupt bool // the process died
}

func (e crashError) Error() string { return "made to fail at " + e.step }

func (s *Service) now() time.Time { return s.config.Now().UTC() }
