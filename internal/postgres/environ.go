package postgres

import (
	"slices"
	"strings"
)

// WithoutClientSettings returns environ less the PG… variables (PGHOST, PGSSLMODE and so on) that would change what a PostgreSQL
// client makes of a URL.
func WithoutClientSettings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool { return strings.HasPrefix(variable, "PG") })
}
