package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// eventToDialog is the workers' histogram of how long events took from their acceptance to their dialog.
const eventToDialog = "dialogsync_event_to_dialog_seconds"

// sayLatency tells how long events took, by the metrics of all workers.
func (d *demo) sayLatency(ctx context.Context) error {
	counts := map[float64]uint64{} // events by upper bound of their time, in seconds
	for _, addr := range d.addresses {
		if err := addLatencies(ctx, addr, counts); err != nil {
			return err
		}
	}
	half, nearlyAll := quantile(counts, 0.5), quantile(counts, 0.99)
	factf("from event to dialog", "half of %s events within %s, 99 of 100 within %s (some wait for their receipt to be printed)",
		number(total(counts)), half.Round(time.Millisecond), nearlyAll.Round(time.Millisecond))
	return nil
}

// addLatencies adds up one worker's buckets.
func addLatencies(ctx context.Context, addr string, counts map[float64]uint64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	for _, m := range families[eventToDialog].GetMetric() {
		for _, bucket := range m.GetHistogram().GetBucket() {
			counts[bucket.GetUpperBound()] += bucket.GetCumulativeCount()
		}
	}
	return nil
}

func total(counts map[float64]uint64) uint64 { return counts[math.Inf(1)] }

// quantile reads between the bounds of a bucket as if its events were spread evenly.
func quantile(counts map[float64]uint64, share float64) time.Duration {
	bounds := make([]float64, 0, len(counts))
	for bound := range counts {
		bounds = append(bounds, bound)
	}
	slices.Sort(bounds)
	wanted := share * float64(total(counts))
	lower, below := 0.0, 0.0
	for _, bound := range bounds {
		upTo := float64(counts[bound])
		if upTo >= wanted && !math.IsInf(bound, 1) {
			return time.Duration((lower + (bound-lower)*(wanted-below)/max(upTo-below, 1)) * float64(time.Second))
		}
		lower, below = bound, upTo
	}
	return time.Duration(lower * float64(time.Second))
}
