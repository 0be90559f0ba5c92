package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

// emptyRig is a database without a schema.
func emptyRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{database: pgtest.Database(t, "", nil)}
	r.environ = environment(r.database, "http://127.0.0.1:1")
	var err error
	r.pool, err = db.Open(t.Context(), r.database, 2)
	require.NoError(t, err)
	t.Cleanup(r.pool.Close)
	return r
}

// schema is what `migrate status` tells.
type schema struct {
	Schema, SchemaKnown, River, RiverKnown int64
	Current                                bool
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	got := r.run(t, "migrate", "status")
	assert.Equal(t, exitUnhealthy, got.code)
	assert.Contains(t, got.err, "run 'dialogsync migrate up' first")
	assert.Len(t, lines(got.err), 1)
	var tables int
	require.NoError(t, r.pool.QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = 'public'").Scan(&tables))
	assert.Zero(t, tables, "looking changes nothing")

	var ran struct {
		Applied, RiverApplied []int64
		Schema, River         int64
	}
	r.readJSON(t, &ran, "migrate", "up")
	assert.Len(t, ran.Applied, int(ran.Schema))
	assert.Len(t, ran.RiverApplied, int(ran.River))

	var now schema
	r.readJSON(t, &now, "migrate", "status")
	assert.Equal(t, schema{Schema: ran.Schema, SchemaKnown: ran.Schema, River: ran.River, RiverKnown: ran.River, Current: true}, now)
	assert.Contains(t, r.ok(t, "migrate", "up"), "Nothing to do")
	assert.Len(t, lines(r.ok(t, "migrate", "status")), 3)
}

func TestMigrationsAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	r := emptyRig(t)
	var ups []*background
	for range 4 {
		ups = append(ups, r.start(t, "migrate", "up"))
	}
	for _, up := range ups {
		assert.Equal(t, exitOK, up.ended(t), up.err.String())
	}
	r.ok(t, "migrate", "status")
}

func TestSchemasThatAreNotOurs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change string
		says   string
	}{
		"ours is old":    {"delete from goose_db_version where version_id > 1", "run 'dialogsync migrate up' first"},
		"River's is old": {"delete from river_migration where version > 1", "run 'dialogsync migrate up' first"},
		"ours is new":    {"insert into goose_db_version (version_id, is_applied) values (9000, true)", "run a newer dialogsync"},
		"River's is new": {"insert into river_migration (line, version) values ('main', 9000)", "run a newer dialogsync"},
		"there is none":  {"drop table goose_db_version, river_migration", "run 'dialogsync migrate up' first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.exec(t, test.change)
			for _, args := range [][]string{{"worker"}, {"status"}, {"backfill", "list"}, {"coverage"}, order(), {"backfill", "pause", "1", "--reason", "x", "--yes"}} {
				got := r.run(t, args...)
				assert.Equal(t, exitError, got.code, args)
				assert.Empty(t, got.out)
				assert.Len(t, lines(got.err), 1, got.err)
				assert.Contains(t, got.err, test.says)
			}
			got := r.run(t, "migrate", "status")
			assert.Equal(t, exitUnhealthy, got.code)
			assert.Contains(t, got.err, test.says)
		})
	}
}

func TestMigrateUpLeavesANewerSchemaAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(t, "insert into goose_db_version (version_id, is_applied) values (9000, true)")
	got := r.run(t, "migrate", "up")
	assert.Equal(t, exitError, got.code)
	assert.Contains(t, got.err, "run a newer dialogsync")
	var newest int64
	require.NoError(t, r.pool.QueryRow(t.Context(), "select max(version_id) from goose_db_version").Scan(&newest))
	assert.EqualValues(t, 9000, newest)
}
