// Package dbtest gives each test a PostgreSQL database of its own, migrated to the current schema. For tests only.
package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime/debug"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/migrations"
)

const poolSize = 20

// URL gives the URL of a migrated database that is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return pgtest.Database(t, "dialogsync "+schemaKey(t), migrate)
}

// New gives a pool on a migrated database of the test's own.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := db.Open(t.Context(), URL(t), poolSize)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func migrate(ctx context.Context, url string) error {
	pool, err := db.Open(ctx, url, 4)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer pool.Close()
	_, _, err = db.Migrate(ctx, pool)
	return err
}

// schemaKey changes with the migrations, so that an old template is not used.
func schemaKey(t testing.TB) string {
	t.Helper()
	digest := sha256.New()
	if river, ok := debug.ReadBuildInfo(); ok {
		for _, module := range river.Deps {
			if module.Path == "github.com/riverqueue/river" {
				digest.Write([]byte(module.Version))
			}
		}
	}
	names, err := fs.Glob(migrations.Files, "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		content, err := migrations.Files.ReadFile(name)
		require.NoError(t, err)
		digest.Write([]byte(name))
		digest.Write(content)
	}
	return hex.EncodeToString(digest.Sum(nil))
}
