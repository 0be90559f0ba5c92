package status

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// readTimeout bounds what a scrape may cost.
	readTimeout = 5 * time.Second
	// keepReport is how long a report is good enough for the next scrape: reading one sums up all windows.
	keepReport = 15 * time.Second
)

// cached is the latest report, read anew when it is too old.
type cached struct {
	pool *pgxpool.Pool

	mu     sync.Mutex
	at     time.Time
	report Report
}

func (c *cached) read(ctx context.Context) (Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < keepReport {
		return c.report, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	report, err := Read(ctx, c.pool)
	if err != nil {
		return Report{}, err
	}
	c.at, c.report = time.Now(), report
	return report, nil
}

// RegisterMetrics makes gauges of the report, read from the database at each scrape: watermark, exceptions and state of every
// stream. All workers tell the same.
func RegisterMetrics(meter metric.Meter, pool *pgxpool.Pool) error {
	backTo, err := meter.Int64ObservableGauge("dialogsync_history_back_to_timestamp", metric.WithUnit("s"),
		metric.WithDescription("History watermark: from this Unix time on, coverage has no hole."))
	if err != nil {
		return fmt.Errorf("register watermark gauge: %w", err)
	}
	exceptions, err := meter.Int64ObservableGauge("dialogsync_quarantined_items",
		metric.WithDescription("Items in quarantine that stand beside the watermark."))
	if err != nil {
		return fmt.Errorf("register quarantine gauge: %w", err)
	}
	state, err := meter.Int64ObservableGauge("dialogsync_stream_state",
		metric.WithDescription("1 for the state that a stream is in."))
	if err != nil {
		return fmt.Errorf("register state gauge: %w", err)
	}
	streams, err := newStreamGauges(meter)
	if err != nil {
		return err
	}
	latest := cached{pool: pool}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		report, err := latest.read(ctx)
		if err != nil {
			return err
		}
		for _, s := range report.Streams {
			of := []attribute.KeyValue{attribute.String("source", s.Source), attribute.String("stream", s.Stream)}
			o.ObserveInt64(state, 1, metric.WithAttributes(append(of, attribute.String("state", string(s.State)))...))
			streams.observe(o, &s, report.At, metric.WithAttributes(of...))
			if s.Stream == streamLive {
				continue
			}
			o.ObserveInt64(exceptions, s.Exceptions, metric.WithAttributes(of...))
			if s.BackTo != nil {
				o.ObserveInt64(backTo, s.BackTo.Unix(), metric.WithAttributes(of...))
			}
		}
		return nil
	}, append(streams.all(), backTo, exceptions, state)...)
	if err != nil {
		return fmt.Errorf("register status metrics: %w", err)
	}
	return nil
}
