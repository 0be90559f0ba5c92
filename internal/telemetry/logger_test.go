package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/altinn/dialogsync/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const identity = "13897197123"

type named string

func (n named) String() string { return "no. " + string(n) }

type person struct {
	Number string
	At     time.Time
}

func (p person) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddString("number", p.Number)
	e.AddTime("at", p.At)
	return nil
}

func newLogger(t *testing.T, format telemetry.LogFormat) (*bytes.Buffer, *zap.Logger) {
	t.Helper()
	var out bytes.Buffer
	logger, err := telemetry.NewLogger(telemetry.LogConfig{Format: format, Output: &out})
	require.NoError(t, err)
	return &out, logger
}

func TestNothingPersonalReachesALog(t *testing.T) {
	t.Parallel()
	fields := map[string]zap.Field{
		"text":     zap.String("k", identity),
		"texts":    zap.Strings("k", []string{"x", identity}),
		"bytes":    zap.ByteString("k", []byte(identity)),
		"binary":   zap.Binary("k", []byte(identity)),
		"error":    zap.Error(fmt.Errorf("look up: %w", errors.New(identity))),
		"errors":   zap.Errors("k", []error{errors.New(identity)}),
		"stringer": zap.Stringer("k", named(identity)),
		"struct":   zap.Any("k", struct{ ID string }{identity}),
		"map":      zap.Any("k", map[string]any{identity: []any{identity}}),
		"object":   zap.Object("k", person{Number: identity}),
		"inline":   zap.Inline(person{Number: identity}),
		"dict":     zap.Dict("k", zap.String("n", identity)),
		"objects":  zap.Objects("k", []person{{Number: identity}}),
		"pointer":  zap.Any("k", &struct{ ID string }{identity}),
		"raw JSON": zap.Any("k", json.RawMessage(`{"id":"`+identity+`"}`)),
	}
	for name, field := range fields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []telemetry.LogFormat{telemetry.LogFormatJSON, telemetry.LogFormatConsole} {
				out, logger := newLogger(t, format)
				logger.Info("message of "+identity, field)
				logger.With(field).Warn("kept field")
				logger.WithLazy(field).Warn("lazy field")
				require.NotContains(t, out.String(), identity)
				require.NotContains(t, out.String(), "MTM4OTcxOTcxMjM") // in base64
				require.Contains(t, out.String(), "message of ***********")
				if format == telemetry.LogFormatJSON {
					for line := range bytes.Lines(out.Bytes()) {
						require.True(t, json.Valid(line), string(line))
					}
				}
			}
		})
	}
}

func TestWhatIsNotPersonalStaysAsItIs(t *testing.T) {
	t.Parallel()
	out, logger := newLogger(t, telemetry.LogFormatJSON)
	at := time.Date(2026, 3, 2, 9, 15, 30, 123e6, time.FixedZone("CET", 3600))
	logger.Info("delivered",
		zap.String(telemetry.LogKeyItem, "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"), zap.Int(telemetry.LogKeySeen, 100),
		zap.Duration(telemetry.LogKeyDuration, 2*time.Millisecond), zap.Time(telemetry.LogKeyPosition, at),
		zap.Error(nil), zap.Object("person", person{Number: "7", At: at}), zap.Strings("orgs", []string{"skd", "ttd"}))

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, line["time"])
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "info", "message": "delivered", "item": "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79", "seen": 100.0,
		"duration_ms": 2.0, "position": "2026-03-02T08:15:30.123Z",
		"person": map[string]any{"number": "7", "at": "2026-03-02T09:15:30.123+01:00"}, "orgs": []any{"skd", "ttd"},
	}, line)
}

func TestLevelAndFormat(t *testing.T) {
	t.Parallel()
	out, logger := newLogger(t, telemetry.LogFormatJSON)
	logger.Debug("x")
	require.Empty(t, out.String())
	_, err := telemetry.NewLogger(telemetry.LogConfig{Format: "xml", Output: out})
	require.ErrorIs(t, err, telemetry.ErrLogFormat)
}

func TestTraceIDs(t *testing.T) {
	t.Parallel()
	id := telemetry.NewTraceID()
	require.Regexp(t, `^[0-9a-f]{32}$`, id)
	require.NotEqual(t, id, telemetry.NewTraceID())
	require.Regexp(t, `^00-`+id+`-[0-9a-f]{16}-01$`, telemetry.TraceParent(id))

	ctx := telemetry.WithTraceID(t.Context(), id)
	require.Equal(t, id, telemetry.TraceID(ctx))
	require.Equal(t, zap.String("trace_id", id), telemetry.Trace(ctx))
	require.Equal(t, zap.Skip(), telemetry.Trace(t.Context()))
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	metrics, err := telemetry.NewMetrics()
	require.NoError(t, err)
	counter, err := metrics.Meter("x").Int64Counter("dialogsync_things")
	require.NoError(t, err)
	counter.Add(t.Context(), 3)
	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Contains(t, recorder.Body.String(), "dialogsync_things_total 3")
	require.Contains(t, recorder.Body.String(), "go_goroutines")
	require.NoError(t, metrics.Shutdown(context.WithoutCancel(t.Context())))
}
