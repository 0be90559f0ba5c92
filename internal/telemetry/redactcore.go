package telemetry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// redacting is the core that every log line passes: it masks the message and every text in the fields, those inside of
// objects and lists included.
type redacting struct{ zapcore.Core }

// NewRedactingCore wraps a core so that nothing reaches it unmasked.
func NewRedactingCore(core zapcore.Core) zapcore.Core { return redacting{core} }

// With keeps masked fields for later lines.
func (c redacting) With(fields []zapcore.Field) zapcore.Core {
	return redacting{c.Core.With(redactFields(fields))}
}

// Check makes this core, and not the one below, write the line.
func (c redacting) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write hands the masked line on.
func (c redacting) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message = Redact(entry.Message)
	if err := c.Core.Write(entry, redactFields(fields)); err != nil {
		return fmt.Errorf("write log line: %w", err)
	}
	return nil
}

func redactFields(fields []zapcore.Field) []zapcore.Field {
	redacted := make([]zapcore.Field, 0, len(fields))
	for i := range fields {
		redacted = appendRedacted(redacted, fields[i])
	}
	return redacted
}

func appendRedacted(to []zapcore.Field, field zapcore.Field) []zapcore.Field {
	switch field.Type {
	case zapcore.StringType:
		field.String = Redact(field.String)
		return append(to, field)
	case zapcore.ErrorType:
		// The text alone: the verbose form of some errors repeats values.
		if err, ok := field.Interface.(error); ok && err != nil {
			return append(to, zap.String(field.Key, Redact(err.Error())))
		}
		return to
	case zapcore.ByteStringType, zapcore.StringerType, zapcore.ReflectType, zapcore.ArrayMarshalerType,
		zapcore.ObjectMarshalerType, zapcore.InlineMarshalerType, zapcore.BinaryType:
		return appendUnfolded(to, field)
	default: // numbers, truth values, times and namespaces
		return append(to, field)
	}
}

// appendUnfolded writes a field into a map as an encoder would see it and masks what is in there.
func appendUnfolded(to []zapcore.Field, field zapcore.Field) []zapcore.Field {
	unfolded := zapcore.NewMapObjectEncoder()
	field.AddTo(unfolded)
	for _, key := range slices.Sorted(maps.Keys(unfolded.Fields)) {
		to = append(to, zap.Any(key, redactValue(unfolded.Fields[key])))
	}
	return to
}

func redactValue(value any) any {
	switch value := value.(type) {
	case string:
		return Redact(value)
	case []byte:
		return fmt.Sprintf("[%d bytes]", len(value))
	case map[string]any:
		redacted := make(map[string]any, len(value))
		for key, inner := range value {
			redacted[Redact(key)] = redactValue(inner)
		}
		return redacted
	case []any:
		redacted := make([]any, len(value))
		for i, inner := range value {
			redacted[i] = redactValue(inner)
		}
		return redacted
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return value
	default:
		return redactReflected(value)
	}
}

// redactReflected masks what would be written by reflection. A value that has nothing to mask stays as it is.
func redactReflected(value any) any {
	encoded, err := json.Marshal(value)
	if err != nil {
		return Redact(fmt.Sprint(value))
	}
	redacted := Redact(string(encoded))
	if redacted == string(encoded) {
		return json.RawMessage(encoded)
	}
	if json.Valid([]byte(redacted)) {
		return json.RawMessage(redacted)
	}
	return redacted
}
