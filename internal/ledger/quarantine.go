package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/db"
)

// Quarantined is an item that needs a person.
type Quarantined struct {
	Source Source
	// ItemKey is the key as operators write it: `<partyId>/<instanceGuid>`, or for a malformed item what there is of it.
	ItemKey string
	// ItemID is nil when no id can be derived.
	ItemID     uuid.UUID
	Org, AppID string
	// Position is the item's time on the axis its stream is walked by; zero when it has none.
	Position        time.Time
	InstanceCreated time.Time
	// Class is the class of the error, Reason its code; Detail says in words what a person can do. No personal data.
	Class, Reason, Detail       string
	Attempts                    int
	WindowID                    int64
	FirstFailedAt, LastFailedAt time.Time
}

// Quarantine puts items in, or adds an attempt to those that are in already.
func Quarantine(ctx context.Context, q *db.Queries, items []Quarantined) error {
	if len(items) == 0 {
		return nil
	}
	var p db.QuarantineItemsParams
	for i := range items {
		item := &items[i]
		p.Sources = append(p.Sources, string(item.Source))
		p.ItemKeys = append(p.ItemKeys, item.ItemKey)
		p.ItemIds = append(p.ItemIds, item.ItemID)
		p.Orgs = append(p.Orgs, item.Org)
		p.AppIds = append(p.AppIds, item.AppID)
		p.Positions = append(p.Positions, item.Position)
		p.InstanceCreated = append(p.InstanceCreated, item.InstanceCreated)
		p.Classes = append(p.Classes, item.Class)
		p.Reasons = append(p.Reasons, item.Reason)
		p.Details = append(p.Details, item.Detail)
		p.Attempts = append(p.Attempts, int32(item.Attempts)) //nolint:gosec // a handful
		p.WindowIds = append(p.WindowIds, item.WindowID)
	}
	if err := q.QuarantineItems(ctx, p); err != nil {
		return fmt.Errorf("quarantine %d items: %w", len(items), err)
	}
	return nil
}

// Release takes items out of quarantine that were delivered after all, and returns how many were there.
func Release(ctx context.Context, q *db.Queries, source Source, keys []string) (int64, error) {
	whenever := make([]time.Time, len(keys))
	for i := range whenever {
		whenever[i] = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return ReleaseRead(ctx, q, source, keys, whenever)
}

// ReleaseRead is Release for what was read at these times, by the database's clock. An item that failed since then stays: the event
// that failed may be of a change that the reading did not see, and the quarantine is its only trace (Invariant 1).
func ReleaseRead(ctx context.Context, q *db.Queries, source Source, keys []string, readAt []time.Time) (int64, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	sources := make([]string, len(keys))
	for i := range sources {
		sources[i] = string(source)
	}
	released, err := q.ReleaseItems(ctx, db.ReleaseItemsParams{Sources: sources, ItemKeys: keys, ReadAt: readAt})
	if err != nil {
		return 0, fmt.Errorf("release %d items from quarantine: %w", len(keys), err)
	}
	return released, nil
}

// QuarantinedBy tells, of these keys, which are in quarantine and which window put them there (0: none did).
func QuarantinedBy(ctx context.Context, q *db.Queries, source Source, keys []string) (map[string]int64, error) {
	rows, err := q.QuarantinedKeys(ctx, db.QuarantinedKeysParams{Source: source, ItemKeys: keys})
	if err != nil {
		return nil, fmt.Errorf("look up %d keys in quarantine: %w", len(keys), err)
	}
	windows := make(map[string]int64, len(rows))
	for _, row := range rows {
		windows[row.ItemKey] = valueOr(row.WindowID, 0)
	}
	return windows, nil
}
