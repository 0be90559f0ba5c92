// Package auth reads who makes a request. Whether that caller may do something is each service's own matter.
package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Mode says how far tokens are believed.
type Mode string

const (
	// Off takes everybody for an administrator of all services, with or without a token.
	Off Mode = "off"
	// Decode believes the claims of any JWT, and looks at no signature.
	Decode Mode = "decode"
	// Verify takes the tokens of the simulator's own Maskinporten and exchange only, each service those of its issuers.
	Verify Mode = "verify"
)

// ParseMode reads a mode as flags spell it.
func ParseMode(text string) (Mode, error) {
	switch mode := Mode(text); mode {
	case Off, Decode, Verify:
		return mode, nil
	default:
		return "", fmt.Errorf("unknown auth mode %q: use off, decode or verify", text)
	}
}

// Scopes (Storage reference, 2.3; Dialogporten reference, chapter 1).
const (
	ScopeSyncAdapter   = "altinn:storage/instances.syncadapter"
	ScopeInstancesRead = "altinn:serviceowner/instances.read"
	ScopeServiceOwner  = "altinn:serviceowner"
	ScopePartyLookup   = "altinn:register/partylookup.admin"
)

// ErrInvalidToken is a token that cannot be read or is past its time.
var ErrInvalidToken = errors.New("invalid token")

// Caller is who makes a request. Off mode's administrator has every scope and the org ttd.
type Caller struct {
	Anonymous bool // no token was sent
	Admin     bool // Off mode: every scope
	Org       string
	OrgNumber string
	Consumer  string // organisation number of a consumer claim in its proper form
	Scopes    []string
	Person    string // national identity number of a pid claim
	User      bool   // an end user or a system user
	Issuer    string // Verify mode: the name of the Signer whose token it is
}

// Has says whether the caller has the scope.
func (c Caller) Has(scope string) bool {
	return c.Admin || slices.Contains(c.Scopes, scope)
}

// IsServiceOwner says whether the caller has a scope that contains the text altinn:serviceowner, which is how Storage
// tests it.
func (c Caller) IsServiceOwner() bool {
	return c.Admin || slices.ContainsFunc(c.Scopes, func(s string) bool { return strings.Contains(s, ScopeServiceOwner) })
}

// Reader reads callers from requests.
type Reader struct {
	Mode Mode
	// Now is the clock that expiry is measured by.
	Now func() time.Time
	// Skew is how far clocks may differ: nothing for Storage and Register (Storage reference, 2.4), two seconds for
	// Dialogporten (its reference, chapter 1).
	Skew time.Duration
	// Takes are the issuers whose tokens the service takes; they count in Verify mode alone. None: no token is good.
	Takes []*Signer
}

// Caller reads the bearer token of a request. The error wraps ErrInvalidToken.
func (r Reader) Caller(request *http.Request) (Caller, error) {
	if r.Mode != Decode && r.Mode != Verify {
		return Caller{Admin: true, Org: "ttd", OrgNumber: "405003309", Consumer: "405003309"}, nil
	}
	header := request.Header.Get("Authorization")
	if header == "" {
		return Caller{Anonymous: true}, nil
	}
	token, ok := Bearer(header)
	if !ok {
		return Caller{}, fmt.Errorf("not a bearer token: %w", ErrInvalidToken)
	}
	if r.Mode == Verify {
		return r.verify(token)
	}
	return r.decode(token)
}

// Bearer is the token in an Authorization header. ok is false for other schemes.
func Bearer(header string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// verify takes a token whose signature is that of one of the issuers.
func (r Reader) verify(token string) (Caller, error) {
	for _, issuer := range r.Takes {
		payload, err := issuer.Verify(token)
		if err != nil {
			continue // it may be another's
		}
		caller, err := r.read(payload)
		caller.Issuer = issuer.Name()
		return caller, err
	}
	return Caller{}, fmt.Errorf("of no issuer that is taken: %w", ErrInvalidToken)
}

type claims struct {
	Scope     string   `json:"scope"`
	Org       string   `json:"urn:altinn:org"`
	OrgNumber string   `json:"urn:altinn:orgNumber"`
	Person    string   `json:"pid"`
	UserID    any      `json:"urn:altinn:userid"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	Consumer  consumer `json:"consumer"`
}

// consumer is the organisation that a token was made out to.
type consumer struct {
	Authority string `json:"authority"`
	ID        string `json:"ID"`
}

// number is "" unless the claim has its proper form (Dialogporten reference, chapter 1). An authority may be left out.
func (c consumer) number() string {
	number, ok := strings.CutPrefix(c.ID, "0192:")
	if !ok || c.Authority != "" && c.Authority != "iso6523-actorid-upis" || !world.ValidOrganisationNumber(number) {
		return ""
	}
	return number
}

func (r Reader) decode(token string) (Caller, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Caller{}, fmt.Errorf("not three parts: %w", ErrInvalidToken)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Caller{}, fmt.Errorf("payload is not base64url: %w", ErrInvalidToken)
	}
	return r.read(payload)
}

// read takes a caller out of a token's claims.
func (r Reader) read(payload []byte) (Caller, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Caller{}, fmt.Errorf("payload is not claims: %w", ErrInvalidToken)
	}
	now, skew := float64(r.now().UnixMilli())/1000, r.Skew.Seconds()
	if c.Expires == nil || *c.Expires+skew <= now {
		return Caller{}, fmt.Errorf("expired or without expiry: %w", ErrInvalidToken)
	}
	if c.NotBefore != nil && *c.NotBefore-skew > now {
		return Caller{}, fmt.Errorf("not valid yet: %w", ErrInvalidToken)
	}
	number := c.OrgNumber
	if number == "" {
		number = strings.TrimPrefix(c.Consumer.ID, "0192:")
	}
	return Caller{
		Org: c.Org, OrgNumber: number, Scopes: strings.Fields(c.Scope), Person: c.Person,
		Consumer: c.Consumer.number(), User: c.UserID != nil || c.Person != "",
	}, nil
}

func (r Reader) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}
