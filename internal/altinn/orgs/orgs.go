package orgs

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/internal/transport/cache"
)

const (
	serviceName = "orgs"
	fresh       = time.Hour
	// kept is as good as for ever: the last good copy is used until there is a better one.
	kept = time.Duration(math.MaxInt64)
	// pause is how long the last good copy is used after asking failed.
	pause = time.Minute
)

// Org is one service owner.
type Org struct {
	// Code is as in `org` of instances, in lower case.
	Code string
	// Name is by language; one may be missing.
	Name map[string]string
	// Number is nine digits, empty for special entries; two codes may share one.
	Number string
	// Environments are those it is in: `production`, `tt02`, …
	Environments []string
}

// Orgs are all service owners by code.
type Orgs map[string]Org

// ByNumber gives the code of an organisation number. Of several codes with one number it is the first in the alphabet.
func (o Orgs) ByNumber(number string) (code string, ok bool) {
	if number == "" {
		return "", false
	}
	for candidate, org := range o {
		if org.Number == number && (!ok || candidate < code) {
			code, ok = candidate, true
		}
	}
	return code, ok
}

// Client reads the list and keeps it: fresh for an hour, and the last good copy when it cannot be read. It is safe for
// use by many goroutines.
type Client struct {
	caller transport.Caller
	cache  *cache.Cache[struct{}, Orgs]
}

// New makes a client of the list at url, the whole address of altinn-orgs.json. It is public: hc needs no
// authentication.
func New(url string, hc *http.Client) *Client {
	return newClient(url, hc, cache.Config{})
}

func newClient(url string, hc *http.Client, config cache.Config) *Client {
	config.Size, config.Fresh, config.Stale, config.Pause = 1, fresh, kept, pause
	return &Client{caller: transport.NewCaller(serviceName, url, hc), cache: cache.New[struct{}, Orgs](config)}
}

// Get gives the list. Callers must not change it.
func (c *Client) Get(ctx context.Context) (Orgs, error) {
	return c.cache.Get(ctx, struct{}{}, c.read)
}

func (c *Client) read(ctx context.Context) (Orgs, error) {
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet})
	if err != nil {
		return nil, fmt.Errorf("read list of organisations: %w", err)
	}
	var received struct {
		Orgs map[string]struct {
			Name         map[string]string `json:"name"`
			OrgNumber    string            `json:"orgnr"`
			Environments []string          `json:"environments"`
		} `json:"orgs"`
	}
	if err := answer.Decode(&received); err != nil {
		return nil, fmt.Errorf("read list of organisations: %w", err)
	}
	if len(received.Orgs) == 0 {
		return nil, fmt.Errorf("read list of organisations: %w", errEmpty)
	}
	orgs := make(Orgs, len(received.Orgs))
	for code, org := range received.Orgs {
		orgs[code] = Org{Code: code, Name: org.Name, Number: org.OrgNumber, Environments: org.Environments}
	}
	return orgs, nil
}

// errEmpty keeps a broken list from replacing the last good copy.
const errEmpty = listError("the list has no organisations")

type listError string

func (e listError) Error() string { return string(e) }

// Transient tells transport.Classify to try again.
func (listError) Transient() bool { return true }
