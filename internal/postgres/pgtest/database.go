package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/postgres"
)

// Migrate brings the empty database at a URL to the schema that tests expect. It leaves no connection open.
type Migrate func(ctx context.Context, databaseURL string) error

// Database makes a database for one test and returns its URL. It is dropped at the end of the test, whoever is still connected.
//
// It is a copy of a template, which is migrated by the first test of any process that needs it and reused by all others. key stands
// for what migrate does: it must change whenever the migrated database would look different (a hash of the migration files does),
// and contains no secret. A nil migrate gives an empty database. On a throw-away server templates go away with it; on a server that
// was given by URL they stay for the next run, under names that begin with dialogsync_template_.
func Database(t testing.TB, key string, migrate Migrate) string {
	t.Helper()
	// Not the test's own: another test's server and template must not hang on it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()

	server, err := shared.get(ctx)
	if err != nil {
		t.Fatalf("database for a test: %v", err)
	}
	original := "template0"
	if migrate != nil {
		original, err = template(ctx, server, key, migrate)
		if err != nil {
			t.Fatalf("template %q of a database for a test: %v", key, err)
		}
	}
	name := "dialogsync_test_" + strings.ToLower(rand.Text())
	err = execute(ctx, server, "create database "+name+" template "+original)
	if err != nil {
		t.Fatalf("database for a test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		err := execute(ctx, server, "drop database if exists "+name+" with (force)")
		if err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return server.URL(name)
}

// template returns the name of the template for key, made if it is not there yet. It gets that name when it is complete, and a
// lock on the server lets one maker at a time work on it, in this process or another.
func template(ctx context.Context, server *postgres.Server, key string, migrate Migrate) (string, error) {
	sum := sha256.Sum256([]byte(key))
	name := "dialogsync_template_" + hex.EncodeToString(sum[:8])
	unfinished := name + "_unfinished"

	conn, err := pgx.Connect(ctx, server.URL(""))
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	// Closing also gives up the lock, which belongs to the connection.
	defer conn.Close(context.WithoutCancel(ctx))

	exists, err := databaseExists(ctx, conn, name)
	if err != nil || exists {
		return name, err
	}
	_, err = conn.Exec(ctx, "select pg_advisory_lock(hashtextextended($1, 0))", name)
	if err != nil {
		return "", fmt.Errorf("lock: %w", err)
	}
	exists, err = databaseExists(ctx, conn, name)
	if err != nil || exists {
		return name, err
	}
	for _, statement := range []string{
		"drop database if exists " + unfinished + " with (force)", // its maker died
		"create database " + unfinished + " template template0",
	} {
		_, err = conn.Exec(ctx, statement)
		if err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	err = migrate(ctx, server.URL(unfinished))
	if err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	_, err = conn.Exec(ctx, "alter database "+unfinished+" rename to "+name)
	if err != nil {
		return "", fmt.Errorf("name the template: %w", err)
	}
	return name, nil
}

func databaseExists(ctx context.Context, conn *pgx.Conn, name string) (bool, error) {
	var exists bool
	err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("look for database %s: %w", name, err)
	}
	return exists, nil
}

// execute runs a statement that takes no transaction, on a connection of its own.
func execute(ctx context.Context, server *postgres.Server, statement string) error {
	conn, err := pgx.Connect(ctx, server.URL(""))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
