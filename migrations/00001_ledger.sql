-- +goose Up

create type source as enum (
    'a2-correspondence', 'a2-archived-forms', 'a3-app-instances', 'a3-correspondence', 'dialog-services');

create type outcome as enum (
    'created', 'updated', 'unchanged', 'deleted', 'purged', 'restored', 'skipped', 'failed');

-- What Dialogporten holds for an item after its last delivery: a dialog, a soft-deleted one, or none.
create type dialog_state as enum ('alive', 'deleted', 'absent');

-- One row an item. The key is the UUIDv7 that the item's dialog id is derived from, so its head is the item's creation
-- time: a walk backwards in time writes to one small part of the index and to one or two partitions.
create table ledger (
    item_id uuid not null primary key,
    -- null: the dialog has the item's own id. Set only for dialog ids that the application chose.
    dialog_id uuid,
    instance_guid uuid,
    -- lastChanged of the source when it was read
    source_changed timestamptz,
    -- taken from this database's clock before the reading of dialog and source began
    read_at timestamptz not null,
    recorded_at timestamptz not null,
    -- the window of history that last met the item
    window_id bigint,
    party_id integer,
    -- the archive reference of a form that came from Altinn 1 or Altinn 2: the same form migrated anew has the same one
    a1_ref integer,
    a2_ref integer,
    source source not null,
    outcome outcome not null,
    dialog_state dialog_state not null,
    mapping_version smallint not null,
    reason text
) partition by range (item_id);

comment on table ledger is 'One row an item: when its source was last read, its version there, the outcome, the mapping version.';

-- +goose StatementBegin
do $$
declare
    first_ms bigint;
    next_ms bigint;
begin
    -- The first six bytes of a UUIDv7 are Unix milliseconds, so a year is a range of ids.
    for year in 2003..2035 loop
        first_ms := extract(epoch from make_timestamptz(year, 1, 1, 0, 0, 0, 'UTC')) * 1000;
        next_ms := extract(epoch from make_timestamptz(year + 1, 1, 1, 0, 0, 0, 'UTC')) * 1000;
        execute format('create table ledger_%s partition of ledger for values from (%L) to (%L)', year,
            rpad(lpad(to_hex(first_ms), 12, '0'), 32, '0')::uuid, rpad(lpad(to_hex(next_ms), 12, '0'), 32, '0')::uuid);
    end loop;
end
$$;
-- +goose StatementEnd

-- Items created before 2003, after 2035, or at an impossible time.
create table ledger_other partition of ledger default;

-- The same form under another instance. One entry a form, in the partition's index at the place of its time: references grow.
create index ledger_a1_ref on ledger (a1_ref) where a1_ref is not null;
create index ledger_a2_ref on ledger (a2_ref) where a2_ref is not null;

-- What is looked at a second time, some minutes after it was recorded (live): tombstones, whose dialog somebody else may just
-- have been making, and forms that a poll may have met before Altinn 2 had stored all of them.
create index ledger_second_look on ledger (recorded_at)
where dialog_state <> 'alive' and (outcome in ('deleted', 'purged') or reason in ('gone', 'hard_deleted'))
    or source = 'a2-archived-forms' and outcome = 'created' and window_id is null;

-- Items that need a person. Keyed by the text of the source's key, since a malformed item has no id to derive.
create table quarantine (
    source source not null,
    item_key text not null,
    item_id uuid,
    org text,
    app_id text,
    -- The item's time on the axis that its stream is walked by: says which watermarks it stands beside.
    position timestamptz,
    instance_created timestamptz,
    class text not null,
    reason text not null,
    detail text not null,
    attempts integer not null default 1,
    window_id bigint,
    first_failed_at timestamptz not null default clock_timestamp(),
    last_failed_at timestamptz not null default clock_timestamp(),
    primary key (source, item_key)
);

create index quarantine_position on quarantine (source, position);
create index quarantine_window on quarantine (window_id);

create table operator_action (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    operator text not null,
    action text not null,
    target text not null,
    reason text not null,
    detail jsonb not null default '{}'
);

-- +goose Down
drop table operator_action;
drop table quarantine;
drop table ledger;
drop type dialog_state;
drop type outcome;
drop type source;
