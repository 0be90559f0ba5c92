package live

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

// heldPause is how long a message is left to whoever brings it over just now.
const heldPause = 10 * time.Second

// isPassing tells whether a failure may go away by itself.
func isPassing(failure *delivery.Failure) bool {
	return failure.Class == transport.Transient || failure.Class == transport.Conflict
}

// messagePause is how long a message waits after so many failures in a row, counted from 1, about two weeks in all; false: it is left
// to a person, or to its next change.
func messagePause(attempt int, jitter float64) (time.Duration, bool) {
	const s, m, h = time.Second, time.Minute, time.Hour
	const day, days = 24 * h, 13
	table := [...]time.Duration{10 * s, 30 * s, m, 2 * m, 5 * m, 10 * m, 30 * m, h, 3 * h, 6 * h, 12 * h}
	switch {
	case attempt < 1:
		return 0, false
	case attempt <= len(table):
		return time.Duration(float64(table[attempt-1]) * jitter), true
	case attempt <= len(table)+days:
		return time.Duration(float64(day) * jitter), true
	}
	return 0, false
}

// putOff keeps messages that could not be brought over now, so that the walk goes on without them.
func (w *messageWalk) putOff(ctx context.Context, rows []*message.Row) error {
	r := w.run
	err := db.InTx(ctx, r.poller.Pool, func(_ pgx.Tx, q *db.Queries) error {
		if err := r.moveCursor(ctx, q, r.changes, 0); err != nil { // Invariant 5
			return err
		}
		return w.keepRetries(ctx, q, rows)
	})
	if err != nil {
		return fmt.Errorf("put off %d messages: %w", len(rows), err)
	}
	return nil
}

// keepRetries puts off rows that failed for a moment, whether they have an outcome or not. One that is put off for long stands in
// quarantine meanwhile, where a person sees it: the live watermark goes on beside it, as beside any exception.
func (w *messageWalk) keepRetries(ctx context.Context, q *db.Queries, rows []*message.Row) error {
	if len(rows) == 0 {
		return nil
	}
	attempts, err := attemptsOf(ctx, q, rows)
	if err != nil {
		return err
	}
	now := w.run.poller.now()
	var p db.PutOffMessagesParams
	var bad []ledger.Quarantined
	var givenUp []int32
	for _, row := range rows {
		failure := row.Failure()
		settled := failure != nil // the carrier has put it in quarantine
		if !settled {
			failure = row.Pending()
		}
		attempt, pause, again := attempts[row.Number], heldPause, true
		if failure.Reason != message.ReasonBusy {
			attempt++
			pause, again = messagePause(attempt, drawJitter())
			pause += failure.RetryAfter // our own on top: those that were asked together must not come back together
		}
		shown := settled || !again || failure.Reason != message.ReasonBusy && pause >= longPause
		if shown && !settled {
			bad = append(bad, quarantinedRow(row, failure))
		}
		w.run.putOff++
		if !again {
			givenUp = append(givenUp, row.Number)
			continue
		}
		w.run.log.Warn("message not delivered, it is tried again", zap.String(telemetry.LogKeyItem, row.Key()),
			zap.String(telemetry.LogKeyReason, failure.Reason), zap.Int(telemetry.LogKeyAttempt, attempt),
			zap.Float64(telemetry.LogKeyNextRetry, pause.Seconds()))
		p.Altinn2Ids, p.Created = append(p.Altinn2Ids, row.Number), append(p.Created, row.Created)
		p.Attempts = append(p.Attempts, int16(min(attempt, math.MaxInt16))) //nolint:gosec // bounded
		p.Quarantined, p.Failures = append(p.Quarantined, shown), append(p.Failures, telemetry.Redact(failure.Detail))
		p.ChangedAt, p.DueAt = append(p.ChangedAt, w.changedAt(row)), append(p.DueAt, now.Add(pause))
	}
	if err := batch.Quarantine(ctx, q, w.run.log, bad); err != nil {
		return fmt.Errorf("put off messages: %w", err)
	}
	if err := q.PutOffMessages(ctx, p); err != nil {
		return fmt.Errorf("put off messages: %w", err)
	}
	return giveUp(ctx, q, givenUp)
}

// giveUp leaves messages to a person: they stand in quarantine, and are neither owed nor due any more.
func giveUp(ctx context.Context, q *db.Queries, numbers []int32) error {
	if len(numbers) == 0 {
		return nil
	}
	if err := q.GiveUpMessages(ctx, numbers); err != nil {
		return fmt.Errorf("give up messages: %w", err)
	}
	return nil
}

func attemptsOf(ctx context.Context, q *db.Queries, rows []*message.Row) (map[int32]int, error) {
	numbers := make([]int32, len(rows))
	for i, row := range rows {
		numbers[i] = row.Number
	}
	kept, err := q.MessageRetries(ctx, numbers)
	if err != nil {
		return nil, fmt.Errorf("read earlier tries of %d messages: %w", len(rows), err)
	}
	attempts := make(map[int32]int, len(kept))
	for _, k := range kept {
		attempts[k.Altinn2ID] = int(k.Attempt)
	}
	return attempts, nil
}

// changedAt is when what is owed happened.
func (w *messageWalk) changedAt(row *message.Row) time.Time {
	if row.Message != nil && !row.Message.ChangedAt.IsZero() {
		return row.Message.ChangedAt.UTC()
	}
	if due, found := w.due[row.Number]; found {
		return due.DueAt.UTC()
	}
	return w.run.changes.position
}

func quarantinedRow(row *message.Row, failure *delivery.Failure) ledger.Quarantined {
	return ledger.Quarantined{
		Source: ledger.A2Correspondence, ItemKey: row.Key(), ItemID: row.ItemID(), AppID: row.Result().ResourceID, Position: row.Created,
		InstanceCreated: row.Created, Class: failure.Class.String(), Reason: failure.Reason, Detail: failure.Detail, Attempts: 1,
	}
}
