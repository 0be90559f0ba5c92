package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn/dialogsync/internal/db"
)

// RegisterMessageBacklog registers gauges of the messages that are to be delivered again, read at most every few seconds.
func RegisterMessageBacklog(meter metric.Meter, pool *pgxpool.Pool) error {
	backlog, err := meter.Int64ObservableGauge("dialogsync_messages_backlog",
		metric.WithDescription("Messages to be delivered again: due by now, or put off. Counted up to a million each."))
	if err != nil {
		return fmt.Errorf("register gauge of messages to be delivered again: %w", err)
	}
	putOff, err := meter.Int64ObservableGauge("dialogsync_messages_put_off",
		metric.WithDescription("Those of them whose delivery failed, and that are tried again."))
	if err != nil {
		return fmt.Errorf("register gauge of messages put off: %w", err)
	}
	var mu sync.Mutex
	var readAt time.Time
	var row db.MessageBacklogRow
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(readAt) > keepBacklog {
			ctx, cancel := context.WithTimeout(ctx, keepBacklog/2)
			defer cancel()
			var err error
			if row, err = db.New(pool).MessageBacklog(ctx, now); err != nil {
				return fmt.Errorf("read backlog of messages: %w", err)
			}
			readAt = now
		}
		o.ObserveInt64(backlog, row.Backlog)
		o.ObserveInt64(putOff, row.Retries)
		return nil
	}, backlog, putOff)
	if err != nil {
		return fmt.Errorf("register metrics of messages: %w", err)
	}
	return nil
}
