package telemetry

import (
	"time"

	"go.uber.org/zap/zapcore"
)

func utcTimes(t time.Time, encoder zapcore.PrimitiveArrayEncoder) {
	encoder.AppendString(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}
