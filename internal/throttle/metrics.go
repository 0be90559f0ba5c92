package throttle

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// RegisterMetrics shows history's parts in this process, as they are at each scrape.
func RegisterMetrics(meter metric.Meter, gates ...*Gate) error {
	slots, err := meter.Int64ObservableGauge("dialogsync_history_slots",
		metric.WithDescription("How many deliveries of history may be under way in this process now."))
	if err != nil {
		return fmt.Errorf("register gauge of history's slots: %w", err)
	}
	most, err := meter.Int64ObservableGauge("dialogsync_history_slots_max",
		metric.WithDescription("How many deliveries of history may be under way in this process when all is well: live's share is left out."))
	if err != nil {
		return fmt.Errorf("register gauge of history's slots: %w", err)
	}
	inUse, err := meter.Int64ObservableGauge("dialogsync_history_slots_in_use",
		metric.WithDescription("How many deliveries of history are under way in this process."))
	if err != nil {
		return fmt.Errorf("register gauge of history's slots: %w", err)
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, gate := range gates {
			s, of := gate.State(), metric.WithAttributes(attribute.String("destination", gate.config.Name))
			o.ObserveInt64(slots, int64(s.Limit), of)
			o.ObserveInt64(most, int64(s.Max), of)
			o.ObserveInt64(inUse, int64(s.InUse), of)
		}
		return nil
	}, slots, most, inUse)
	if err != nil {
		return fmt.Errorf("register gauges of history's slots: %w", err)
	}
	return nil
}
