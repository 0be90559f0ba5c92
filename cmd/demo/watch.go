package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// errHistory ends the demo: a backfill ended otherwise than walked.
var errHistory = errors.New("history did not get to its end")

// past is how history went: its backfills at their end, and how long each took.
type past struct {
	backfills []history.Progress
	took      map[int64]time.Duration
}

// watch shows how the watermarks move until history is walked: a line every other second at first, then every ten.
func (d *demo) watch(ctx context.Context) (past, error) {
	const often, seldom, many, look = 2 * time.Second, 10 * time.Second, 20, 200 * time.Millisecond
	p := past{took: map[int64]time.Duration{}}
	began := time.Now()
	var shown []history.Progress
	var at time.Time
	for lines := 0; ; {
		all, err := history.ReadProgress(ctx, d.pool, nil)
		if err != nil {
			return p, fmt.Errorf("read progress: %w", err)
		}
		slices.SortFunc(all, func(a, b history.Progress) int { return int(a.ID - b.ID) })
		open := 0
		for i := range all {
			switch all[i].State {
			case history.StateRunning, history.StatePaused:
				open++
			default:
				if p.took[all[i].ID] == 0 {
					p.took[all[i].ID] = time.Since(began)
				}
			}
		}
		pause := often
		if lines > many {
			pause = seldom
		}
		if shown == nil || open == 0 || time.Since(at) >= pause {
			if lines == 0 {
				header(all)
			}
			live, err := d.behind(ctx)
			if err != nil {
				return p, err
			}
			line(began, time.Since(at), shown, all, live)
			shown, at = all, time.Now()
			lines++
		}
		if err := d.ring(ctx); err != nil {
			return p, err
		}
		if open == 0 {
			p.backfills = all
			return p, p.check()
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("follow history: %w", ctx.Err())
		case <-time.After(look):
		}
	}
}

func (p past) check() error {
	for i := range p.backfills {
		if b := &p.backfills[i]; b.State != history.StateComplete {
			return fmt.Errorf("backfill %d of %s is %s: %w", b.ID, b.Source, b.State, errHistory)
		}
	}
	return nil
}

// column is as wide as a backfill's part of a line.
const column = 20

func header(all []history.Progress) {
	var first, second strings.Builder
	for i := range all {
		fmt.Fprintf(&first, "  %-*s", column, nameOf(&all[i]))
		fmt.Fprintf(&second, "  %-*s", column, "back to done     now")
	}
	sayf("    after%s  live is behind by", first.String())
	sayf("         %s  instances, forms, messages", second.String())
}

func line(began time.Time, between time.Duration, before, all []history.Progress, live []string) {
	var text strings.Builder
	for i := range all {
		fmt.Fprintf(&text, "  %-*s", column, cell(before, &all[i], between))
	}
	sayf("   %6s%s  %s", seconds(time.Since(began)), text.String(), strings.Join(live, ", "))
}

// cell is one backfill's part of a line.
func cell(before []history.Progress, p *history.Progress, between time.Duration) string {
	back, now := "-", ""
	if p.BackTo.Before(p.Newest) {
		back = p.BackTo.Format("2 Jan")
	}
	if i := slices.IndexFunc(before, func(b history.Progress) bool { return b.ID == p.ID }); i >= 0 && p.State == history.StateRunning {
		now = fmt.Sprintf("%.0f/s", history.SpeedBetween(before[i], *p, between).ItemsPerS)
	}
	const percent = 100
	return fmt.Sprintf("%-7s %3.0f %% %6s", back, p.Share*percent, now)
}

// behind is by how much live sync is behind, source by source.
func (d *demo) behind(ctx context.Context) ([]string, error) {
	lags, err := stream.ReadLags(ctx, d.pool)
	if err != nil {
		return nil, fmt.Errorf("read lag of live sync: %w", err)
	}
	var texts []string
	for _, source := range sources() {
		text := "-"
		if i := slices.IndexFunc(lags, func(l stream.Lag) bool { return l.Source == source }); i >= 0 {
			if behind, known := lags[i].Behind(); known {
				text = history.Roughly(behind)
			}
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// nameOf is what a backfill brings over.
func nameOf(p *history.Progress) string {
	switch ledger.Source(p.Source) {
	case ledger.A3AppInstances:
		return "app instances"
	case ledger.A2ArchivedForms:
		return "archived forms"
	default:
		return "messages: " + p.Stream
	}
}
