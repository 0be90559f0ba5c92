// Package amqp is the part of AMQP 1.0 (ISO/IEC 19464) that a peer needs: the type system, frames, performatives and the
// sections of a message. It knows nothing of queues, and does no more I/O than reading one frame.
//
// Integers keep their AMQP width in their Go type: a uint field that came as ulong is an error, as it is on the real bus.
package amqp
