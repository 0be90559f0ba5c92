-- name: LockMigrations :exec
-- One migration at a time; the lock goes with its connection.
select pg_advisory_lock(hashtext('dialogsync.migrate'));

-- name: UnlockMigrations :exec
select pg_advisory_unlock(hashtext('dialogsync.migrate'));

-- name: MigrationTables :one
select (to_regclass('goose_db_version') is not null)::boolean as own, (to_regclass('river_migration') is not null)::boolean as river;

-- name: RiverVersion :one
-- River itself refuses to tell of a version that it does not know.
select coalesce(max(version), 0)::bigint as version from river_migration where line = 'main';
