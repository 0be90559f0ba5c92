package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/db"
)

// alive is how long a worker counts after it was last heard of; it tells every second.
const alive = 10 * time.Second

// State is how a stream stands.
type State struct {
	Stream Stream

	// Paused by an operator. Reason, Operator and Changed are those of the last pause or resume, zero when there was none.
	Paused           bool
	Reason, Operator string
	Changed          time.Time

	// RatePerS is the items a second allowed over all workers; nil: no limit. The rest says who set it last, and why.
	RatePerS                 *float64
	RateReason, RateOperator string
	RateChanged              time.Time

	// Waiting is why the stream has stopped itself (Invariant 8), since Since; empty: it has not.
	Waiting string
	Since   time.Time

	// Watermark of a live stream: every change up to this time is delivered. Looked at WatermarkAt; zero when never.
	Watermark, WatermarkAt time.Time

	// Workers is how many processes worked on it within the last seconds.
	Workers int64
	// Throttled is why history is held back for live or for the destination (Invariant 9), in the words of the process that
	// holds back most; empty: it is not. ThrottlePerS is what is left to it over all processes, items a second as estimated;
	// 0 when nobody knows.
	Throttled    string
	ThrottlePerS float64
}

// StoppedSince is when an operator or the stream itself stopped it; zero while it may run.
func (s *State) StoppedSince() time.Time {
	switch {
	case s.Paused:
		return s.Changed
	case s.Waiting != "":
		return s.Since
	}
	return time.Time{}
}

// Read reads all streams, in the order of the status report.
func Read(ctx context.Context, conn db.DBTX) ([]State, error) {
	rows, err := db.New(conn).Streams(ctx, alive)
	if err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	states := make([]State, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		s := State{
			Stream: Stream{r.Source, r.Stream}, Paused: r.Paused, Reason: valueOf(r.Reason), Operator: valueOf(r.Operator),
			Changed: utc(r.ChangedAt), RatePerS: r.RatePerS, RateReason: valueOf(r.RateReason), RateOperator: valueOf(r.RateOperator),
			RateChanged: utc(r.RateChangedAt), Waiting: valueOf(r.WaitingReason), Since: utc(r.WaitingSince), Watermark: utc(r.Watermark),
			WatermarkAt: utc(r.WatermarkAt), Workers: r.Workers,
		}
		if s.Stream.IsHistory() {
			s.Throttled, s.ThrottlePerS = r.ThrottleReason, r.ThrottlePerS
		}
		states = append(states, s)
	}
	return states, nil
}

// Of finds a stream's state; the zero State when it is not among them.
func Of(states []State, s Stream) State {
	for i := range states {
		if states[i].Stream == s {
			return states[i]
		}
	}
	return State{Stream: s}
}

func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// LivingWorkers is how many worker processes are alive, whatever they work on.
func LivingWorkers(ctx context.Context, conn db.DBTX) (int64, error) {
	living, err := db.New(conn).LivingWorkers(ctx, alive)
	if err != nil {
		return 0, fmt.Errorf("count living workers: %w", err)
	}
	return living, nil
}
