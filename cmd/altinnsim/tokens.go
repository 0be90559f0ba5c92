package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/authentication"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/maskinporten"
)

// tokens are the flags about Maskinporten and the exchange.
type tokens struct {
	clientsFile string
	options     altinnsim.TokenOptions
}

func (t *tokens) addFlags(f *pflag.FlagSet) {
	f.StringVar(&t.clientsFile, "clients", "",
		"file with Maskinporten's clients, as PUT /_sim/clients takes them (default: every client id, any key)")
	f.StringVar(&t.options.MaskinportenURL, "maskinporten-url", "",
		"Maskinporten's own address, in tokens and as audience (default: what a request names)")
	f.DurationVar(&t.options.Lifetime, "token-lifetime", maskinporten.DefaultLifetime, "life of Maskinporten's access tokens")
	f.DurationVar(&t.options.AltinnLifetime, "altinn-token-lifetime", authentication.DefaultLifetime, "life of exchanged tokens")
}

func (t *tokens) parse(note func(flag string, err error)) altinnsim.TokenOptions {
	var err error
	t.options.Clients, err = readClients(t.clientsFile)
	note("clients", err)
	if t.options.MaskinportenURL != "" {
		if u, err := url.Parse(t.options.MaskinportenURL); err != nil || u.Host == "" {
			note("maskinporten-url", fmt.Errorf("%q is not an absolute URL", t.options.MaskinportenURL))
		}
	}
	note("token-lifetime", atLeastASecond(t.options.Lifetime))
	note("altinn-token-lifetime", atLeastASecond(t.options.AltinnLifetime))
	return t.options
}

func atLeastASecond(d time.Duration) error {
	if d < time.Second {
		return errors.New("shorter than a second")
	}
	return nil
}

func readClients(path string) ([]maskinporten.Client, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read clients: %w", err)
	}
	var clients []maskinporten.Client
	if err := json.Unmarshal(raw, &clients); err != nil {
		return nil, fmt.Errorf("read clients: %w", err)
	}
	return clients, nil
}

// addEventFlags are the flags about Altinn Events.
func addEventFlags(f *pflag.FlagSet, e *events.Settings) {
	f.BoolVar(&e.AllowHTTP, "events-allow-http", false, "let subscriptions have plain http endpoints on this machine")
	f.DurationVar((*time.Duration)(&e.MatchCache), "events-match-cache", 0,
		"remember for so long which subscriptions match; up to 1h in reality")
	f.Float64Var(&e.Speed, "events-speed", 1, "repeat pushes so many times sooner")
	f.DurationVar((*time.Duration)(&e.Timeout), "events-timeout", events.DefaultTimeout, "how long endpoints may take to answer")
	f.Float64Var(&e.Lose, "events-lose", 0, "share of events that never arrive")
	f.Float64Var(&e.Double, "events-double", 0, "share of pushes made twice")
	f.DurationVar((*time.Duration)(&e.Shuffle), "events-shuffle", 0, "delay each push by up to so long, out of order")
}
