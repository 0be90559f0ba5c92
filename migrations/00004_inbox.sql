-- +goose Up

-- Events that were accepted and not yet delivered: one row a command, deleted once a reading that began after it came in is
-- recorded. It stays small except behind a pause or an outage, when it may hold millions.
create table inbox (
    id bigint generated always as identity primary key,
    instance_guid uuid not null,
    -- this database's clock: a reading of the instance that began later makes the row needless
    received_at timestamptz not null default clock_timestamp(),
    -- the next try, by the same clock
    due_at timestamptz not null default clock_timestamp(),
    -- the instance's creation time, a part of the dialog's identity; null: the sender did not say
    created timestamptz,
    -- River's job that delivers it; null: parked, until the keeper gives it one
    job_id bigint,
    party_id integer not null,
    -- deliveries that failed for the item's own sake
    attempt smallint not null default 0,
    -- deliveries that were made but wait for a PDF
    held smallint not null default 0,
    source source not null,
    migration boolean not null,
    intake text not null,
    app_id text not null,
    -- why it is not delivered yet, for people
    failure text
) with (
    -- Rows live for a second: vacuum by their number and not by a share of a table that a pause may have made large.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

-- All events on one instance go with one delivery.
create index inbox_instance on inbox (instance_guid, received_at);
-- The oldest event not delivered: how far a live stream is behind.
create index inbox_oldest on inbox (source, received_at);
-- What waits for the keeper.
create index inbox_parked on inbox (source, due_at) where job_id is null;

-- +goose Down
drop table inbox;
