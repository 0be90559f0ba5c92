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
	switch settled := settledPrefix(rows); {
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
	defer t.cancelAfterGrace(ctx, cancel)()
	query := t.checkpoint.query(t.rangeOf(), t.pageSize(), t.token)
	versionFilter(t.backfill.Source, &query)
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
	rows := make([]row, 0, len(t.window.Items))
	for _, key := range t.window.Items[t.window.ItemsDone:] {
		id, err := altinn.ParseInstanceID(key)
		if err != nil {
			return false, &ending{failure: fmt.Sprintf("item %s: %v", key, err), forGood: true}, nil
		}
		rows = append(rows, row{key: key, item: t.item(id)})
	}
	end = t.deliver(ctx, rows, readAt)
	if err := t.record(ctx, rows, step{next: t.checkpoint}); err != nil {
		return false, nil, err
	}
	return int(t.window.ItemsDone) == len(t.window.Items), end, nil
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

func (t *turn) item(id altinn.InstanceID) delivery.Item {
	// What is history waits for no PDF: those that will be made are made.
	return delivery.Item{Source: t.backfill.Source, ID: id, Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1}
}

// admit makes rows of a listing: malformed ones, repeated ones and what the ledger knows of each.
func (t *turn) admit(ctx context.Context, listing []storage.Listed, positions []position) ([]row, error) {
	rows := make([]row, len(listing))
	ids := make([]uuid.UUID, 0, len(listing))
	inPage := make(map[string]bool, len(listing))
	var malformed []string
	for i := range listing {
		rows[i] = t.admitOne(&listing[i], positions[i])
		// The newest version of an item comes first; an older one further down is stale.
		rows[i].repeated = inPage[rows[i].pageKey()]
		inPage[rows[i].pageKey()] = true
		if rows[i].failure != nil {
			malformed = append(malformed, rows[i].key)
			continue
		}
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
			rows[i].repeated = rows[i].repeated || quarantined[rows[i].key] == t.window.ID
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

// pageKey is the same for two rows of one item: Storage's key is the GUID, whatever party stands before it.
func (r *row) pageKey() string {
	if r.itemID == uuid.Nil {
		return r.key
	}
	return r.itemID.String()
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

// record writes the rows that have an outcome, with their accounts and the checkpoint, in one transaction, which holds only
// under the turn's own epoch (Invariant 5). The checkpoint stands for a page's settled front; rows settled behind it are
// recorded too, so that none of what was done goes without its accounts: listed again, they count as repeated.
//
// Items that somebody else recorded meanwhile are delivered again, reading everything, before that (Invariant 4).
func (t *turn) record(ctx context.Context, rows []row, to step) error {
	settled := make([]*row, 0, len(rows))
	for i := range rows {
		if rows[i].settled {
			settled = append(settled, &rows[i])
		}
	}
	t.unrecorded = settled
	p := t.pageOf(settled, to)
	if !p.worthRecording {
		t.unrecorded = nil
		return nil
	}
	for {
		var overtaken []uuid.UUID
		err := db.InTx(ctx, t.walker.Pool, func(_ pgx.Tx, q *db.Queries) error {
			var err error
			overtaken, err = t.write(ctx, q, settled, p)
			return err
		})
		if !errors.Is(err, errOvertaken) {
			if err == nil {
				t.recorded(ctx, settled, p)
			}
			return err
		}
		if err := t.redeliver(ctx, settled, overtaken); err != nil {
			return err
		}
	}
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

func (t *turn) pageOf(settled []*row, to step) recordedPage {
	p := recordedPage{to: to, itemsDone: t.window.ItemsDone, progress: !to.next.same(t.checkpoint)}
	p.worthRecording = p.progress || to.token != t.token
	for _, r := range settled {
		p.progress = p.progress || !r.repeated && !r.met
		p.worthRecording = p.worthRecording || !r.repeated
	}
	if t.window.Items != nil && len(settled) > 0 {
		p.items = settledFirst(t.window.Items, t.window.ItemsDone, settled)
		p.itemsDone += int32(len(settled)) //nolint:gosec // at most itemsPerWindow
	}
	return p
}

// settledFirst puts the items that now have an outcome behind the done ones that had one before, and the open ones last.
func settledFirst(items []string, done int32, settled []*row) []string {
	now := make(map[string]bool, len(settled))
	for _, r := range settled {
		now[r.key] = true
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
func (t *turn) recorded(ctx context.Context, settled []*row, p recordedPage) {
	t.unrecorded = nil
	t.checkpoint, t.token, t.window.ItemsDone = p.to.next, p.to.token, p.itemsDone
	if p.items != nil {
		t.window.Items = p.items
	}
	if p.progress {
		t.window.Attempts = 0
	}
	t.walker.Items.count(ctx, t.backfill.Source, accountsOf(settled))
}

// errOvertaken undoes a page's transaction: some of its items were recorded by others since they were read.
var errOvertaken = errors.New("items were recorded by others meanwhile")

func (t *turn) write(ctx context.Context, q *db.Queries, rows []*row, p recordedPage) ([]uuid.UUID, error) {
	accounts := accountsOf(rows)
	skippedBy, err := json.Marshal(accounts.SkippedBy)
	if err != nil {
		return nil, fmt.Errorf("write reasons: %w", err)
	}
	written, err := q.RecordPage(ctx, db.RecordPageParams{
		ID: t.window.ID, Epoch: t.window.Epoch, Reached: p.to.next.Reached, ReachedMode: string(p.to.next.Mode), TieToken: p.to.token,
		Items: p.items, ItemsDone: p.itemsDone, Progress: p.progress, Lease: t.config.Lease,
		Seen: accounts.Seen, Created: accounts.Created, Updated: accounts.Updated, Unchanged: accounts.Unchanged,
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
	if !p.progress {
		return nil, nil
	}
	if err := q.ClearWaiting(ctx, t.backfill.ID); err != nil {
		return nil, fmt.Errorf("record that the stream goes on: %w", err)
	}
	return nil, nil
}

// accountsOf counts a page: seen from the listing, the rest from the outcomes.
func accountsOf(rows []*row) Accounts {
	var a Accounts
	for _, r := range rows {
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
func (t *turn) entriesOf(rows []*row) (entries []ledger.Entry, bad []ledger.Quarantined, good []string) {
	for _, r := range rows {
		if r.repeated {
			continue
		}
		if r.failure != nil {
			bad = append(bad, t.quarantined(r))
			if r.itemID != uuid.Nil {
				entries = append(entries, t.entry(r, delivery.Result{
					Outcome: ledger.Failed, Reason: r.failure.Reason, Instance: r.item.ID, ItemID: r.itemID, DialogID: r.itemID,
					State: ledger.DialogAbsent, Unseen: true, SourceChanged: r.changed(), ReadAt: r.result.ReadAt,
				}))
			}
			continue
		}
		entries = append(entries, t.entry(r, r.result))
		good = append(good, r.key)
		if own := r.result.Instance.String(); own != r.key {
			good = append(good, own) // given under another party's id
		}
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
	e := ledger.Entry{
		ItemID: result.ItemID, DialogID: result.DialogID, Instance: result.Instance, Source: t.backfill.Source,
		SourceChanged: result.SourceChanged, ReadAt: result.ReadAt, Outcome: result.Outcome, Reason: result.Reason,
		State: result.State, Unseen: result.Unseen, MappingVersion: mapping.Version,
	}
	if t.window.Items == nil {
		e.WindowID = t.window.ID // given items must not take an item from the walk that counts it
	}
	if e.SourceChanged.IsZero() {
		e.SourceChanged = r.changed() // judged by its listing alone
	}
	return e
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
