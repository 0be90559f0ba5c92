package status

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// streamGauges show what operators and streams say of themselves.
type streamGauges struct {
	paused, waiting, throttled       metric.Int64ObservableGauge
	stopped, lag, liveTo             metric.Float64ObservableGauge
	rateLimit, throttleLimit, caught metric.Float64ObservableGauge
}

func newStreamGauges(meter metric.Meter) (*streamGauges, error) {
	var g streamGauges
	for _, made := range []struct {
		gauge      *metric.Int64ObservableGauge
		name, text string
	}{
		{&g.paused, "dialogsync_stream_paused", "1 while an operator has paused the stream, otherwise 0."},
		{&g.waiting, "dialogsync_stream_waiting", "1 while the stream has stopped itself, otherwise 0."},
		{&g.throttled, "dialogsync_history_throttled", "1 while history is held back for live or the destination, otherwise 0."},
	} {
		var err error
		if *made.gauge, err = meter.Int64ObservableGauge(made.name, metric.WithDescription(made.text)); err != nil {
			return nil, fmt.Errorf("register gauge %s: %w", made.name, err)
		}
	}
	for _, made := range []struct {
		gauge            *metric.Float64ObservableGauge
		name, unit, text string
	}{
		{&g.stopped, "dialogsync_stream_stopped", "s", "How long the stream has been paused or waiting; absent while it may run."},
		{&g.lag, "dialogsync_live_lag", "s", "How far the live stream is behind; absent where nothing was ever done in it."},
		{&g.liveTo, "dialogsync_live_to_timestamp", "s", "Live watermark: every change up to this Unix time is delivered."},
		{&g.rateLimit, "dialogsync_stream_rate_limit", "", "Items a second that operators allow over all workers; absent without a limit."},
		{&g.throttleLimit, "dialogsync_history_throttle_limit", "", "About how many items a second are left to history while it is held back."},
		{&g.caught, "dialogsync_live_found_by_catch_up_ratio", "", "Share of the last day's changes that no event told of."},
	} {
		var err error
		options := []metric.Float64ObservableGaugeOption{metric.WithDescription(made.text)}
		if made.unit != "" {
			options = append(options, metric.WithUnit(made.unit))
		}
		if *made.gauge, err = meter.Float64ObservableGauge(made.name, options...); err != nil {
			return nil, fmt.Errorf("register gauge %s: %w", made.name, err)
		}
	}
	return &g, nil
}

func (g *streamGauges) all() []metric.Observable {
	return []metric.Observable{
		g.paused, g.waiting, g.throttled, g.stopped, g.lag, g.liveTo, g.rateLimit, g.throttleLimit, g.caught,
	}
}

func (g *streamGauges) observe(o metric.Observer, s *Stream, at time.Time, of metric.MeasurementOption) {
	if s.State == Native {
		return
	}
	o.ObserveInt64(g.paused, oneIf(s.State == Paused), of)
	o.ObserveInt64(g.waiting, oneIf(s.State == Waiting), of)
	if s.Stream != streamLive {
		o.ObserveInt64(g.throttled, oneIf(s.Throttled != ""), of)
	}
	if s.Since != nil {
		o.ObserveFloat64(g.stopped, max(at.Sub(*s.Since).Seconds(), 0), of)
	}
	if s.LiveTo != nil {
		o.ObserveFloat64(g.liveTo, float64(s.LiveTo.UnixMilli())/millis, of)
	}
	for gauge, value := range map[metric.Float64Observable]*float64{
		g.lag: s.LagS, g.rateLimit: s.RatePerS, g.throttleLimit: s.ThrottlePerS, g.caught: s.FoundByCatchUp,
	} {
		if value != nil {
			o.ObserveFloat64(gauge, *value, of)
		}
	}
}

// millis are in a second.
const millis = 1000

func oneIf(holds bool) int64 {
	if holds {
		return 1
	}
	return 0
}
