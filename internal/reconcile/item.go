package reconcile

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// maxOvertaken bounds how often an item is read again because others deliver it at the same time. Each of them lets go
// after its own delivery, so a few are plenty.
const maxOvertaken = 5

// Asked is who wants an item put right, and why.
type Asked struct{ Operator, Reason string }

// SyncItem delivers one item by reading everything and records the outcome. An item that others recorded meanwhile is
// delivered again (Invariant 4). A failure that is the item's own goes to quarantine; one of a system leaves no trace, since
// no item is to blame (Invariant 8). The delivery's error is returned in both cases.
func SyncItem(
	ctx context.Context, pool *pgxpool.Pool, deliverer *delivery.Deliverer, item delivery.Item, asked Asked,
) (delivery.Result, error) {
	err := db.New(pool).RecordOperatorAction(ctx, db.RecordOperatorActionParams{
		Operator: asked.Operator, Action: "item sync", Target: item.ID.String(), Reason: asked.Reason, Detail: []byte("{}"),
	})
	if err != nil {
		return delivery.Result{}, fmt.Errorf("item %s: record who asked for it: %w", item.ID, err)
	}
	for range maxOvertaken {
		result, err := deliverer.Deliver(ctx, item)
		if err != nil {
			return result, recordFailure(ctx, pool, item, result, err)
		}
		overtaken, err := recordOutcome(ctx, pool, item, result)
		if err != nil {
			return result, err
		}
		if !overtaken {
			return result, nil
		}
	}
	return delivery.Result{}, fmt.Errorf("item %s: others kept delivering it; try again", item.ID)
}

func recordOutcome(ctx context.Context, pool *pgxpool.Pool, item delivery.Item, result delivery.Result) (overtaken bool, err error) {
	err = db.InTx(ctx, pool, func(_ pgx.Tx, q *db.Queries) error {
		missed, err := ledger.Record(ctx, q, []ledger.Entry{{
			ItemID: result.ItemID, DialogID: result.DialogID, Instance: result.Instance, Source: result.Source,
			SourceChanged: result.SourceChanged, ReadAt: result.ReadAt, Outcome: result.Outcome, Reason: result.Reason,
			State: result.State, Unseen: result.Unseen, MappingVersion: mapping.Version,
		}})
		if err != nil {
			return fmt.Errorf("item %s: %w", item.ID, err)
		}
		if overtaken = len(missed) > 0; overtaken {
			return nil
		}
		keys := []string{item.ID.String(), result.Instance.String()}
		for _, source := range []ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms} {
			// A failure may have been kept under either, where nobody could tell.
			if _, err := ledger.Release(ctx, q, source, keys); err != nil {
				return fmt.Errorf("item %s: %w", item.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("record outcome: %w", err)
	}
	return overtaken, nil
}

// recordFailure returns the delivery's error, with that of recording it if there is one.
func recordFailure(ctx context.Context, pool *pgxpool.Pool, item delivery.Item, result delivery.Result, cause error) error {
	failure := delivery.Describe(cause)
	if !failure.OfItem && failure.Class != transport.Permanent {
		return cause
	}
	q := ledger.Quarantined{
		Source: sourceOr(cmp.Or(item.Source, result.Source)), ItemKey: cmp.Or(result.Instance, item.ID).String(), AppID: item.AppID,
		InstanceCreated: item.Created,
		Class:           failure.Class.String(), Reason: failure.Reason, Detail: failure.Detail, Attempts: 1,
	}
	if !item.Created.IsZero() {
		q.ItemID = dialogid.V7(item.ID.GUID, item.Created)
		q.Position = item.Created // the nearest known time: its lastChanged was not read
	}
	if q.ItemID == uuid.Nil && item.AppID == "" && failure.Reason == delivery.ReasonCreatedUnknown {
		return cause // a key that nothing is known of is a slip of the operator's, not an item
	}
	if err := ledger.Quarantine(ctx, db.New(pool), []ledger.Quarantined{q}); err != nil {
		return fmt.Errorf("%w (and it could not be put in quarantine: %w)", cause, err)
	}
	return cause
}

// sourceOr is where a failed item is kept whose application nobody could tell.
func sourceOr(source ledger.Source) ledger.Source {
	if source == "" {
		return ledger.A3AppInstances
	}
	return source
}
