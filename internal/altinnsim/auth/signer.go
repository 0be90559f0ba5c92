package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// keyBits is the size of the issuers' keys.
const keyBits = 2048

// privateKey is made when it is first needed, and never leaves the process. All signers share it, since making one takes
// long; what tells their tokens apart is the key id, which is part of what is signed.
var privateKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { //nolint:gochecknoglobals // made once, and never changed
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the key of the issuers: %w", err)
	}
	return key, nil
})

// Signer signs the tokens of one issuer (RS256) and knows them again. It is safe for concurrent use.
type Signer struct {
	name string
	// id is the key id: no other signer ever has it. A revocation changes it, and what was signed under an earlier one is
	// not known any more.
	id atomic.Pointer[string]
}

// NewSigner makes an issuer's signer. The name begins its key ids.
func NewSigner(name string) *Signer {
	s := &Signer{name: name}
	s.Revoke()
	return s
}

// Name is the issuer's name.
func (s *Signer) Name() string { return s.name }

// Revoke makes all tokens signed so far invalid, as a change of keys does.
func (s *Signer) Revoke() {
	id := s.name + "-" + uuid.NewString()
	s.id.Store(&id)
}

func (s *Signer) keyID() string { return *s.id.Load() }

// Sign makes a JWT of claims.
func (s *Signer) Sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	key, err := privateKey()
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	for name, value := range map[string]string{jws.TypeKey: "JWT", jws.KeyIDKey: s.keyID()} {
		if err := headers.Set(name, value); err != nil {
			return "", fmt.Errorf("write header %s: %w", name, err)
		}
	}
	signed, err := jws.Sign(payload, jws.WithKey(jwa.RS256(), key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return string(signed), nil
}

// Verify gives the claims of a token that was signed here and is not revoked. It looks at no time. The error wraps
// ErrInvalidToken, unless there is no key.
func (s *Signer) Verify(token string) ([]byte, error) {
	message, err := jws.Parse([]byte(token), jws.WithCompact())
	if err != nil {
		return nil, fmt.Errorf("not a JWT: %w", ErrInvalidToken)
	}
	keyID, _ := message.Signatures()[0].ProtectedHeaders().KeyID()
	if keyID != s.keyID() {
		return nil, fmt.Errorf("unknown key: %w", ErrInvalidToken)
	}
	key, err := privateKey()
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.RS256(), &key.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("signature: %w", ErrInvalidToken)
	}
	return payload, nil
}

// KeySet is the issuer's public key as its metadata shows it (RFC 7517).
func (s *Signer) KeySet() (jwk.Set, error) {
	private, err := privateKey()
	if err != nil {
		return nil, err
	}
	key, err := jwk.Import(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("make the key set: %w", err)
	}
	for name, value := range map[string]any{
		jwk.KeyIDKey: s.keyID(), jwk.AlgorithmKey: jwa.RS256(), jwk.KeyUsageKey: jwk.ForSignature,
	} {
		if err := key.Set(name, value); err != nil {
			return nil, fmt.Errorf("make the key set: %w", err)
		}
	}
	set := jwk.NewSet()
	if err := set.AddKey(key); err != nil {
		return nil, fmt.Errorf("make the key set: %w", err)
	}
	return set, nil
}
