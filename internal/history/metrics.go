package history

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// ItemCounter counts items by source and outcome as they are recorded. A nil one counts nothing.
type ItemCounter struct{ items metric.Int64Counter }

// NewItemCounter registers the counter.
func NewItemCounter(meter metric.Meter) (*ItemCounter, error) {
	items, err := meter.Int64Counter("dialogsync_items",
		metric.WithDescription("Items recorded, by source, stream and outcome."))
	if err != nil {
		return nil, fmt.Errorf("register item counter: %w", err)
	}
	return &ItemCounter{items: items}, nil
}

func (c *ItemCounter) count(ctx context.Context, of stream.Stream, a Accounts) {
	if c == nil {
		return
	}
	for outcome, n := range map[ledger.Outcome]int64{
		ledger.Created: a.Created, ledger.Updated: a.Updated, ledger.Unchanged: a.Unchanged, ledger.Deleted: a.Deleted,
		ledger.Purged: a.Purged, ledger.Restored: a.Restored, ledger.Skipped: a.Skipped, ledger.Failed: a.Quarantined,
	} {
		if n > 0 {
			c.items.Add(ctx, n, metric.WithAttributes(attribute.String("source", string(of.Source)),
				attribute.String("stream", of.Direction), attribute.String("outcome", string(outcome))))
		}
	}
}
