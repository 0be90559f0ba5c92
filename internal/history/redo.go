package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	messagemapping "github.com/altinn/dialogsync/internal/mapping/message"
)

func (o *Order) validateRedo() error {
	newest := int(mapping.Version)
	if o.Source == ledger.A2Correspondence {
		newest = int(messagemapping.Version)
	}
	switch {
	case o.Redo && o.Stage != "" && o.Stage != StageBoth:
		return &OrderError{"--stage is not for a redo: it goes all the way with each message"}
	case o.OlderThanMapping == 0:
		return nil
	case !o.Redo:
		return &OrderError{"--older-than-mapping is for --redo: other walks bring over whatever an older mapping made"}
	case len(o.Items) > 0:
		return &OrderError{"--older-than-mapping is for a range: what --item names is done again in any case"}
	case o.OlderThanMapping < 1 || o.OlderThanMapping > newest:
		return &OrderError{fmt.Sprintf("--older-than-mapping must be between 1 and %d, the mapping version of this program", newest)}
	}
	return nil
}

// olderThanMapping is as the database keeps it.
func (o *Order) olderThanMapping() *int16 {
	if o.OlderThanMapping == 0 {
		return nil
	}
	version := int16(min(o.OlderThanMapping, math.MaxInt16)) //nolint:gosec // validated
	return &version
}

func int16Or(p *int16) int16 {
	if p == nil {
		return 0
	}
	return *p
}

// Corrected are the outcomes of a redo that changed something. Of unchanged and skipped items nothing was wrong, and failed ones are in
// quarantine.
func Corrected(outcome ledger.Outcome) bool {
	return slices.Contains([]ledger.Outcome{ledger.Created, ledger.Updated, ledger.Deleted, ledger.Purged, ledger.Restored}, outcome)
}

// correctedInstances lists what a redo corrected, as a part of the page's transaction.
func (t *turn) correctedInstances(ctx context.Context, q *db.Queries, rows []*batch.Row) error {
	var c corrections
	for _, r := range rows {
		if !r.Repeated && r.Failure() == nil {
			result := r.Result()
			c.add(r.Key, result.Outcome, result.Reason)
		}
	}
	return t.addCorrections(ctx, q, c)
}

// correctedMessages is the same for messages.
func (t *turn) correctedMessages(ctx context.Context, q *db.Queries, rows []*message.Row) error {
	var c corrections
	for _, r := range rows {
		if !r.Repeated && r.Failure() == nil {
			result := r.Result()
			c.add(r.Key(), result.Outcome, result.Reason)
		}
	}
	return t.addCorrections(ctx, q, c)
}

// corrections are rows to be written.
type corrections struct{ keys, outcomes, reasons []string }

func (c *corrections) add(key string, outcome ledger.Outcome, reason string) {
	if Corrected(outcome) {
		c.keys, c.outcomes, c.reasons = append(c.keys, key), append(c.outcomes, string(outcome)), append(c.reasons, reason)
	}
}

func (t *turn) addCorrections(ctx context.Context, q *db.Queries, c corrections) error {
	if !t.backfill.Redo || len(c.keys) == 0 {
		return nil
	}
	err := q.AddCorrections(ctx, db.AddCorrectionsParams{
		BackfillID: t.backfill.ID, ItemKeys: c.keys, Outcomes: c.outcomes, Reasons: c.reasons,
	})
	if err != nil {
		return fmt.Errorf("list %d corrected items: %w", len(c.keys), err)
	}
	return nil
}

// leaveCurrent settles those messages of a page as unchanged that the mapping version ordered, or a later one, brought over in the
// change that is listed. Nobody over there is asked about them.
func (m *messages) leaveCurrent(ctx context.Context, rows []message.Row) error {
	version := int16Or(m.backfill.OlderThanMapping)
	if version == 0 {
		return nil
	}
	var ids []uuid.UUID
	var left []*message.Row
	for i := range rows {
		if r := &rows[i]; r.LeaveUnchanged(version) {
			ids, left = append(ids, r.ItemID()), append(left, r)
		}
	}
	if len(left) == 0 {
		return nil
	}
	s := m.savedOf(rows, left)
	err := db.InTx(ctx, m.walker.Pool, func(_ pgx.Tx, q *db.Queries) error {
		if err := q.TakeIntoWindow(ctx, db.TakeIntoWindowParams{WindowID: &m.window.ID, ItemIds: ids}); err != nil {
			return fmt.Errorf("count messages that are current: %w", err)
		}
		_, err := m.save(ctx, q, s)
		return err
	})
	if err != nil {
		return err
	}
	m.wasSaved(s)
	return nil
}

// Correction is one item that a redo put right.
type Correction struct {
	Item    string         `json:"item"`
	Outcome ledger.Outcome `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	At      time.Time      `json:"recordedAt"`
}

// CorrectionPage is one page of them, by their keys.
type CorrectionPage struct {
	Items []Correction `json:"items"`
	// Next continues; empty when this was the last page.
	Next string `json:"next,omitempty"`
}

// ReadCorrections reads what a redo put right, behind a key; at most limit. ErrNoBackfill if there is none of that id.
func ReadCorrections(ctx context.Context, pool *pgxpool.Pool, id int64, after string, limit int) (CorrectionPage, error) {
	page := CorrectionPage{Items: []Correction{}}
	found, err := ReadProgress(ctx, pool, &id)
	if err != nil {
		return page, err
	}
	if len(found) == 0 {
		return page, fmt.Errorf("backfill %d: %w", id, ErrNoBackfill)
	}
	rows, err := db.New(pool).CorrectionsPage(ctx, db.CorrectionsPageParams{
		BackfillID: id, After: after, MaxRows: int32(min(limit, math.MaxInt32-1)) + 1, //nolint:gosec // bounded
	})
	if err != nil {
		return page, fmt.Errorf("list what backfill %d corrected: %w", id, err)
	}
	for i := range rows {
		if i == limit {
			page.Next = page.Items[i-1].Item
			break
		}
		r := &rows[i]
		page.Items = append(page.Items, Correction{Item: r.ItemKey, Outcome: r.Outcome, Reason: textOr(r.Reason), At: r.RecordedAt.UTC()})
	}
	return page, nil
}

// countCorrections counts them by outcome; nil for a backfill that is no redo.
func countCorrections(ctx context.Context, q *db.Queries, p *Progress) (map[ledger.Outcome]int64, error) {
	if !p.Redo {
		return nil, nil //nolint:nilnil // nothing to count
	}
	rows, err := q.CountCorrections(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("count what backfill %d corrected: %w", p.ID, err)
	}
	counts := map[ledger.Outcome]int64{}
	for _, row := range rows {
		counts[row.Outcome] = row.Items
	}
	return counts, nil
}
