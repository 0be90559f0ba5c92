package maskinporten

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const (
	// maxAssertionLife is Maskinporten's ceiling for exp less iat.
	maxAssertionLife = 120 * time.Second
	// clockTolerance is how far iat may lie in the future. The reference names no number; it is the exchange's grace.
	clockTolerance = 10 * time.Second
)

// assertion are the claims that a client signs (2.1).
type assertion struct {
	Audience    string   `json:"aud"`
	Issuer      string   `json:"iss"`
	Scope       string   `json:"scope"`
	IssuedAt    *float64 `json:"iat"`
	Expires     *float64 `json:"exp"`
	ID          string   `json:"jti"`
	Resource    string   `json:"resource"`
	ConsumerOrg string   `json:"consumer_org"`
}

// authenticated reads an assertion and makes sure who signed it.
func (s *Service) authenticated(text string) (assertion, *client, *grantError) {
	var claims assertion
	message, err := jws.Parse([]byte(text), jws.WithCompact())
	if err != nil {
		return claims, nil, invalidGrant("Invalid assertion. It is not a signed JWT.")
	}
	if json.Unmarshal(message.Payload(), &claims) != nil {
		return claims, nil, invalidGrant("Invalid assertion. A claim is of the wrong type.")
	}
	headers := message.Signatures()[0].ProtectedHeaders()
	if algorithm, ok := headers.Algorithm(); !ok || algorithm != jwa.RS256() {
		return claims, nil, invalidGrant("Invalid assertion. The algorithm must be RS256.")
	}
	c, ok := s.find(claims.Issuer)
	if !ok {
		return claims, nil, &grantError{status: 401, code: "invalid_client", description: "Client authentication failed. Unknown client."}
	}
	if err := c.checkSignature(text, headers); err != nil {
		return claims, nil, invalidGrant("Invalid assertion. Client authentication failed. " + err.Error())
	}
	return claims, c, nil
}

// checkSignature looks the key up by its id, or takes it from the certificate that was sent. A client without registered
// keys may sign with any key: there is nothing to check it with, unless it sends its certificate.
func (c *client) checkSignature(text string, headers jws.Headers) error {
	keyID, _ := headers.KeyID()
	var key any
	switch {
	case keyID != "":
		if c.keys.Len() == 0 {
			return nil
		}
		registered, ok := c.keys.LookupKeyID(keyID)
		if !ok {
			return errors.New("The key id is not registered.") //nolint:revive,staticcheck // a sentence of an answer
		}
		key = registered
	default:
		public, err := certificateKey(headers)
		if err != nil {
			return err
		}
		if c.keys.Len() > 0 {
			return errors.New("The certificate is not registered.") //nolint:revive,staticcheck // a sentence of an answer
		}
		key = public
	}
	if _, err := jws.Verify([]byte(text), jws.WithKey(jwa.RS256(), key)); err != nil {
		return errors.New("The signature is wrong.") //nolint:revive,staticcheck // a sentence of an answer
	}
	return nil
}

// certificateKey is the public key of x5c, which stands in place of kid.
func certificateKey(headers jws.Headers) (*rsa.PublicKey, error) {
	errMissing := errors.New("There is neither kid nor a readable x5c.") //nolint:revive,staticcheck // a sentence of an answer
	chain, ok := headers.X509CertChain()
	if !ok || chain.Len() == 0 {
		return nil, errMissing
	}
	encoded, _ := chain.Get(0)
	der, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil, errMissing
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errMissing
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errMissing
	}
	return key, nil
}

// check makes sure that an authenticated assertion is good here and now. A wrong clock shows as invalid_grant.
func (s *Service) check(claims assertion, c *client, audience string) *grantError {
	now := s.config.Now()
	switch {
	case claims.Audience != audience:
		return invalidGrant("Invalid assertion. Invalid audience.")
	case claims.IssuedAt == nil || claims.Expires == nil:
		return invalidGrant("Invalid assertion. iat and exp are required.")
	case claims.ID == "":
		return invalidGrant("Invalid assertion. jti is required.")
	}
	issued, expires := unixTime(*claims.IssuedAt), unixTime(*claims.Expires)
	switch {
	case !expires.After(now):
		return invalidGrant("Invalid assertion. The assertion has expired.")
	case issued.After(now.Add(clockTolerance)):
		return invalidGrant("Invalid assertion. iat lies in the future.")
	case expires.Sub(issued) > maxAssertionLife:
		return invalidGrant("Invalid assertion. exp lies more than 120 seconds after iat.")
	case expires.Before(issued):
		return invalidGrant("Invalid assertion. exp lies before iat.")
	}
	if !s.first(c.ID+" "+claims.ID, now, expires) {
		return invalidGrant("Invalid assertion. jti has been used before.")
	}
	return c.checkScopes(claims)
}

// checkScopes makes sure that the client may have what it asks for.
func (c *client) checkScopes(claims assertion) *grantError {
	scopes := strings.Split(claims.Scope, " ")
	if slices.Contains(scopes, "") {
		return invalidScope("There is no scope, or more than one space between two.")
	}
	if refused, ok := c.mayAsk(scopes); !ok {
		return invalidScope("The client is not registered for the scope " + refused + ".")
	}
	switch {
	case claims.ConsumerOrg == "":
		return nil
	case !isOrgNumber(claims.ConsumerOrg):
		return &grantError{status: 400, code: "invalid_request", description: "consumer_org is not an organisation number."}
	case !c.open && !slices.Contains(c.ConsumerOrgs, claims.ConsumerOrg):
		return invalidGrant("Consumer has not delegated access to the scope provided.")
	}
	return nil
}

// first notes an assertion and tells whether it is new. What has expired is forgotten: it would be refused anyway.
func (s *Service) first(key string, now, expires time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, until := range s.seen {
		if !until.After(now) {
			delete(s.seen, other)
		}
	}
	if _, again := s.seen[key]; again {
		return false
	}
	s.seen[key] = expires
	return true
}

// unixTime is a time in Unix seconds, which may have a fraction.
func unixTime(seconds float64) time.Time { return time.UnixMilli(int64(seconds * 1000)) }
