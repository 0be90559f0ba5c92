package history

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

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

// instances is the course through a window of one organisation's instances in Storage, or through given ones.
type instances struct {
	*turn

	carrier    *batch.Carrier
	checkpoint Checkpoint
	// token continues a tie; tokenIsOld: it was kept by an earlier slice.
	token      string
	tokenIsOld bool
}

func newInstances(t *turn) *instances {
	return &instances{
		turn: t, carrier: t.newCarrier(), checkpoint: Checkpoint{Reached: t.window.Reached, Mode: Mode(t.window.ReachedMode)},
		token: t.window.TieToken, tokenIsOld: t.window.TieToken != "",
	}
}

func (t *instances) makeGood(ctx context.Context) { t.carrier.MakeGood(ctx) }

func (t *instances) rangeOf() Window {
	return Window{Org: t.window.Org, Range: Range{From: t.window.FromTime, To: t.window.ToTime}}
}

func (t *instances) page(ctx context.Context) (done bool, end *ending, err error) {
	listedAt, err := t.readClock(ctx)
	if err != nil {
		return false, nil, err
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
func (t *instances) list(ctx context.Context) (storage.Page, *ending) {
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
func (t *instances) pageSize() int {
	const halvings, largest = 3, 10_000
	tries := min(t.window.Attempts, halvings)
	if t.checkpoint.Mode == Tie {
		return min(t.config.PageSize<<(tries+1), largest)
	}
	return max(t.config.PageSize>>tries, min(smallestPage, t.config.PageSize))
}

// itemsPage is the step of a backfill of given items: each is read from its source.
func (t *instances) itemsPage(ctx context.Context, readAt time.Time) (done bool, end *ending, err error) {
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

func (t *instances) item(id altinn.InstanceID) delivery.Item {
	// What is history waits for no PDF: those that will be made are made.
	return delivery.Item{Source: t.backfill.Source, ID: id, Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1}
}

// admit makes rows of a listing: malformed ones, repeated ones and what the ledger knows of each.
func (t *instances) admit(ctx context.Context, listing []storage.Listed, positions []position) ([]batch.Row, error) {
	rows := make([]batch.Row, len(listing))
	ids := make([]uuid.UUID, 0, len(listing))
	inPage := make(map[string]bool, len(listing))
	keys := make([]string, 0, len(listing))
	for i := range listing {
		rows[i] = batch.NewRow(&listing[i], positions[i], t.item(listing[i].ID))
		// The newest version of an item comes first; an older one further down is stale.
		rows[i].Repeated = inPage[rows[i].PageKey()]
		inPage[rows[i].PageKey()] = true
		keys = append(keys, rows[i].Key)
		if !rows[i].Malformed() {
			ids = append(ids, rows[i].ItemID)
		}
	}
	q := db.New(t.walker.Pool)
	known, err := ledger.Lookup(ctx, q, ids)
	if err != nil {
		return nil, fmt.Errorf("admit page: %w", err)
	}
	quarantined, err := ledger.QuarantinedBy(ctx, q, t.backfill.Source, keys)
	if err != nil {
		return nil, fmt.Errorf("admit page: %w", err)
	}
	for i := range rows {
		r := &rows[i]
		var window int64
		window, r.Quarantined = quarantined[r.Key]
		if r.Malformed() {
			r.Repeated = r.Repeated || window == t.window.ID
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
func (t *instances) record(ctx context.Context, rows []batch.Row, to step) error {
	settled := batch.SettledRows(rows)
	s, worthRecording := t.savedOf(settled, to)
	if !worthRecording {
		t.carrier.Forget()
		return nil
	}
	err := t.carrier.Record(ctx, settled, func(ctx context.Context, q *db.Queries) error {
		s.accounts = batch.AccountsOf(settled) // some may have been delivered again since
		if _, err := t.save(ctx, q, s); err != nil {
			return err
		}
		return t.correctedInstances(ctx, q, settled)
	})
	if err != nil {
		return err
	}
	t.checkpoint, t.token = to.next, to.token
	t.wasSaved(s)
	t.walker.Items.count(ctx, t.stream(), s.accounts)
	return nil
}

func (t *instances) savedOf(settled []*batch.Row, to step) (s saved, worthRecording bool) {
	s = saved{
		checkpoint: to.next, token: to.token, itemsDone: t.window.ItemsDone, progress: !to.next.same(t.checkpoint),
		accounts: batch.AccountsOf(settled),
	}
	worthRecording = s.progress || to.token != t.token
	keys := make([]string, 0, len(settled))
	for _, r := range settled {
		s.progress = s.progress || !r.Repeated && !r.Met
		worthRecording = worthRecording || !r.Repeated
		keys = append(keys, r.Key)
	}
	if t.window.Items != nil && len(settled) > 0 {
		s.items = settledFirst(t.window.Items, t.window.ItemsDone, keys)
		s.itemsDone += int32(len(settled)) //nolint:gosec // at most itemsPerWindow
	}
	return s, worthRecording
}
