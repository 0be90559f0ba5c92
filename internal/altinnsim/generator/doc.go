// Package generator makes up service owners, apps, and instances in every state, deterministically from a seed: the same
// options give the same bytes. It makes rows one by one, without holding them, and writes an instance or its events
// from a row whenever somebody asks.
//
// What it makes is such that a correct consumer can turn every instance into a dialog that Dialogporten accepts, but for
// instances whose party Register does not know, which are made on purpose.
package generator
