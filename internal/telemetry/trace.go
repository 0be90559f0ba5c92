package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
)

type traceIDKey struct{}

const (
	traceIDBytes = 16
	spanIDBytes  = 8
)

// NewTraceID gives a W3C trace id: 32 hexadecimal digits, not all zero.
func NewTraceID() string { return randomHex(traceIDBytes) }

// WithTraceID gives a context whose requests and log lines carry the trace id.
func WithTraceID(ctx context.Context, traceID string) context.Context {
	return context.WithValue(ctx, traceIDKey{}, traceID)
}

// TraceID gives the context's trace id, empty when there is none.
func TraceID(ctx context.Context) string {
	traceID, _ := ctx.Value(traceIDKey{}).(string)
	return traceID
}

// TraceParent gives the value of a W3C traceparent header for a new span of the trace, sampled.
func TraceParent(traceID string) string {
	return "00-" + traceID + "-" + randomHex(spanIDBytes) + "-01"
}

func randomHex(n int) string {
	id := make([]byte, n)
	for {
		_, _ = rand.Read(id) // never fails
		for _, b := range id {
			if b != 0 {
				return hex.EncodeToString(id)
			}
		}
	}
}
