package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/status"
	"github.com/altinn/dialogsync/internal/stream"
)

func (c *cli) streamCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "stream",
		Short: "Pause, resume and throttle live and history of a source",
		Long: `A stream is a source in one direction: a3-app-instances/live, a2-archived-forms/history. History of messages has
two: a2-correspondence/transfer and a2-correspondence/publish. What is said of a stream reaches all
workers within two seconds, survives restarts, and is kept with who said it and why.

Pausing live loses nothing: events are still accepted and wait, and polls catch up from where they were. Pausing history stops
all backfills of the source, checkpoints saved, and leaves their own states alone: a paused backfill stays paused when its
stream is resumed.

Live goes before history by itself: when live falls behind or Dialogporten slows (Correspondence, for messages), history is
held back, and THROTTLED in 'stream list' says why. That needs no command.`,
		Example: `  dialogsync stream list
  dialogsync stream pause a3-app-instances/live --reason "Dialogporten is upgraded"
  dialogsync stream throttle a3-app-instances/history --rate 50 --reason "the destination asks for a rest"
  dialogsync stream throttle a3-app-instances/history --rate none --reason "it has rested"`,
	})
	cmd.AddCommand(c.streamListCommand(),
		c.streamVerbCommand(stream.VerbPause, &cobra.Command{
			Use:   "pause STREAM --reason TEXT",
			Short: "Stop a stream on all workers within two seconds",
			Long: `Stops a stream on all workers within two seconds, until 'stream resume'. Nothing is lost: events are accepted and wait,
checkpoints are saved. Exit code 5 if the stream is paused already; its reason stays the first one.`,
			Example: `  dialogsync stream pause a3-app-instances/live --reason "Dialogporten is upgraded"
  dialogsync stream pause --source a2-archived-forms --stream history --reason "night" --yes`,
		}, stream.Pause),
		c.streamVerbCommand(stream.VerbResume, &cobra.Command{
			Use:   "resume STREAM --reason TEXT",
			Short: "Let a paused stream go on, or a waiting one try at once",
			Long: `Lets a paused stream go on. One that waits, having stopped itself, tries again by itself; this makes it try at once. Exit code 5
if the stream is neither paused nor waiting.`,
			Example: `  dialogsync stream resume a3-app-instances/live --reason "the upgrade is done"`,
		}, stream.Resume),
		c.streamThrottleCommand())
	return cmd
}

// streamRow is a stream as `stream list` shows it.
type streamRow struct {
	Name string `json:"name"`
	status.Stream

	// RateReason, RateBy and RateSince tell of the last change of the rate.
	RateReason string     `json:"rateReason,omitempty"`
	RateBy     string     `json:"rateBy,omitempty"`
	RateSince  *time.Time `json:"rateSince,omitempty"`
}

// readStreams gives all streams that operators can say something of, in the order of the status report.
func readStreams(ctx context.Context, pool *pgxpool.Pool) ([]streamRow, error) {
	report, err := status.Read(ctx, pool)
	if err != nil {
		return nil, err
	}
	states, err := stream.Read(ctx, pool)
	if err != nil {
		return nil, err
	}
	rows := []streamRow{}
	for i := range report.Streams {
		s := stream.Stream{Source: ledger.Source(report.Streams[i].Source), Direction: report.Streams[i].Stream}
		if !slices.Contains(stream.Streams(), s) {
			continue
		}
		state := stream.Of(states, s)
		row := streamRow{Name: s.String(), Stream: report.Streams[i], RateReason: state.RateReason, RateBy: state.RateOperator}
		if !state.RateChanged.IsZero() {
			row.RateSince = &state.RateChanged
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (c *cli) streamListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List streams with what operators and they themselves say of them", Args: cobra.NoArgs,
		Long: `Lists all streams. STATE is paused (by an operator: SINCE, BY, REASON), waiting (it stopped itself for REASON and tries again by
itself), running, off, complete or failed. RATE is the operators' limit over all workers. THROTTLED says why history is held back
in favour of live. LIVE TO is the live watermark and LAG how far live is behind.

With -o wide also: events not delivered and those of them that wait, how late items can be seen (ARRIVAL LAG), the share of
changes that no event told of (BY CATCH-UP), workers, and who set the rate, when and why.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			rows, err := readStreams(cmd.Context(), pool)
			if err != nil {
				return err
			}
			return c.print(rows, func(w io.Writer, wide bool) { printStreams(w, rows, wide) })
		},
	}
}

func printStreams(w io.Writer, rows []streamRow, wide bool) {
	header := []any{"STREAM", "STATE", "SINCE", "BY", "RATE", "LIVE TO", "LAG"}
	if wide {
		header = append(header, "BACKLOG", "PARKED", "ARRIVAL LAG", "BY CATCH-UP", "WORKERS", "RATE SINCE", "RATE BY", "RATE REASON")
	}
	line(w, append(header, "THROTTLED", "REASON")...)
	for i := range rows {
		r := &rows[i]
		row := []any{
			r.Name, r.State, moment(r.Since), orDash(r.By), rateWord(r.RatePerS), moment(r.LiveTo), secondsWord(r.LagS),
		}
		if wide {
			row = append(row, countWord(r.Backlog), countWord(r.Parked), secondsWord(r.ArrivalLagS), shareWord(r.FoundByCatchUp), r.Workers,
				moment(r.RateSince), orDash(r.RateBy), orDash(r.RateReason))
		}
		line(w, append(row, orDash(r.Throttled), orDash(r.Reason))...)
	}
}

// streamFlags are a stream as typed, as an argument or by flags.
type streamFlags struct {
	change

	source, direction string
}

func (f *streamFlags) add(cmd *cobra.Command) {
	f.addFlags(cmd)
	cmd.Flags().StringVar(&f.source, "source", "", "source of the stream, with --stream instead of the argument")
	cmd.Flags().StringVar(&f.direction, "stream", "", "live, history, transfer or publish, with --source instead of the argument")
	var names, sources []string
	for _, s := range stream.Streams() {
		names = append(names, s.String())
		sources = append(sources, string(s.Source))
	}
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(slices.Compact(sources), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("stream",
		cobra.FixedCompletions(stream.Directions(), cobra.ShellCompDirectiveNoFileComp)) // the flags exist
}

// named reads which stream is meant.
func (f *streamFlags) named(args []string) (stream.Stream, error) {
	switch given := f.source != "" || f.direction != ""; {
	case given && len(args) > 0:
		return stream.Stream{}, usageError{"name the stream once: as an argument, or with --source and --stream"}
	case given:
		return stream.Parse(f.source + "/" + f.direction)
	case len(args) == 0:
		return stream.Stream{}, usageError{"which stream? 'dialogsync stream list' shows them: a3-app-instances/live, for one"}
	}
	return stream.Parse(args[0])
}

func (c *cli) streamVerbCommand(
	verb string, cmd *cobra.Command, do func(context.Context, *pgxpool.Pool, stream.Stream, stream.Order) error,
) *cobra.Command {
	var f streamFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		plan := streamPlan{verb: verb, do: do}
		return c.changeStream(cmd.Context(), &f, args, plan)
	}
	f.add(cmd)
	return cmd
}

func (c *cli) streamThrottleCommand() *cobra.Command {
	var f streamFlags
	var rate string
	cmd := &cobra.Command{
		Use:   "throttle STREAM --rate N|none --reason TEXT",
		Short: "Limit a stream to so many items a second, or take the limit away",
		Long: `Limits a stream to --rate items a second over all workers together; 'none' takes the limit away. The workers that work on the
stream have equal shares of it. A history stream's rate is for the sum of its backfills; a backfill's own --rate stands beside it,
and the lower one holds.`,
		Example: `  dialogsync stream throttle a3-app-instances/history --rate 50 --reason "the destination asks for a rest"
  dialogsync stream throttle a3-app-instances/history --rate none --reason "it has rested"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			perSecond, err := parseRate(rate)
			if err != nil {
				return err
			}
			return c.changeStream(cmd.Context(), &f, args, streamPlan{
				verb: stream.VerbThrottle, to: " to " + rateText(perSecond),
				do: func(ctx context.Context, pool *pgxpool.Pool, s stream.Stream, order stream.Order) error {
					return stream.Throttle(ctx, pool, s, perSecond, order)
				},
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&rate, "rate", "", "most items a second over all workers, or none")
	_ = cmd.MarkFlagRequired("rate") // the flag exists
	_ = cmd.RegisterFlagCompletionFunc("rate", cobra.FixedCompletions([]string{"none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// parseRate reads a rate; nil is none.
func parseRate(text string) (*float64, error) {
	if strings.EqualFold(text, "none") {
		return nil, nil //nolint:nilnil // no limit is an answer
	}
	perSecond, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, usageError{fmt.Sprintf("--rate %q is not a rate: write a number of items a second, or none", text)}
	}
	return &perSecond, stream.CheckRate(&perSecond)
}

func rateText(perSecond *float64) string {
	if perSecond == nil {
		return "no limit"
	}
	return rateWord(perSecond)
}

// streamPlan is what is asked of a stream.
type streamPlan struct {
	// verb and to make a sentence with the stream between them.
	verb, to string
	do       func(context.Context, *pgxpool.Pool, stream.Stream, stream.Order) error
}

// changeStream does what is asked, or with --dry-run says what it would do.
func (c *cli) changeStream(ctx context.Context, f *streamFlags, args []string, plan streamPlan) error {
	s, err := f.named(args)
	if err != nil {
		return err
	}
	if !f.dryRun && strings.TrimSpace(f.reason) == "" {
		return usageError{"--reason is needed: it is kept with who and when"}
	}
	_, pool, err := c.connected(ctx, config.NeedDatabase)
	if err != nil {
		return err
	}
	defer pool.Close()
	states, err := stream.Read(ctx, pool)
	if err != nil {
		return err
	}
	was := stream.Of(states, s)
	if err := stream.CheckVerb(plan.verb, was); err != nil {
		return err
	}
	if f.dryRun {
		return c.printStream(ctx, pool, s, fmt.Sprintf("Would %s %s%s; it %s.", plan.verb, s, plan.to, standing(&was)))
	}
	if err := c.confirm(&f.change, fmt.Sprintf("%s %s%s? It %s.", plan.verb, s, plan.to, standing(&was))); err != nil {
		return err
	}
	if err := plan.do(ctx, pool, s, stream.Order{Operator: c.operator, Reason: f.reason}); err != nil {
		return err
	}
	states, err = stream.Read(ctx, pool)
	if err != nil {
		return err
	}
	is := stream.Of(states, s)
	return c.printStream(ctx, pool, s, fmt.Sprintf("Stream %s %s.", s, standing(&is)))
}

// printStream prints a stream's row, or for people a sentence.
func (c *cli) printStream(ctx context.Context, pool *pgxpool.Pool, s stream.Stream, sentence string) error {
	rows, err := readStreams(ctx, pool)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(r streamRow) bool { return r.Name == s.String() })
	return c.print(rows[i], func(w io.Writer, _ bool) { line(w, sentence) })
}

// standing says how a stream stands, as the end of a sentence.
func standing(s *stream.State) string {
	text := "may run"
	switch {
	case s.Paused:
		text = fmt.Sprintf("is paused by %s since %s: %s", s.Operator, moment(&s.Changed), s.Reason)
	case s.Waiting != "":
		text = fmt.Sprintf("waits since %s: %s", moment(&s.Since), s.Waiting)
	}
	if s.RatePerS != nil {
		text += ", at most " + rateWord(s.RatePerS)
	}
	return text
}

// isStreamError tells whether an error is one that an order to a stream can give.
func isStreamError(err error) bool { return streamExitCode(err) != exitError }

func streamExitCode(err error) int {
	var name *stream.NameError
	var order *stream.OrderError
	var unknown *stream.UnknownError
	var state *stream.StateError
	switch {
	case errors.As(err, &name), errors.As(err, &order):
		return exitUsage
	case errors.As(err, &unknown):
		return exitNotFound
	case errors.As(err, &state):
		return exitConflict
	}
	return exitError
}
