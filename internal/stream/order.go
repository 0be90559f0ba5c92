package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Verbs that change a stream.
const (
	VerbPause    = "pause"
	VerbResume   = "resume"
	VerbThrottle = "throttle"
)

// OrderError is a mistake in what an operator asked for.
type OrderError struct{ Problem string }

func (e *OrderError) Error() string { return e.Problem }

// StateError tells that a stream is in a state that does not allow what was asked.
type StateError struct {
	Stream Stream
	Verb   string
	// Was is how the stream stands.
	Was State
}

func (e *StateError) Error() string {
	if e.Verb == VerbPause {
		return fmt.Sprintf("stream %s is paused already, by %s since %s: %s", e.Stream, e.Was.Operator,
			e.Was.Changed.Format(time.RFC3339), e.Was.Reason)
	}
	return fmt.Sprintf("stream %s is neither paused nor waiting: there is nothing to %s", e.Stream, e.Verb)
}

// CheckVerb tells whether a stream may be asked to do something; the error is a *StateError.
func CheckVerb(verb string, was State) error {
	switch {
	case verb == VerbPause && was.Paused, verb == VerbResume && !was.Paused && was.Waiting == "":
		return &StateError{Stream: was.Stream, Verb: verb, Was: was}
	}
	return nil
}

// Order is an operator's word on a stream. Both members are kept with it.
type Order struct{ Operator, Reason string }

// Pause stops a stream on all workers within two seconds. What came in meanwhile waits; checkpoints are saved.
// Errors: *OrderError, *UnknownError, *StateError when it is paused already.
func Pause(ctx context.Context, pool *pgxpool.Pool, s Stream, order Order) error {
	return setPaused(ctx, pool, s, VerbPause, order)
}

// Resume lets a paused stream go on, and one that has stopped itself try at once. Errors: *OrderError, *UnknownError, *StateError
// when it is neither.
func Resume(ctx context.Context, pool *pgxpool.Pool, s Stream, order Order) error {
	return setPaused(ctx, pool, s, VerbResume, order)
}

func setPaused(ctx context.Context, pool *pgxpool.Pool, s Stream, verb string, order Order) error {
	return change(ctx, pool, s, verb, order, nil, func(q *db.Queries) error {
		return q.SetStreamPaused(ctx, db.SetStreamPausedParams{
			Source: s.Source, Stream: s.Direction, Paused: verb == VerbPause, Reason: &order.Reason, Operator: &order.Operator,
		})
	})
}

// CheckRate tells whether a rate can be ordered: nil or a number above zero. The error is an *OrderError.
func CheckRate(perSecond *float64) error {
	if perSecond == nil || *perSecond > 0 && !math.IsInf(*perSecond, 0) {
		return nil
	}
	return &OrderError{"a rate is a number of items a second above zero: 'stream pause' stops a stream"}
}

// Throttle limits a stream to so many items a second over all workers; nil takes the limit away. Errors: *OrderError,
// *UnknownError.
func Throttle(ctx context.Context, pool *pgxpool.Pool, s Stream, perSecond *float64, order Order) error {
	if err := CheckRate(perSecond); err != nil {
		return err
	}
	return change(ctx, pool, s, VerbThrottle, order, map[string]any{"rate_per_s": perSecond}, func(q *db.Queries) error {
		return q.SetStreamRate(ctx, db.SetStreamRateParams{
			Source: s.Source, Stream: s.Direction, RatePerS: perSecond, Reason: &order.Reason, Operator: &order.Operator,
		})
	})
}

// change does what an operator asked for and records it, or does nothing at all.
func change(
	ctx context.Context, pool *pgxpool.Pool, s Stream, verb string, order Order, detail map[string]any, do func(*db.Queries) error,
) error {
	if strings.TrimSpace(order.Reason) == "" {
		return &OrderError{"--reason is needed: it is kept with who and when"}
	}
	if detail == nil {
		detail = map[string]any{}
	}
	written, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("write detail: %w", err)
	}
	err = db.InTx(ctx, pool, func(_ pgx.Tx, q *db.Queries) error {
		row, err := q.LockStream(ctx, db.LockStreamParams{Source: s.Source, Stream: s.Direction})
		if errors.Is(err, pgx.ErrNoRows) {
			return &UnknownError{s}
		}
		if err != nil {
			return fmt.Errorf("read it: %w", err)
		}
		was := State{
			Stream: s, Paused: row.Paused, Reason: valueOf(row.Reason), Operator: valueOf(row.Operator), Changed: utc(row.ChangedAt),
			Waiting: valueOf(row.WaitingReason), Since: utc(row.WaitingSince),
		}
		if err := CheckVerb(verb, was); err != nil {
			return err
		}
		if err := do(q); err != nil {
			return fmt.Errorf("write it: %w", err)
		}
		err = q.RecordOperatorAction(ctx, db.RecordOperatorActionParams{
			Operator: order.Operator, Action: "stream " + verb, Target: s.String(), Reason: order.Reason, Detail: written,
		})
		if err != nil {
			return fmt.Errorf("record who asked for it: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s stream %s: %w", verb, s, err)
	}
	return nil
}

// MoveWatermark tells how far a live stream has come: every change up to reached is delivered. It never moves back.
func MoveWatermark(ctx context.Context, conn db.DBTX, source ledger.Source, reached time.Time) error {
	if err := db.New(conn).MoveLiveWatermark(ctx, db.MoveLiveWatermarkParams{Source: source, Watermark: reached}); err != nil {
		return fmt.Errorf("move the live watermark of %s: %w", source, err)
	}
	return nil
}
