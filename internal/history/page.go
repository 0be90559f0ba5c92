package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// smallestPage is as far as a page shrinks when Storage cannot answer larger ones in time.
const smallestPage = 50

// row is one row of a page on its way to an outcome.
type row struct {
	// key is how operators write the item; for a malformed one, a digest of what was listed.
	key      string
	item     delivery.Item
	itemID   uuid.UUID
	listed   *altinn.Instance
	position time.Time
	// known is the ledger's row, nil for an item never met.
	known *ledger.Entry
	// repeated: the window has recorded this very version, or the page has a newer row of the item.
	repeated bool
	// met: the window has counted the item at another time of change; it is delivered again and not counted again.
	met bool

	// settled: the row has an outcome. One of result and failure tells it.
	settled bool
	result  delivery.Result
	failure *delivery.Failure
	// pending is why an unsettled row has none.
	pending *delivery.Failure
}

// page is one step of the walk: list, deliver, record. done: the window is walked.
func (t *turn) page(ctx context.Context) (done bool, end *ending, err error) {
	listedAt, err := db.New(t.walker.Pool).DatabaseNow(ctx)
	if err != nil {
		return false, nil, fmt.Errorf("read the database's clock: %w", err)
	}
	if t.window.Items != nil {
		return t.itemsPage(ctx, listedAt)
	}
	size := max(t.config.PageSize>>min(t.window.Attempts, 3), min(smallestPage, t.config.PageSize))
	query := t.checkpoint.query(t.rangeOf(), size, t.token)
	versionFilter(t.backfill.Source, &query)
	listing, err := t.walker.Storage.ListInstances(ctx, query)
	if err != nil {
		if ctx.Err() != nil {
			return false, nil, fmt.Errorf("stopped: %w", ctx.Err())
		}
		return false, t.endOf(err), nil
	}
	if len(listing.Instances) == 0 && listing.NextToken != "" {
		const problem = "list instances: an empty page that says more follow"
		return false, &ending{failure: problem, waiting: problem}, nil
	}
	positions := positionsOf(listing.Instances, t.checkpoint.Reached)
	next := t.checkpoint.advance(positions, listing.Full || listing.NextToken != "", listing.NextToken)
	if next.stuck {
		return false, &ending{failure: fmt.Sprintf("none of the %d rows of a page has a lastChanged to go on from", size), forGood: true}, nil
	}
	rows, err := t.admit(ctx, listing.Instances, positions)
	if err != nil {
		return false, nil, err
	}
	end = t.deliver(ctx, rows, listedAt)
	settled := settledPrefix(rows)
	if settled == len(rows) {
		if err := t.record(ctx, rows, next.next, t.window.ItemsDone); err != nil {
			return false, nil, err
		}
		t.token = next.token
		return next.done, end, nil
	}
	if anyNew(rows[:settled]) {
		if err := t.record(ctx, rows[:settled], t.checkpoint.after(positions, settled), t.window.ItemsDone); err != nil {
			return false, nil, err
		}
	}
	t.token = "" // a tie that was left half-way is taken up from its start
	return false, end, nil
}

// itemsPage is the step of a backfill of given items: each is read from its source.
func (t *turn) itemsPage(ctx context.Context, readAt time.Time) (done bool, end *ending, err error) {
	before := int(t.window.ItemsDone)
	rows := make([]row, 0, len(t.window.Items)-before)
	for _, key := range t.window.Items[before:] {
		id, err := altinn.ParseInstanceID(key)
		if err != nil {
			return false, &ending{failure: fmt.Sprintf("item %s: %v", key, err), forGood: true}, nil
		}
		rows = append(rows, row{key: key, item: t.item(id)})
	}
	end = t.deliver(ctx, rows, readAt)
	settled := settledPrefix(rows)
	if settled > 0 || len(rows) == 0 {
		if err := t.record(ctx, rows[:settled], t.checkpoint, int32(before+settled)); err != nil { //nolint:gosec // at most itemsPerWindow
			return false, nil, err
		}
	}
	return settled == len(rows), end, nil
}

// settledPrefix is how many rows from the front have an outcome: as much as a checkpoint can stand for.
func settledPrefix(rows []row) int {
	for i := range rows {
		if !rows[i].settled {
			return i
		}
	}
	return len(rows)
}

// anyNew tells whether rows hold anything that the window has not recorded yet: without it a turn has not got on.
func anyNew(rows []row) bool {
	return slices.ContainsFunc(rows, func(r row) bool { return !r.repeated })
}

func (t *turn) item(id altinn.InstanceID) delivery.Item {
	// What is history waits for no PDF: those that will be made are made.
	return delivery.Item{Source: t.backfill.Source, ID: id, Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1}
}

// admit makes rows of a listing: malformed ones, repeated ones and what the ledger knows of each.
func (t *turn) admit(ctx context.Context, listing []storage.Listed, positions []position) ([]row, error) {
	rows := make([]row, len(listing))
	ids := make([]uuid.UUID, 0, len(listing))
	inPage := make(map[uuid.UUID]bool, len(listing))
	var malformed []string
	for i := range listing {
		rows[i] = t.admitOne(&listing[i], positions[i])
		if rows[i].settled {
			malformed = append(malformed, rows[i].key)
			continue
		}
		// The newest version of an item comes first; an older one further down is stale.
		rows[i].repeated = inPage[rows[i].itemID]
		inPage[rows[i].itemID] = true
		ids = append(ids, rows[i].itemID)
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
		if rows[i].failure != nil {
			rows[i].repeated = quarantined[rows[i].key] == t.window.ID
			continue
		}
		if entry, found := known[rows[i].itemID]; found {
			rows[i].known = &entry
			ours := entry.WindowID == t.window.ID
			same := entry.SourceChanged.Equal(changedAt(listing[i]))
			rows[i].repeated = rows[i].repeated || ours && same
			rows[i].met = ours && !same
		}
		rows[i].settled = rows[i].repeated
	}
	return rows, nil
}

// admitOne reads one listed row. One that has no key or no time of creation is a bad item, not a failed page.
func (t *turn) admitOne(listed *storage.Listed, at position) row {
	r := row{listed: listed.Instance, position: at, item: t.item(listed.ID)}
	problem := ""
	switch {
	case listed.Err != nil:
		problem = listed.Err.Error()
	case listed.Instance.Created == nil || listed.Instance.Created.IsZero():
		problem = "the instance has no creation time, which the id of its dialog is made from"
	}
	if problem != "" {
		r.key = malformedKey(listed)
		r.settled = true
		r.failure = &delivery.Failure{Reason: "malformed_instance", Detail: problem, OfItem: true}
		return r
	}
	r.key = listed.ID.String()
	r.item.AppID = listed.Instance.AppID
	r.item.Created = listed.Instance.Created.Time
	r.itemID = dialogid.V7(listed.ID.GUID, r.item.Created)
	return r
}

// malformedKey names an item that cannot be named by its key: by the key if only something else is wrong, or else by a
// digest of the row, which may hold a person and is therefore not repeated itself.
func malformedKey(listed *storage.Listed) string {
	if !listed.ID.IsZero() {
		return listed.ID.String()
	}
	const digits = 16
	digest := sha256.Sum256(listed.Raw)
	return "malformed:" + hex.EncodeToString(digest[:])[:digits]
}

// record writes a page's accounts and the checkpoint behind it in one transaction, which holds only under the turn's own
// epoch (Invariant 5). Items that somebody else recorded meanwhile are delivered again, reading everything, before that
// (Invariant 4).
func (t *turn) record(ctx context.Context, rows []row, next Checkpoint, itemsDone int32) error {
	for {
		var overtaken []uuid.UUID
		err := db.InTx(ctx, t.walker.Pool, func(_ pgx.Tx, q *db.Queries) error {
			var err error
			overtaken, err = t.write(ctx, q, rows, next, itemsDone)
			return err
		})
		if !errors.Is(err, errOvertaken) {
			if err == nil {
				t.checkpoint, t.window.ItemsDone, t.window.Attempts = next, itemsDone, 0
				t.walker.Items.count(ctx, t.backfill.Source, accountsOf(rows))
			}
			return err
		}
		if err := t.redeliver(ctx, rows, overtaken); err != nil {
			return err
		}
	}
}

// errOvertaken undoes a page's transaction: some of its items were recorded by others since they were read.
var errOvertaken = errors.New("items were recorded by others meanwhile")

func (t *turn) write(ctx context.Context, q *db.Queries, rows []row, next Checkpoint, itemsDone int32) ([]uuid.UUID, error) {
	accounts := accountsOf(rows)
	skippedBy, err := json.Marshal(accounts.SkippedBy)
	if err != nil {
		return nil, fmt.Errorf("write reasons: %w", err)
	}
	written, err := q.RecordPage(ctx, db.RecordPageParams{
		ID: t.window.ID, Epoch: t.window.Epoch, Reached: next.Reached, ReachedMode: string(next.Mode), ItemsDone: itemsDone,
		Lease: t.config.Lease, Seen: accounts.Seen, Created: accounts.Created, Updated: accounts.Updated, Unchanged: accounts.Unchanged,
		Deleted: accounts.Deleted, Purged: accounts.Purged, Restored: accounts.Restored, Skipped: accounts.Skipped,
		Quarantined: accounts.Quarantined, SkippedByReason: skippedBy,
	})
	if err != nil {
		return nil, fmt.Errorf("record checkpoint: %w", err)
	}
	if written == 0 {
		return nil, errFenced
	}
	entries, bad, good := t.entriesOf(rows)
	overtaken, err := ledger.Record(ctx, q, entries)
	if err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if len(overtaken) > 0 {
		return overtaken, errOvertaken
	}
	if err := ledger.Quarantine(ctx, q, bad); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if _, err := ledger.Release(ctx, q, t.backfill.Source, good); err != nil {
		return nil, fmt.Errorf("record page: %w", err)
	}
	if err := q.ClearWaiting(ctx, t.backfill.ID); err != nil {
		return nil, fmt.Errorf("record that the stream goes on: %w", err)
	}
	return nil, nil
}

// accountsOf counts a page: seen from the listing, the rest from the outcomes.
func accountsOf(rows []row) Accounts {
	var a Accounts
	for i := range rows {
		r := &rows[i]
		if r.repeated || r.met {
			continue
		}
		a.Seen++
		if r.failure != nil {
			a.add(ledger.Failed, "")
			continue
		}
		a.add(r.result.Outcome, r.result.Reason)
	}
	return a
}

// entriesOf gives what the page leaves in ledger and quarantine; good are the keys to be released from quarantine.
func (t *turn) entriesOf(rows []row) (entries []ledger.Entry, bad []ledger.Quarantined, good []string) {
	for i := range rows {
		r := &rows[i]
		if r.repeated {
			continue
		}
		if r.failure != nil {
			bad = append(bad, t.quarantined(r))
			if r.itemID != uuid.Nil {
				entries = append(entries, t.entry(r, delivery.Result{
					Outcome: ledger.Failed, Reason: r.failure.Reason, ItemID: r.itemID, DialogID: r.itemID, State: ledger.DialogAbsent,
					SourceChanged: r.changed(), ReadAt: r.result.ReadAt,
				}))
			}
			continue
		}
		entries = append(entries, t.entry(r, r.result))
		good = append(good, r.key)
	}
	return entries, bad, good
}

// changed is the listed time of change; zero when the row was not listed or has none.
func (r *row) changed() time.Time {
	if r.listed == nil {
		return time.Time{}
	}
	return changedAt(storage.Listed{Instance: r.listed})
}

func (t *turn) entry(r *row, result delivery.Result) ledger.Entry {
	return ledger.Entry{
		ItemID: result.ItemID, DialogID: result.DialogID, Instance: r.item.ID, Source: t.backfill.Source,
		SourceChanged: result.SourceChanged, ReadAt: result.ReadAt, Outcome: result.Outcome, Reason: result.Reason,
		State: result.State, MappingVersion: mapping.Version, WindowID: t.window.ID,
	}
}

func (t *turn) quarantined(r *row) ledger.Quarantined {
	q := ledger.Quarantined{
		Source: t.backfill.Source, ItemKey: r.key, ItemID: r.itemID, AppID: r.item.AppID, Position: r.position,
		InstanceCreated: r.item.Created, Class: r.failure.Class.String(), Reason: r.failure.Reason, Detail: r.failure.Detail,
		Attempts: 1, WindowID: t.window.ID,
	}
	if t.window.Items == nil {
		q.Org = t.window.Org
	}
	return q
}

// isAccountsViolation tells whether the database refused to close a window because its accounts do not balance.
func isAccountsViolation(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.ConstraintName == "accounts_balance"
}
