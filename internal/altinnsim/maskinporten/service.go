package maskinporten

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// Prefix is what all paths of the service begin with.
const Prefix = "/maskinporten"

// DefaultLifetime is that of an access token unless its client or the service has another.
const DefaultLifetime = 119 * time.Second

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// URL is the service's own address with Prefix and a final slash: issuer of tokens, audience of assertions. Default:
	// what the request names in its Host.
	URL string
	// Organisation is the organisation number of clients that name none.
	Organisation string
	// Lifetime is that of access tokens. Default DefaultLifetime.
	Lifetime time.Duration
	// Signer signs access tokens.
	Signer *auth.Signer
}

// Service is the simulated Maskinporten. It is safe for concurrent use.
type Service struct {
	config Config
	mux    *http.ServeMux

	mu       sync.Mutex
	clients  map[string]*client // none: every client id is known
	lifetime time.Duration
	seen     map[string]time.Time // by client and jti, until when a repeat would be noticed
}

// New makes a Service that knows every client.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Lifetime == 0 {
		config.Lifetime = DefaultLifetime
	}
	if config.Signer == nil {
		config.Signer = auth.NewSigner("maskinporten")
	}
	if config.URL != "" {
		config.URL = strings.TrimRight(config.URL, "/") + "/"
	}
	s := &Service{config: config, mux: http.NewServeMux()}
	s.Reset()
	s.mux.HandleFunc("POST "+Prefix+"/token", s.token)
	// With and without the final slash: the platform's services are set up with either.
	s.mux.HandleFunc("GET "+Prefix+"/.well-known/oauth-authorization-server", s.metadata)
	s.mux.HandleFunc("GET "+Prefix+"/.well-known/oauth-authorization-server/{$}", s.metadata)
	s.mux.HandleFunc("GET "+Prefix+"/jwk", s.keys)
	s.mux.HandleFunc("GET "+Prefix+"/jwks", s.keys)
	return s
}

// Signer signs the service's tokens.
func (s *Service) Signer() *auth.Signer { return s.config.Signer }

// Reset forgets clients and assertions, sets the lifetime back and revokes all tokens.
func (s *Service) Reset() {
	s.mu.Lock()
	s.clients, s.lifetime, s.seen = nil, s.config.Lifetime, map[string]time.Time{}
	s.mu.Unlock()
	s.config.Signer.Revoke()
}

// SetLifetime changes how long access tokens live whose client has no lifetime of its own. It must be a second or more.
func (s *Service) SetLifetime(d time.Duration) error {
	if d < time.Second {
		return fmt.Errorf("lifetime %s is shorter than a second", d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
	return nil
}

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer.Route(s.mux, w, r) }

// url is the service's own address, with a final slash.
func (s *Service) url(r *http.Request) string {
	if s.config.URL != "" {
		return s.config.URL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Prefix + "/"
}

// metadata is RFC 8414's.
func (s *Service) metadata(w http.ResponseWriter, r *http.Request) {
	base := s.url(r)
	answer.JSON(w, http.StatusOK, map[string]any{
		"issuer": base, "token_endpoint": base + "token", "jwks_uri": base + "jwk",
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"grant_types_supported":                            []string{grantType},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256"},
	})
}

func (s *Service) keys(w http.ResponseWriter, _ *http.Request) {
	set, err := s.config.Signer.KeySet()
	if err != nil {
		answer.WriteProblem(w, answer.Problem{Status: http.StatusInternalServerError, Detail: err.Error()})
		return
	}
	answer.JSON(w, http.StatusOK, set)
}
