package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// changesMargin is how far apart the times of changes may be from the order of their numbers: a number is given when a change is
// committed, its time before.
const changesMargin = time.Minute

// changesCursor is how far the walk over changes of messages has come.
type changesCursor struct {
	// token is the export's; empty: the walk begins at a time.
	token string
	// position: every change before it was met.
	position time.Time
}

// query is the page that follows.
func (c changesCursor) query(overlap time.Duration, limit int) altinn2.ChangesQuery {
	q := altinn2.ChangesQuery{Cursor: c.token, Limit: limit}
	if c.token == "" {
		q.Since = c.position.Add(-overlap)
	}
	return q
}

// after is the cursor once all of a page is delivered. The position is the export's word at the end of the walk; before that it
// follows the last change of the page, whose place in the walk is that of its number (correspondence reference 16.2).
func (c changesCursor) after(page *altinn2.Page, now time.Time) changesCursor {
	next := changesCursor{token: page.NextCursor, position: c.position}
	reached := page.AsOf
	if page.HasMore || reached.IsZero() {
		if last := lastChange(page.Items); reached.IsZero() || last.Before(reached) {
			reached = last
		}
	}
	if reached.After(now) {
		reached = now
	}
	if reached = reached.UTC().Truncate(tick); reached.After(next.position) {
		next.position = reached
	}
	return next
}

// lastChange is a time before which no change comes after the page; zero where the page does not tell.
func lastChange(items []altinn2.Listed) time.Time {
	var last *altinn2.Message
	for i := range items {
		m := items[i].Message
		if m == nil {
			continue
		}
		if last != nil && m.ChangeSeq <= last.ChangeSeq {
			return time.Time{} // not in the order that the times can be told from
		}
		last = m
	}
	if last == nil {
		return time.Time{}
	}
	return last.ChangedAt.Add(-changesMargin)
}

// leadsOn tells whether the page after is another one.
func (c changesCursor) leadsOn(page *altinn2.Page) bool {
	return !page.HasMore || page.NextCursor != "" && page.NextCursor != c.token
}

// beginMessages sets the run's end and takes the reach's one row.
func (r *pollRun) beginMessages(ctx context.Context, q *db.Queries) error {
	of := r.reach
	r.to = r.poller.now().Truncate(tick)
	if err := q.BeginPoll(ctx, db.BeginPollParams{Source: of.Source, Reach: of.Name, Epoch: r.epoch, RunTo: &r.to}); err != nil {
		return fmt.Errorf("begin a run: %w", err)
	}
	row, err := q.TakePollSource(ctx, db.TakePollSourceParams{Source: of.Source, Reach: of.Name, Epoch: r.epoch, Position: r.since})
	if err != nil {
		return fmt.Errorf("take the cursor: %w", err)
	}
	r.changes = changesCursor{token: row.Cursor, position: row.Position.UTC()}
	return nil
}

// walkChanges goes through the changes of messages, from the cursor on record to the last. The cursor moves when every message
// of a page has an outcome on record, or is put off there (correspondence reference 17.8).
func (r *pollRun) walkChanges(ctx context.Context) error {
	w := &messageWalk{run: r, carrier: r.newMessageCarrier()}
	for {
		if r.mustStop(ctx) {
			r.leave()
			return nil
		}
		over, err := w.changesPage(ctx)
		if err != nil || over {
			return err
		}
	}
}

// changesPage does a page of the walk.
func (w *messageWalk) changesPage(ctx context.Context) (over bool, err error) {
	r := w.run
	listedAt, err := db.New(r.poller.Pool).DatabaseNow(ctx)
	if err != nil {
		return false, fmt.Errorf("read the database's clock: %w", err)
	}
	page := w.listChanges(ctx)
	if page == nil {
		return r.hasEnded(), nil
	}
	if over, err := w.deliver(ctx, w.listedRows(page.Items), listedAt); err != nil || over {
		return true, err
	}
	next := r.changes.after(page, r.poller.now())
	err = db.InTx(ctx, r.poller.Pool, func(_ pgx.Tx, q *db.Queries) error { return r.moveCursor(ctx, q, next, len(page.Items)) })
	if err != nil {
		return true, err
	}
	r.changes = next
	return !page.HasMore, nil
}

// listChanges asks for the next page; nil: there is none to work on.
func (w *messageWalk) listChanges(ctx context.Context) *altinn2.Page {
	r := w.run
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer batch.CancelAfter(ctx, cancel, pollGrace, r.stop, r.poller.Stopping)()
	page, err := r.poller.Messages.Source.Changes(ctx, r.changes.query(r.reach.Overlap, w.changesLimit()))
	switch {
	case err == nil && r.changes.leadsOn(page):
		r.memory.note(r.memory.timeouts, "", false)
		return page
	case err == nil:
		r.wait("altinn2 says that more changes follow, and its cursor leads nowhere", true)
	case ctx.Err() != nil: // told to stop: the walk's next look finds out
	case errors.Is(err, altinn2.ErrCursor) && r.changes.token != "":
		// What is met again changes nothing.
		r.changes.token = ""
		r.log.Error("the export refuses the cursor of changes on record: the walk begins anew from a time",
			zap.Time(telemetry.LogKeyFrom, r.changes.position.Add(-r.reach.Overlap)), zap.Error(err))
	default:
		r.memory.note(r.memory.timeouts, "", true)
		r.wait(telemetry.Redact(err.Error()), true)
	}
	return nil
}

// changesLimit shrinks while the export cannot answer.
func (w *messageWalk) changesLimit() int {
	const halvings = 3
	size := min(w.run.config.PageSize, altinn2.MaxLimit)
	tries := min(w.run.memory.timeoutsOf(""), halvings)
	return max(size>>tries, min(smallestPollPage, size))
}

// hasEnded tells whether the run must not go on.
func (r *pollRun) hasEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting != ""
}

// moveCursor writes where the walk stands, under the run's epoch (Invariant 5).
func (r *pollRun) moveCursor(ctx context.Context, q *db.Queries, to changesCursor, listed int) error {
	moved, err := q.MovePollCursor(ctx, db.MovePollCursorParams{
		Source: r.reach.Source, Reach: r.reach.Name, Epoch: r.epoch, Cursor: to.token, Position: to.position, Listed: int64(listed),
	})
	if err != nil {
		return fmt.Errorf("record the cursor: %w", err)
	}
	if moved == 0 {
		return errPollFenced
	}
	return nil
}
