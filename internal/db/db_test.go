package db_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestMigrateBringsAnEmptyDatabaseUpOnceForAll(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), pgtest.Database(t, "", nil), 20)
	require.NoError(t, err)
	defer pool.Close()

	before, err := db.ReadSchema(t.Context(), pool)
	require.NoError(t, err)
	assert.Zero(t, before.Own, "looking changes nothing")
	assert.False(t, before.Current())

	var all sync.WaitGroup
	var ran [4]int
	for i := range ran {
		all.Go(func() {
			own, river, err := db.Migrate(context.WithoutCancel(t.Context()), pool)
			assert.NoError(t, err) //nolint:testifylint // require must not be called beside the test
			ran[i] = len(own) + len(river)
		})
	}
	all.Wait()
	after, err := db.ReadSchema(t.Context(), pool)
	require.NoError(t, err)
	assert.True(t, after.Current(), "%+v", after)
	assert.EqualValues(t, after.OwnKnown+after.RiverKnown, ran[0]+ran[1]+ran[2]+ran[3], "each migration ran once")
}

func TestWorkerRefusesASchemaItDoesNotKnow(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	require.NoError(t, db.CheckSchema(t.Context(), pool))

	_, err := pool.Exec(t.Context(), "insert into goose_db_version (version_id, is_applied) values (99999, true)")
	require.NoError(t, err)
	require.ErrorContains(t, db.CheckSchema(t.Context(), pool), "run a newer dialogsync")

	_, err = pool.Exec(t.Context(), "delete from goose_db_version where version_id > 1")
	require.NoError(t, err)
	err = db.CheckSchema(t.Context(), pool)
	var mismatch *db.SchemaMismatchError
	require.ErrorAs(t, err, &mismatch)
	assert.ErrorContains(t, err, "run 'dialogsync migrate up' first")
}
