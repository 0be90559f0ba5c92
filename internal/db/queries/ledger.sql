-- name: DatabaseNow :one
-- The one clock that times of reading and recording are taken from.
select clock_timestamp()::timestamptz as now;

-- name: LedgerRows :many
-- One probe of one partition's index an item. The array comes by a sub-select, so that the planner doesn't know its length and keeps one
-- plan: planning over all partitions costs ten times what the probes do. The limit keeps it from joining whole partitions instead.
select l.item_id, l.dialog_id, l.source_changed, l.read_at, l.recorded_at, l.window_id, l.source, l.outcome, l.dialog_state, l.mapping_version, l.reason
from unnest((select @item_ids::uuid[])) as wanted(id)
cross join lateral (select * from ledger where ledger.item_id = wanted.id limit 1) as l;

-- name: RecordItems :many
-- Returns the items that were recorded. One that is missing was recorded by somebody else since its reading began: what
-- was delivered may be out of date (Invariant 4). A row keeps the window that last met it when live comes by, what is known
-- of the dialog when a delivery did not look at it, the change that was brought over last when the source is gone or was not read,
-- unless it is open which one was, and always whose it is.
with i as (
    select unnest(@item_ids::uuid[]) as item_id, unnest(@dialog_ids::uuid[]) as dialog_id,
        unnest(@instance_guids::uuid[]) as instance_guid, unnest(@source_changed::timestamptz[]) as source_changed,
        unnest(@read_at::timestamptz[]) as read_at, unnest(@window_ids::bigint[]) as window_id,
        unnest(@party_ids::integer[]) as party_id, unnest(@a1_refs::integer[]) as a1_ref, unnest(@a2_refs::integer[]) as a2_ref,
        unnest(@sources::text[]) as source, unnest(@outcomes::text[]) as outcome, unnest(@dialog_states::text[]) as dialog_state,
        unnest(@mapping_versions::smallint[]) as mapping_version, unnest(@reasons::text[]) as reason),
unseen as (
    select unnest(@unseen::uuid[]) as item_id),
open as (
    select unnest(@open::uuid[]) as item_id)
insert into ledger as l (item_id, dialog_id, instance_guid, source_changed, read_at, recorded_at, window_id, party_id, a1_ref, a2_ref,
    source, outcome, dialog_state, mapping_version, reason)
select i.item_id, nullif(i.dialog_id, '00000000-0000-0000-0000-000000000000'), nullif(i.instance_guid, '00000000-0000-0000-0000-000000000000'),
    nullif(i.source_changed, '0001-01-01 00:00:00+00'), i.read_at, clock_timestamp(),
    nullif(i.window_id, 0), nullif(i.party_id, 0), nullif(i.a1_ref, 0), nullif(i.a2_ref, 0), i.source::source, i.outcome::outcome, i.dialog_state::dialog_state,
    i.mapping_version, nullif(i.reason, '')
from i
order by i.item_id
on conflict (item_id) do update set
    dialog_id = case when excluded.item_id in (select item_id from unseen) then l.dialog_id else excluded.dialog_id end,
    instance_guid = coalesce(excluded.instance_guid, l.instance_guid),
    source_changed = case when excluded.item_id in (select item_id from open) then null else coalesce(excluded.source_changed, l.source_changed) end,
    read_at = excluded.read_at,
    recorded_at = excluded.recorded_at,
    window_id = coalesce(excluded.window_id, l.window_id),
    party_id = coalesce(excluded.party_id, l.party_id),
    a1_ref = coalesce(excluded.a1_ref, l.a1_ref),
    a2_ref = coalesce(excluded.a2_ref, l.a2_ref),
    source = excluded.source,
    outcome = excluded.outcome,
    dialog_state = case when excluded.item_id in (select item_id from unseen) then l.dialog_state else excluded.dialog_state end,
    mapping_version = excluded.mapping_version,
    reason = excluded.reason
where l.recorded_at <= excluded.read_at
returning item_id;

-- name: SharedReferences :many
-- Of the forms with these archive references, those that are recorded under more than one item with a dialog. The arrays as
-- in LedgerRows.
select item_id, instance_guid, party_id, source from (
    select f.*, count(*) over (partition by f.kind, f.ref) as items from (
        select l.item_id, l.instance_guid, l.party_id, l.source, 1 as kind, l.a1_ref as ref from ledger l
        where l.a1_ref = any((select @a1_refs::integer[])::integer[]) and l.dialog_state <> 'absent'
        union all
        select l.item_id, l.instance_guid, l.party_id, l.source, 2, l.a2_ref from ledger l
        where l.a2_ref = any((select @a2_refs::integer[])::integer[]) and l.dialog_state <> 'absent') as f) as counted
where items > 1;

-- name: SecondLooks :many
-- Items to be looked at once more, in the order in which they were recorded.
select item_id, dialog_id, instance_guid, party_id, source, dialog_state, recorded_at from ledger
where (dialog_state <> 'alive' and (outcome in ('deleted', 'purged') or reason in ('gone', 'hard_deleted'))
        or source = 'a2-archived-forms' and outcome = 'created' and window_id is null)
    and source = @source and recorded_at > @after and recorded_at <= clock_timestamp() - @age::interval
order by recorded_at limit @max_rows;

-- name: HistoryLooks :many
-- Like SecondLooks, of the forms that history made: a queue of its own, since it may be days long while history goes over the last months.
select item_id, dialog_id, instance_guid, party_id, source, dialog_state, recorded_at from ledger
where source = 'a2-archived-forms' and outcome = 'created' and window_id is not null and recorded_at - source_changed < interval '92 days'
    and recorded_at > @after and recorded_at <= clock_timestamp() - @age::interval
order by recorded_at limit @max_rows;

-- name: QuarantineItems :exec
-- What is known of an item stays when a later failure knows less. Of two positions the later one: an item's time of change only grows,
-- and an event, which has not read it, gives the creation instead.
insert into quarantine as q (source, item_key, item_id, org, app_id, position, instance_created, class, reason, detail, attempts, window_id)
select i.source::source, i.item_key, nullif(i.item_id, '00000000-0000-0000-0000-000000000000'), nullif(i.org, ''), nullif(i.app_id, ''),
    nullif(i.position, '0001-01-01 00:00:00+00'), nullif(i.instance_created, '0001-01-01 00:00:00+00'), i.class, i.reason, i.detail, i.attempts, nullif(i.window_id, 0)
from (select unnest(@sources::text[]) as source, unnest(@item_keys::text[]) as item_key,
        unnest(@item_ids::uuid[]) as item_id, unnest(@orgs::text[]) as org, unnest(@app_ids::text[]) as app_id,
        unnest(@positions::timestamptz[]) as position, unnest(@instance_created::timestamptz[]) as instance_created,
        unnest(@classes::text[]) as class, unnest(@reasons::text[]) as reason, unnest(@details::text[]) as detail,
        unnest(@attempts::integer[]) as attempts, unnest(@window_ids::bigint[]) as window_id) as i
order by i.source, i.item_key
on conflict (source, item_key) do update set
    item_id = coalesce(excluded.item_id, q.item_id),
    org = coalesce(excluded.org, q.org),
    app_id = coalesce(excluded.app_id, q.app_id),
    position = greatest(q.position, excluded.position),
    instance_created = coalesce(excluded.instance_created, q.instance_created),
    class = excluded.class,
    reason = excluded.reason,
    detail = excluded.detail,
    attempts = q.attempts + excluded.attempts,
    window_id = coalesce(excluded.window_id, q.window_id),
    last_failed_at = clock_timestamp();

-- name: ReleaseItems :execrows
-- Takes out of quarantine what has been delivered after all, by a reading that began after it last failed.
delete from quarantine q
using (select unnest(@sources::text[]) as source, unnest(@item_keys::text[]) as item_key, unnest(@read_at::timestamptz[]) as read_at) as i
where q.source = i.source::source and q.item_key = i.item_key and q.last_failed_at <= i.read_at;

-- name: QuarantinedKeys :many
-- Which of these keys a window has already put in quarantine.
select q.item_key, q.window_id
from unnest(@item_keys::text[]) as wanted(key)
join quarantine q on q.source = @source::source and q.item_key = wanted.key;

-- name: QuarantineList :many
select source, item_key, item_id, org, app_id, position, instance_created, class, reason, detail, attempts, first_failed_at, last_failed_at
from quarantine
where (sqlc.narg(source)::source is null or source = sqlc.narg(source)::source)
  and (sqlc.narg(backfill_id)::bigint is null
    or window_id in (select id from backfill_window where backfill_id = sqlc.narg(backfill_id)::bigint))
order by last_failed_at desc, item_key
limit @max_rows;

-- name: QuarantineSince :one
-- Exceptions that stand beside a watermark; an item without a time on the axis always counts. transfer_only: what a window of publish
-- put there is left out, unless it is not transferred either: given messages and those of a redo are brought over all the way.
select count(*) from quarantine q where q.source = @source and (q.position >= @back_to or q.position is null)
  and not (@transfer_only::boolean and exists (
      select 1 from backfill_window w join backfill b on b.id = w.backfill_id where w.id = q.window_id and b.stream = 'publish')
    and exists (select 1 from message m
        where m.altinn2_id = case when q.item_key ~ '^[0-9]{1,10}$' then q.item_key::bigint end and m.stage <> 'untransferred'));

-- name: LedgerCounts :many
select source, outcome, dialog_state, count(*)::bigint as items from ledger group by source, outcome, dialog_state order by 1, 2, 3;

-- name: LedgerPage :many
-- The whole ledger in the order of its key, a page at a time.
select item_id, dialog_id, instance_guid, party_id, source, outcome, dialog_state, reason, source_changed
from ledger where item_id > @after order by item_id limit @max_rows;
