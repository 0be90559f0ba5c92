// Package servicebus plays Azure Service Bus: queues with peek-lock behind an AMQP 1.0 peer that real clients connect to.
// It knows what the SDKs use of the bus: claims-based tokens, competing receivers, lock expiry and renewal, settlement in
// all its outcomes, dead letters, scheduling, duplicate detection, limits, and failures on command.
//
// There is no TLS and there are no sessions, topics or times to live. Time is the process's own: clients of a bus look at
// their own clocks. The wire format is package amqp's.
package servicebus
