package register

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/internal/transport/cache"
)

const (
	serviceName = "register"
	queryPath   = "/register/api/v1/dialogporten/parties/query"
	// maxURNs is how many URNs Register takes in one request (Storage reference, 16.1).
	maxURNs = 100
	// gatherFor is how long the first look-up waits for others to join its request.
	gatherFor = 3 * time.Millisecond
	// cachedParties bounds the cache; a record is some 300 bytes.
	cachedParties = 100_000
)

// URN prefixes of look-ups.
const (
	PartyIDPrefix      = "urn:altinn:party:id:"
	UserIDPrefix       = "urn:altinn:user:id:"
	organizationPrefix = "urn:altinn:organization:identifier-no:"
	personPrefix       = "urn:altinn:person:identifier-no:"
	partyUUIDPrefix    = "urn:altinn:party:uuid:"
)

// Client looks parties up. It is safe for use by many goroutines.
type Client struct {
	caller  transport.Caller
	cache   *cache.Cache[string, altinn.Party]
	gather  time.Duration
	waiting gathering
}

// New makes a client of the Register below baseURL (`https://platform.altinn.no`); hc brings authentication, limits and
// retries (transport.NewClient).
func New(baseURL string, hc *http.Client) *Client {
	return newClient(baseURL, hc, cache.Config{})
}

func newClient(baseURL string, hc *http.Client, config cache.Config) *Client {
	config.Size = cachedParties
	return &Client{
		caller: transport.NewCaller(serviceName, baseURL, hc), gather: gatherFor,
		cache: cache.New[string, altinn.Party](config),
	}
}

// Lookup gives the party records of the URNs. A URN that Register does not know is missing from the result; that may
// change within minutes and is not kept. Records are fresh for 5 minutes, and stale ones are used for up to 2 hours when
// Register does not answer. The result is the same as if each URN had been asked for alone.
func (c *Client) Lookup(ctx context.Context, urns []string) (map[string]altinn.Party, error) {
	found := make(map[string]altinn.Party, len(urns))
	var asked []string
	seen := map[string]struct{}{}
	for _, urn := range urns {
		if _, again := seen[urn]; again {
			continue
		}
		seen[urn] = struct{}{}
		if party, ok := c.cache.Fresh(urn); ok {
			found[urn] = party
			continue
		}
		asked = append(asked, urn)
	}
	if len(asked) == 0 {
		return found, nil
	}
	for urn, result := range c.fetch(ctx, asked) {
		if result.err != nil {
			stale, ok := c.cache.Stale(urn)
			if !ok || ctx.Err() != nil {
				return nil, fmt.Errorf("look up %s: %w", nameable(urn), result.err)
			}
			result.party = &stale
		}
		if result.party != nil {
			found[urn] = *result.party
		}
	}
	return found, nil
}

// nameable is the URN if it may stand in an error, else its kind alone.
func nameable(urn string) string {
	if strings.HasPrefix(urn, PartyIDPrefix) || strings.HasPrefix(urn, UserIDPrefix) {
		return urn
	}
	if i := strings.LastIndexByte(urn, ':'); i >= 0 {
		return urn[:i+1] + "…"
	}
	return "a party"
}

// result is what became of one URN: neither party nor error means that Register does not know it.
type result struct {
	party *altinn.Party
	err   error
}

// query asks for up to maxURNs URNs in one request. A 206, some of them unknown, is a success.
func (c *Client) query(ctx context.Context, urns []string) ([]altinn.Party, error) {
	answer, err := c.caller.Call(ctx, transport.Request{
		Method: http.MethodPost, Path: queryPath, Body: struct {
			Data []string `json:"data"`
		}{urns},
	})
	if err != nil {
		return nil, err
	}
	var received altinn.PartyList
	if err := answer.Decode(&received); err != nil {
		return nil, err
	}
	if received.Data == nil {
		return nil, errNoData
	}
	return *received.Data, nil
}

// lookupError is a failure that no party is to blame for.
type lookupError string

const (
	errNoData    = lookupError("the answer of register has no data member")
	errAbandoned = lookupError("the look-up was given up")
)

func (e lookupError) Error() string { return string(e) }

// Transient tells transport.Classify to try again.
func (lookupError) Transient() bool { return true }

// isRefusal tells whether Register refused the request for what it asked, which may be one URN's fault alone.
func isRefusal(err error) bool {
	var answer *transport.StatusError
	return errors.As(err, &answer) && answer.Status == http.StatusBadRequest
}
