package status

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// State is how a stream stands.
type State string

// The states of a stream.
const (
	// Native sources write to Dialogporten themselves; nothing is synchronised.
	Native State = "native"
	// Off: no work is ordered or running; of a live stream, no worker runs it.
	Off State = "off"
	// Running: work is under way.
	Running State = "running"
	// Waiting: the stream stopped itself, for the reason beside it, and goes on by itself.
	Waiting State = "waiting"
	// Paused: an operator stopped it.
	Paused State = "paused"
	// Complete: all that was ordered is closed.
	Complete State = "complete"
	// Failed: a window could not be walked.
	Failed State = "failed"
)

// Report is how everything stands at one moment.
type Report struct {
	At      time.Time `json:"at"`
	Streams []Stream  `json:"streams"`
}

// Stream is one source in one direction.
type Stream struct {
	Source string `json:"source"`
	Stream string `json:"stream"`
	State  State  `json:"state"`
	// Reason says why the stream stands still: an operator's words where it is paused, by By since Since.
	Reason string     `json:"reason,omitempty"`
	By     string     `json:"by,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
	// RatePerS is the items a second that operators allow over all workers, absent when they set no limit.
	RatePerS *float64 `json:"rateLimitPerS,omitempty"`
	// Throttled says why history is held back in favour of live or the destination (Invariant 9); ThrottlePerS is about how many
	// items a second are left to it.
	Throttled    string   `json:"throttleReason,omitempty"`
	ThrottlePerS *float64 `json:"throttlePerS,omitempty"`
	// Workers is how many processes worked on the stream within the last seconds.
	Workers int64 `json:"workers"`

	Live
	// BackTo is the watermark of a history stream: from this time on, up to Newest, coverage has no hole.
	BackTo *time.Time `json:"backTo,omitempty"`
	Newest *time.Time `json:"newest,omitempty"`
	// Exceptions are the items in quarantine that stand beside the watermark, those of the whole source when there is none.
	Exceptions int64             `json:"exceptions"`
	Accounts   *history.Accounts `json:"accounts,omitempty"`
	// Backfills are the numbers of those that are not over.
	Backfills []int64 `json:"backfills,omitempty"`
}

const streamLive = stream.Live

// Read computes the report. Its rows are always the same and in the same order.
func Read(ctx context.Context, pool *pgxpool.Pool) (Report, error) {
	q := db.New(pool)
	now, err := q.DatabaseNow(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read the database's clock: %w", err)
	}
	backfills, err := history.ReadProgress(ctx, pool, nil)
	if err != nil {
		return Report{}, fmt.Errorf("read status: %w", err)
	}
	states, err := stream.Read(ctx, pool)
	if err != nil {
		return Report{}, fmt.Errorf("read status: %w", err)
	}
	lives, err := readLives(ctx, pool, now)
	if err != nil {
		return Report{}, err
	}
	report := Report{At: now.UTC()}
	for _, s := range stream.Streams() {
		var row Stream
		if s.IsHistory() {
			if row, err = historyStream(ctx, pool, s, backfills); err != nil {
				return Report{}, err
			}
		} else {
			row = lives.row(s.Source)
		}
		row.follow(stream.Of(states, s))
		report.Streams = append(report.Streams, row)
	}
	report.Streams = append(report.Streams,
		Stream{Source: string(ledger.A3Correspondence), Stream: streamLive, State: Native},
		Stream{Source: string(ledger.DialogServices), Stream: streamLive, State: Native})
	return report, nil
}

// follow takes over what operators and the stream itself say of it. What stands still by an operator's word is paused, whatever
// else may be wrong with it.
func (s *Stream) follow(state stream.State) {
	s.RatePerS, s.Workers = state.RatePerS, state.Workers
	if s.Throttled = state.Throttled; state.Throttled != "" && state.ThrottlePerS > 0 {
		s.ThrottlePerS = &state.ThrottlePerS
	}
	if !state.Watermark.IsZero() {
		s.LiveTo = &state.Watermark
	}
	since := state.StoppedSince()
	switch {
	case state.Paused:
		s.State, s.Reason, s.By = Paused, state.Reason, state.Operator
	case state.Waiting != "":
		s.State, s.Reason = Waiting, state.Waiting
	}
	if !since.IsZero() {
		s.Since = &since
	}
}

func historyStream(ctx context.Context, pool *pgxpool.Pool, of stream.Stream, backfills []history.Progress) (Stream, error) {
	row := Stream{Source: string(of.Source), Stream: of.Direction}
	coverage, err := history.ReadCoverage(ctx, pool, of)
	if err != nil {
		return row, fmt.Errorf("read status of %s: %w", of, err)
	}
	if t, ok := coverage.Watermark(); ok {
		row.BackTo, row.Newest = &t, &coverage.Top
	}
	row.Exceptions, err = db.New(pool).QuarantineSince(ctx, history.ExceptionsSince(of, sinceOrEver(row.BackTo)))
	if err != nil {
		return row, fmt.Errorf("count exceptions of %s: %w", of, err)
	}
	row.State, row.Reason, row.Backfills, row.Accounts = summarise(of, backfills)
	return row, nil
}

func sinceOrEver(t *time.Time) *time.Time {
	if t == nil {
		return &time.Time{}
	}
	return t
}

// summarise puts the backfills of a stream into one word: what is worst of those under way, or how the last one ended.
func summarise(of stream.Stream, backfills []history.Progress) (state State, reason string, open []int64, sum *history.Accounts) {
	state = Off
	for i := range backfills {
		b := &backfills[i]
		if b.Source != string(of.Source) || b.Stream != of.Direction {
			continue
		}
		if sum == nil {
			sum = &history.Accounts{}
		}
		sum.Merge(b.Accounts)
		next := stateOf(b)
		if next == Off {
			continue
		}
		if next != Complete {
			open = append(open, b.ID)
		}
		if weight(next) >= weight(state) {
			state, reason = next, b.Waiting
			if b.AfterTransfer {
				reason = history.WaitsForTransfer
			}
		}
	}
	return state, reason, open, sum
}

func stateOf(b *history.Progress) State {
	switch b.State {
	case history.StateRunning:
		if b.Waiting != "" {
			return Waiting
		}
		return Running
	case history.StatePaused:
		return Paused
	case history.StateFailed:
		return Failed
	case history.StateComplete:
		return Complete
	}
	return Off
}

func weight(s State) int {
	order := map[State]int{Off: 0, Complete: 1, Running: 2, Paused: 3, Waiting: 4, Failed: 5}
	return order[s]
}
