package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

func (c *cli) backfillCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "backfill",
		Short: "Order history and follow it",
		Long: `A backfill walks the history of a source from the newest day ordered back to the oldest. It is cut into windows of one
day (UTC) and one organisation; workers walk several at once, newest first. A window closes when every item that it saw is
accounted for, and the watermark moves over closed windows only.`,
	})
	cmd.AddCommand(c.backfillCreateCommand(), c.backfillListCommand(), c.backfillShowCommand(), c.backfillWatchCommand(),
		c.backfillStateCommand(history.VerbPause, "Stop a backfill's slices within seconds, checkpoints saved", (*history.Backfills).Pause),
		c.backfillResumeCommand(),
		c.backfillStateCommand(history.VerbCancel, "End a backfill for good; what is closed stays closed", (*history.Backfills).Cancel))
	return cmd
}

// createFlags are an order as typed.
type createFlags struct {
	change

	source, stage   string
	from, to        string
	orgs, items     []string
	redo            bool
	olderThan       int
	rate            float64
	parallel        int
	maxFailureShare float64
}

func (c *cli) backfillCreateCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create --source SOURCE (--from NEWEST --to OLDEST | --item KEY...) --reason TEXT",
		Short: "Order a backfill",
		Example: `  dialogsync backfill create --source a3-app-instances --from 2025-12-31 --to 2025-01-01 --reason "phase 1"
  dialogsync backfill create --source a2-archived-forms --from 2025-03-05 --to 2025-03-03 --org skd --rate 50 --reason "missed days"
  dialogsync backfill create --source a3-app-instances --item 50001337/6f3da581-76f9-412c-ba01-44e375b5bc79 --reason "citizen asked"
  dialogsync backfill create --source a2-correspondence --from 2025-12-31 --to 2025-12-01 --reason "messages of December"
  dialogsync backfill create --source a2-correspondence --stage transfer --from 2025-11-30 --to 2025-01-01 --reason "ahead of publish"
  dialogsync backfill create --redo --older-than-mapping 2 --source a3-app-instances --from 2025-12-31 --to 2025-01-01 --reason "titles"`,
		Long: `Orders a backfill: --from is the newest day and --to the oldest, both included, in UTC. Without --org it walks every
organisation, those included that get their first application while it runs. With --item it brings over given items instead.

Messages (a2-correspondence) have two stages: transfer stores them in Correspondence, hidden, and publish makes available what
is stored. --stage orders one of them; both make a backfill each, and publish walks a day once its transfer is closed. Messages
have no organisations. Given ones are brought over completely, unless --stage transfer leaves them hidden.

With --redo it looks again at what was brought over before: each dialog is read and compared, and what is wrong is corrected; what is
equal is not written. --older-than-mapping N leaves alone what mapping version N or a later one made of an unchanged source. A redo of
messages goes all the way, and asks Correspondence again for the dialog of each. 'backfill show ID --corrected' lists what it corrected.

Refused, with nothing created: an unknown organisation, --from older than --to, a malformed key, a range that overlaps a
backfill which is not finished, and publish of what is neither transferred nor ordered to be.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.backfillCreate(cmd.Context(), f, cmd.Flags().Changed("rate"))
		},
	}
	f.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.source, "source", "", "a3-app-instances, a2-archived-forms or a2-correspondence")
	flags.StringVar(&f.stage, "stage", "", "of messages: transfer, publish or both; default: both")
	flags.StringVar(&f.from, "from", "", "newest day, 2025-12-31")
	flags.StringVar(&f.to, "to", "", "oldest day, 2025-01-01")
	flags.StringSliceVar(&f.orgs, "org", nil, "organisation code, repeatable; default: all")
	flags.StringSliceVar(&f.items, "item", nil, "key of an item, <partyId>/<instanceGuid> or the number of a message, repeatable")
	flags.BoolVar(&f.redo, "redo", false, "look again at what was brought over before, and correct what is wrong")
	flags.IntVar(&f.olderThan, "older-than-mapping", 0, "with --redo: only what a smaller mapping version brought over")
	flags.Float64Var(&f.rate, "rate", 0, "most items a second over all workers; default: no limit of its own")
	flags.IntVar(&f.parallel, "parallel", history.DefaultParallel, "windows walked at once over all workers")
	flags.Float64Var(&f.maxFailureShare, "max-failure-share", history.DefaultMaxFailureShare,
		"stop by itself when more than this share of the last items fails alike; 1 never stops")
	_ = cmd.MarkFlagRequired("source") // the flag exists
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(sourceNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(history.Stages(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func sourceNames() []string {
	var names []string
	for _, source := range history.Sources() {
		names = append(names, string(source))
	}
	return names
}

func (f *createFlags) order(operator string, rateGiven bool) (history.Order, error) {
	order := history.Order{
		Source: ledger.Source(f.source), Stage: f.stage, Orgs: f.orgs, Items: f.items, Parallel: f.parallel, MaxFailureShare: f.maxFailureShare,
		Redo: f.redo, OlderThanMapping: f.olderThan, Reason: f.reason, Operator: operator,
	}
	if rateGiven {
		order.RatePerS = &f.rate
	}
	var err error
	if f.from != "" {
		newest, parseErr := parseDay("--from", f.from)
		order.Range.To, err = newest.AddDate(0, 0, 1), parseErr
	}
	if f.to != "" && err == nil {
		order.Range.From, err = parseDay("--to", f.to)
	}
	return order, err
}

func parseDay(flag, text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, usageError{fmt.Sprintf("%s %q is not a day: write it as 2025-12-31", flag, text)}
	}
	return t, nil
}

func (c *cli) backfillCreate(ctx context.Context, f createFlags, rateGiven bool) error {
	order, err := f.order(c.operator, rateGiven)
	if err != nil {
		return err
	}
	needs := config.NeedDatabase
	if order.Source != ledger.A2Correspondence {
		needs |= config.NeedStorage // which has the organisations
	}
	settings, pool, err := c.connected(ctx, needs)
	if err != nil {
		return err
	}
	defer pool.Close()
	p, err := newPlatform(settings, platformOptions{})
	if err != nil {
		return err
	}
	backfills, err := newBackfills(pool, p.storage)
	if err != nil {
		return err
	}
	preview, err := backfills.Preview(ctx, order)
	if err != nil {
		return err
	}
	if f.dryRun {
		return c.print(preview, func(w io.Writer, _ bool) { line(w, "Would create "+describe(preview)+".") })
	}
	if err := c.confirm(&f.change, "Create "+describe(preview)+"?"); err != nil {
		return err
	}
	made, err := backfills.Create(ctx, order)
	if err != nil {
		return err
	}
	result := createdReport{ID: made[0].ID, Preview: preview}
	for i := range made {
		result.IDs = append(result.IDs, made[i].ID)
	}
	return c.print(result, func(w io.Writer, _ bool) {
		if len(made) > 1 {
			line(w, fmt.Sprintf("Backfills %d (%s) and %d (%s): %s. Follow them with 'dialogsync backfill watch'.",
				made[0].ID, made[0].Stream, made[1].ID, made[1].Stream, describe(preview)))
			return
		}
		line(w, fmt.Sprintf("Backfill %d: %s. Follow it with 'dialogsync backfill watch %d'.", result.ID, describe(preview), result.ID))
	})
}

// createdReport is what was made: one backfill, or of messages one for each stage. ID is the first one's.
type createdReport struct {
	ID  int64   `json:"id"`
	IDs []int64 `json:"ids"`
	history.Preview
}

func describe(p history.Preview) string {
	kind := "a backfill"
	if p.Redo {
		kind = "a redo"
	}
	if p.OlderThanMapping > 0 {
		kind += fmt.Sprintf(" (of what is older than mapping version %d)", p.OlderThanMapping)
	}
	switch {
	case p.Items > 0:
		return fmt.Sprintf("%s of %d given items", kind, p.Items)
	case p.Redo && slices.Equal(p.Streams, []string{stream.Publish}):
		return fmt.Sprintf("%s of messages from %s back to %s: %d windows", kind, p.Newest, p.Oldest, p.Windows)
	case !slices.Equal(p.Streams, []string{stream.History}):
		return fmt.Sprintf("%s of messages from %s back to %s: %d windows", strings.Join(p.Streams, " and "), p.Newest, p.Oldest, p.Windows)
	}
	return fmt.Sprintf("%s from %s back to %s: %d windows of %d organisations", kind, p.Newest, p.Oldest, p.Windows, len(p.Orgs))
}

func newBackfills(pool *pgxpool.Pool, orgs history.OrgLister) (*history.Backfills, error) {
	client, err := jobs.NewInserter(pool)
	if err != nil {
		return nil, fmt.Errorf("backfills: %w", err)
	}
	return &history.Backfills{Pool: pool, Orgs: orgs, Enqueue: jobs.EnqueueSlices(client)}, nil
}

func (c *cli) backfillListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List all backfills", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			all, err := history.ReadProgress(cmd.Context(), pool, nil)
			if err != nil {
				return err
			}
			if all == nil {
				all = []history.Progress{}
			}
			return c.print(all, func(w io.Writer, wide bool) { printBackfills(w, all, wide) })
		},
	}
}

func printBackfills(w io.Writer, all []history.Progress, wide bool) {
	header := []any{"ID", "SOURCE", "STREAM", "STATE", "NEWEST", "OLDEST", "BACK TO", "DONE", "ITEMS", "QUARANTINED", "WINDOWS"}
	if wide {
		header = append(header, "ORGS", "RATE LIMIT", "OPERATOR", "REASON")
	}
	line(w, header...)
	for i := range all {
		b := &all[i]
		row := []any{
			b.ID, b.Source, b.Stream, stateWord(b), history.LastDayText(b.Newest), history.DayText(b.Oldest), history.DayText(b.BackTo),
			percent(b.Share), b.Accounts.Settled(),
			b.Accounts.Quarantined, fmt.Sprintf("%d/%d", b.Windows.Closed, b.Windows.Closed+b.Windows.Pending+b.Windows.Walking+b.Windows.Failed),
		}
		if wide {
			row = append(row, orgsWord(b), rateWord(b.RatePerS), b.Operator, b.Reason)
		}
		line(w, row...)
	}
}

func stateWord(b *history.Progress) string {
	if b.Waiting != "" {
		return "waiting"
	}
	return b.State
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }

func orgsWord(b *history.Progress) string {
	if slices.Equal(b.Orgs, []string{history.WholeSource}) {
		return "-"
	}
	if b.AllOrgs {
		return fmt.Sprintf("all (%d)", len(b.Orgs))
	}
	return orDash(strings.Join(b.Orgs, ","))
}

func rateWord(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return fmt.Sprintf("%g/s", *rate)
}

// backfillID reads the one argument of most backfill commands.
func backfillID(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id < 1 {
		return 0, usageError{fmt.Sprintf("%q is not the number of a backfill: 'dialogsync backfill list' shows them", arg)}
	}
	return id, nil
}

func (c *cli) backfillStateCommand(
	verb, short string, do func(*history.Backfills, context.Context, int64, string, string) error,
) *cobra.Command {
	var ch change
	cmd := &cobra.Command{
		Use: verb + " ID --reason TEXT", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changeBackfill(cmd.Context(), args[0], verb, &ch, func(b *history.Backfills, id int64) error {
				return do(b, cmd.Context(), id, c.operator, ch.reason)
			})
		},
	}
	ch.addFlags(cmd)
	return cmd
}

func (c *cli) backfillResumeCommand() *cobra.Command {
	var ch change
	var share float64
	cmd := &cobra.Command{
		Use: "resume ID --reason TEXT", Short: "Let a paused backfill go on, and give failed windows another try", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var maxFailureShare *float64
			if cmd.Flags().Changed("max-failure-share") {
				maxFailureShare = &share
			}
			return c.changeBackfill(cmd.Context(), args[0], history.VerbResume, &ch, func(b *history.Backfills, id int64) error {
				return b.Resume(cmd.Context(), id, c.operator, ch.reason, maxFailureShare)
			})
		},
	}
	ch.addFlags(cmd)
	cmd.Flags().Float64Var(&share, "max-failure-share", history.DefaultMaxFailureShare,
		"replace the share of alike failures that stops the backfill; 1 takes it past a range where most items are bad")
	return cmd
}

// changeBackfill pauses, resumes or cancels, or with --dry-run says what it would do.
func (c *cli) changeBackfill(ctx context.Context, arg, verb string, ch *change, do func(*history.Backfills, int64) error) error {
	id, err := backfillID(arg)
	if err != nil {
		return err
	}
	_, pool, err := c.connected(ctx, config.NeedDatabase)
	if err != nil {
		return err
	}
	defer pool.Close()
	before, err := oneBackfill(ctx, pool, id)
	if err != nil {
		return err
	}
	if err := history.CheckVerb(id, verb, before.State); err != nil {
		return err
	}
	if ch.dryRun {
		return c.print(before, func(w io.Writer, _ bool) {
			open := before.Windows.Pending + before.Windows.Walking + before.Windows.Failed
			line(w, fmt.Sprintf("Would %s backfill %d, which is %s with %d windows open.", verb, id, stateWord(&before), open))
		})
	}
	question := fmt.Sprintf("%s backfill %d of %s %s, which is %s?", verb, id, before.Source, before.Stream, stateWord(&before))
	if err := c.confirm(ch, question); err != nil {
		return err
	}
	backfills, err := newBackfills(pool, nil)
	if err != nil {
		return err
	}
	if err := do(backfills, id); err != nil {
		return err
	}
	after, err := oneBackfill(ctx, pool, id)
	if err != nil {
		return err
	}
	return c.print(after, func(w io.Writer, _ bool) { line(w, fmt.Sprintf("Backfill %d is %s.", id, after.State)) })
}

func oneBackfill(ctx context.Context, pool *pgxpool.Pool, id int64) (history.Progress, error) {
	found, err := history.ReadProgress(ctx, pool, &id)
	if err != nil {
		return history.Progress{}, err
	}
	if len(found) == 0 {
		return history.Progress{}, fmt.Errorf("backfill %d: %w", id, history.ErrNoBackfill)
	}
	return found[0], nil
}
