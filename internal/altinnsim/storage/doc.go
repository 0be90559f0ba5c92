// Package storage simulates Altinn Storage as the Storage reference tells it: the list with its order, tokens and faults,
// single instances, events, applications, texts, data values, deletion and its undoing.
//
// An instance is kept as a row of fixed size. What a row does not hold is written by its author on demand: the
// generator makes instances up from a seed, documents are instances that somebody put in place word for word. Ten
// million instances fit in memory, and a page costs no more than its rows.
//
// Numbers of chapters and sections in this package's comments are those of the Storage reference.
package storage
