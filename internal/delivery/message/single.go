package message

import (
	"context"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
)

// Asked is who wants a message brought over, and why.
type Asked struct{ Operator, Reason string }

// Sync brings one message over for a person and keeps who asked. A failure that is the message's own goes to quarantine; one of a system
// leaves no trace, since no item is to blame (Invariant 8), but that live tries again what is stored by then. The delivery's error is
// returned in both cases.
func (d *Deliverer) Sync(ctx context.Context, altinn2ID int32, order Order, asked Asked) (Result, error) {
	err := db.New(d.Pool).RecordOperatorAction(ctx, db.RecordOperatorActionParams{
		Operator: asked.Operator, Action: "item sync", Target: Key(altinn2ID), Reason: asked.Reason, Detail: []byte("{}"),
	})
	if err != nil {
		return Result{}, fmt.Errorf("message %d: record who asked for it: %w", altinn2ID, err)
	}
	order.decide = func(_ context.Context, tasks []*task, _ time.Time) {
		for _, t := range tasks {
			if t.err != nil && Describe(t.err).Class != transport.Permanent {
				t.lookAgain() // nobody else tries again what is stored and hidden (17.4)
			}
		}
	}
	result, err := d.Deliver(ctx, altinn2ID, order)
	if err == nil {
		return result, nil
	}
	failure := Describe(err)
	if failure.Reason == ReasonMessageUnknown || !failure.OfItem && failure.Class != transport.Permanent {
		return result, err // a number that nothing is known of is a slip of the operator's, not an item
	}
	if kept := ledger.Quarantine(ctx, db.New(d.Pool), []ledger.Quarantined{Quarantined(result, 1)}); kept != nil {
		return result, fmt.Errorf("%w (and it could not be put in quarantine: %w)", err, kept)
	}
	return result, err
}
