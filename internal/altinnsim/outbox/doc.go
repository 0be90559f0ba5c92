// Package outbox simulates how live changes leave Storage: the table with one row for each instance, the delays, the one
// sender with its lease, and the message that tells of an instance (Storage reference, chapters 13 and 14). It goes wrong
// on command as the real one can: messages lost, doubled and out of order, and nobody there to send them.
//
// Whoever brings messages further implements Bus. The package knows nothing of the other services.
package outbox
