package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/db"
)

// Entry is one item's row.
type Entry struct {
	// ItemID is the UUIDv7 derived from the instance's GUID and creation time: the item's key for ever.
	ItemID uuid.UUID
	// DialogID differs from ItemID only where the application chose it.
	DialogID uuid.UUID
	Instance altinn.InstanceID
	Source   Source
	// SourceChanged is the source's lastChanged, in UTC and microseconds as Storage sorts by; zero when the source is gone
	// or has none, which keeps what was there.
	SourceChanged time.Time
	// Open: it is open which version was brought over. SourceChanged becomes zero, whatever was there.
	Open bool
	// ReadAt is the database's time before the reading of dialog and source began; RecordedAt is set by Record.
	ReadAt, RecordedAt time.Time
	Outcome            Outcome
	// Reason is a code, for outcomes that have one.
	Reason         string
	State          DialogState
	MappingVersion int16
	// A1Ref and A2Ref are the archive reference of a form that came from Altinn 1 or Altinn 2; 0: none, or not known this time,
	// which keeps what was there.
	A1Ref, A2Ref int32
	// Unseen: the dialog was not looked at, so what is known of it stays.
	Unseen bool
	// WindowID is the window of history that met the item; 0 for live and single deliveries, which keep what was there.
	WindowID int64
}

// Lookup reads the rows of these items; items never met are missing from the answer.
func Lookup(ctx context.Context, q *db.Queries, ids []uuid.UUID) (map[uuid.UUID]Entry, error) {
	rows, err := q.LedgerRows(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up %d items in the ledger: %w", len(ids), err)
	}
	entries := make(map[uuid.UUID]Entry, len(rows))
	for i := range rows {
		row := &rows[i]
		entries[row.ItemID] = Entry{
			ItemID: row.ItemID, DialogID: valueOr(row.DialogID, row.ItemID), Source: row.Source,
			SourceChanged: valueOr(row.SourceChanged, time.Time{}).UTC(), ReadAt: row.ReadAt, RecordedAt: row.RecordedAt,
			Outcome: row.Outcome, Reason: valueOr(row.Reason, ""), State: row.DialogState, MappingVersion: row.MappingVersion,
			WindowID: valueOr(row.WindowID, 0),
		}
	}
	return entries, nil
}

// Record writes the rows of items that were just delivered and returns the overtaken ones: items that somebody else
// recorded after our reading of them began. Theirs stands; whether ours did harm cannot be known, so each must be delivered
// again by reading everything (Invariant 4). Entries must not repeat an item.
func Record(ctx context.Context, q *db.Queries, entries []Entry) (overtaken []uuid.UUID, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	recorded, err := q.RecordItems(ctx, columns(entries))
	if err != nil {
		return nil, fmt.Errorf("record %d items: %w", len(entries), err)
	}
	if len(recorded) == len(entries) {
		return nil, nil
	}
	done := make(map[uuid.UUID]bool, len(recorded))
	for _, id := range recorded {
		done[id] = true
	}
	for i := range entries {
		if !done[entries[i].ItemID] {
			overtaken = append(overtaken, entries[i].ItemID)
		}
	}
	return overtaken, nil
}

// Sharing finds, of the forms that these entries are about, those that the ledger has under more than one item with a dialog:
// the same form, migrated anew, of which at most one instance may still exist (Storage reference 12.3). All items of such a
// form are returned, in no order, with the little that is needed to deliver them.
func Sharing(ctx context.Context, q *db.Queries, entries []Entry) ([]Entry, error) {
	var p db.SharedReferencesParams
	for i := range entries {
		switch e := &entries[i]; {
		case e.A1Ref != 0:
			p.A1Refs = append(p.A1Refs, e.A1Ref)
		case e.A2Ref != 0:
			p.A2Refs = append(p.A2Refs, e.A2Ref)
		}
	}
	if len(p.A1Refs)+len(p.A2Refs) == 0 {
		return nil, nil
	}
	rows, err := q.SharedReferences(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look up %d archive references: %w", len(p.A1Refs)+len(p.A2Refs), err)
	}
	shared := make([]Entry, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		shared = append(shared, Entry{
			ItemID: row.ItemID, Source: row.Source,
			Instance: altinn.InstanceID{PartyID: int64(valueOr(row.PartyID, 0)), GUID: valueOr(row.InstanceGuid, uuid.Nil)},
		})
	}
	return shared, nil
}

func columns(entries []Entry) db.RecordItemsParams {
	var p db.RecordItemsParams
	for i := range entries {
		e := &entries[i]
		dialogID := e.DialogID
		if dialogID == e.ItemID {
			dialogID = uuid.Nil // stored as null
		}
		p.ItemIds = append(p.ItemIds, e.ItemID)
		p.DialogIds = append(p.DialogIds, dialogID)
		p.InstanceGuids = append(p.InstanceGuids, e.Instance.GUID)
		changed := e.SourceChanged
		if e.Open {
			changed = time.Time{} // stored as null
			p.Open = append(p.Open, e.ItemID)
		}
		p.SourceChanged = append(p.SourceChanged, changed)
		p.ReadAt = append(p.ReadAt, e.ReadAt)
		p.WindowIds = append(p.WindowIds, e.WindowID)
		p.PartyIds = append(p.PartyIds, int32(e.Instance.PartyID)) //nolint:gosec // ParseInstanceID admits 31 bits
		p.A1Refs = append(p.A1Refs, e.A1Ref)
		p.A2Refs = append(p.A2Refs, e.A2Ref)
		p.Sources = append(p.Sources, string(e.Source))
		p.Outcomes = append(p.Outcomes, string(e.Outcome))
		p.DialogStates = append(p.DialogStates, string(e.State))
		p.MappingVersions = append(p.MappingVersions, e.MappingVersion)
		p.Reasons = append(p.Reasons, e.Reason)
		if e.Unseen {
			p.Unseen = append(p.Unseen, e.ItemID)
		}
	}
	return p
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
