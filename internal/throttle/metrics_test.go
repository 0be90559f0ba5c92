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
	g := NewGate(Config{Policy: Policy{Slots: 20, Reserved: 0.3}})
	release, err := g.Acquire(t.Context())
	require.NoError(t, err)
	defer release()
	reader := sdkmetric.NewManualReader()
	require.NoError(t, RegisterMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"), g))
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	got := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		data, ok := m.Data.(metricdata.Gauge[int64])
		require.True(t, ok)
		got[m.Name] = data.DataPoints[0].Value
	}
	assert.Equal(t, map[string]int64{"dialogsync_history_slots": 7, "dialogsync_history_slots_max": 14, "dialogsync_history_slots_in_use": 1}, got)
}
