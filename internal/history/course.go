package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// course is the way through a window: what a page of it is, and how its items are brought over. Claim, heartbeat, pace and the end
// of the window are the turn's.
type course interface {
	// page does one step: list, deliver, record. done: nothing of the window is left, and its accounts may be closed. An ending tells
	// why the turn cannot go on; an error is one of this process or its database, or errFenced.
	page(ctx context.Context) (done bool, end *ending, err error)
	// makeGood is called instead of all further pages when the turn may no longer record.
	makeGood(ctx context.Context)
}

func (t *turn) newCourse() course {
	switch {
	case t.backfill.Source != ledger.A2Correspondence:
		return newInstances(t)
	case t.window.Items != nil:
		return &givenMessages{messages: newMessages(t)}
	case t.backfill.Redo:
		return &transfer{messages: newMessages(t)}
	case t.backfill.Stream == stream.Publish:
		return &publication{messages: newMessages(t)}
	default:
		return &transfer{messages: newMessages(t)}
	}
}

// saved is what a page leaves of its window.
type saved struct {
	// checkpoint: how far the window is walked; token goes on from there.
	checkpoint Checkpoint
	token      string
	// rewalks: the walk begins again from the top.
	rewalks int16
	// items are the given items, those with an outcome first; nil for a walk.
	items     []string
	itemsDone int32
	// progress: the window has got on, so that what went wrong before is over.
	progress bool
	accounts Accounts
}

// save writes what a page leaves of the window, and gives what the window has seen by then. It holds only under the turn's own epoch
// (Invariant 5).
func (t *turn) save(ctx context.Context, q *db.Queries, s saved) (seen int64, err error) {
	skippedBy, err := json.Marshal(s.accounts.SkippedBy)
	if err != nil {
		return 0, fmt.Errorf("write reasons: %w", err)
	}
	seen, err = q.RecordPage(ctx, db.RecordPageParams{
		ID: t.window.ID, Epoch: t.window.Epoch, Reached: s.checkpoint.Reached, ReachedMode: string(s.checkpoint.Mode), TieToken: s.token,
		Rewalks: s.rewalks, Items: s.items, ItemsDone: s.itemsDone, Progress: s.progress, Lease: t.config.Lease,
		Seen: s.accounts.Seen, Created: s.accounts.Created, Updated: s.accounts.Updated, Unchanged: s.accounts.Unchanged,
		Deleted: s.accounts.Deleted, Purged: s.accounts.Purged, Restored: s.accounts.Restored, Skipped: s.accounts.Skipped,
		Quarantined: s.accounts.Quarantined, SkippedByReason: skippedBy,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errFenced
	}
	if err != nil {
		return 0, fmt.Errorf("record checkpoint: %w", err)
	}
	if !s.progress {
		return seen, nil
	}
	if err := q.ClearWaiting(ctx, t.backfill.ID); err != nil {
		return 0, fmt.Errorf("record that the stream goes on: %w", err)
	}
	return seen, nil
}

// wasSaved takes over what was committed.
func (t *turn) wasSaved(s saved) {
	t.window.Reached, t.window.ReachedMode, t.window.TieToken = s.checkpoint.Reached, string(s.checkpoint.Mode), s.token
	t.window.Rewalks += s.rewalks
	t.window.ItemsDone = s.itemsDone
	if s.items != nil {
		t.window.Items = s.items
	}
	if s.progress {
		t.window.Attempts = 0
	}
}

// settledFirst puts the items that now have an outcome behind the done ones that had one before, and the open ones last.
func settledFirst(items []string, done int32, settled []string) []string {
	now := make(map[string]bool, len(settled))
	for _, key := range settled {
		now[key] = true
	}
	sorted := slices.Clone(items[:done])
	var open []string
	for _, key := range items[done:] {
		if now[key] {
			sorted = append(sorted, key)
		} else {
			open = append(open, key)
		}
	}
	return append(sorted, open...)
}

// readClock is the database's time.
func (t *turn) readClock(ctx context.Context) (time.Time, error) {
	now, err := db.New(t.walker.Pool).DatabaseNow(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// isAccountsViolation tells whether the database refused to close a window because its accounts do not balance.
func isAccountsViolation(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.ConstraintName == "accounts_balance"
}
