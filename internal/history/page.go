package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
)

// smallestPage is as far as a page shrinks when Storage cannot answer larger ones in time.
const smallestPage = 50

// page is one step of the walk: list, deliver, record. done: the window is walked.
func (t *turn) page(ctx context.Context) (done bool, end *ending, err error) {
	listedAt, err := db.New(t.walker.Pool).DatabaseNow(ctx)
	if err != nil {
		return false, nil, fmt.Errorf("read the database's clock: %w", err)
	}
	if t.window.Items != nil {
		return t.itemsPage(ctx, listedAt)
	}
	listing, end := t.list(ctx)
	if t.tokenIsOld && (end != nil || len(listing.Instances) == 0) {
		// A token that Storage does not understand is an error, or an empty page that looks like an end (reference 3.6).
		t.token, t.tokenIsOld = "", false
		return false, nil, nil
	}
	if end != nil {
		return false, end, nil
	}
	positions := positionsOf(listing.Instances, t.checkpoint.Reached)
	next := t.checkpoint.advance(positions, listing.Full || listing.NextToken != "", listing.NextToken)
	if next.stuck {
		return false, &ending{failure: "not one row of a full page has a lastChanged to go on from", forGood: true}, nil
	}
	rows, err := t.admit(ctx, listing.Instances, positions)
	if err != nil {
		return false, nil, err
	}
	end = t.deliver(ctx, rows, listedAt)
	to := step{next: t.checkpoint, token: t.token}
	switch settled := batch.SettledPrefix(rows); {
	case settled == len(rows):
		to = next
	case settled > 0:
		to.next = t.checkpoint.after(positions, settled)
	}
	if err := t.record(ctx, rows, to); err != nil {
		return false, nil, err
	}
	t.tokenIsOld = false
	return to.done, end, nil
}

// list asks for the page that follows the checkpoint.
func (t *turn) list(ctx context.Context) (storage.Page, *ending) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.carrier.CancelAfterGrace(ctx, cancel)()
	query := t.checkpoint.query(t.rangeOf(), t.pageSize(), t.token)
	batch.VersionFilter(t.backfill.Source, &query)
	listing, err := t.walker.Storage.ListInstances(ctx, query)
	switch {
	case err != nil && ctx.Err() != nil:
		return listing, &ending{}
	case err != nil:
		return listing, t.endOf(err)
	case len(listing.Instances) == 0 && listing.NextToken != "":
		const problem = "list instances: an empty page that says more follow"
		return listing, &ending{failure: problem, waiting: problem}
	}
	return listing, nil
}

// pageSize shrinks when Storage could not answer. Within a tie it is larger, since every token page reads the tie again from
// its start (Storage reference 3.9), and grows: a tie that fits into one page needs no token, which helps where the token of
// a row without lastChanged leads back to the start.
func (t *turn) pageSize() int {
	const halvings, largest = 3, 10_000
	tries := min(t.window.Attempts, halvings)
	if t.checkpoint.Mode == Tie {
		return min(t.config.PageSize<<(tries+1), largest)
	}
	return max(t.config.PageSize>>tries, min(smallestPage, t.config.PageSize))
}

// itemsPage is the step of a backfill of given items: each is read from its source.
func (t *turn) itemsPage(ctx context.Context, readAt time.Time) (done bool, end *ending, err error) {
	rows := make([]batch.Row, 0, len(t.window.Items))
	for _, key := range t.window.Items[t.window.ItemsDone:] {
		id, err := altinn.ParseInstanceID(key)
		if err != nil {
			return false, &ending{failure: fmt.Sprintf("item %s: %v", key, err), forGood: true}, nil
		}
		rows = append(rows, batch.GivenRow(key, t.item(id)))
	}
	end = t.deliver(ctx, rows, readAt)
	if err := t.record(ctx, rows, step{next: t.checkpoint}); err != nil {
		return false, nil, err
	}
	return int(t.window.ItemsDone) == len(t.window.Items), end, nil
}

func (t *turn) item(id altinn.InstanceID) delivery.Item {
	// What is history waits for no PDF: those that will be made are made.
	return delivery.Item{Source: t.backfill.Source, ID: id, Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1}
}

// admit makes rows of a listing: malformed ones, repeated ones and what the ledger knows of each.
func (t *turn) admit(ctx context.Context, listing []storage.Listed, positions []position) ([]batch.Row, error) {
	rows := make([]batch.Row, len(listing))
	ids := make([]uuid.UUID, 0, len(listing))
	inPage := make(map[string]bool, len(listing))
	var malformed []string
	for i := range listing {
		rows[i] = batch.NewRow(&listing[i], positions[i], t.item(listing[i].ID))
		// The newest version of an item comes first; an older one further down is stale.
		rows[i].Repeated = inPage[rows[i].PageKey()]
		inPage[rows[i].PageKey()] = true
		if rows[i].Malformed() {
			malformed = append(malformed, rows[i].Key)
			continue
		}
		ids = append(ids, rows[i].ItemID)
	}
	q := db.New(t.walker.Pool)
	known, err := ledger.Lookup(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("admit page: %w", err)
	}
	quarantined := map[string]int64{}
	if len(malformed) > 0 {
		if quarantined, err = ledger.QuarantinedBy(ctx, q, t.backfill.Source, malformed); err != nil {
			return nil, fmt.Errorf("admit page: %w", err)
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.Malformed() {
			r.Repeated = r.Repeated || quarantined[r.Key] == t.window.ID
			continue
		}
		if entry, found := known[r.ItemID]; found {
			r.Known = &entry
			ours := entry.WindowID == t.window.ID
			same := entry.SourceChanged.Equal(r.Changed())
			r.Repeated = r.Repeated || ours && same
			r.Met = ours && !same
		}
		if r.Repeated {
			r.Repeat()
		}
	}
	return rows, nil
}

// record writes the rows that have an outcome, with their accounts and the checkpoint, in one transaction, which holds only
// under the turn's own epoch (Invariant 5). The checkpoint stands for a page's settled front; rows settled behind it are
// recorded too, so that none of what was done goes without its accounts: listed again, they count as repeated.
func (t *turn) record(ctx context.Context, rows []batch.Row, to step) error {
	settled := batch.SettledRows(rows)
	p := t.pageOf(settled, to)
	if !p.worthRecording {
		t.carrier.Forget()
		return nil
	}
	err := t.carrier.Record(ctx, settled, func(ctx context.Context, q *db.Queries) error { return t.write(ctx, q, settled, p) })
	if err == nil {
		t.recorded(ctx, settled, p)
	}
	return err
}

// recordedPage is what is written of the window itself.
type recordedPage struct {
	to step
	// items are the given items, those with an outcome first; nil for a walk.
	items     []string
	itemsDone int32
	// progress: the window has got on, so that what went wrong before is over.
	progress       bool
	worthRecording bool
}

func (t *turn) pageOf(settled []*batch.Row, to step) recordedPage {
	p := recordedPage{to: to, itemsDone: t.window.ItemsDone, progress: !to.next.same(t.checkpoint)}
	p.worthRecording = p.progress || to.token != t.token
	for _, r := range settled {
		p.progress = p.progress || !r.Repeated && !r.Met
		p.worthRecording = p.worthRecording || !r.Repeated
	}
	if t.window.Items != nil && len(settled) > 0 {
		p.items = settledFirst(t.window.Items, t.window.ItemsDone, settled)
		p.itemsDone += int32(len(settled)) //nolint:gosec // at most itemsPerWindow
	}
	return p
}

// settledFirst puts the items that now have an outcome behind the done ones that had one before, and the open ones last.
func settledFirst(items []string, done int32, settled []*batch.Row) []string {
	now := make(map[string]bool, len(settled))
	for _, r := range settled {
		now[r.Key] = true
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

// recorded takes over what was committed.
func (t *turn) recorded(ctx context.Context, settled []*batch.Row, p recordedPage) {
	t.checkpoint, t.token, t.window.ItemsDone = p.to.next, p.to.token, p.itemsDone
	if p.items != nil {
		t.window.Items = p.items
	}
	if p.progress {
		t.window.Attempts = 0
	}
	t.walker.Items.count(ctx, t.backfill.Source, batch.AccountsOf(settled))
}

// write writes what a page leaves of the window itself.
func (t *turn) write(ctx context.Context, q *db.Queries, rows []*batch.Row, p recordedPage) error {
	accounts := batch.AccountsOf(rows)
	skippedBy, err := json.Marshal(accounts.SkippedBy)
	if err != nil {
		return fmt.Errorf("write reasons: %w", err)
	}
	written, err := q.RecordPage(ctx, db.RecordPageParams{
		ID: t.window.ID, Epoch: t.window.Epoch, Reached: p.to.next.Reached, ReachedMode: string(p.to.next.Mode), TieToken: p.to.token,
		Items: p.items, ItemsDone: p.itemsDone, Progress: p.progress, Lease: t.config.Lease,
		Seen: accounts.Seen, Created: accounts.Created, Updated: accounts.Updated, Unchanged: accounts.Unchanged,
		Deleted: accounts.Deleted, Purged: accounts.Purged, Restored: accounts.Restored, Skipped: accounts.Skipped,
		Quarantined: accounts.Quarantined, SkippedByReason: skippedBy,
	})
	if err != nil {
		return fmt.Errorf("record checkpoint: %w", err)
	}
	if written == 0 {
		return errFenced
	}
	if !p.progress {
		return nil
	}
	if err := q.ClearWaiting(ctx, t.backfill.ID); err != nil {
		return fmt.Errorf("record that the stream goes on: %w", err)
	}
	return nil
}

// isAccountsViolation tells whether the database refused to close a window because its accounts do not balance.
func isAccountsViolation(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.ConstraintName == "accounts_balance"
}
