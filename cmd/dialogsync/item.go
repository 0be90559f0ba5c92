package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
	"github.com/altinn/dialogsync/internal/transport"
)

// itemFlags are an item as typed.
type itemFlags struct {
	change

	source, appID, created, now string
	migration                   bool
	attempt                     int
}

func (c *cli) itemCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "item", Short: "Put single items right, and tell what is known of them"})
	var f itemFlags
	sync := &cobra.Command{
		Use:   "sync KEY --reason TEXT",
		Short: "Deliver one item now, in this process",
		Example: `  dialogsync item sync 50001337/6f3da581-76f9-412c-ba01-44e375b5bc79 --dry-run -o json
  dialogsync item sync 50001337/6f3da581-76f9-412c-ba01-44e375b5bc79 --yes --reason "citizen asked"
  dialogsync item sync 30088189 --source a2-correspondence --migration --dry-run`,
		Long: `Reads one item from its source and makes its dialog what it should be, and records the outcome. KEY is
<partyId>/<instanceGuid>, or the number of a message in Altinn 2. With --dry-run nothing is sent: the requests that would change
something are printed.

--app-id and --created name what a source that no longer has the instance can't tell. Exit code 0 for an outcome, 3 if the item
could not be delivered.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.isMessage(args[0]) {
				return c.messageSync(cmd.Context(), args[0], &f)
			}
			return c.itemSync(cmd.Context(), args[0], &f)
		},
	}
	f.addFlags(sync)
	flags := sync.Flags()
	flags.StringVar(&f.source, "source", "", "source; default: told by the app id")
	flags.BoolVar(&f.migration, "migration", false, "write silently, as history does")
	flags.StringVar(&f.appID, "app-id", "", "org/app of an instance that is gone")
	flags.StringVar(&f.created, "created", "", "creation time of an instance that is gone")
	flags.StringVar(&f.now, "now", "", "the clock, in environment local only")
	flags.IntVar(&f.attempt, "attempt", 1, "which attempt this is, in environment local only")
	_ = sync.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(sourceNames(), cobra.ShellCompDirectiveNoFileComp)) // exists
	cmd.AddCommand(sync, c.itemExplainCommand())
	return cmd
}

// itemReport is what `item sync` prints as JSON.
type itemReport struct {
	Outcome  string                     `json:"outcome"`
	Reason   string                     `json:"reason"`
	DialogID string                     `json:"dialogId"`
	Requests []transport.PlannedRequest `json:"requests"`
}

func (c *cli) itemSync(ctx context.Context, key string, f *itemFlags) error {
	settings, err := c.settings(config.NeedDelivery)
	if err != nil {
		return err
	}
	item, now, err := f.item(key, settings.Environment)
	if err != nil {
		return err
	}
	pool, err := c.mayDeliver(ctx, settings, f, "item "+item.ID.String())
	if err != nil {
		return err
	}
	defer pool.Close()
	rehearsal := (*transport.Rehearsal)(nil)
	if f.dryRun {
		rehearsal = &transport.Rehearsal{}
	}
	p, err := newPlatform(settings, platformOptions{rehearsal: rehearsal})
	if err != nil {
		return err
	}
	deliverer := newDeliverer(settings, p, pool, now)
	result, err := c.deliver(ctx, pool, deliverer, item, f)
	return c.reportItem(result, err, rehearsal)
}

// mayDeliver asks for what a delivery by hand needs unless it is a dry run, a reason and a yes, and opens the database.
func (c *cli) mayDeliver(ctx context.Context, settings config.Config, f *itemFlags, what string) (*pgxpool.Pool, error) {
	if !f.dryRun && strings.TrimSpace(f.reason) == "" {
		return nil, errReasonNeeded
	}
	pool, err := c.database(ctx, settings, commandPool)
	if err != nil || f.dryRun {
		return pool, err
	}
	if err := c.confirm(&f.change, "Deliver "+what+"?"); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// clock is the one that was typed, or the wall's.
func (f *itemFlags) clock() (func() time.Time, error) {
	if f.now == "" {
		return time.Now, nil
	}
	at, err := altinn.ParseTime(f.now)
	if err != nil {
		return nil, usageError{"--now is not a time: write it as 2025-06-18T08:54:53Z"}
	}
	return func() time.Time { return at.Time }, nil
}

// item reads what was typed.
func (f *itemFlags) item(key string, environment config.Environment) (delivery.Item, func() time.Time, error) {
	id, err := altinn.ParseInstanceID(key)
	if err != nil {
		return delivery.Item{}, nil, usageError{fmt.Sprintf("%v: a key is <partyId>/<instanceGuid>", err)}
	}
	item := delivery.Item{ID: id, AppID: f.appID, Migration: f.migration, Attempt: f.attempt, Source: ledger.Source(f.source)}
	if f.source != "" && !slices.Contains(history.InstanceSources(), item.Source) {
		const refusal = "source %q: items of %s and %s can be synchronised"
		return item, nil, usageError{fmt.Sprintf(refusal, f.source, ledger.A3AppInstances, ledger.A2ArchivedForms)}
	}
	if f.created != "" {
		created, err := altinn.ParseTime(f.created)
		if err != nil {
			return item, nil, usageError{"--created is not a time: write it as 2025-06-18T08:54:53.6233769Z"}
		}
		item.Created = created.Time
	}
	if environment != config.Local && (f.now != "" || f.attempt != 1) {
		return item, nil, usageError{"--now and --attempt are for tests in environment local"}
	}
	now, err := f.clock()
	return item, now, err
}

func (c *cli) deliver(
	ctx context.Context, pool *pgxpool.Pool, deliverer *delivery.Deliverer, item delivery.Item, f *itemFlags,
) (delivery.Result, error) {
	if f.dryRun {
		return deliverer.Deliver(ctx, item)
	}
	asked := reconcile.Asked{Operator: c.operator, Reason: f.reason}
	return reconcile.SyncItem(ctx, pool, deliverer, item, asked)
}

// reportItem prints what came of it, an error included, and decides the exit code.
func (c *cli) reportItem(result delivery.Result, failed error, rehearsal *transport.Rehearsal) error {
	report := itemReport{
		Outcome: string(result.Outcome), Reason: result.Reason, DialogID: result.DialogID.String(),
		Requests: []transport.PlannedRequest{},
	}
	if rehearsal != nil {
		report.Requests = append(report.Requests, rehearsal.Planned()...)
	}
	switch {
	case errors.Is(failed, context.Canceled):
		return codedError{code: exitError, err: failed}
	case failed != nil:
		report.Outcome, report.DialogID = string(ledger.Failed), ""
		report.Reason = delivery.Describe(failed).Reason
	case result.WaitingForPDF:
		failed = errWaitingForPDF
		report.Outcome, report.Reason = string(ledger.Failed), "wait_for_pdf"
	}
	if err := c.printItem(report); err != nil {
		return err
	}
	if failed != nil {
		c.sayError(failed)
		return codedError{code: exitPartly, err: errQuiet}
	}
	return nil
}

func (c *cli) printItem(report itemReport) error {
	return c.print(report, func(w io.Writer, _ bool) {
		line(w, report.Outcome, orDash(report.Reason), orDash(report.DialogID))
		for _, r := range report.Requests {
			line(w, "  would send", r.Method+" "+r.Path)
		}
	})
}

var errWaitingForPDF = errors.New("the dialog is written, but the PDF of a submission is not made yet: deliver the item again later")
