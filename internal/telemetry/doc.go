// Package telemetry is what the program tells of itself: structured logs through zap, metrics through OpenTelemetry with
// Prometheus's exporter, the trace id of a delivery, the log keys, and the redaction that keeps people out of all of it
// (Invariant 12).
//
// What must not live here: what is worth telling. Packages decide that for themselves.
package telemetry
