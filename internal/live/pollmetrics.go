package live

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// PollMetrics measures what polls find. A nil one measures nothing.
type PollMetrics struct {
	items    metric.Int64Counter
	found    metric.Int64Counter
	arrivals metric.Float64Histogram
}

// NewPollMetrics registers the instruments.
func NewPollMetrics(meter metric.Meter) (*PollMetrics, error) {
	var m PollMetrics
	var err error
	m.items, err = meter.Int64Counter("dialogsync_items",
		metric.WithDescription("Items recorded, by source, stream and outcome."))
	if err != nil {
		return nil, fmt.Errorf("register item counter: %w", err)
	}
	m.found, err = meter.Int64Counter("dialogsync_poll_found",
		metric.WithDescription("Changes that nobody had brought over before a poll did, by source and reach."))
	if err != nil {
		return nil, fmt.Errorf("register counter of what polls find: %w", err)
	}
	bounds := make([]float64, 0, len(lagBounds))
	for _, b := range lagBounds {
		bounds = append(bounds, b.Seconds())
	}
	m.arrivals, err = meter.Float64Histogram("dialogsync_arrival_lag", metric.WithUnit("s"),
		metric.WithDescription("How long after its lastChanged a form was first met: what overlaps of batches are set by."),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err != nil {
		return nil, fmt.Errorf("register histogram of arrivals: %w", err)
	}
	return &m, nil
}

// delivered counts a page once it is recorded.
func (m *PollMetrics) delivered(ctx context.Context, reach Reach, c pageCounts) {
	if m == nil {
		return
	}
	source := attribute.String("source", string(reach.Source))
	a := c.accounts
	for outcome, n := range map[ledger.Outcome]int64{
		ledger.Created: a.Created, ledger.Updated: a.Updated, ledger.Unchanged: a.Unchanged, ledger.Deleted: a.Deleted,
		ledger.Purged: a.Purged, ledger.Restored: a.Restored, ledger.Skipped: a.Skipped, ledger.Failed: a.Quarantined,
	} {
		if n > 0 {
			m.items.Add(ctx, n, metric.WithAttributes(source, attribute.String("stream", stream.Live),
				attribute.String("outcome", string(outcome))))
		}
	}
	if c.found > 0 {
		m.found.Add(ctx, c.found, metric.WithAttributes(source, attribute.String("reach", reach.Name)))
	}
	for _, lag := range c.arrivals {
		m.arrivals.Record(ctx, lag.Seconds(), metric.WithAttributes(source))
	}
}
