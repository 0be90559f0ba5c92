-- +goose Up

-- A redo brings over again what was brought over before, and lists what it had to correct.
alter table backfill
    add column redo boolean not null default false,
    -- only what a smaller mapping version brought over; null: whatever version did
    add column older_than_mapping smallint check (older_than_mapping > 0),
    add check (redo or older_than_mapping is null);

-- Items that a redo found wrong and put right: one row an item and redo, the last outcome that changed something.
create table correction (
    backfill_id bigint not null references backfill,
    item_key text not null,
    outcome outcome not null,
    reason text,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (backfill_id, item_key)
);

-- `quarantine list`, newest first: of all, of a source, of a reason.
create index quarantine_newest on quarantine (last_failed_at, source, item_key);
create index quarantine_newest_of_source on quarantine (source, last_failed_at, item_key);
create index quarantine_newest_of_reason on quarantine (reason, last_failed_at, source, item_key);

-- +goose Down
drop index quarantine_newest_of_reason;
drop index quarantine_newest_of_source;
drop index quarantine_newest;
drop table correction;
alter table backfill drop column older_than_mapping, drop column redo;
