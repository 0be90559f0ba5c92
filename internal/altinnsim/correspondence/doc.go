// Package correspondence is Altinn 3 Correspondence, simulated as far as a migration meets it: the migration API, the jobs
// behind it, the dialogs that it makes, the maintenance jobs, and the item API (Correspondence reference).
//
// It knows the other services by their HTTP interfaces alone: whatever it writes to Dialogporten goes through that
// service's own checks. Nothing here is shared with the worker.
package correspondence
