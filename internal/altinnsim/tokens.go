package altinnsim

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/authentication"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/maskinporten"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// TokenOptions set Maskinporten and the exchange up. The zero value is usable: every client id is known, with any key and
// any scope, and belongs to digdir.
type TokenOptions struct {
	// MaskinportenURL is Maskinporten's address as clients have it in `aud`. Default: what a request names in its Host.
	MaskinportenURL string
	// Clients are registered from the start. None: every client id is known.
	Clients []maskinporten.Client
	// Lifetime is that of access tokens. Default maskinporten.DefaultLifetime.
	Lifetime time.Duration
	// AltinnLifetime is that of exchanged tokens. Default authentication.DefaultLifetime.
	AltinnLifetime time.Duration
}

// Codes of the operators of the platform, who are in the list of service owners whenever tokens count.
const (
	codeDigdir = "digdir"
	codeTTD    = "ttd"
)

// operators are digdir, to whom clients belong that name nobody, and the test department.
func operators() map[string]world.Organisation {
	out := map[string]world.Organisation{}
	for _, o := range world.Organisations(12) {
		if o.Code == codeDigdir || o.Code == codeTTD {
			out[o.Code] = o
		}
	}
	return out
}

// putOperators makes the exchange know whom its clients belong to: without an org claim Storage lists nothing.
func (s *Sim) putOperators() {
	if s.options.Auth == auth.Off {
		return
	}
	for _, o := range operators() {
		s.Orgs.Put(o)
	}
}

func (s *Sim) setUpTokens() error {
	options := s.options.Tokens
	s.Maskinporten = maskinporten.New(maskinporten.Config{
		Now: s.clock(ServiceMaskinporten), URL: options.MaskinportenURL, Organisation: operators()[codeDigdir].Number, Lifetime: options.Lifetime,
	})
	s.Authentication = authentication.New(authentication.Config{
		Now: s.clock(ServiceAuthentication), Maskinporten: s.Maskinporten.Signer(), OrgOf: s.Orgs.CodeOf, Lifetime: options.AltinnLifetime,
	})
	s.putOperators()
	if err := s.Maskinporten.PutClients(options.Clients); err != nil {
		return fmt.Errorf("register clients: %w", err)
	}
	return nil
}

// reader reads callers for a service that takes Altinn tokens only, without skew, as Storage, Register and Events do
// (Storage reference, 2 and 2.4). In Verify mode others change what is taken.
func (s *Sim) reader(service string) auth.Reader {
	return auth.Reader{Mode: s.options.Auth, Now: s.clock(service), Takes: []*auth.Signer{s.Authentication.Signer()}}
}

// maskinportenReader reads callers for a service that takes Maskinporten's own tokens only, without skew, as the migration
// API of Correspondence does.
func (s *Sim) maskinportenReader(service string) auth.Reader {
	reader := s.reader(service)
	reader.Takes = []*auth.Signer{s.Maskinporten.Signer()}
	return reader
}

// dialogportenReader reads callers for Dialogporten, which takes both (its reference, chapter 1).
func (s *Sim) dialogportenReader() auth.Reader {
	reader := s.reader(ServiceDialogporten)
	reader.Takes = append(reader.Takes, s.Maskinporten.Signer())
	reader.Skew = dialogportenSkew
	return reader
}

// RevokeTokens makes all tokens invalid that an issuer ("maskinporten", "altinn") has signed so far; "" is both.
func (s *Sim) RevokeTokens(issuer string) error {
	signers := []*auth.Signer{s.Maskinporten.Signer(), s.Authentication.Signer()}
	if issuer != "" {
		signers = slices.DeleteFunc(signers, func(signer *auth.Signer) bool { return signer.Name() != issuer })
	}
	if len(signers) == 0 {
		return fmt.Errorf("unknown issuer %q: use maskinporten, altinn or none", issuer)
	}
	for _, signer := range signers {
		signer.Revoke()
	}
	return nil
}

func (s *Sim) putClients(r *http.Request) (any, error) {
	var in []maskinporten.Client
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.Maskinporten.PutClients(in); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}

func (s *Sim) putTokens(r *http.Request) (any, error) {
	var in struct {
		Lifetime       *faults.Duration `json:"lifetime"`
		AltinnLifetime *faults.Duration `json:"altinnLifetime"`
	}
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	if in.Lifetime != nil {
		if err := s.Maskinporten.SetLifetime(time.Duration(*in.Lifetime)); err != nil {
			return nil, badInput(err)
		}
	}
	if in.AltinnLifetime != nil {
		if err := s.Authentication.SetLifetime(time.Duration(*in.AltinnLifetime)); err != nil {
			return nil, badInput(err)
		}
	}
	return nothing{}, nil
}

func (s *Sim) deleteTokens(r *http.Request) (any, error) {
	if err := s.RevokeTokens(r.URL.Query().Get("issuer")); err != nil {
		return nil, badInput(err)
	}
	return nothing{}, nil
}
