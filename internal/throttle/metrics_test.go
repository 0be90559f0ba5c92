package throttle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestMetricsShowHistorysPart(t *testing.T) {
	t.Parallel()
	g := NewGate(Config{Name: "dialogporten", Policy: Policy{Slots: 20, Reserved: 0.3}})
	other := NewGate(Config{Name: "correspondence", Policy: Policy{Slots: 10}})
	release, err := g.Acquire(t.Context())
	require.NoError(t, err)
	defer release()
	reader := sdkmetric.NewManualReader()
	require.NoError(t, RegisterMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), g, other))
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	got := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		data, ok := m.Data.(metricdata.Gauge[int64])
		require.True(t, ok)
		for _, point := range data.DataPoints {
			of, _ := point.Attributes.Value("destination")
			got[m.Name+" "+of.AsString()] = point.Value
		}
	}
	assert.Equal(t, map[string]int64{
		"dialogsync_history_slots dialogporten": 7, "dialogsync_history_slots_max dialogporten": 14, "dialogsync_history_slots_in_use dialogporten": 1,
		"dialogsync_history_slots correspondence": 5, "dialogsync_history_slots_max correspondence": 10, "dialogsync_history_slots_in_use correspondence": 0,
	}, got)
}
