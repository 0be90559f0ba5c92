// Package pgtest gives each test a PostgreSQL database of its own, made in some 50 ms from a template that is migrated once.
//
// All tests of a process share one server: the one that the environment variable DIALOGSYNC_TEST_DATABASE_URL names (its user must
// be allowed to create databases), or else a throw-away one, started when the first test asks for a database.
//
// Nothing of the product's schema is known here: the caller brings the migration.
package pgtest
