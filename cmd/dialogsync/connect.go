package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
	"github.com/altinn/dialogsync/pkg/maskinporten"
)

// commandPool is how many connections a command needs that is not the worker.
const commandPool = 4

// settings reads what a command needs from the environment.
func (c *cli) settings(needs config.Need) (config.Config, error) {
	loaded, err := config.Load(c.environ, needs)
	if err != nil {
		return config.Config{}, fmt.Errorf("settings: %w", err)
	}
	return loaded, nil
}

// logger writes to stderr, redacted.
func (c *cli) logger(settings config.Config) (*zap.Logger, error) {
	log, err := telemetry.NewLogger(telemetry.LogConfig{Level: settings.LogLevel, Format: settings.LogFormat, Output: c.err})
	if err != nil {
		return nil, fmt.Errorf("make logger: %w", err)
	}
	return log, nil
}

// database connects and refuses a schema that this binary does not know.
func (c *cli) database(ctx context.Context, settings config.Config, conns int32) (*pgxpool.Pool, error) {
	pool, err := db.Open(ctx, settings.DatabaseURL.Reveal(), conns)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := db.CheckSchema(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database: %w", err)
	}
	return pool, nil
}

// connected is a command's database and settings.
func (c *cli) connected(ctx context.Context, needs config.Need) (config.Config, *pgxpool.Pool, error) {
	settings, err := c.settings(needs)
	if err != nil {
		return settings, nil, err
	}
	pool, err := c.database(ctx, settings, commandPool)
	return settings, pool, err
}

// platform is the clients of all services that app instances touch.
type platform struct {
	storage  *storage.Client
	catalog  *storage.Catalog
	register *register.Client
	dialogs  *dialogporten.Client
	health   []history.HealthCheck
}

// platformOptions are how the services are called.
type platformOptions struct {
	instruments *transport.Instruments
	// concurrency is requests in flight to each service.
	concurrency int
	// rehearsal captures what would change something; nil sends it.
	rehearsal *transport.Rehearsal
	// observe is told of each request; nil: nobody is.
	observe func(transport.Exchange)
}

func newPlatform(settings config.Config, o platformOptions) (platform, error) {
	token, err := tokens(settings)
	if err != nil {
		return platform{}, err
	}
	var p platform
	base := func(service, url string) transport.Config {
		health := transport.NewHealth(service)
		p.health = append(p.health, health)
		return transport.Config{
			Service: service, BaseURL: url, Token: token, Instruments: o.instruments, Concurrency: o.concurrency,
			Health: health, Rehearsal: o.rehearsal, Observe: o.observe,
		}
	}
	storageConfig := base("storage", settings.StorageURL)
	storageConfig.SubscriptionKey = settings.SubscriptionKey.Reveal()
	registerConfig := base("register", settings.RegisterURL)
	registerConfig.SubscriptionKey = settings.SubscriptionKey.Reveal()

	p.storage = storage.New(settings.StorageURL, transport.NewClient(storageConfig))
	p.catalog = storage.NewCatalog(p.storage)
	p.register = register.New(settings.RegisterURL, transport.NewClient(registerConfig))
	p.dialogs = dialogporten.New(settings.DialogportenURL, transport.NewClient(base("dialogporten", settings.DialogportenURL)))
	return p, nil
}

// tokens gives the source of bearer tokens; nil where none is configured, which only environment local allows.
func tokens(settings config.Config) (transport.TokenSource, error) {
	if settings.Maskinporten == nil {
		return nil, nil //nolint:nilnil // no tokens is an answer
	}
	client, err := newMaskinporten(settings)
	if err != nil {
		return nil, err
	}
	// Storage and Register take Altinn's tokens only; Dialogporten takes both kinds.
	return maskinporten.NewExchange(settings.PlatformURL, client, transport.NewClient(transport.Config{
		Service: "authentication", BaseURL: settings.PlatformURL, SubscriptionKey: settings.SubscriptionKey.Reveal(),
	})), nil
}

func newDeliverer(settings config.Config, p platform, pool *pgxpool.Pool, now func() time.Time) *delivery.Deliverer {
	return &delivery.Deliverer{
		Storage: p.storage, Catalog: p.catalog, Register: p.register, Dialogs: p.dialogs,
		Settings: mapping.Settings{
			AltinnHost: settings.AltinnHost, AdapterURL: settings.AdapterURL, SubmissionTransmissions: settings.SubmissionTransmissions,
		},
		Now: now, ReadClock: db.New(pool).DatabaseNow,
	}
}
