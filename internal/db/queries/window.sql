-- name: ClaimWindow :one
-- The newest open window that nobody holds, under a new epoch. The caller holds the backfill's row lock, which keeps the
-- number of windows walked at once within its limit. after_transfer: only what has been transferred may be taken up.
update backfill_window w set
    epoch = w.epoch + 1, state = 'walking', worker = @worker, slices = w.slices + 1,
    lease_until = clock_timestamp() + @lease::interval,
    started_at = coalesce(w.started_at, clock_timestamp())
where w.id = (
    select c.id from backfill_window c
    where c.backfill_id = @backfill_id and c.state in ('pending', 'walking')
      and (c.state = 'pending' or c.lease_until < clock_timestamp())
      and c.retry_at <= clock_timestamp()
      and (not @after_transfer::boolean or (
          select t.ranges from transferred t where t.source = @source and t.org = 'all') @> tstzrange(c.from_time, c.to_time))
    order by c.to_time desc, c.org limit 1
    for update skip locked)
returning *;

-- name: HeldWindows :one
select count(*) from backfill_window
where backfill_id = @backfill_id and state = 'walking' and lease_until >= clock_timestamp();

-- name: OpenWindows :one
-- What is left of a backfill. claimable: what slices could take up now, counted no further than is of interest, since there
-- may be hundreds of thousands.
select
    exists (select 1 from backfill_window w where w.backfill_id = @backfill_id and w.state in ('pending', 'walking'))::boolean as open,
    (select count(*) from backfill_window w
        where w.backfill_id = @backfill_id and w.state = 'failed' and w.state <> 'closed' and w.failure is not null) as failed,
    (select count(*) from backfill_window w
        where w.backfill_id = @backfill_id and w.state = 'walking' and w.lease_until >= clock_timestamp()) as held,
    (select count(*) from (
        select 1 from backfill_window w
        where w.backfill_id = @backfill_id and w.state in ('pending', 'walking') and w.retry_at <= clock_timestamp()
            and (w.state = 'pending' or w.lease_until < clock_timestamp())
            and (not @after_transfer::boolean or (
                select t.ranges from transferred t where t.source = @source and t.org = 'all') @> tstzrange(w.from_time, w.to_time))
        limit @at_most) as first_ones) as claimable;

-- name: ExtendLease :one
-- No row: the epoch is somebody else's now.
update backfill_window w set lease_until = clock_timestamp() + @lease::interval
from backfill b left join stream s on s.source = b.source and s.stream = b.stream
where w.id = @id and w.epoch = @epoch and w.state = 'walking' and b.id = w.backfill_id
returning b.state, b.rate_per_s, coalesce(s.paused, false)::boolean as stream_paused,
    (select count(*) from backfill_window o where o.backfill_id = b.id and o.state = 'walking' and o.lease_until >= clock_timestamp())::bigint as held;

-- name: RecordPage :one
-- Checkpoint and accounts of a page; returns what the window has seen by now. No row: the epoch is somebody else's, and the transaction must be undone (Invariant 5).
update backfill_window w set
    reached = @reached, reached_mode = @reached_mode, tie_token = @tie_token,
    items = coalesce(sqlc.narg(items)::text[], w.items), items_done = @items_done,
    attempts = case when @progress::boolean then 0 else w.attempts end, failure = case when @progress::boolean then null else w.failure end,
    lease_until = clock_timestamp() + @lease::interval, recorded_at = clock_timestamp(), pages = w.pages + 1,
    seen = w.seen + @seen, created = w.created + @created, updated = w.updated + @updated, unchanged = w.unchanged + @unchanged,
    deleted = w.deleted + @deleted, purged = w.purged + @purged, restored = w.restored + @restored,
    rewalks = w.rewalks + @rewalks::smallint, skipped = w.skipped + @skipped, quarantined = w.quarantined + @quarantined,
    skipped_by_reason = case when @skipped::bigint = 0 then w.skipped_by_reason else (
        select jsonb_object_agg(reason, items) from (
            select reason, sum(items) as items from (
                select key as reason, value::bigint as items from jsonb_each_text(w.skipped_by_reason)
                union all
                select key, value::bigint from jsonb_each_text(@skipped_by_reason::jsonb)) as parts
            group by reason) as sums) end
where w.id = @id and w.epoch = @epoch and w.state = 'walking'
returning w.seen;

-- name: CloseWindow :one
update backfill_window w set state = 'closed', closed_at = clock_timestamp(), lease_until = null, worker = null,
    reached = w.from_time, reached_mode = 'below', source_count = sqlc.narg(source_count)
where w.id = @id and w.epoch = @epoch and w.state = 'walking'
returning org, from_time, to_time, seen, created, updated, unchanged, deleted, purged, restored, skipped, quarantined;

-- name: YieldWindow :execrows
-- Gives the window back as it stands. With a failure it counts as an attempt and rests until retry_at.
update backfill_window set state = 'pending', lease_until = null, worker = null,
    attempts = case when sqlc.narg(failure)::text is null then attempts else attempts + 1 end,
    failure = coalesce(sqlc.narg(failure)::text, failure), retry_at = clock_timestamp() + @rest::interval
where id = @id and epoch = @epoch and state = 'walking';

-- name: FailWindow :execrows
update backfill_window set state = 'failed', lease_until = null, worker = null, failure = @failure, attempts = attempts + 1
where id = @id and epoch = @epoch and state = 'walking';

-- name: CoverRange :exec
insert into coverage as c (source, stream, org, closed)
values (@source, @stream, @org, tstzmultirange(tstzrange(@from_time::timestamptz, @to_time::timestamptz, '[)')))
on conflict (source, stream, org) do update set closed = c.closed + excluded.closed;

-- name: UncoverDays :exec
-- Days in UTC, by their first instants.
update coverage set closed = closed - days.ranges
from (select range_agg(tstzrange(day, day + interval '24 hours')) as ranges from unnest(@days::timestamptz[]) as day) as days
where source = @source and stream = @stream and org = @org and closed && days.ranges;

-- name: ReopenWindows :exec
-- Sets open windows within these days back to their tops, and takes them from whoever walks them. One that nobody has begun is locked
-- only, so that nobody claims it until the transaction is over.
with found as materialized (
    select f.id from unnest((select @days::timestamptz[])) as day cross join backfill b
    -- one a day and backfill; the limit makes it one probe each of an index, where a join would read all windows
    cross join lateral (
        select w.id from backfill_window w
        where w.backfill_id = b.id and w.org = @org and w.to_time > day and w.to_time <= day + interval '24 hours' and w.items is null
        limit 1) as f
    where b.source = @source and b.stream = @stream),
held as (
    select w.id, w.epoch from backfill_window w join found using (id) where w.state <> 'closed' order by w.id for update of w)
update backfill_window w set epoch = w.epoch + 1, reached = w.to_time, reached_mode = 'below', tie_token = '',
    state = case w.state when 'walking' then 'pending' else w.state end, lease_until = null, worker = null
from held where w.id = held.id and held.epoch > 0;

-- name: WaitingForTransfer :many
-- Backfills of publish of which nothing is walked and nothing can be taken up until more is transferred.
select b.id from backfill b
where b.stream = 'publish' and b.state = 'running'
  and exists (select 1 from backfill_window w where w.backfill_id = b.id and w.state in ('pending', 'walking'))
  and not exists (
      select 1 from backfill_window w
      where w.backfill_id = b.id and w.state in ('pending', 'walking') and (w.state = 'walking' or (
          select t.ranges from transferred t where t.source = 'a2-correspondence' and t.org = 'all') @> tstzrange(w.from_time, w.to_time)));

-- name: NotTransferred :many
-- What of a range is neither transferred nor ordered to be, newest first.
select lower(r)::timestamptz as from_time, upper(r)::timestamptz as to_time
from unnest(tstzmultirange(tstzrange(@from_time::timestamptz, @to_time::timestamptz))
    - coalesce((select c.closed from coverage c where c.source = @source and c.stream = 'transfer' and c.org = 'all'), '{}')
    - coalesce((select range_agg(tstzrange(b.oldest, b.newest)) from backfill b
        where b.source = @source and b.stream = 'transfer' and b.state in ('running', 'paused', 'failed') and b.oldest < b.newest), '{}')) as r
order by 1 desc;
