// Package diff compares the simulated sources with the simulated Dialogporten, item by item. It is the ground truth of
// tests: it knows what a dialog must be from the references alone and shares no code with the worker that makes them.
package diff
