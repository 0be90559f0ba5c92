package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
	"github.com/altinn/dialogsync/pkg/maskinporten"
)

// isMessage tells whether a key is a message's: its source says so or, where none is given, it is a bare number.
func (f *itemFlags) isMessage(key string) bool {
	if f.source == "" {
		_, err := message.ParseKey(key)
		return err == nil
	}
	return ledger.Source(f.source) == ledger.A2Correspondence
}

// errReasonNeeded refuses what changes something without a reason.
var errReasonNeeded = usageError{"--reason is needed: it is kept with who and when"}

// messageSync is `item sync` for a message of Altinn 2.
func (c *cli) messageSync(ctx context.Context, key string, f *itemFlags) error {
	settings, err := c.settings(config.NeedMessages)
	if err != nil {
		return err
	}
	number, now, err := f.messageOf(key, settings.Environment)
	if err != nil {
		return err
	}
	pool, err := c.mayDeliver(ctx, settings, f, "message "+message.Key(number))
	if err != nil {
		return err
	}
	defer pool.Close()
	rehearsal := (*transport.Rehearsal)(nil)
	if f.dryRun {
		rehearsal = &transport.Rehearsal{Answer: message.RehearsedAnswer}
	}
	messages, err := newMessagePlatform(settings, platformOptions{rehearsal: rehearsal}, pool, now)
	if err != nil {
		return err
	}
	deliverer := messages.deliverer
	order := message.Order{Insist: true}
	if f.migration {
		order.Lane = message.History
	}
	var result message.Result
	if f.dryRun {
		result, err = deliverer.Deliver(ctx, number, order)
	} else {
		result, err = deliverer.Sync(ctx, number, order, message.Asked{Operator: c.operator, Reason: f.reason})
	}
	return c.reportMessage(result, err, rehearsal)
}

// messageOf reads what was typed.
func (f *itemFlags) messageOf(key string, environment config.Environment) (int32, func() time.Time, error) {
	number, err := message.ParseKey(key)
	switch {
	case err != nil:
		return 0, nil, usageError{err.Error()}
	case f.appID != "" || f.created != "" || f.attempt != 1:
		return 0, nil, usageError{"--app-id, --created and --attempt are for app instances"}
	case environment != config.Local && f.now != "":
		return 0, nil, usageError{"--now is for tests in environment local"}
	}
	now, err := f.clock()
	return number, now, err
}

func (c *cli) reportMessage(result message.Result, failed error, rehearsal *transport.Rehearsal) error {
	report := itemReport{Outcome: string(result.Outcome), Reason: result.Reason, Requests: []transport.PlannedRequest{}}
	if result.DialogID != uuid.Nil {
		report.DialogID = result.DialogID.String()
	}
	if rehearsal != nil {
		report.Requests = append(report.Requests, rehearsal.Planned()...)
		if result.Outcome == ledger.Created {
			report.DialogID = "" // it follows from an id that Correspondence is yet to give
		}
	}
	if errors.Is(failed, context.Canceled) {
		return codedError{code: exitError, err: failed}
	}
	if failed != nil {
		report.Outcome, report.DialogID = string(ledger.Failed), ""
		report.Reason = message.Describe(failed).Reason
	}
	if err := c.printItem(report); err != nil {
		return err
	}
	if failed != nil {
		c.sayError(failed)
		return codedError{code: exitPartly, err: errQuiet}
	}
	for _, warning := range result.Warnings {
		fmt.Fprintln(c.err, "note:", string(warning))
	}
	if !result.DueAt.IsZero() {
		fmt.Fprintln(c.err, "to be looked at again at", result.DueAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// uploadTimeout bounds one attempt to send or read an attachment: two gigabytes at ten megabits a second.
const uploadTimeout = 30 * time.Minute

// messagePlatform is what brings messages over, with the health of the services that they touch.
type messagePlatform struct {
	deliverer *message.Deliverer
	health    []batch.HealthCheck
}

// newMessagePlatform connects the services that messages touch. Their tokens are Maskinporten's own: the migration API takes no
// exchanged ones (correspondence reference 3.1). Dialogporten takes both.
func newMessagePlatform(
	settings config.Config, o platformOptions, pool *pgxpool.Pool, now func() time.Time,
) (messagePlatform, error) {
	token, err := directTokens(settings)
	if err != nil {
		return messagePlatform{}, err
	}
	var p messagePlatform
	// The calls of a service and its files fail together.
	clients := func(service, url, subscriptionKey string) (calls, files *http.Client) {
		health := transport.NewHealth(service)
		p.health = append(p.health, health)
		config := transport.Config{
			Service: service, BaseURL: url, SubscriptionKey: subscriptionKey, Token: token, Instruments: o.instruments,
			Concurrency: o.concurrency, Health: health, Rehearsal: o.rehearsal, Observe: o.observe,
		}
		calls = transport.NewClient(config)
		config.AttemptTimeout = uploadTimeout
		return calls, transport.NewClient(config)
	}
	source, contents := clients("altinn2", settings.Altinn2URL, "")
	gateway, uploads := clients("correspondence", settings.CorrespondenceURL, settings.SubscriptionKey.Reveal())
	dialogs, _ := clients("dialogporten", settings.DialogportenURL, "")
	p.deliverer = &message.Deliverer{
		Source:         altinn2.New(settings.Altinn2URL, source, contents),
		Correspondence: correspondence.New(settings.CorrespondenceURL, gateway, uploads),
		Dialogs:        dialogporten.New(settings.DialogportenURL, dialogs),
		Pool:           pool, Now: now, Rehearse: o.rehearsal != nil, Selection: selectionOf(settings),
	}
	return p, nil
}

// selectionOf is which messages operators want brought over.
func selectionOf(settings config.Config) mapping.Selection {
	return mapping.Selection{Allowed: settings.MessageResources, Denied: settings.MessageResourcesDenied, MinAge: settings.MessageMinAge}
}

// directTokens gives the source of Maskinporten's own tokens; nil where none is configured.
func directTokens(settings config.Config) (transport.TokenSource, error) {
	if settings.Maskinporten == nil {
		return nil, nil //nolint:nilnil // no tokens is an answer
	}
	client, err := newMaskinporten(settings)
	if err != nil {
		return nil, err
	}
	return client, nil
}

func newMaskinporten(settings config.Config) (*maskinporten.Client, error) {
	client, err := maskinporten.New(maskinporten.Config{
		URL: settings.Maskinporten.URL, ClientID: settings.Maskinporten.ClientID, JWK: settings.Maskinporten.JWK.Reveal(),
		Scopes: settings.Maskinporten.Scopes,
	}, transport.NewClient(transport.Config{Service: "maskinporten", BaseURL: settings.Maskinporten.URL}))
	if err != nil {
		return nil, fmt.Errorf("settings of Maskinporten: %w", err)
	}
	return client, nil
}
