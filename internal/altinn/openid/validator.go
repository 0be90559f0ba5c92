package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"golang.org/x/sync/singleflight"
)

// configurationPath is where the authentication service describes itself (Storage reference 1).
const configurationPath = "/authentication/api/v1/openid/.well-known/openid-configuration"

const (
	// keepKeys is how long keys are good without asking again.
	keepKeys = time.Hour
	// askAgain is the least time between two requests for keys: a token of an unknown key must not make us flood the service.
	askAgain = 30 * time.Second
	// askTimeout bounds one request for keys, which several callers may wait for.
	askTimeout = 10 * time.Second
	// largestAnswer bounds what is read of an answer, in bytes.
	largestAnswer = 1 << 20
)

// TokenError tells that a token is not accepted, and never repeats it.
type TokenError struct{ Problem string }

func (e *TokenError) Error() string { return "token refused: " + e.Problem }

// ScopeError tells that a token is good and lacks a scope.
type ScopeError struct{ Scope string }

func (e *ScopeError) Error() string { return "token lacks scope " + e.Scope }

// UnavailableError tells that the keys to check tokens with cannot be had: the caller may be right.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return "keys of Altinn's tokens: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Validator checks tokens: signature, issuer, lifetime without any skew, and a scope. It keeps the keys. It is safe for
// concurrent use.
type Validator struct {
	configuration, scope string
	client               *http.Client
	now                  func() time.Time
	flight               singleflight.Group

	mu      sync.Mutex
	keys    *keySet
	askedAt time.Time
	failure error
}

// keySet is what the authentication service last told.
type keySet struct {
	issuer string
	set    jwk.Set
	at     time.Time
}

// New makes a validator of the tokens that the authentication service below platformURL issues. They must carry scope. hc
// needs no authentication; nil is http.DefaultClient.
func New(platformURL, scope string, hc *http.Client) *Validator {
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Validator{configuration: strings.TrimRight(platformURL, "/") + configurationPath, scope: scope, client: hc, now: time.Now}
}

// Check accepts a token or tells why not. Errors: *TokenError, *ScopeError, *UnavailableError.
func (v *Validator) Check(ctx context.Context, token string) error {
	keyID, err := keyIDOf(token)
	if err != nil {
		return err
	}
	keys, err := v.keysFor(ctx, keyID)
	if err != nil {
		return &UnavailableError{Err: err}
	}
	parsed, err := jwt.Parse([]byte(token), jwt.WithKeySet(keys.set, jws.WithInferAlgorithmFromKey(true)), jwt.WithIssuer(keys.issuer),
		jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithAcceptableSkew(0), jwt.WithClock(jwt.ClockFunc(v.now)))
	if err != nil {
		return &TokenError{Problem: problemOf(err)}
	}
	var scopes string
	if parsed.Has("scope") {
		if err := parsed.Get("scope", &scopes); err != nil {
			return &TokenError{Problem: "its scope is no text"}
		}
	}
	for granted := range strings.FieldsSeq(scopes) {
		if strings.EqualFold(granted, v.scope) {
			return nil
		}
	}
	return &ScopeError{Scope: v.scope}
}

func keyIDOf(token string) (string, error) {
	message, err := jws.ParseString(token)
	if err != nil || len(message.Signatures()) != 1 {
		return "", &TokenError{Problem: "it is no signed JWT"}
	}
	keyID, found := message.Signatures()[0].ProtectedHeaders().KeyID()
	if !found || keyID == "" {
		return "", &TokenError{Problem: "it names no key"}
	}
	return keyID, nil
}

// problemOf puts jwx's error, which may repeat claims, into fixed words.
func problemOf(err error) string {
	switch {
	case errors.Is(err, jwt.TokenExpiredError()):
		return "it has expired"
	case errors.Is(err, jwt.TokenNotYetValidError()), errors.Is(err, jwt.InvalidIssuedAtError()):
		return "it is not valid yet"
	case errors.Is(err, jwt.InvalidIssuerError()):
		return "Altinn did not issue it"
	case errors.Is(err, jwt.MissingRequiredClaimError()):
		return "it never expires"
	default:
		return "its signature or its claims are wrong"
	}
}

// keysFor gives keys among which keyID is, if the service has such a one at all. Old keys stay good while it does not answer.
func (v *Validator) keysFor(ctx context.Context, keyID string) (*keySet, error) {
	v.mu.Lock()
	keys, failure := v.keys, v.failure
	sinceAsked := v.now().Sub(v.askedAt)
	v.mu.Unlock()
	if keys != nil {
		_, known := keys.set.LookupKeyID(keyID)
		if known && v.now().Sub(keys.at) < keepKeys || sinceAsked < askAgain {
			return keys, nil
		}
	} else if failure != nil && sinceAsked < time.Second {
		return nil, failure
	}
	answer := v.flight.DoChan("", func() (any, error) {
		// Several callers wait for it: none of them may cancel it for the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		fetched, err := v.fetch(ctx)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.askedAt, v.failure = v.now(), err
		if err == nil {
			v.keys = fetched
		}
		return v.keys, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-answer:
		if fetched, ok := result.Val.(*keySet); ok && fetched != nil {
			return fetched, nil
		}
		return nil, result.Err
	}
}

func (v *Validator) fetch(ctx context.Context) (*keySet, error) {
	var configuration struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	body, err := v.get(ctx, v.configuration)
	if err != nil {
		return nil, fmt.Errorf("read OpenID configuration: %w", err)
	}
	if err := json.Unmarshal(body, &configuration); err != nil || configuration.Issuer == "" {
		return nil, errors.New("read OpenID configuration: it names no issuer")
	}
	if err := v.trust(configuration.Keys); err != nil {
		return nil, err
	}
	if body, err = v.get(ctx, configuration.Keys); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	set, err := jwk.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	public := jwk.NewSet()
	for i := range set.Len() {
		key, _ := set.Key(i)
		// A key that is both public and secret would let anybody who reads it sign.
		if private, err := jwk.IsPrivateKey(key); err != nil || private {
			continue
		}
		if err := public.AddKey(key); err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
	}
	if public.Len() == 0 {
		return nil, errors.New("read keys: there is none")
	}
	return &keySet{issuer: configuration.Issuer, set: public, at: v.now()}, nil
}

// trust refuses keys from an address that is less safe than the configuration's own.
func (v *Validator) trust(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(v.configuration, "http://") {
		return errors.New("read OpenID configuration: its jwks_uri is no https address")
	}
	return nil
}

func (v *Validator) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	response, err := v.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask authentication: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("authentication answered %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer of authentication: %w", err)
	}
	return body, nil
}
