-- name: TakeMessageLeases :many
-- Returns the messages that are the holder's now; the others are somebody else's. left_at: when the lease of somebody ran out who did
-- not give it back.
with before as (
    select altinn2_id, until from message_lease where altinn2_id = any(@altinn2_ids::integer[])),
taken as (
    insert into message_lease as l (altinn2_id, holder, until)
    select i.altinn2_id, @holder, clock_timestamp() + @lease::interval
    from (select unnest(@altinn2_ids::integer[]) as altinn2_id) as i
    order by i.altinn2_id
    on conflict (altinn2_id) do update set holder = excluded.holder, until = excluded.until
    where l.until <= clock_timestamp()
    returning altinn2_id)
select t.altinn2_id, coalesce(b.until, '0001-01-01 00:00:00+00')::timestamptz as left_at
from taken t left join before b using (altinn2_id);

-- name: RenewMessageLeases :one
-- Returns how many of the messages are the holder's still.
with held as (
    select k.altinn2_id from message_lease as k where k.altinn2_id = any(@altinn2_ids::integer[]) and k.holder = @holder
    order by k.altinn2_id for update), -- in the order in which they are taken
renewed as (
    update message_lease as l set until = clock_timestamp() + @lease::interval
    from held where l.altinn2_id = held.altinn2_id
    returning 1)
select count(*) from renewed;

-- name: ReleaseMessageLeases :exec
delete from message_lease where altinn2_id = any(@altinn2_ids::integer[]) and holder = @holder;

-- name: LeaveMessageLeases :exec
-- Anybody may take them at once, and learns that somebody left in the middle: now, or when left_at tells (year 1: now).
update message_lease as l
set until = case when left_at < '0002-01-01' then clock_timestamp() else left_at end
from (select unnest(@altinn2_ids::integer[]) as altinn2_id, unnest(@left_at::timestamptz[]) as left_at) as i
where l.altinn2_id = i.altinn2_id and l.holder = @holder;

-- name: MessageRows :many
-- Like LedgerRows.
select m.altinn2_id, m.created, m.change_seq, m.due_at, m.stage, m.outcome, m.mapping_version, m.correspondence_id, m.dialog_id, m.reason, m.sent
from unnest((select @altinn2_ids::integer[])) as wanted(id)
cross join lateral (select * from message where message.altinn2_id = wanted.id limit 1) as m;

-- name: MessageChanges :many
-- Up to which change messages were brought over. Like LedgerRows.
select m.altinn2_id, m.change_seq
from unnest((select @altinn2_ids::integer[])) as wanted(id)
cross join lateral (select * from message where message.altinn2_id = wanted.id limit 1) as m;

-- name: RecordMessages :many
-- Returns the messages that were recorded: those of which the holder has the lease still.
with i as (
    select unnest(@altinn2_ids::integer[]) as altinn2_id, unnest(@created::timestamptz[]) as created,
        unnest(@change_seqs::bigint[]) as change_seq, unnest(@due_at::timestamptz[]) as due_at, unnest(@stages::text[]) as stage,
        unnest(@outcomes::text[]) as outcome, unnest(@mapping_versions::smallint[]) as mapping_version,
        unnest(@correspondence_ids::uuid[]) as correspondence_id, unnest(@dialog_ids::uuid[]) as dialog_id,
        unnest(@reasons::text[]) as reason, unnest(@sent::bytea[]) as sent),
held as (
    select l.altinn2_id from message_lease as l join i using (altinn2_id) where l.holder = @holder
    for share of l)
insert into message as m (altinn2_id, created, change_seq, due_at, stage, outcome, mapping_version, correspondence_id, dialog_id, reason, sent)
select i.altinn2_id, i.created, i.change_seq, nullif(i.due_at, '0001-01-01 00:00:00+00'), i.stage::message_stage, i.outcome::outcome, i.mapping_version,
    nullif(i.correspondence_id, '00000000-0000-0000-0000-000000000000'), nullif(i.dialog_id, '00000000-0000-0000-0000-000000000000'),
    nullif(i.reason, ''), i.sent
from i join held using (altinn2_id)
order by i.altinn2_id
on conflict (altinn2_id) do update set
    created = excluded.created,
    change_seq = greatest(m.change_seq, excluded.change_seq),
    due_at = excluded.due_at,
    stage = excluded.stage,
    outcome = excluded.outcome,
    mapping_version = excluded.mapping_version,
    correspondence_id = excluded.correspondence_id,
    dialog_id = excluded.dialog_id,
    reason = excluded.reason,
    sent = excluded.sent
returning altinn2_id;

-- name: DueMessages :many
select altinn2_id, due_at from message where due_at <= @now::timestamptz order by due_at limit @max_rows;

-- name: MessagesToPublish :many
-- A page of publish: what is transferred of a window below a place in it, newest first. What was refused is tried again only after a
-- change, or when a person asks.
-- Served by message_to_publish, a scan of each partition merged.
select altinn2_id, created from message
where stage = 'transferred' and reason is distinct from 'dialog_refused' and created >= @from_time::timestamptz
  and (created, altinn2_id) < (@reached::timestamptz, @below::integer)
order by created desc, altinn2_id desc limit @max_rows;

-- name: MessageAttachments :many
select altinn2_attachment_id, attachment_id from message_attachment where altinn2_attachment_id = any(@altinn2_attachment_ids::text[]);

-- name: KeepMessageAttachment :exec
insert into message_attachment (altinn2_attachment_id, attachment_id) values (@altinn2_attachment_id, @attachment_id)
on conflict (altinn2_attachment_id) do update set attachment_id = excluded.attachment_id;
