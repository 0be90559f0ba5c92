// Package world holds what all simulated services agree on: organisations, service resources, parties, and the
// identifiers made of them. The population is synthetic and has no table: a party is computed from its id, and its id
// from any of its identifiers, so that millions of parties cost nothing.
//
// Nothing here knows HTTP, and nothing here may use the worker's own packages: the simulator must not repeat a fault of
// the program that it tests.
package world
