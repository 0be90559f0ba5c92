package altinnsim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/orgs"
	"github.com/altinn/dialogsync/internal/altinnsim/register"
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
	// Faults holds the fault rules.
	Faults *faults.Injector
	// Requests counts requests.
	Requests *traffic.Counters

	options Options
	book    *story.Book
	frozen  atomic.Pointer[time.Time]
	handler http.Handler
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
	reader := auth.Reader{Mode: options.Auth, Now: s.Now}
	s.Register = register.New(register.Config{Caller: reader.Caller})
	s.Storage = storage.New(storage.Config{
		Now: s.Now, Host: options.Host, Caller: reader.Caller, PartyOf: s.partyOf,
		UserOf: generator.ActorOf,
	})
	s.Dialogporten = dialogporten.New(dialogporten.Config{
		Now: s.Now, Resources: registry{s.Orgs}, Names: s.Register,
		Caller: dialogportenCaller(reader), HashBodies: options.Compact,
		Overlap: func(r *http.Request, _ uuid.UUID) bool { return s.Faults.Overlap(r) },
	})
	if err := s.Faults.Set(options.Faults); err != nil {
		return nil, fmt.Errorf("set up the simulator: %w", err)
	}
	s.handler = s.routes()
	return s, nil
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
	s.Freeze(time.Time{})
	_ = s.Faults.Set(nil) // no rules are always right
	s.Storage.Reset()
	s.Register.Reset()
	s.Orgs.Reset()
	s.Dialogporten.Reset()
	s.book.Reset()
	s.Requests.Reset()
}

// Generate makes up service owners, apps and instances, and registers their resources. What is there stays. The same
// seed cannot be used twice: its instances are there already.
func (s *Sim) Generate(options GenerateOptions) (generator.Totals, error) {
	var totals generator.Totals
	g, err := generator.New(options, s.Now(), s.options.Host, s.Storage.App)
	if err != nil {
		return totals, fmt.Errorf("set up the generator: %w", err)
	}
	s.Orgs.Put(g.Organisations()...)
	s.Orgs.PutResources(g.Resources()...)
	for _, raw := range g.Applications() {
		if err := s.Storage.PutApplication(raw); err != nil {
			return totals, fmt.Errorf("put application: %w", err)
		}
	}
	for _, raw := range g.Texts() {
		if err := s.Storage.PutTexts(raw); err != nil {
			return totals, fmt.Errorf("put texts: %w", err)
		}
	}
	if err := s.Storage.Load(g, g.Rows(&totals)); err != nil {
		return totals, fmt.Errorf("load instances: %w", err)
	}
	return totals, nil
}

// Diff compares all instances with all dialogs.
func (s *Sim) Diff(ctx context.Context) (diff.Report, error) { return s.DiffIn(ctx, diff.Scope{}) }

// DiffIn compares the instances of a scope with their dialogs.
func (s *Sim) DiffIn(ctx context.Context, scope diff.Scope) (diff.Report, error) {
	report, err := diff.Run(ctx, scope, s.Now(), s.Storage, s.Register, s.Dialogporten)
	if err != nil {
		return report, fmt.Errorf("diff: %w", err)
	}
	return report, nil
}

// Story is every request that touched an item or a dialog, in order. The key is {partyId}/{guid}, the instance's guid
// alone, or a dialog id. An item's story includes that of its dialog.
func (s *Sim) Story(key string) []story.Entry {
	_, text, slash := strings.Cut(key, "/")
	if !slash {
		text = key
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return []story.Entry{}
	}
	keys := []string{itemKey(id), dialogKey(id)}
	if dialog, ok := s.dialogOf(id); ok {
		keys = append(keys, dialogKey(dialog))
	}
	return s.book.Of(keys...)
}

// dialogOf is the id of the dialog that belongs to an instance.
func (s *Sim) dialogOf(guid uuid.UUID) (uuid.UUID, bool) {
	row, appID, ok := s.Storage.Row(guid)
	if !ok {
		return uuid.Nil, false
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
	return dialogporten.Resource{ID: found.ID, OrgNumber: found.OrgNumber, Org: found.Org, Type: found.Type}, ok
}

// dialogportenSkew is how far Dialogporten lets clocks differ.
const dialogportenSkew = 2 * time.Second

// dialogportenCaller reads callers for Dialogporten. Its own default stands for everybody being an administrator.
func dialogportenCaller(reader auth.Reader) func(*http.Request) (dialogporten.Caller, error) {
	if reader.Mode == auth.Off {
		return nil
	}
	reader.Skew = dialogportenSkew
	return func(r *http.Request) (dialogporten.Caller, error) {
		c, err := reader.Caller(r)
		if err != nil {
			return dialogporten.Caller{}, fmt.Errorf("read caller: %w", err)
		}
		return dialogporten.Caller{Org: c.Org, OrgNumber: c.OrgNumber, Scopes: c.Scopes, Person: c.Person, Anonymous: c.Anonymous}, nil
	}
}
