// Package migrations holds dialogsync's own schema as goose migrations, embedded in the binary. River's tables are
// not here: they come with River (internal/db runs both).
package migrations

import "embed"

// Files holds every *.sql file of this package, to be run in the order of their numbers.
//
//go:embed *.sql
var Files embed.FS
