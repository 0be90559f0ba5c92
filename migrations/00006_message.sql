-- +goose Up

-- How far a message of Altinn 2 has come. 'untransferred': nothing over there is known of; 'transferred': stored in Correspondence,
-- hidden or with a dialog on its way; 'published': it has its dialog; 'purged': permanently deleted after it was brought over.
create type message_stage as enum ('untransferred', 'transferred', 'published', 'purged');

-- One row a message that was ever tried. Numbers in Altinn 2 grow with time, so a walk backwards in time writes to one partition and to one
-- small part of its index. Columns stand in the order that pads least: some 110 bytes a row with five events.
create table message (
    created timestamptz not null,
    -- number of the change in Altinn 2 that was brought over last
    change_seq bigint not null,
    -- when to look again unasked: at a dialog that should be there by then, or at an event that was still ahead
    due_at timestamptz,
    altinn2_id integer not null primary key,
    stage message_stage not null,
    outcome outcome not null,
    mapping_version smallint not null,
    correspondence_id uuid,
    -- null: the one that follows from correspondence_id and created. Set only for dialogs older than that rule.
    dialog_id uuid,
    reason text,
    -- six bytes an event that was sent, sorted: digests of what makes events equal, so no person stands here
    sent bytea not null
) partition by range (altinn2_id);

comment on table message is 'One row a message of Altinn 2: its item in Correspondence, its dialog, and what was told of it so far.';

-- +goose StatementBegin
do $$
begin
    -- 64 million numbers each
    for part in 0..30 loop
        execute format('create table message_%s partition of message for values from (%s) to (%s)',
            lpad(part::text, 2, '0'), part::bigint << 26, (part::bigint + 1) << 26);
    end loop;
end
$$;
-- +goose StatementEnd

create table message_other partition of message default;

create index message_due on message (due_at) where due_at is not null;

-- Files of messages by their id in Altinn 2. Several messages may have the same file: it is sent once.
create table message_attachment (
    attachment_id uuid not null,
    altinn2_attachment_id text not null primary key
);

-- Who brings a message over just now: live and history may meet on one. Rows live for seconds. After a crash of the server it is empty,
-- and those who held something find that they do not any more.
create unlogged table message_lease (
    altinn2_id integer primary key,
    holder uuid not null,
    until timestamptz not null
) with (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0
);

-- +goose Down
drop table message_lease;
drop table message_attachment;
drop table message;
drop type message_stage;
