// Package mapping turns an app instance into a dialog: Create gives the body of a new dialog, Update what to change in
// an existing one. It is pure: values in, values out, no I/O, no clock, no package state; the same input gives the same
// bytes. One file a concern; docs/mapping.md says which member of a dialog is made where.
//
// "Rule n" in comments is chapter n of the app-instances reference. Every length here counts UTF-16 code units, and
// "blank" means empty or only white space.
//
// What must not live here: reading and writing (package delivery), and what to do with a dialog whose instance is gone
// or deleted (likewise).
package mapping

// Version is raised whenever the mapping changes what dialogs look like. The ledger keeps it with every delivery, so
// that dialogs of an older mapping can be found.
const Version = 1
