// Package faults makes the simulated platform fail on purpose, by rules that can be replaced while it runs. A rule says
// which requests it is about, how often, and what is done to them; each effect has a file of its own.
//
// Draws come from a seed: the same requests in the same order fail alike.
package faults
