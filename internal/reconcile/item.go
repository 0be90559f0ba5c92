package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
)

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
	recorder := delivery.Recorder{Pool: pool, Deliverer: deliverer}
	result, err := recorder.Deliver(ctx, item, nil)
	if _, unrecorded := errors.AsType[*delivery.RecordError](err); err != nil && !unrecorded {
		err = recordFailure(ctx, pool, item, result, err)
	}
	return result, err
}

// recordFailure returns the delivery's error, with that of recording it if there is one.
func recordFailure(ctx context.Context, pool *pgxpool.Pool, item delivery.Item, result delivery.Result, cause error) error {
	failure := delivery.Describe(cause)
	if !failure.OfItem && failure.Class != transport.Permanent {
		return cause
	}
	q := delivery.Quarantined(item, result, failure, 1)
	if q.ItemID == uuid.Nil && item.AppID == "" && failure.Reason == delivery.ReasonCreatedUnknown {
		return cause // a key that nothing is known of is a slip of the operator's, not an item
	}
	if err := ledger.Quarantine(ctx, db.New(pool), []ledger.Quarantined{q}); err != nil {
		return fmt.Errorf("%w (and it could not be put in quarantine: %w)", cause, err)
	}
	return cause
}
