-- name: TakePollSource :one
-- Puts the row of no organisation under the epoch. A reach that is new begins where the source does.
insert into poll_org as p (source, reach, org, epoch, position) values (@source, @reach, '', @epoch, @position)
on conflict (source, reach, org) do update set epoch = excluded.epoch
returning p.position, coalesce(p.cursor, '')::text as cursor;

-- name: MovePollCursor :execrows
-- No row: the epoch is somebody else's, and the transaction must be undone (Invariant 5).
update poll_org set cursor = nullif(@cursor::text, ''), position = greatest(position, @position::timestamptz),
    walked_at = clock_timestamp(), listed = listed + @listed
where source = @source and reach = @reach and org = '' and epoch = @epoch;

-- name: MessageWatermark :one
-- Every change before it is delivered, or its message stands in quarantine, whoever put it there.
select least(o.position, (select min(r.changed_at) from message_retry r where not exists (
        select from quarantine q where q.source = 'a2-correspondence' and q.item_key = r.altinn2_id::text)))::timestamptz as watermark
from poll_org o where o.source = 'a2-correspondence' and o.reach = @reach and o.org = '';

-- name: MessagesToTry :many
-- What is owed a delivery, and what a delivery wanted looked at again by now; the longest due first. hidden: stored in
-- Correspondence, where its dialog should be by now. The sub-select keeps the walk along the index; as a join it would read all that is
-- due each time (25,000 of them: 190 ms instead of 2).
select d.altinn2_id, d.created, d.due_at, d.attempt, d.hidden from (
    (select r.altinn2_id, r.created, r.due_at, r.attempt, false as hidden from message_retry r
    where r.due_at <= @now::timestamptz order by r.due_at limit @max_rows)
    union all
    (select m.altinn2_id, m.created, m.due_at, 0::smallint, m.stage = 'transferred' from message m
    where m.due_at <= @now::timestamptz and (select r.altinn2_id from message_retry r where r.altinn2_id = m.altinn2_id) is null
    order by m.due_at limit @max_rows)) as d
order by d.due_at limit @max_rows;

-- name: MessageRetries :many
select altinn2_id, attempt from message_retry where altinn2_id = any(@altinn2_ids::integer[]);

-- name: PutOffMessages :exec
insert into message_retry as r (altinn2_id, attempt, quarantined, created, changed_at, due_at, failure)
select unnest(@altinn2_ids::integer[]), unnest(@attempts::smallint[]), unnest(@quarantined::boolean[]), unnest(@created::timestamptz[]),
    unnest(@changed_at::timestamptz[]), unnest(@due_at::timestamptz[]), unnest(@failures::text[])
on conflict (altinn2_id) do update set attempt = excluded.attempt, quarantined = r.quarantined or excluded.quarantined,
    changed_at = least(r.changed_at, excluded.changed_at), due_at = excluded.due_at, put_at = excluded.put_at, failure = excluded.failure;

-- name: DropMessageRetries :exec
-- Of messages that have an outcome by a reading that began at @read_at. What was put off since was met by somebody who knew more.
delete from message_retry where altinn2_id = any(@altinn2_ids::integer[]) and put_at <= @read_at::timestamptz;

-- name: MessagesLookedAt :exec
-- What came of them is on record: they are not due any more, unless that set a later time.
update message set due_at = null where altinn2_id = any(@altinn2_ids::integer[]) and due_at <= @now::timestamptz;

-- name: GiveUpMessages :exec
-- They are left to a person, or to their next change.
with dropped as (
    delete from message_retry where altinn2_id = any(@altinn2_ids::integer[]))
update message set due_at = null where altinn2_id = any(@altinn2_ids::integer[]) and due_at is not null;

-- name: MessageBacklog :one
-- Messages to be delivered again: those due by now, and those of them and of later times that failed. Counted up to a million.
select (due + retries)::bigint as backlog, retries::bigint as retries from (
    select (select count(*) from (select 1 from message m where m.due_at <= @now::timestamptz
            and not exists (select from message_retry r where r.altinn2_id = m.altinn2_id) limit 1000000) as all_due) as due,
        (select count(*) from (select 1 from message_retry limit 1000000) as all_retries) as retries) as b;
