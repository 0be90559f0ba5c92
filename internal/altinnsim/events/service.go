package events

import (
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Prefix is what all paths of the service begin with.
const Prefix = "/events/api/v1"

// Scopes (Storage reference, 2.3; the publishing one is the public documentation's).
const (
	ScopeSubscribe = "altinn:events.subscribe"
	ScopePublish   = "altinn:events.publish"
)

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock that schedules go by. Default time.Now.
	Now func() time.Time
	// Host is the public host in the service's own links and in those of apps: `tt02.altinn.no`.
	Host string
	// Seed makes what is lost, doubled and shuffled repeatable.
	Seed uint64
	// Caller reads who asks. Default: an administrator.
	Caller func(*http.Request) (auth.Caller, error)
	// PartyOf finds the party of a national identity number or of an organisation number. Default: nobody is known.
	PartyOf func(person, organisation string) (int32, bool)
	// Settings hold from the start and after a reset.
	Settings Settings
	// Transport sends pushes. Default http.DefaultTransport: certificates must be publicly trusted.
	Transport http.RoundTripper
}

// Service is the simulated Altinn Events. It is safe for concurrent use. Close ends its pushes.
type Service struct {
	config Config
	mux    *http.ServeMux
	client *http.Client
	queue  *queue

	mu            sync.Mutex
	settings      Settings
	subscriptions map[int]*Subscription
	lastID        int
	log           map[string][]*stored // by resource, in order of arrival
	byID          map[string]*stored
	lastSeq       uint64
	cache         map[matchKey]cachedMatch
	dead          []DeadLetter
	counts        Counts
	dice          uint64
}

// New makes a Service without subscriptions.
func New(config Config) (*Service, error) {
	if err := config.Settings.Validate(); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Caller == nil {
		config.Caller = auth.Reader{Mode: auth.Off}.Caller
	}
	if config.PartyOf == nil {
		config.PartyOf = func(string, string) (int32, bool) { return 0, false }
	}
	s := &Service{config: config, mux: http.NewServeMux(), queue: newQueue(config.Now)}
	s.client = &http.Client{
		Transport: config.Transport,
		// An answer that sends elsewhere is not a 2xx.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.clear()
	s.handle("POST /subscriptions", s.postSubscription)
	s.handle("GET /subscriptions", s.listSubscriptions)
	s.handle("GET /subscriptions/{id}", s.getSubscription)
	s.handle("DELETE /subscriptions/{id}", s.deleteSubscription)
	s.handle("GET /app/{org}/{app}", s.pull)
	s.handle("POST /app", s.postAppEvent)
	s.handle("POST /events", s.postEvent)
	return s, nil
}

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer.Route(s.mux, w, r) }

// Close ends all pushes and waits until they have ended. Events that come later are kept and not pushed.
func (s *Service) Close() { s.queue.close() }

// Reset forgets subscriptions, events and pushes, and sets the settings back.
func (s *Service) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.reset() // with the lock: whoever queues a retry holds it, too
	s.clear()
}

// clear is called with the lock, or before anybody else knows the service.
func (s *Service) clear() {
	s.settings = s.config.Settings.withDefaults()
	s.subscriptions, s.lastID = map[int]*Subscription{}, 0
	s.log, s.byID, s.lastSeq = map[string][]*stored{}, map[string]*stored{}, 0
	s.cache, s.dead, s.counts = map[matchKey]cachedMatch{}, nil, Counts{}
	s.dice = world.Mix(s.config.Seed ^ 0xe7e4)
}

// Initial are the settings that hold from the start.
func (s *Service) Initial() Settings {
	out := s.config.Settings
	out.Policies = maps.Clone(out.Policies)
	return out
}

// Settings are those that hold now.
func (s *Service) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// SetSettings changes how events are treated from now on, and forgets cached matches.
func (s *Service) SetSettings(settings Settings) error {
	if err := settings.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings, s.cache = settings.withDefaults(), map[matchKey]cachedMatch{}
	return nil
}

// Counts are what has become of events and pushes.
type Counts struct {
	Subscriptions int `json:"subscriptions"`
	Validated     int `json:"validated"`
	Published     int `json:"published"` // events that were posted
	Lost          int `json:"lost"`      // of these, those that never arrived
	Pushes        int `json:"pushes"`    // attempts, without validations
	Delivered     int `json:"delivered"` // pushes that were answered 2xx
	Doubled       int `json:"doubled"`   // pushes that were made once more
	Failed        int `json:"failed"`    // pushes that were not
	DeadLettered  int `json:"deadLettered"`
	Pending       int `json:"pending"` // pushes and validations that are still to be made
}

// Counts are those since the start or the last reset.
func (s *Service) Counts() Counts {
	pending := s.queue.pending()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.counts
	out.Pending, out.Subscriptions = pending, len(s.subscriptions)
	for _, subscription := range s.subscriptions {
		if subscription.Validated {
			out.Validated++
		}
	}
	return out
}

// DeadLetter is a push that was given up.
type DeadLetter struct {
	SubscriptionID int    `json:"subscriptionId"`
	EventID        string `json:"eventId"`
	Attempts       int    `json:"attempts"`
}

// DeadLetters are the latest pushes that were given up, in order.
func (s *Service) DeadLetters() []DeadLetter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]DeadLetter{}, s.dead...)
}

// roll is a number from 0 up to, not including, 1. The caller holds the lock.
func (s *Service) roll() float64 {
	s.dice++
	return float64(world.Mix(s.dice)>>11) / (1 << 53)
}
