package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
)

func (c *cli) quarantineCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "quarantine", Short: "See which items need a person, and what that person can do",
		Long: `An item that cannot be brought over stands in quarantine, with the reason and what can be done about it. It stops no
stream. A delivery that succeeds takes it out: 'dialogsync item sync KEY', a change at its source, or a backfill that meets it.`,
	})
	cmd.AddCommand(c.quarantineListCommand(), c.quarantineShowCommand())
	return cmd
}

var errNotInQuarantine = errors.New("not in quarantine: 'dialogsync item explain' tells what is known of it")

// defaultListRows is how many items a page of a list has.
const defaultListRows = 50

func (c *cli) quarantineListCommand() *cobra.Command {
	var query reconcile.QuarantineQuery
	var source string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List items in quarantine, newest failure first", Args: cobra.NoArgs,
		Example: `  dialogsync quarantine list --source a3-app-instances --reason party_not_found
  dialogsync quarantine list --limit 1000 -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query.Source = ledger.Source(source)
			return c.quarantineList(cmd.Context(), query)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&source, "source", "", "only items of this source")
	flags.StringVar(&query.Reason, "reason", "", "only items with this reason code")
	flags.IntVar(&query.Limit, "limit", defaultListRows, "how many at most")
	flags.StringVar(&query.After, "after", "", "go on where an earlier list ended, as it says itself")
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(sourceNames(), cobra.ShellCompDirectiveNoFileComp)) // exists
	return cmd
}

func (c *cli) quarantineList(ctx context.Context, query reconcile.QuarantineQuery) error {
	if query.Source != "" && !query.Source.Valid() {
		return usageError{fmt.Sprintf("source %q is none of %s", query.Source, strings.Join(sourceNames(), ", "))}
	}
	if err := checkLimit(query.Limit); err != nil {
		return err
	}
	_, pool, err := c.connected(ctx, config.NeedDatabase)
	if err != nil {
		return err
	}
	defer pool.Close()
	page, err := reconcile.ListQuarantine(ctx, pool, query)
	if errors.Is(err, reconcile.ErrPage) {
		return usageError{"--after is " + err.Error()}
	}
	if err != nil {
		return err
	}
	err = c.print(page, func(w io.Writer, wide bool) { printQuarantine(w, page.Items, wide) })
	c.sayMore(page.Next, err)
	return err
}

func checkLimit(limit int) error {
	const most = 100_000
	if limit < 1 || limit > most {
		return usageError{fmt.Sprintf("--limit must be between 1 and %d", most)}
	}
	return nil
}

// sayMore tells people where a list goes on; programs find it in the list.
func (c *cli) sayMore(next string, err error) {
	if err == nil && next != "" && c.output != formatJSON && c.output != formatYAML {
		fmt.Fprintf(c.err, "more follow: --after %s\n", next)
	}
}

func printQuarantine(w io.Writer, items []reconcile.QuarantinedItem, wide bool) {
	header := []any{"SOURCE", "ITEM", "REASON", "ATTEMPTS", "LAST FAILED", "WHAT TO DO"}
	if wide {
		header = append(header, "FIRST FAILED", "APP", "DETAIL")
	}
	line(w, header...)
	for i := range items {
		q := &items[i]
		row := []any{q.Source, q.Item, q.Reason, q.Attempts, when(q.LastFailedAt), q.Do}
		if wide {
			row = append(row, when(q.FirstFailedAt), orDash(q.AppID), q.Detail)
		}
		line(w, row...)
	}
}

func (c *cli) quarantineShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show KEY", Short: "Show why one item is in quarantine, and what can be done", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			key := args[0]
			if id, err := altinn.ParseInstanceID(key); err == nil {
				key = id.String()
			}
			items, err := reconcile.QuarantineOf(cmd.Context(), pool, key)
			if err != nil {
				return err
			}
			if len(items) == 0 {
				return codedError{code: exitNotFound, err: errNotInQuarantine}
			}
			return c.print(items, func(w io.Writer, _ bool) {
				for i := range items {
					printQuarantined(w, &items[i])
				}
			})
		},
	}
}

// printQuarantined tells of one item.
func printQuarantined(w io.Writer, q *reconcile.QuarantinedItem) {
	line(w, "Quarantine", fmt.Sprintf("%s of %s: %s", q.Item, q.Source, q.Reason))
	line(w, "  means", q.Means)
	line(w, "  what to do", q.Do)
	line(w, "  detail", q.Detail)
	by := "live, or singly"
	if q.BackfillID != 0 {
		by = fmt.Sprintf("backfill %d", q.BackfillID)
	}
	line(w, "  failed", fmt.Sprintf("%d times, first %s, last %s, by %s", q.Attempts, when(q.FirstFailedAt), when(q.LastFailedAt), by))
}

func orDashID(id uuid.UUID) string {
	if id == uuid.Nil {
		return "-"
	}
	return id.String()
}
