package maskinporten

import (
	"encoding/base64"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// parseKey reads a private RSA key that has a key id: standard base64 of the JWK's JSON text, as it is configured.
func parseKey(encoded string) (jwk.Key, error) {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return nil, &ConfigError{Problem: "the JWK is not standard base64"}
	}
	key, err := jwk.ParseKey(text)
	if err != nil {
		return nil, &ConfigError{Problem: "the base64 does not hold a JWK"} // err may quote the key
	}
	private, err := jwk.IsPrivateKey(key)
	switch {
	case err != nil || !private:
		return nil, &ConfigError{Problem: "the JWK is not a private key"}
	case key.KeyType() != jwa.RSA():
		return nil, &ConfigError{Problem: "the JWK is not an RSA key"}
	}
	if id, ok := key.KeyID(); !ok || id == "" {
		return nil, &ConfigError{Problem: "the JWK has no key id (kid)"}
	}
	return key, nil
}

// ConfigError tells what is wrong with the settings, without their values.
type ConfigError struct{ Problem string }

func (e *ConfigError) Error() string { return "maskinporten settings: " + e.Problem }

// Systemic tells that no item is to blame.
func (e *ConfigError) Systemic() bool { return true }
