package telemetry

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogFormat is how log lines look.
type LogFormat string

// Formats of log lines.
const (
	// LogFormatJSON is one JSON object a line, for machines.
	LogFormatJSON LogFormat = "json"
	// LogFormatConsole is for eyes.
	LogFormatConsole LogFormat = "console"
)

// LogConfig is how to log.
type LogConfig struct {
	// Level is the least grave level that is written; default info.
	Level zapcore.Level
	// Format is the form of a line; default JSON.
	Format LogFormat
	// Output is where lines go, stderr as a rule; writes are serialised.
	Output io.Writer
}

// NewLogger makes a logger that masks everything it writes (NewRedactingCore). Times are RFC 3339 in UTC with
// milliseconds.
func NewLogger(config LogConfig) (*zap.Logger, error) {
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey, encoding.MessageKey = "time", "message"
	encoding.EncodeTime = utcTimes
	encoding.EncodeDuration = zapcore.MillisDurationEncoder
	var encoder zapcore.Encoder
	switch config.Format {
	case LogFormatJSON, "":
		encoder = zapcore.NewJSONEncoder(encoding)
	case LogFormatConsole:
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	default:
		return nil, fmt.Errorf("%w: %s", ErrLogFormat, config.Format)
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(config.Output)), config.Level)
	return zap.New(NewRedactingCore(core)), nil
}

// ErrLogFormat tells that a log format is unknown.
const ErrLogFormat = logFormatError("unknown log format")

type logFormatError string

func (e logFormatError) Error() string { return string(e) }

// Trace is the field of the context's trace id; nothing is written when there is none.
func Trace(ctx context.Context) zap.Field {
	if traceID := TraceID(ctx); traceID != "" {
		return zap.String(LogKeyTraceID, traceID)
	}
	return zap.Skip()
}
