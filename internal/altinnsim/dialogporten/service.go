package dialogporten

import (
	"encoding/json"
	"hash/maphash"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Resource is an entry of the resource registry.
type Resource struct {
	ID        string // without the prefix urn:altinn:resource:
	OrgNumber string // of the owner
	Org       string // the owner's short name, such as digdir
	Type      string // GenericAccessResource, AltinnApp, MigratedApp, CorrespondenceService or one that is not supported
}

// ResourceRegistry answers what a service resource is. It must be safe for concurrent use.
type ResourceRegistry interface {
	// Resource looks up an id without the prefix urn:altinn:resource:, in lower case.
	Resource(id string) (Resource, bool)
}

// NameRegistry answers the names of actors. It must be safe for concurrent use.
type NameRegistry interface {
	// Name is the display name of the party with that URN, as the party register spells it: first name first.
	Name(urn string) (name string, ok bool)
}

// Caller is who makes a request.
type Caller struct {
	Org       string   // short name; "": whoever owns resources of OrgNumber
	OrgNumber string   // of the consumer claim; with neither Org nor OrgNumber the request is refused
	Scopes    []string // Chapter 1
	Person    string   // national identity number of a pid claim; "" for machines
	Anonymous bool     // no token was sent
}

// Config says what surrounds a Service. The zero value is usable: real clock, every resource known, every caller an
// administrator of every organisation.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Resources is the registry. Default: every resource exists, is an AltinnApp, and belongs to the org that an app
	// id names (app_<org>_<app>), else to ttd.
	Resources ResourceRegistry
	// Names looks up actors. Default: everybody has a name.
	Names NameRegistry
	// Caller reads the request's token. An error is an invalid token (401). Default: an administrator with every scope,
	// whom neither search nor labels limit to one organisation.
	Caller func(*http.Request) (Caller, error)
	// HashBodies keeps a summary and a hash of each dialog and drops what only a GET would show, for huge runs.
	// Dialogs then read as if their lists were empty and their content absent.
	HashBodies bool
	// Overlap is asked at each write of a stored dialog whether another writer came in between (Chapter 4): true makes
	// the write fail with 409, or with 412 where If-Match was sent. Default: never.
	Overlap func(*http.Request, uuid.UUID) bool
}

// Service is the simulated API. It is safe for concurrent use.
type Service struct {
	config  Config
	store   *store
	mint    idMint
	buffers buffers

	workspaces workspaces
	seed       maphash.Seed // of digests, which are compared within this process alone
}

// New makes an empty Service.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Resources == nil {
		config.Resources = anyResource{}
	}
	if config.Names == nil {
		config.Names = anyName{}
	}
	return &Service{config: config, store: newStore(), seed: maphash.MakeSeed()}
}

func (s *Service) now() instant { return instantOf(s.config.Now()) }

// anyResource is a registry in which every app exists.
type anyResource struct{}

func (anyResource) Resource(id string) (Resource, bool) {
	org := "ttd"
	if app, ok := strings.CutPrefix(id, "app_"); ok {
		org, _, _ = strings.Cut(app, "_")
	}
	return Resource{ID: id, Org: org, Type: "AltinnApp"}, true
}

// anyName is a register in which everybody has a name.
type anyName struct{}

func (anyName) Name(string) (string, bool) { return "Navn Navnesen", true }

// Put stores dialogs as a GET would show them, deletedAt and revision included, without validation. What is already
// stored under an id is replaced. The error names the first dialog that can't be read; those before it are stored.
func (s *Service) Put(dialogs []json.RawMessage) error {
	for i, raw := range dialogs {
		if err := s.putOne(raw); err != nil {
			return &PutError{Index: i, Err: err}
		}
	}
	return nil
}

// Dialog is a dialog as GET shows it, soft-deleted ones included.
func (s *Service) Dialog(id uuid.UUID) (json.RawMessage, bool) {
	state := s.store.load(id)
	if state == nil {
		return nil, false
	}
	return state.document(id, ""), true
}

// Summary is what a comparison of the store with its source needs to know of a dialog.
type Summary struct {
	ID               uuid.UUID
	Org              string
	Party            string
	ServiceResource  string // with its prefix
	Status           string
	SystemLabel      string // Default, Bin or Archive
	CreatedAt        time.Time
	UpdatedAt        time.Time
	ContentUpdatedAt time.Time
	DeletedAt        *time.Time // nil: alive
	Labels           []string   // service-owner labels in ordinal order; not to be changed
	Revision         uuid.UUID
	Activities       int
	Attachments      int // of the dialog itself
	Transmissions    int
}

// Each calls yield for each dialog, soft-deleted ones included, in no order, until it returns false. Writers are not
// held up while yield runs; what is written meanwhile may be seen or not.
func (s *Service) Each(yield func(Summary) bool) {
	s.store.each(func(id uuid.UUID, state *snapshot) bool { return yield(state.summary(id)) })
}

// Count is how many dialogs are alive and how many soft-deleted.
func (s *Service) Count() (alive, deleted int) { return s.store.count() }

// Reset empties the store.
func (s *Service) Reset() { s.store.reset() }
