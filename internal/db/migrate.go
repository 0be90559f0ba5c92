package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/altinn/dialogsync/migrations"
)

// Schema says how far the two sets of migrations are.
type Schema struct {
	Own, OwnKnown     int64 // dialogsync's own migrations: applied, and known to this binary
	River, RiverKnown int64
}

// SchemaMismatchError stops a worker that would run on a schema it was not made for.
type SchemaMismatchError struct{ Schema Schema }

func (e *SchemaMismatchError) Error() string {
	s := e.Schema
	have := fmt.Sprintf("the database has schema %d (River %d), this binary knows %d (River %d)", s.Own, s.River, s.OwnKnown, s.RiverKnown)
	if s.Own > s.OwnKnown || s.River > s.RiverKnown {
		return have + ": run a newer dialogsync"
	}
	return have + ": run 'dialogsync migrate up' first"
}

// Current reports whether the schema is exactly what this binary knows.
func (s Schema) Current() bool { return s.Own == s.OwnKnown && s.River == s.RiverKnown }

// Migrate brings River's tables and ours up to what this binary knows and returns the numbers of the migrations it ran.
// Several processes may call it at once: they take turns.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (own, river []int64, err error) {
	unlock, err := holdMigrationLock(ctx, pool)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	sqlDB := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, sqlDB.Close()) }()
	provider, err := gooseProvider(sqlDB)
	if err != nil {
		return nil, nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("migrate dialogsync's schema: %w", err)
	}
	for _, result := range results {
		own = append(own, result.Source.Version)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return own, nil, fmt.Errorf("prepare River's migrations: %w", err)
	}
	done, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return own, nil, fmt.Errorf("migrate River's schema: %w", err)
	}
	for _, version := range done.Versions {
		river = append(river, int64(version.Version))
	}
	return own, river, nil
}

// ReadSchema tells how far the database is, without changing it.
func ReadSchema(ctx context.Context, pool *pgxpool.Pool) (_ Schema, err error) {
	sqlDB := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, sqlDB.Close()) }()
	var schema Schema
	provider, err := gooseProvider(sqlDB)
	if err != nil {
		return schema, err
	}
	for _, source := range provider.ListSources() {
		schema.OwnKnown = max(schema.OwnKnown, source.Version)
	}
	// goose makes its table when asked for a version; looking must change nothing.
	tables, err := New(pool).MigrationTables(ctx)
	if err != nil {
		return schema, fmt.Errorf("look for migration tables: %w", err)
	}
	if tables.Own {
		if schema.Own, err = provider.GetDBVersion(ctx); err != nil {
			return schema, fmt.Errorf("read the schema's version: %w", err)
		}
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return schema, fmt.Errorf("prepare River's migrations: %w", err)
	}
	for _, version := range migrator.AllVersions() {
		schema.RiverKnown = max(schema.RiverKnown, int64(version.Version))
	}
	if tables.River {
		if schema.River, err = New(pool).RiverVersion(ctx); err != nil {
			return schema, fmt.Errorf("read the version of River's schema: %w", err)
		}
	}
	return schema, nil
}

// CheckSchema fails with a *SchemaMismatchError unless the schema is exactly what this binary knows.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	schema, err := ReadSchema(ctx, pool)
	if err != nil {
		return err
	}
	if !schema.Current() {
		return &SchemaMismatchError{Schema: schema}
	}
	return nil
}

// holdMigrationLock keeps other processes from migrating until unlock; River's migrations take no lock of their own.
func holdMigrationLock(ctx context.Context, pool *pgxpool.Pool) (unlock func() error, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if err := New(conn).LockMigrations(ctx); err != nil {
		conn.Release()
		return nil, fmt.Errorf("wait for another migration: %w", err)
	}
	return func() error {
		defer conn.Release()
		if err := New(conn).UnlockMigrations(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("release the migration lock: %w", err)
		}
		return nil
	}, nil
}

func gooseProvider(sqlDB *sql.DB) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, migrations.Files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read embedded migrations: %w", err)
	}
	return provider, nil
}
