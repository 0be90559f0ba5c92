package altinnsim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/authentication"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/maskinporten"
	"github.com/altinn/dialogsync/internal/altinnsim/orgs"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/altinnsim/traffic"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Names of the services, as fault rules and counters have them.
const (
	ServiceStorage      = "storage"
	ServiceRegister     = "register"
	ServiceOrgs         = "orgs"
	ServiceDialogporten = "dialogporten"

	ServiceMaskinporten   = "maskinporten"
	ServiceAuthentication = "authentication"
	ServiceEvents         = "events"
	ServiceCorrespondence = "correspondence"
	ServiceAltinn2        = "altinn2"
)

// GenerateOptions say what is generated. Start from generator defaults (DefaultOptions): a zero share means none.
type GenerateOptions = generator.Options

// DefaultOptions are shares as production has them, without a number of instances.
func DefaultOptions() GenerateOptions { return generator.Defaults() }

// Options set a simulator up. The zero value is usable.
type Options struct {
	// Seed makes everything random repeatable.
	Seed uint64
	// Host is the public host that Storage makes links with. Default storage.DefaultHost.
	Host string
	// Auth is how far tokens are believed. Default auth.Off: everybody is an administrator.
	Auth auth.Mode
	// Record is how much is kept of each item's requests. Default story.All.
	Record story.Mode
	// Compact makes Dialogporten keep only what comparisons need of a dialog, for huge runs: a GET of a dialog is then
	// not served in full.
	Compact bool
	// Now is the clock while it is not frozen. Default time.Now.
	Now func() time.Time
	// Faults are the rules that hold from the start.
	Faults []faults.Rule
	// Tokens set Maskinporten and the exchange up.
	Tokens TokenOptions
	// CorrespondencePauses are what Correspondence waits before it repeats an HTTP call. Default: as the real one, together
	// 0.7 seconds.
	CorrespondencePauses []time.Duration
	// Events are how Altinn Events treats events from the start.
	Events events.Settings
	// Outbox is how changes leave Storage from the start. Nil: outbox.Defaults, which are the real service's.
	Outbox *outbox.Settings
	// Buses get every sync command that the outbox sends.
	Buses []outbox.Bus
	// ServiceBus are the queues, and the key, of the service bus. It is empty and out of reach until ListenServiceBus.
	ServiceBus servicebus.Options
	// SyncCommandURL is a consumer's syncDialog route, which every sync command is posted to until it is taken. "" none.
	SyncCommandURL string
	// SyncCommandToken is the bearer token that goes with them. "" none.
	SyncCommandToken string
}

// Sim is a simulated platform. It is safe for concurrent use.
type Sim struct {
	// Storage holds applications and instances. Tests change it directly.
	Storage *storage.Service
	// Register knows parties.
	Register *register.Service
	// Orgs are the service owners and the resource registry.
	Orgs *orgs.Service
	// Dialogporten holds the dialogs.
	Dialogporten *dialogporten.Service
	// Maskinporten grants access tokens.
	Maskinporten *maskinporten.Service
	// Authentication exchanges them for Altinn tokens.
	Authentication *authentication.Service
	// Events takes app events and pushes them to subscribers.
	Events *events.Service
	// Outbox sends sync commands of what changes in Storage.
	Outbox *outbox.Box
	// ServiceBus holds the queues that AMQP clients connect to.
	ServiceBus *servicebus.Broker
	// Live makes things happen, when it is told to.
	Live *live.Driver
	// Correspondence holds the items of messages.
	Correspondence *correspondence.Service
	// Altinn2 exports messages. Tests change them directly.
	Altinn2 *altinn2.Service
	// Faults holds the fault rules.
	Faults *faults.Injector
	// Requests counts requests.
	Requests *traffic.Counters

	options Options
	book    *story.Book
	frozen  atomic.Pointer[time.Time]
	handler http.Handler
	// outgoing serves what Correspondence asks of the other services.
	outgoing http.Handler
	// closers end what runs in the background and wait for it. They are set by New.
	closers []func()

	// worlds is held while the world is made or emptied: one does not end in the middle of the other.
	worlds sync.Mutex

	forwarder *outbox.Forwarder // nil: nobody is posted to
	arrivals  arrivals
	bus       busDoor
}

// New makes an empty simulator.
func New(options Options) (*Sim, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Host == "" {
		options.Host = storage.DefaultHost
	}
	if options.Auth == "" {
		options.Auth = auth.Off
	}
	if options.Record == "" {
		options.Record = story.All
	}
	s := &Sim{
		options: options, book: story.New(options.Record), Requests: traffic.New(), Faults: faults.New(options.Seed),
		Orgs: orgs.New(),
	}
	if err := s.setUpTokens(); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	if err := s.setUpOutbox(); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	if err := s.setUpServiceBus(); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	s.Register = register.New(register.Config{Now: s.clock(ServiceRegister), Caller: s.reader(ServiceRegister).Caller})
	s.Storage = storage.New(storage.Config{
		Now: s.clock(ServiceStorage), Hidden: s.hidden, Host: options.Host, Caller: s.reader(ServiceStorage).Caller, PartyOf: s.partyOf,
		UserOf: generator.ActorOf, NumberOf: s.numberOf, Announce: s.Outbox.Put,
	})
	s.Dialogporten = dialogporten.New(dialogporten.Config{
		Now: s.clock(ServiceDialogporten), Resources: registry{s.Orgs}, Names: s.Register,
		Caller: dialogportenCaller(s.dialogportenReader()), HashBodies: options.Compact,
		Overlap: func(r *http.Request, _ uuid.UUID) bool { return s.Faults.Overlap(r) },
	})
	if err := s.setUpEvents(); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	s.setUpLive()
	// The routes tell which services there are, which the fault rules are checked against.
	s.setUpMessages()
	s.handler = s.routes()
	s.outgoing = s.routeOutgoing()
	if err := s.Faults.Set(options.Faults); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	return s, nil
}

// Close ends whatever runs in the background, and waits until it has ended.
func (s *Sim) Close() {
	for _, end := range slices.Backward(s.closers) {
		end()
	}
}

// Handler serves all services and the endpoints under /_sim/.
func (s *Sim) Handler() http.Handler { return s.handler }

// Now is the simulator's clock, UTC.
func (s *Sim) Now() time.Time {
	if t := s.frozen.Load(); t != nil {
		return *t
	}
	return s.options.Now().UTC()
}

// Freeze stops the clock at t. The zero time lets it go on.
func (s *Sim) Freeze(t time.Time) {
	if t.IsZero() {
		s.frozen.Store(nil)
		return
	}
	t = t.UTC()
	s.frozen.Store(&t)
}

// Reset empties everything, takes faults off and lets the clock go on.
func (s *Sim) Reset() {
	s.worlds.Lock()
	defer s.worlds.Unlock()
	s.Live.Reset()
	s.resetOutbox()
	s.ServiceBus.Reset()
	s.arrivals.reset()
	s.Freeze(time.Time{})
	_ = s.Faults.Set(nil) // no rules are always right
	s.Correspondence.Reset()
	s.Altinn2.Reset()
	s.Storage.Reset()
	s.Register.Reset()
	s.Orgs.Reset()
	s.Dialogporten.Reset()
	s.Maskinporten.Reset()
	s.Authentication.Reset()
	s.Events.Reset()
	s.putOperators()
	s.book.Reset()
	s.Requests.Reset()
}

// Generate makes up service owners, apps and instances, and registers their resources. What is there stays. The same
// seed cannot be used twice: its instances are there already.
func (s *Sim) Generate(options GenerateOptions) (generator.Totals, error) {
	s.worlds.Lock()
	defer s.worlds.Unlock()
	var totals generator.Totals
	g, err := generator.New(options, s.Now(), s.options.Host, s.Storage.App)
	if err != nil {
		return totals, fmt.Errorf("set up the generator: %w", err)
	}
	if err := s.install(g); err != nil {
		return totals, err
	}
	if err := s.Storage.Load(g, g.Rows(&totals)); err != nil {
		return totals, fmt.Errorf("load instances: %w", err)
	}
	s.arrivals.remember(options)
	if totals.Messages, err = s.generateMessages(options); err != nil {
		return totals, err
	}
	return totals, nil
}

// install registers a generator's service owners, apps and texts.
func (s *Sim) install(g *generator.Generator) error {
	s.Orgs.Put(g.Organisations()...)
	s.Orgs.PutResources(g.Resources()...)
	for _, raw := range g.Applications() {
		if err := s.Storage.PutApplication(raw); err != nil {
			return fmt.Errorf("put application: %w", err)
		}
	}
	for _, raw := range g.Texts() {
		if err := s.Storage.PutTexts(raw); err != nil {
			return fmt.Errorf("put texts: %w", err)
		}
	}
	return nil
}

// Diff compares all instances with all dialogs.
func (s *Sim) Diff(ctx context.Context) (diff.Report, error) { return s.DiffIn(ctx, diff.Scope{}) }

// DiffIn compares the instances of a scope with their dialogs.
func (s *Sim) DiffIn(ctx context.Context, scope diff.Scope) (diff.Report, error) {
	report, err := diff.Run(ctx, scope, s.Now(), s.Storage, s.Register, s.Dialogporten)
	if err != nil {
		return report, fmt.Errorf("diff: %w", err)
	}
	if report.Messages, err = diff.Messages(ctx, scope, s.Now(), s.Altinn2, s.Correspondence, s.Register, s.Dialogporten); err != nil {
		return report, fmt.Errorf("diff: %w", err)
	}
	return report, nil
}

// Story is every request that touched an item or a dialog, in order. The key is {partyId}/{guid}, the instance's guid
// alone, a message's Altinn 2 id, or a dialog id. An item's story includes that of its dialog.
func (s *Sim) Story(key string) []story.Entry {
	if id, ok := messageNumber(key); ok {
		return s.messageStory(id)
	}
	_, text, slash := strings.Cut(key, "/")
	if !slash {
		text = key
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return []story.Entry{}
	}
	keys := []story.Key{itemKey(id), dialogKey(id)}
	if dialog, ok := s.dialogOf(id); ok {
		keys = append(keys, dialogKey(dialog))
	}
	return s.book.Of(keys...)
}

// dialogOf is the id of the dialog that belongs to an instance.
func (s *Sim) dialogOf(guid uuid.UUID) (uuid.UUID, bool) {
	row, appID, ok := s.Storage.Row(guid)
	if !ok {
		removal, ok := s.Storage.Removed(guid)
		return storage.DialogID(guid, removal.Created), ok
	}
	if s.Storage.Settings(appID).EnableUserSuppliedDialogID {
		var instance struct {
			DataValues map[string]string `json:"dataValues"`
		}
		raw, _ := s.Storage.Instance(guid)
		_ = json.Unmarshal(raw, &instance) // an instance that is withheld has no values
		if id, err := uuid.Parse(instance.DataValues[storage.DialogIDKey]); err == nil {
			return id, true
		}
	}
	return storage.DialogID(row.GUID, row.Created), true
}

func (s *Sim) partyOf(person, organisation string) (int32, bool) {
	urn := world.URNOrganisation + organisation
	if person != "" {
		urn = world.URNPerson + person
	}
	party, ok := s.Register.ByURN(urn)
	return party.ID, ok
}

// registry is the resource registry as Dialogporten asks it.
type registry struct{ orgs *orgs.Service }

func (r registry) Resource(id string) (dialogporten.Resource, bool) {
	found, ok := r.orgs.Resource(id)
	if !ok {
		return messageResource(id)
	}
	return dialogporten.Resource{ID: found.ID, OrgNumber: found.OrgNumber, Org: found.Org, Type: found.Type}, ok
}

// dialogportenSkew is how far Dialogporten lets clocks differ.
const dialogportenSkew = 2 * time.Second

// dialogportenCaller reads callers for Dialogporten. Its own default stands for everybody being an administrator.
func dialogportenCaller(reader auth.Reader) func(*http.Request) (dialogporten.Caller, error) {
	if reader.Mode == auth.Off {
		return nil
	}
	return func(r *http.Request) (dialogporten.Caller, error) {
		c, err := reader.Caller(r)
		if err != nil {
			return dialogporten.Caller{}, fmt.Errorf("read caller: %w", err)
		}
		if c.Consumer == "" {
			// Whatever else names an organisation, it is the consumer that counts: without one nobody is served.
			c.Org = ""
		}
		return dialogporten.Caller{Org: c.Org, OrgNumber: c.Consumer, Scopes: c.Scopes, Person: c.Person, Anonymous: c.Anonymous}, nil
	}
}
