package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
)

// showRows is how many windows and items of a kind are shown.
const showRows = 20

func (c *cli) backfillShowCommand() *cobra.Command {
	var corrected bool
	var after string
	var limit int
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one backfill: accounts, windows under way, windows in trouble, items in quarantine",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := backfillID(args[0])
			if err != nil {
				return err
			}
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			if corrected {
				return c.showCorrected(cmd.Context(), pool, id, after, limit)
			}
			detail, err := history.ReadDetail(cmd.Context(), pool, id, showRows)
			if err != nil {
				return err
			}
			return c.print(detail, func(w io.Writer, _ bool) { printDetail(w, &detail) })
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&corrected, "corrected", false, "list what a redo corrected instead")
	flags.IntVar(&limit, "limit", defaultListRows, "with --corrected: how many at most")
	flags.StringVar(&after, "after", "", "with --corrected: go on where an earlier list ended, as it says itself")
	return cmd
}

// showCorrected lists what a redo put right.
func (c *cli) showCorrected(ctx context.Context, pool *pgxpool.Pool, id int64, after string, limit int) error {
	if err := checkLimit(limit); err != nil {
		return err
	}
	page, err := history.ReadCorrections(ctx, pool, id, after, limit)
	if err != nil {
		return err
	}
	err = c.print(page, func(w io.Writer, _ bool) {
		line(w, "ITEM", "OUTCOME", "REASON", "RECORDED")
		for _, i := range page.Items {
			line(w, i.Item, i.Outcome, orDash(i.Reason), when(i.At))
		}
	})
	c.sayMore(page.Next, err)
	return err
}

func printDetail(w io.Writer, d *history.Detail) {
	line(w, "Backfill", d.ID)
	line(w, "Source", d.Source)
	line(w, "Stream", d.Stream)
	if d.Redo {
		line(w, "Redo", redoWord(d.OlderThanMapping))
	}
	line(w, "State", d.State)
	if d.Waiting != "" {
		line(w, "Waiting", fmt.Sprintf("%s (since %s)", d.Waiting, moment(d.Since)))
	}
	if d.AfterTransfer {
		line(w, "Waiting", "for transfer: a day is published once its transfer is closed")
	}
	if !d.Items {
		line(w, "Range", fmt.Sprintf("%s back to %s", history.LastDayText(d.Newest), history.DayText(d.Oldest)))
		line(w, "Back to", fmt.Sprintf("%s (%s)", history.DayText(d.BackTo), percent(d.Share)))
		if orgs := orgsWord(&d.Progress); orgs != "-" {
			line(w, "Organisations", orgs)
		}
	}
	line(w, "Ordered", fmt.Sprintf("%s by %s: %s", moment(&d.Created), d.Operator, d.Reason))
	line(w, "Limits", fmt.Sprintf("%d windows at once, rate %s", d.Parallel, rateWord(d.RatePerS)))
	n, a := d.Windows, d.Accounts
	line(w, "Windows", fmt.Sprintf("%d closed, %d under way, %d to do, %d failed", n.Closed, n.Walking, n.Pending, n.Failed))
	line(w, "Items seen", a.Seen)
	line(w, "Accounted for", fmt.Sprintf(
		"%d = %d created + %d updated + %d unchanged + %d deleted + %d purged + %d restored + %d skipped + %d quarantined", a.Settled(),
		a.Created, a.Updated, a.Unchanged, a.Deleted, a.Purged, a.Restored, a.Skipped, a.Quarantined))
	for _, s := range d.Skipped {
		line(w, "  skipped", fmt.Sprintf("%d: %s", s.Items, s.Reason))
	}
	if d.Redo {
		line(w, "Corrected", correctedWord(d.Corrected, a.Quarantined))
	}
	for _, s := range d.InProgress {
		text := fmt.Sprintf("%s %s, reached %s, %d items, by %s", s.Org, s.Range, moment(&s.Reached), s.Seen, orDash(s.Worker))
		line(w, "  under way", text)
	}
	for _, s := range d.Troubled {
		next := ""
		if !s.RetryAt.IsZero() {
			next = ", next " + moment(&s.RetryAt)
		}
		line(w, "  in trouble", fmt.Sprintf("%s %s (%s, %d tries%s): %s", s.Org, s.Range, s.State, s.Attempts, next, s.Failure))
	}
	for _, q := range d.Quarantine {
		line(w, "  quarantined", fmt.Sprintf("%s (%s): %s", q.ItemKey, q.Reason, q.Detail))
		line(w, "    what to do", reconcile.RemedyFor(ledger.Source(d.Source), q.Reason).Do)
	}
	if int64(len(d.Quarantine)) < a.Quarantined && len(d.Quarantine) == showRows {
		line(w, "", fmt.Sprintf("... and more: the first %d are shown", showRows))
	}
}

func redoWord(olderThan *int16) string {
	if olderThan == nil {
		return "of everything"
	}
	return fmt.Sprintf("of what is older than mapping version %d", *olderThan)
}

// correctedWord tells how many items a redo put right; those in quarantine are not as they should be.
func correctedWord(counts map[ledger.Outcome]int64, quarantined int64) string {
	var total int64
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		total += counts[outcome]
		parts = append(parts, fmt.Sprintf("%d %s", counts[outcome], outcome))
	}
	switch {
	case total == 0 && quarantined > 0:
		return "nothing: all that was looked at is as it should be, those in quarantine aside"
	case total == 0:
		return "nothing: all that was looked at is as it should be"
	}
	return fmt.Sprintf("%d = %s; --corrected lists them", total, strings.Join(parts, " + "))
}

func (c *cli) backfillWatchCommand() *cobra.Command {
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "watch [ID]",
		Short: "Follow backfills until they are over",
		Long: `Shows a line for each backfill that is not over, or for the one given, and renews it. On a terminal the lines stay in
place; elsewhere a line is written when something has changed. It ends when nothing is left to follow: exit code 0 if all was
walked, 3 if a backfill ended failed or items are in quarantine.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var id *int64
			if len(args) == 1 {
				n, err := backfillID(args[0])
				if err != nil {
					return err
				}
				id = &n
			}
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			return c.watch(cmd.Context(), pool, id, interval)
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "how often to look")
	return cmd
}

// watcher follows backfills from one look to the next.
type watcher struct {
	before map[int64]history.Progress
	at     time.Time
	// speed is smoothed over some looks.
	speed map[int64]history.Speed
	// drawn is how many lines stand on the terminal.
	drawn int
	last  map[int64]string
}

func (c *cli) watch(ctx context.Context, pool *pgxpool.Pool, id *int64, interval time.Duration) error {
	if id != nil {
		if _, err := oneBackfill(ctx, pool, *id); err != nil {
			return err
		}
	}
	live := c.isTerminal()
	w := &watcher{before: map[int64]history.Progress{}, speed: map[int64]history.Speed{}, last: map[int64]string{}}
	followed := map[int64]bool{}
	for {
		all, err := history.ReadProgress(ctx, pool, id)
		if err != nil {
			return err
		}
		var shown []history.Progress
		open := 0
		for i := range all {
			isOver := over(all[i].State)
			if !isOver {
				open++
			}
			if !isOver || followed[all[i].ID] || id != nil {
				followed[all[i].ID] = true
				shown = append(shown, all[i])
			}
		}
		w.draw(c.err, shown, live)
		if open == 0 {
			return c.verdict(shown)
		}
		select {
		case <-ctx.Done():
			return nil // the watcher had enough; the backfill goes on
		case <-time.After(interval):
		}
	}
}

func over(state string) bool { return state != history.StateRunning && state != history.StatePaused }

func (c *cli) verdict(shown []history.Progress) error {
	for i := range shown {
		if shown[i].State == history.StateFailed || shown[i].Accounts.Quarantined > 0 {
			return codedError{code: exitPartly, err: errQuiet}
		}
	}
	return nil
}

func (c *cli) isTerminal() bool {
	file, ok := c.err.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(file.Fd()))
}

// smoothing is the weight of the newest look in a rate.
const smoothing = 0.1

func (w *watcher) draw(out io.Writer, shown []history.Progress, live bool) {
	now := time.Now()
	if live && w.drawn > 0 {
		fmt.Fprintf(out, "\x1b[%dA", w.drawn)
	}
	for i := range shown {
		p := shown[i]
		if before, seen := w.before[p.ID]; seen {
			w.speed[p.ID] = w.speed[p.ID].Smooth(history.SpeedBetween(before, p, now.Sub(w.at)), smoothing)
		}
		text := p.Line(w.speed[p.ID])
		switch {
		case live:
			fmt.Fprintf(out, "\r\x1b[K%s\n", text)
		case w.last[p.ID] != text:
			fmt.Fprintln(out, text)
		}
		w.last[p.ID] = text
		w.before[p.ID] = p
	}
	w.at, w.drawn = now, len(shown)
}
