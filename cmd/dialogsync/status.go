package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/status"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is true now of every source and stream",
		Long: `Shows every source and stream as it stands, computed from the database. BACK TO is the history watermark: from that time
on, up to NEWEST, everything that Storage listed is accounted for. LIVE TO is the live watermark: every change up to that time is
delivered; LAG is how far live is behind, and BACKLOG the events not delivered yet. EXCEPTIONS are items in quarantine that stand
beside a watermark. REASON says why a stream stands still, or why history is held back in favour of live.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			report, err := status.Read(cmd.Context(), pool)
			if err != nil {
				return err
			}
			return c.print(report, func(w io.Writer, wide bool) { printStatus(w, &report, wide) })
		},
	}
}

func printStatus(w io.Writer, report *status.Report, wide bool) {
	header := []any{"SOURCE", "STREAM", "STATE", "BACK TO", "NEWEST", "LIVE TO", "LAG", "BACKLOG", "EXCEPTIONS", "ITEMS"}
	if wide {
		header = append(header, "CREATED", "UPDATED", "UNCHANGED", "DELETED", "PURGED", "RESTORED", "SKIPPED", "QUARANTINED",
			"ARRIVAL LAG", "BY CATCH-UP", "SINCE", "BY")
	}
	line(w, append(header, "REASON")...)
	for i := range report.Streams {
		s := &report.Streams[i]
		backTo, newest, items := "-", "-", "-"
		if s.BackTo != nil {
			backTo, newest = history.DayText(*s.BackTo), history.LastDayText(*s.Newest)
		}
		a := history.Accounts{}
		if s.Accounts != nil {
			a = *s.Accounts
			items = strconv.FormatInt(a.Settled(), 10)
		}
		row := []any{
			s.Source, s.Stream, s.State, backTo, newest, moment(s.LiveTo), secondsWord(s.LagS), countWord(s.Backlog), s.Exceptions, items,
		}
		if wide {
			row = append(row, a.Created, a.Updated, a.Unchanged, a.Deleted, a.Purged, a.Restored, a.Skipped, a.Quarantined,
				secondsWord(s.ArrivalLagS), shareWord(s.FoundByCatchUp), moment(s.Since), orDash(s.By))
		}
		line(w, append(row, orDash(reasonWord(s)))...)
	}
}

// reasonWord is why a stream stands still, or why history is held back.
func reasonWord(s *status.Stream) string {
	switch {
	case s.Reason != "":
		return s.Reason
	case s.Throttled != "" && s.ThrottlePerS != nil:
		return fmt.Sprintf("held back to %.0f/s: %s", math.Ceil(*s.ThrottlePerS), s.Throttled)
	case s.Throttled != "":
		return "held back: " + s.Throttled
	}
	return ""
}

func secondsWord(s *float64) string {
	if s == nil {
		return "-"
	}
	return history.Roughly(time.Duration(*s * float64(time.Second)))
}

func countWord(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

func shareWord(share *float64) string {
	if share == nil {
		return "-"
	}
	return percent(*share)
}

// coverageRow is one organisation's closed range.
type coverageRow struct {
	Source string    `json:"source"`
	Stream string    `json:"stream"`
	Org    string    `json:"org"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
}

// coverageReport is the closed ranges of a history stream and the promise that follows from them.
type coverageReport struct {
	Source    string               `json:"source"`
	Stream    string               `json:"stream"`
	Watermark *time.Time           `json:"watermark,omitempty"`
	Newest    *time.Time           `json:"newest,omitempty"`
	Closed    []coverageRow        `json:"closed"`
	Holes     []coverageRow        `json:"holes"`
	Accounts  []history.MonthOfOrg `json:"accounts"`
}

func (c *cli) coverageCommand() *cobra.Command {
	var source string
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Show which ranges of history are closed, with their counts, and the holes between them",
		Long: `Shows the closed ranges of each organisation, the holes between them up to the newest instant ordered, and the accounts of
closed windows by month. A range is closed when every item that the source listed in it is accounted for. Messages have two
histories, transfer and publish, and no organisations.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if source != "" && !ledger.Source(source).Valid() {
				return usageError{fmt.Sprintf("unknown source %q", source)}
			}
			_, pool, err := c.connected(cmd.Context(), config.NeedDatabase)
			if err != nil {
				return err
			}
			defer pool.Close()
			var reports []coverageReport
			for _, s := range history.Streams() {
				if source != "" && s.Source != ledger.Source(source) {
					continue
				}
				coverage, err := history.ReadCoverage(cmd.Context(), pool, s)
				if err != nil {
					return err
				}
				accounts, err := history.ReadMonths(cmd.Context(), pool, s)
				if err != nil {
					return err
				}
				reports = append(reports, coverageOf(coverage, accounts))
			}
			return c.print(reports, func(w io.Writer, _ bool) { printCoverage(w, reports) })
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "one source only")
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(sourceNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func coverageOf(coverage history.Coverage, accounts []history.MonthOfOrg) coverageReport {
	source, direction := string(coverage.Stream.Source), coverage.Stream.Direction
	report := coverageReport{Source: source, Stream: direction, Closed: []coverageRow{}, Holes: []coverageRow{}, Accounts: accounts}
	if t, ok := coverage.Watermark(); ok {
		report.Watermark = &t
	}
	if !coverage.Top.IsZero() {
		report.Newest = &coverage.Top
	}
	for _, org := range coverage.Orgs {
		for _, r := range coverage.Closed[org] {
			report.Closed = append(report.Closed, coverageRow{source, direction, org, r.From, r.To})
		}
		for _, r := range coverage.Holes(org) {
			report.Holes = append(report.Holes, coverageRow{source, direction, org, r.From, r.To})
		}
	}
	return report
}

func printCoverage(w io.Writer, reports []coverageReport) {
	for i := range reports {
		r := &reports[i]
		promise := "no watermark: nothing is closed for every organisation up to the newest instant ordered"
		if r.Watermark != nil {
			promise = fmt.Sprintf("back to %s, from %s", history.DayText(*r.Watermark), history.LastDayText(*r.Newest))
		}
		line(w, r.Source+" "+r.Stream+": "+promise)
		line(w, "  ORG", "CLOSED FROM", "TO", "")
		for _, c := range r.Closed {
			line(w, "  "+c.Org, history.DayText(c.From), history.DayText(c.To), "closed")
		}
		for _, h := range r.Holes {
			line(w, "  "+h.Org, history.DayText(h.From), history.DayText(h.To), "HOLE")
		}
		if len(r.Accounts) == 0 {
			continue
		}
		line(w, "  ORG", "MONTH", "SEEN", "CREATED", "UPDATED", "UNCHANGED", "DELETED", "SKIPPED", "QUARANTINED")
		for _, a := range r.Accounts {
			line(w, "  "+a.Org, a.Month.Format("2006-01"), a.Seen, a.Created, a.Updated+a.Restored, a.Unchanged, a.Deleted+a.Purged,
				a.Skipped, a.Quarantined)
		}
	}
}
