package servicebus

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Outcomes of messages, as the counter has them.
const (
	outcomeAccepted     = "accepted"      // committed and completed
	outcomeUnknown      = "unknown"       // not ours; completed
	outcomeDeadLettered = "dead_lettered" // by reason
	outcomeAbandoned    = "abandoned"     // given back
	outcomeUnsettled    = "unsettled"     // decided, but the bus could not be told: it will come again
)

// counters count messages. They do it with or without a meter.
type counters struct {
	received, redelivered, messages metric.Int64Counter
}

func newCounters(meter metric.Meter) (*counters, error) {
	c := &counters{}
	for _, instrument := range [...]struct {
		into              *metric.Int64Counter
		name, description string
	}{
		{&c.received, "dialogsync_bus_received", "Messages received from the Service Bus queue, repeated deliveries included."},
		{&c.redelivered, "dialogsync_bus_redelivered", "Messages received that had been delivered before."},
		{&c.messages, "dialogsync_bus_messages", "Messages of the Service Bus queue by outcome, and dead letters by reason."},
	} {
		counter, err := meter.Int64Counter(instrument.name, metric.WithDescription(instrument.description))
		if err != nil {
			return nil, fmt.Errorf("register bus counters: %w", err)
		}
		*instrument.into = counter
	}
	return c, nil
}

func (c *counters) count(ctx context.Context, outcome, reason string, n int) {
	if n > 0 {
		c.messages.Add(ctx, int64(n), metric.WithAttributes(attribute.String("outcome", outcome), attribute.String("reason", reason)))
	}
}
