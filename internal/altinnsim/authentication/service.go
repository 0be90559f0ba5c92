package authentication

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// Prefix is what all paths of the service begin with.
const Prefix = "/authentication/api/v1"

const (
	openID        = Prefix + "/openid/"
	configuration = openID + ".well-known/openid-configuration"
)

// DefaultLifetime is that of an Altinn token from its exchange on (2.2).
const DefaultLifetime = 30 * time.Minute

// Config says what surrounds a Service.
type Config struct {
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Maskinporten signed the tokens that are exchanged.
	Maskinporten *auth.Signer
	// Signer signs Altinn tokens.
	Signer *auth.Signer
	// OrgOf is the org code of an organisation number in the list of service owners.
	OrgOf func(number string) (code string, ok bool)
	// Lifetime is that of Altinn tokens. Default DefaultLifetime.
	Lifetime time.Duration
}

// Service is the simulated exchange. It is safe for concurrent use.
type Service struct {
	config   Config
	mux      *http.ServeMux
	lifetime atomic.Int64 // nanoseconds
}

// New makes a Service.
func New(config Config) *Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Lifetime == 0 {
		config.Lifetime = DefaultLifetime
	}
	if config.Signer == nil {
		config.Signer = auth.NewSigner("altinn")
	}
	s := &Service{config: config, mux: http.NewServeMux()}
	s.lifetime.Store(int64(config.Lifetime))
	s.mux.HandleFunc("GET "+Prefix+"/exchange/{provider}", s.exchange)
	s.mux.HandleFunc("GET "+configuration, s.metadata)
	s.mux.HandleFunc("GET "+configuration+"/jwks", s.keys)
	return s
}

// Signer signs the service's tokens.
func (s *Service) Signer() *auth.Signer { return s.config.Signer }

// Reset sets the lifetime back and revokes all tokens.
func (s *Service) Reset() {
	s.lifetime.Store(int64(s.config.Lifetime))
	s.config.Signer.Revoke()
}

// SetLifetime changes how long Altinn tokens live. It must be a second or more.
func (s *Service) SetLifetime(d time.Duration) error {
	if d < time.Second {
		return fmt.Errorf("lifetime %s is shorter than a second", d)
	}
	s.lifetime.Store(int64(d))
	return nil
}

// ServeHTTP answers what lies under Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { answer.Route(s.mux, w, r) }

// base is the address that the request names in its Host.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (s *Service) metadata(w http.ResponseWriter, r *http.Request) {
	answer.JSON(w, http.StatusOK, map[string]any{
		"issuer": base(r) + openID, "jwks_uri": base(r) + configuration + "/jwks",
		"response_types_supported": []string{"token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
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
