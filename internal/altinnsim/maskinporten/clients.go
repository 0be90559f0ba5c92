package maskinporten

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// Client is a registered client.
type Client struct {
	ID string `json:"clientId"`
	// OrgNumber is the organisation that the client belongs to, nine digits. Default: the service's organisation.
	OrgNumber string `json:"orgNumber,omitempty"`
	// JWK is a key or a set of keys (RFC 7517), RSA, each with its key id; of a private key only the public half is kept.
	// None: assertions are good whatever key signed them.
	JWK json.RawMessage `json:"jwk,omitempty"`
	// Scopes may be asked for. None: all.
	Scopes []string `json:"scopes,omitempty"`
	// ExpiresIn is how many seconds its access tokens live. 0: the service's lifetime.
	ExpiresIn int `json:"expiresIn,omitempty"`
	// ConsumerOrgs are the organisations that it may act for (consumer_org).
	ConsumerOrgs []string `json:"consumerOrgs,omitempty"`
}

// client is a Client at work.
type client struct {
	Client

	keys jwk.Set // empty: any key
	// open is a client that nobody registered: it may do everything.
	open bool
}

// PutClients replaces all clients. With none, every client id is known, with any key and any scope, as after a start.
func (s *Service) PutClients(clients []Client) error {
	known := make(map[string]*client, len(clients))
	for i, c := range clients {
		at, err := s.register(c)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		known[c.ID] = at
	}
	if len(known) == 0 {
		known = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = known
	return nil
}

// Clients are the registered clients by id, with their public keys.
func (s *Service) Clients() []Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Client, 0, len(s.clients))
	for _, id := range slices.Sorted(maps.Keys(s.clients)) {
		out = append(out, s.clients[id].Client)
	}
	return out
}

// find looks a client up; every id is known while nobody has registered any.
func (s *Service) find(id string) (*client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil && id != "" {
		return &client{Client: Client{ID: id, OrgNumber: s.config.Organisation}, keys: jwk.NewSet(), open: true}, true
	}
	c, ok := s.clients[id]
	return c, ok
}

// life is how long the client's access tokens live.
func (s *Service) life(c *client) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ExpiresIn > 0 {
		return time.Duration(c.ExpiresIn) * time.Second
	}
	return s.lifetime
}

func (s *Service) register(c Client) (*client, error) {
	c.OrgNumber = cmp.Or(c.OrgNumber, s.config.Organisation)
	switch {
	case c.ID == "":
		return nil, errors.New("there is no clientId")
	case !isOrgNumber(c.OrgNumber):
		return nil, fmt.Errorf("orgNumber %q is not nine digits", c.OrgNumber)
	case c.ExpiresIn < 0:
		return nil, fmt.Errorf("expiresIn %d is negative", c.ExpiresIn)
	}
	out := &client{Client: c, keys: jwk.NewSet()}
	if len(c.JWK) == 0 {
		return out, nil
	}
	given, err := jwk.Parse(c.JWK)
	if err != nil {
		return nil, errors.New("jwk is neither a key nor a set of keys") // err may quote a private key
	}
	for i := range given.Len() {
		key, _ := given.Key(i)
		public, err := publicKey(key)
		if err == nil {
			err = out.keys.AddKey(public)
		}
		if err != nil {
			return nil, fmt.Errorf("jwk %d: %w", i, err)
		}
	}
	if out.JWK, err = json.Marshal(out.keys); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return out, nil
}

func publicKey(key jwk.Key) (jwk.Key, error) {
	if key.KeyType() != jwa.RSA() {
		return nil, errors.New("it is not an RSA key")
	}
	if id, ok := key.KeyID(); !ok || id == "" {
		return nil, errors.New("it has no key id (kid)")
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, errors.New("it has no public half") // err may quote a private key
	}
	return public, nil
}

// mayAsk gives the first scope that the client is not registered for.
func (c *client) mayAsk(scopes []string) (refused string, ok bool) {
	if len(c.Scopes) == 0 {
		return "", true
	}
	for _, scope := range scopes {
		if !slices.Contains(c.Scopes, scope) {
			return scope, false
		}
	}
	return "", true
}

func isOrgNumber(text string) bool { return len(text) == 9 && strings.Trim(text, "0123456789") == "" }
