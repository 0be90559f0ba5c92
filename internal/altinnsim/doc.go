// Package altinnsim is the platform that dialogsync works between, simulated: Storage, Register, the list of service
// owners, Maskinporten and the exchange of its tokens, Altinn Events, the export of Altinn 2's messages, Correspondence
// and Dialogporten on one address, with a seeded generator, faults, and a comparison of both sides.
//
// Each service is a package of its own and knows nothing of the others; this package puts them together, serves the
// endpoints under /_sim/, and is what tests use. The simulator never imports the worker's own packages: it must not
// repeat their mistakes.
package altinnsim
