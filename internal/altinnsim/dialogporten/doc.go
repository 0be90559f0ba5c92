// Package dialogporten is a strict, in-memory simulation of Dialogporten's service-owner API: its endpoints, rules,
// order of checks, error bodies and read models, as reference/dialogporten.md tells them. Chapters named in this
// package's comments are that document's.
//
// It holds dialogs and nothing else: tokens, the resource registry, party names, faults and the admin endpoints under
// /_sim/ belong to the simulator that mounts it. It must not import anything else of this module, so that a fault in
// the worker's own client or mapping cannot be repeated here.
package dialogporten
