package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinn/events"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

func (c *cli) subscriptionCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "subscription",
		Short: "Have Altinn Events push app events to this worker",
		Long: `Altinn Events pushes an app's events to the endpoints that subscribed to the app: one subscription an app, since it knows
no wildcards. An event is a hint that makes a dialog current within seconds; the poll finds what no event told.

The endpoint must answer before a subscription is made, and after that events may be missed for up to an hour. Its address
holds DIALOGSYNC_EVENTS_SECRET, which is never shown.`,
	})
	cmd.AddCommand(c.subscriptionCreateCommand(), c.subscriptionListCommand(), c.subscriptionDeleteCommand())
	return cmd
}

// subscriptionFlags are what is subscribed to as typed.
type subscriptionFlags struct {
	change

	endpoint   string
	apps, orgs []string
	wait       time.Duration
}

func (c *cli) subscriptionCreateCommand() *cobra.Command {
	var f subscriptionFlags
	cmd := &cobra.Command{
		Use:   "create --endpoint URL --reason TEXT",
		Short: "Subscribe to all apps, or to some",
		Example: `  dialogsync subscription create --endpoint https://sync.example.no --reason "live sync" --dry-run
  dialogsync subscription create --endpoint https://sync.example.no --org ttd --reason "trial" --yes`,
		Long: `Makes one subscription for every application that Storage lists; forms from Altinn 1 and 2 have no events. --endpoint is the
address that leads to the workers' DIALOGSYNC_HTTP_ADDR from outside; /events/ and the secret are added.

It may be repeated: subscriptions that are there are kept, and those whose endpoint has not answered yet are asked again.
Exit code 3 if some could not be made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.subscriptionCreate(cmd.Context(), &f) },
	}
	f.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.endpoint, "endpoint", "", "public https address of the workers")
	flags.StringSliceVar(&f.apps, "app", nil, "org/app, repeatable; default: all")
	flags.StringSliceVar(&f.orgs, "org", nil, "organisation code, repeatable; default: all")
	flags.DurationVar(&f.wait, "wait", 15*time.Second, "how long to wait for the endpoint to be asked")
	_ = cmd.MarkFlagRequired("endpoint") // the flag exists
	return cmd
}

// What is done for an app.
const (
	subscriptionMade    = "created"
	subscriptionRevived = "revived"
	subscriptionKept    = "kept"
	subscriptionDeleted = "deleted"
	subscriptionFailed  = "failed"
)

// subscriptionReport is one subscription as it is printed.
type subscriptionReport struct {
	ID  int64  `json:"id,omitempty"`
	App string `json:"app"`
	// Endpoint has its secret masked.
	Endpoint  string     `json:"endpoint"`
	Validated bool       `json:"validated"`
	Created   *time.Time `json:"created,omitempty"`
	// CompleteFrom is when the last event may have been missed.
	CompleteFrom *time.Time `json:"completeFrom,omitempty"`
	// Action is what was done, or with --dry-run would be.
	Action string `json:"action,omitempty"`
	Error  string `json:"error,omitempty"`
}

func reportOf(s *events.Subscription, action string) subscriptionReport {
	r := subscriptionReport{ID: s.ID, App: s.AppID(), Endpoint: maskEndpoint(s.EndPoint), Validated: s.Validated, Action: action}
	if !s.Created.IsZero() {
		created, complete := s.Created.UTC(), s.Created.UTC().Add(events.MatchCache)
		r.Created, r.CompleteFrom = &created, &complete
	}
	return r
}

// maskEndpoint hides what comes last in the path, where the secret stands, and the query.
func maskEndpoint(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "***"
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if path == "" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + path[:strings.LastIndex(path, "/")+1] + "***"
}

// eventsClient is the client of Altinn Events, and of Storage for the list of applications.
func eventsClient(settings config.Config) (*events.Client, *storage.Client, error) {
	if settings.PlatformURL == "" {
		return nil, nil, usageError{"DIALOGSYNC_PLATFORM_URL is missing: Altinn Events lies under it"}
	}
	token, err := tokens(settings)
	if err != nil {
		return nil, nil, err
	}
	client := transport.NewClient(transport.Config{
		Service: "events", BaseURL: settings.PlatformURL, Token: token, SubscriptionKey: settings.SubscriptionKey.Reveal(),
	})
	p, err := newPlatform(settings, platformOptions{})
	if err != nil {
		return nil, nil, err
	}
	return events.New(settings.PlatformURL, client), p.storage, nil
}

// webhookBase checks a public address and gives the one below which the secret stands, with a final slash.
func webhookBase(endpoint string, environment config.Environment) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || environment != config.Local):
		return "", usageError{"the endpoint is not an absolute https URL: Altinn Events pushes to no other"}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", usageError{"the endpoint must have no user, query or fragment"}
	case strings.Contains(u.Path+"/", "/events/"):
		return "", usageError{"name the endpoint without /events/ and the secret: they are added"}
	}
	return strings.TrimRight(endpoint, "/") + "/events/", nil
}

func (c *cli) subscriptionCreate(ctx context.Context, f *subscriptionFlags) error {
	settings, pool, err := c.connected(ctx, config.NeedDatabase|config.NeedStorage|config.NeedEvents)
	if err != nil {
		return err
	}
	defer pool.Close()
	base, err := webhookBase(f.endpoint, settings.Environment)
	if err != nil {
		return err
	}
	if !settings.EventsSecret.IsSet() {
		return usageError{"DIALOGSYNC_EVENTS_SECRET is missing: without it no webhook is accepted"}
	}
	if !f.dryRun && strings.TrimSpace(f.reason) == "" {
		return usageError{"--reason is needed: it is kept with who and when"}
	}
	client, store, err := eventsClient(settings)
	if err != nil {
		return err
	}
	apps, err := f.wanted(ctx, store)
	if err != nil {
		return err
	}
	endPoint := base + url.PathEscape(settings.EventsSecret.Reveal())
	existing, err := client.List(ctx)
	if err != nil {
		return err
	}
	plan, counts := planSubscriptions(apps, existing, endPoint)
	if f.dryRun {
		return c.printSubscriptions(plan, fmt.Sprintf("Would create %d and revive %d subscriptions; %d are there.",
			counts[subscriptionMade], counts[subscriptionRevived], counts[subscriptionKept]))
	}
	orders := counts[subscriptionMade] + counts[subscriptionRevived]
	if orders > 0 {
		question := fmt.Sprintf("Have Altinn Events push the events of %d apps to %s?", orders, maskEndpoint(endPoint))
		if err := c.confirm(&f.change, question); err != nil {
			return err
		}
		if err := c.recordSubscriptions(ctx, pool, "subscription create", maskEndpoint(endPoint), f.reason, orders); err != nil {
			return err
		}
		subscribe(ctx, client, plan, endPoint)
		awaitValidation(ctx, client, plan, f.wait)
	}
	return c.reportSubscriptions(plan)
}

// wanted are the apps to subscribe to, sorted.
func (f *subscriptionFlags) wanted(ctx context.Context, store *storage.Client) ([]string, error) {
	all, err := store.AppIDs(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range f.apps {
		if !slices.Contains(all, app) {
			return nil, codedError{exitNotFound, fmt.Errorf("storage has no application %q", app)}
		}
	}
	var wanted []string
	for _, app := range all {
		org, name, _ := strings.Cut(app, "/")
		if strings.HasPrefix(name, "a1-") || strings.HasPrefix(name, "a2-") || // forms of older platforms have no events
			len(f.apps) > 0 && !slices.Contains(f.apps, app) || len(f.orgs) > 0 && !slices.Contains(f.orgs, org) {
			continue
		}
		wanted = append(wanted, app)
	}
	if len(wanted) == 0 {
		return nil, codedError{exitNotFound, errors.New("storage lists no such application that has events")}
	}
	return wanted, nil
}

// planSubscriptions says what is to be done for each app.
func planSubscriptions(apps []string, existing []events.Subscription, endPoint string) ([]subscriptionReport, map[string]int) {
	counts := map[string]int{}
	plan := make([]subscriptionReport, 0, len(apps))
	for _, app := range apps {
		at := slices.IndexFunc(existing, func(s events.Subscription) bool { return s.EndPoint == endPoint && s.OfAllEventsOf(app) })
		report := subscriptionReport{App: app, Endpoint: maskEndpoint(endPoint), Action: subscriptionMade}
		switch {
		case at >= 0 && existing[at].Validated:
			report = reportOf(&existing[at], subscriptionKept)
		case at >= 0:
			report = reportOf(&existing[at], subscriptionRevived)
		}
		counts[report.Action]++
		plan = append(plan, report)
	}
	return plan, counts
}

// subscribe orders what the plan wants. One app that refuses us does not stop the others.
func subscribe(ctx context.Context, client *events.Client, plan []subscriptionReport, endPoint string) {
	const atOnce = 4
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range plan {
		report := &plan[i]
		if report.Action == subscriptionKept {
			continue
		}
		group.Go(func() error {
			made, err := client.Subscribe(ctx, report.App, endPoint)
			if err != nil {
				report.Action, report.Error = subscriptionFailed, telemetry.Redact(err.Error())
				return nil
			}
			*report = reportOf(&made, report.Action)
			return nil
		})
	}
	_ = group.Wait() // never an error
}

// awaitValidation looks for a while whether the endpoint has answered.
func awaitValidation(ctx context.Context, client *events.Client, plan []subscriptionReport, wait time.Duration) {
	const lookEvery = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	pending := func(r subscriptionReport) bool { return r.Error == "" && !r.Validated }
	for slices.ContainsFunc(plan, pending) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := client.List(ctx)
		if err != nil {
			return // what is known already is shown
		}
		for _, s := range now {
			for i := range plan {
				if plan[i].ID == s.ID {
					plan[i].Validated = s.Validated
				}
			}
		}
	}
}

func (c *cli) recordSubscriptions(ctx context.Context, pool *pgxpool.Pool, action, target, reason string, n int) error {
	detail, err := json.Marshal(map[string]int{"subscriptions": n})
	if err != nil {
		return fmt.Errorf("record who asked for it: %w", err)
	}
	err = db.New(pool).RecordOperatorAction(ctx, db.RecordOperatorActionParams{
		Operator: c.operator, Action: action, Target: target, Reason: reason, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("record who asked for it: %w", err)
	}
	return nil
}

// reportSubscriptions prints what was done; some that failed make the exit code 3.
func (c *cli) reportSubscriptions(reports []subscriptionReport) error {
	failed, unanswered := 0, 0
	for i := range reports {
		if reports[i].Error != "" {
			failed++
		} else if !reports[i].Validated && reports[i].Action != subscriptionDeleted {
			unanswered++
		}
	}
	note := ""
	if unanswered > 0 {
		note = fmt.Sprintf("%d are not validated: nothing is pushed for them until the endpoint answers. Altinn asks for about eight minutes; "+
			"after that, repeat this command.", unanswered)
	}
	if err := c.printSubscriptions(reports, note); err != nil {
		return err
	}
	if failed > 0 {
		c.sayError(fmt.Errorf("%d of %d subscriptions failed", failed, len(reports)))
		return codedError{code: exitPartly, err: errQuiet}
	}
	return nil
}

func (c *cli) printSubscriptions(reports []subscriptionReport, note string) error {
	if reports == nil {
		reports = []subscriptionReport{}
	}
	err := c.print(reports, func(w io.Writer, wide bool) {
		header := []any{"ID", "APP", "ENDPOINT", "VALIDATED", "COMPLETE FROM", "ACTION"}
		if wide {
			header = append(header, "CREATED")
		}
		failed := slices.ContainsFunc(reports, func(r subscriptionReport) bool { return r.Error != "" })
		if failed {
			header = append(header, "ERROR")
		}
		line(w, header...)
		for i := range reports {
			r := &reports[i]
			id := "-"
			if r.ID != 0 {
				id = strconv.FormatInt(r.ID, 10)
			}
			row := []any{id, orDash(r.App), r.Endpoint, r.Validated, moment(r.CompleteFrom), orDash(r.Action)}
			if wide {
				row = append(row, moment(r.Created))
			}
			if failed {
				row = append(row, orDash(r.Error))
			}
			line(w, row...)
		}
	})
	if err == nil && note != "" {
		fmt.Fprintln(c.err, note)
	}
	return err
}

func (c *cli) subscriptionListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List our subscriptions at Altinn Events", Args: cobra.NoArgs,
		Long: `Lists the subscriptions that our client made, whatever they are for. VALIDATED: the endpoint has answered; before, nothing is
pushed. COMPLETE FROM: until then events may be missed, since Altinn remembers for up to an hour which subscriptions match.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := c.settings(config.NeedStorage)
			if err != nil {
				return err
			}
			client, _, err := eventsClient(settings)
			if err != nil {
				return err
			}
			all, err := client.List(cmd.Context())
			if err != nil {
				return err
			}
			reports := make([]subscriptionReport, 0, len(all))
			for i := range all {
				reports = append(reports, reportOf(&all[i], ""))
			}
			return c.printSubscriptions(reports, "")
		},
	}
}

func (c *cli) subscriptionDeleteCommand() *cobra.Command {
	var ch change
	var endpoint string
	cmd := &cobra.Command{
		Use:   "delete (ID... | --all-for-endpoint URL) --reason TEXT",
		Short: "End subscriptions",
		Long: `Ends subscriptions by their numbers, or all that push to an endpoint of ours, those with an earlier secret included. Altinn may
go on pushing for up to an hour.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.subscriptionDelete(cmd.Context(), args, endpoint, &ch)
		},
	}
	ch.addFlags(cmd)
	cmd.Flags().StringVar(&endpoint, "all-for-endpoint", "", "public address of the workers, as given to create")
	return cmd
}

func (c *cli) subscriptionDelete(ctx context.Context, ids []string, endpoint string, ch *change) error {
	if (len(ids) > 0) == (endpoint != "") {
		return usageError{"name subscriptions by their numbers, or all of an endpoint with --all-for-endpoint"}
	}
	if !ch.dryRun && strings.TrimSpace(ch.reason) == "" {
		return usageError{"--reason is needed: it is kept with who and when"}
	}
	settings, pool, err := c.connected(ctx, config.NeedDatabase|config.NeedStorage)
	if err != nil {
		return err
	}
	defer pool.Close()
	client, _, err := eventsClient(settings)
	if err != nil {
		return err
	}
	all, err := client.List(ctx)
	if err != nil {
		return err
	}
	chosen, err := chooseSubscriptions(all, ids, endpoint, settings.Environment)
	if err != nil {
		return err
	}
	if ch.dryRun {
		return c.printSubscriptions(chosen, fmt.Sprintf("Would delete %d subscriptions.", len(chosen)))
	}
	if len(chosen) > 0 {
		if err := c.confirm(ch, fmt.Sprintf("Delete %d subscriptions?", len(chosen))); err != nil {
			return err
		}
		target := strings.Join(ids, " ")
		if endpoint != "" {
			target = endpoint
		}
		if err := c.recordSubscriptions(ctx, pool, "subscription delete", target, ch.reason, len(chosen)); err != nil {
			return err
		}
	}
	deleteSubscriptions(ctx, client, chosen)
	return c.reportSubscriptions(chosen)
}

// chooseSubscriptions finds what was named.
func chooseSubscriptions(
	all []events.Subscription, ids []string, endpoint string, environment config.Environment,
) ([]subscriptionReport, error) {
	var chosen []subscriptionReport
	for _, text := range ids {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, usageError{fmt.Sprintf("%q is not the number of a subscription: 'dialogsync subscription list' shows them", text)}
		}
		at := slices.IndexFunc(all, func(s events.Subscription) bool { return s.ID == id })
		if at < 0 {
			return nil, codedError{exitNotFound, fmt.Errorf("subscription %d: %w", id, events.ErrNoSubscription)}
		}
		chosen = append(chosen, reportOf(&all[at], subscriptionDeleted))
	}
	if endpoint == "" {
		return chosen, nil
	}
	base, err := webhookBase(endpoint, environment)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if strings.HasPrefix(all[i].EndPoint, base) {
			chosen = append(chosen, reportOf(&all[i], subscriptionDeleted))
		}
	}
	return chosen, nil
}

func deleteSubscriptions(ctx context.Context, client *events.Client, chosen []subscriptionReport) {
	const atOnce = 4
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range chosen {
		group.Go(func() error {
			err := client.Delete(ctx, chosen[i].ID)
			if err != nil && !errors.Is(err, events.ErrNoSubscription) { // gone meanwhile is as good
				chosen[i].Action, chosen[i].Error = subscriptionFailed, telemetry.Redact(err.Error())
			}
			return nil
		})
	}
	_ = group.Wait() // never an error
}
