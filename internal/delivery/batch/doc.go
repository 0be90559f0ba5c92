// Package batch brings a page of listed items over and records it: so many at once, with retries, telling bad items from bad
// systems (Invariant 8), and with everything that is written of a page in one transaction of its owner (Invariant 5).
//
// Its owners are the walks of history and the polls of live. What a page is part of, how far that has come, and which rows
// need nothing done, they know themselves.
package batch
