package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Detail is a backfill with what an operator wants to see of it at night: what is under way, what is in trouble, and why.
type Detail struct {
	Progress

	Skipped    []SkipCount       `json:"skipped"`
	InProgress []WindowDetail    `json:"inProgress"`
	Troubled   []WindowDetail    `json:"troubled"`
	Quarantine []QuarantineEntry `json:"quarantine"`
	// Corrected counts what a redo put right, by outcome; nil for other backfills.
	Corrected map[ledger.Outcome]int64 `json:"corrected,omitzero"`
}

// SkipCount is how many items were skipped for a reason.
type SkipCount struct {
	Reason string `json:"reason"`
	Items  int64  `json:"items"`
}

// WindowDetail is one window as it stands.
type WindowDetail struct {
	ID       int64     `json:"id"`
	Org      string    `json:"org"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Range    string    `json:"-"`
	State    string    `json:"state"`
	Reached  time.Time `json:"reached"`
	Seen     int64     `json:"seen"`
	Attempts int32     `json:"attempts"`
	RetryAt  time.Time `json:"retryAt,omitzero"`
	Failure  string    `json:"failure,omitempty"`
	Worker   string    `json:"worker,omitempty"`
}

// QuarantineEntry is one item in quarantine.
type QuarantineEntry struct {
	ItemKey  string    `json:"item"`
	AppID    string    `json:"appId,omitempty"`
	Reason   string    `json:"reason"`
	Detail   string    `json:"detail"`
	Attempts int32     `json:"attempts"`
	FailedAt time.Time `json:"lastFailedAt"`
}

// ReadDetail reads one backfill, and at most limit windows and items of a kind. ErrNoBackfill if there is none of that id.
func ReadDetail(ctx context.Context, pool *pgxpool.Pool, id int64, limit int32) (Detail, error) {
	found, err := ReadProgress(ctx, pool, &id)
	if err != nil {
		return Detail{}, err
	}
	if len(found) == 0 {
		return Detail{}, fmt.Errorf("backfill %d: %w", id, ErrNoBackfill)
	}
	d := Detail{
		Progress: found[0], Skipped: []SkipCount{}, InProgress: []WindowDetail{}, Troubled: []WindowDetail{},
		Quarantine: []QuarantineEntry{},
	}
	q := db.New(pool)
	skipped, err := q.SkippedByReason(ctx, id)
	if err != nil {
		return d, fmt.Errorf("read skipped items of backfill %d: %w", id, err)
	}
	for _, s := range skipped {
		d.Skipped = append(d.Skipped, SkipCount{Reason: s.Reason, Items: s.Items})
	}
	if err := d.readWindows(ctx, q, limit); err != nil {
		return d, err
	}
	quarantine, err := q.QuarantineList(ctx, db.QuarantineListParams{BackfillID: &id, MaxRows: limit})
	if err != nil {
		return d, fmt.Errorf("read quarantine of backfill %d: %w", id, err)
	}
	for i := range quarantine {
		e := &quarantine[i]
		entry := QuarantineEntry{ItemKey: e.ItemKey, Reason: e.Reason, Detail: e.Detail, Attempts: e.Attempts, FailedAt: e.LastFailedAt}
		if e.AppID != nil {
			entry.AppID = *e.AppID
		}
		d.Quarantine = append(d.Quarantine, entry)
	}
	d.Corrected, err = countCorrections(ctx, q, &d.Progress)
	return d, err
}

func (d *Detail) readWindows(ctx context.Context, q *db.Queries, limit int32) error {
	walking, err := q.WindowsInProgress(ctx, db.WindowsInProgressParams{BackfillID: d.ID, MaxRows: limit})
	if err != nil {
		return fmt.Errorf("read windows under way of backfill %d: %w", d.ID, err)
	}
	for i := range walking {
		w := &walking[i]
		d.InProgress = append(d.InProgress, WindowDetail{
			ID: w.ID, Org: w.Org, From: w.FromTime, To: w.ToTime, Range: Range{w.FromTime, w.ToTime}.String(), State: w.State,
			Reached: w.Reached, Seen: w.Seen, Attempts: w.Attempts, Failure: textOr(w.Failure), Worker: textOr(w.Worker),
		})
	}
	troubled, err := q.TroubledWindows(ctx, db.TroubledWindowsParams{BackfillID: d.ID, MaxRows: limit})
	if err != nil {
		return fmt.Errorf("read windows in trouble of backfill %d: %w", d.ID, err)
	}
	for i := range troubled {
		w := &troubled[i]
		d.Troubled = append(d.Troubled, WindowDetail{
			ID: w.ID, Org: w.Org, From: w.FromTime, To: w.ToTime, Range: Range{w.FromTime, w.ToTime}.String(), State: w.State,
			Reached: w.Reached, Seen: w.Seen, Attempts: w.Attempts, Failure: textOr(w.Failure), RetryAt: restingUntil(w.State, w.RetryAt),
		})
	}
	return nil
}

// restingUntil is when a window that rests is tried again; zero for one that does not rest.
func restingUntil(state string, t time.Time) time.Time {
	if state != "pending" || t.Before(time.Now()) {
		return time.Time{}
	}
	return t.UTC()
}

func textOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
