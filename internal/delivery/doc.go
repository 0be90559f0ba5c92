// Package delivery is one item's way: read, map, write, outcome. It follows the decision table of the mapping rules
// (chapter 4) with the dialog read before the source (Invariant 3), so that old content never overwrites new.
//
// It knows nothing of streams, windows or databases: who asked for a delivery records what came of it.
package delivery
