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

// watch shows how the watermarks move until history is walked.
func (d *demo) watch(ctx context.Context) (past, error) {
	const look = 200 * time.Millisecond
	p := past{took: map[int64]time.Duration{}}
	t := table{began: time.Now()}
	for {
		all, err := history.ReadProgress(ctx, d.pool, nil)
		if err != nil {
			return p, fmt.Errorf("read progress: %w", err)
		}
		slices.SortFunc(all, func(a, b history.Progress) int { return int(a.ID - b.ID) })
		over := p.note(all, time.Since(t.began))
		if over || t.isDue() {
			live, err := d.behind(ctx)
			if err != nil {
				return p, err
			}
			t.line(all, live)
		}
		if err := d.ring(ctx); err != nil {
			return p, err
		}
		if over {
			return p, p.check()
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("follow history: %w", ctx.Err())
		case <-time.After(look):
		}
	}
}

// note keeps how backfills stand, and when each ended. It tells whether all have.
func (p *past) note(all []history.Progress, after time.Duration) (over bool) {
	over = true
	for i := range all {
		switch all[i].State {
		case history.StateRunning, history.StatePaused:
			over = false
		default:
			if p.took[all[i].ID] == 0 {
				p.took[all[i].ID] = after
			}
		}
	}
	p.backfills = all
	return over
}

func (p past) check() error {
	for i := range p.backfills {
		if b := &p.backfills[i]; b.State != history.StateComplete {
			return fmt.Errorf("backfill %d of %s is %s: %w", b.ID, b.Source, b.State, errHistory)
		}
	}
	return nil
}

// table is what is shown while history is walked.
type table struct {
	began time.Time
	lines int
	shown []history.Progress
	at    time.Time // of the last line
}

// isDue tells whether it is time for another line: every other second at first, then every ten.
func (t *table) isDue() bool {
	const often, seldom, many = 2 * time.Second, 10 * time.Second, 20
	if t.lines > many {
		return time.Since(t.at) >= seldom
	}
	return time.Since(t.at) >= often
}

// column is as wide as a backfill's part of a line.
const column = 20

// line tells where all backfills stand, and by how much live sync is behind.
func (t *table) line(all []history.Progress, live []string) {
	var names, heads, cells strings.Builder
	for i := range all {
		fmt.Fprintf(&names, "  %-*s", column, nameOf(&all[i]))
		fmt.Fprintf(&heads, "  %-*s", column, "back to done     now")
		fmt.Fprintf(&cells, "  %-*s", column, cell(t.shown, &all[i], time.Since(t.at)))
	}
	if t.lines == 0 {
		sayf("    after%s  live is behind by", names.String())
		sayf("         %s  instances, forms, messages", heads.String())
	}
	sayf("   %6s%s  %s", seconds(time.Since(t.began)), cells.String(), strings.Join(live, ", "))
	t.shown, t.at = all, time.Now()
	t.lines++
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
