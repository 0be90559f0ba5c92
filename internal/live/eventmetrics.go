package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// How an event's stay in the inbox, or a try to end it, ended.
const (
	endDelivered   = "delivered"
	endCoalesced   = "coalesced"
	endRetried     = "retried"
	endParked      = "parked"
	endQuarantined = "quarantined"
	// endNothingThere: the instance has come and gone without a dialog.
	endNothingThere = "nothing_there"
)

// EventMetrics count and time events. A nil one measures nothing.
type EventMetrics struct {
	received metric.Int64Counter
	ends     metric.Int64Counter
	items    metric.Int64Counter
	seconds  metric.Float64Histogram
}

// NewEventMetrics registers the instruments.
func NewEventMetrics(meter metric.Meter) (*EventMetrics, error) {
	var m EventMetrics
	var err error
	m.received, err = meter.Int64Counter("dialogsync_events_accepted",
		metric.WithDescription("Events committed to the inbox, by source and intake."))
	if err != nil {
		return nil, fmt.Errorf("register counter of accepted events: %w", err)
	}
	m.ends, err = meter.Int64Counter("dialogsync_events",
		metric.WithDescription("How tries to deliver events ended, by source and intake: delivered, coalesced, retried, parked, quarantined, "+
			"nothing_there."))
	if err != nil {
		return nil, fmt.Errorf("register counter of events: %w", err)
	}
	m.items, err = meter.Int64Counter("dialogsync_items",
		metric.WithDescription("Items recorded, by source, stream and outcome."))
	if err != nil {
		return nil, fmt.Errorf("register item counter: %w", err)
	}
	m.seconds, err = meter.Float64Histogram("dialogsync_event_to_dialog", metric.WithUnit("s"),
		metric.WithDescription("From an event's acceptance until its dialog was recorded, by source and intake."),
		metric.WithExplicitBucketBoundaries(.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200))
	if err != nil {
		return nil, fmt.Errorf("register event histogram: %w", err)
	}
	return &m, nil
}

func of(source ledger.Source, intake Intake, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more,
		attribute.String("source", string(source)), attribute.String("intake", string(intake)))...)
}

func (m *EventMetrics) accepted(ctx context.Context, source ledger.Source, intake Intake) {
	if m != nil {
		m.received.Add(ctx, 1, of(source, intake))
	}
}

func (m *EventMetrics) ended(ctx context.Context, source ledger.Source, intake Intake, end string) {
	if m != nil {
		m.ends.Add(ctx, 1, of(source, intake, attribute.String("end", end)))
	}
}

// recorded counts an item and the events that its delivery ended, of which one was its own.
func (m *EventMetrics) recorded(ctx context.Context, source ledger.Source, outcome ledger.Outcome, taken []db.TakeFromInboxRow) {
	if m == nil {
		return
	}
	m.items.Add(ctx, 1, metric.WithAttributes(attribute.String("source", string(source)),
		attribute.String("stream", stream.Live), attribute.String("outcome", string(outcome))))
	for n := range taken {
		t := &taken[n]
		m.seconds.Record(ctx, t.TakenAt.Sub(t.ReceivedAt).Seconds(), of(t.Source, Intake(t.Intake)))
	}
}

// keepBacklog is how long a reading of the backlog is good enough for the next scrape.
const keepBacklog = 10 * time.Second

// RegisterBacklog makes gauges of the inbox, read from the database at each scrape: events not delivered, those of them that
// are parked, and the age of the oldest. All workers tell the same.
func RegisterBacklog(meter metric.Meter, pool *pgxpool.Pool) error {
	events, err := meter.Int64ObservableGauge("dialogsync_inbox_events",
		metric.WithDescription("Events accepted and not delivered, counted up to a million."))
	if err != nil {
		return fmt.Errorf("register backlog gauge: %w", err)
	}
	parked, err := meter.Int64ObservableGauge("dialogsync_inbox_parked",
		metric.WithDescription("Those of them that wait for their stream to go on."))
	if err != nil {
		return fmt.Errorf("register gauge of parked events: %w", err)
	}
	lag, err := meter.Float64ObservableGauge("dialogsync_inbox_oldest", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest event not delivered; 0 when there is none."))
	if err != nil {
		return fmt.Errorf("register lag gauge: %w", err)
	}
	var mu sync.Mutex
	var readAt time.Time
	var rows []db.InboxBacklogRow
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(readAt) > keepBacklog {
			ctx, cancel := context.WithTimeout(ctx, keepBacklog/2)
			defer cancel()
			var err error
			if rows, err = db.New(pool).InboxBacklog(ctx); err != nil {
				return fmt.Errorf("read backlog of the inbox: %w", err)
			}
			readAt = time.Now()
		}
		for n := range rows {
			source := metric.WithAttributes(attribute.String("source", string(rows[n].Source)))
			o.ObserveInt64(events, rows[n].Events, source)
			o.ObserveInt64(parked, rows[n].Parked, source)
			o.ObserveFloat64(lag, rows[n].LagS, source)
		}
		return nil
	}, events, parked, lag)
	if err != nil {
		return fmt.Errorf("register metrics of the inbox: %w", err)
	}
	return nil
}
