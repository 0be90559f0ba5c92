// Package db is PostgreSQL for the rest of the program: the pool, the migrations, and the queries of queries/*.sql as sqlc
// made them into Go. No rule of the domain lives here, only what a statement says; SQL stands nowhere else.
package db
