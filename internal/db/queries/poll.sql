-- name: AddPoll :exec
insert into poll (source, reach, since) values (@source, @reach, @since) on conflict do nothing;

-- name: ClaimPoll :one
-- A new epoch for whoever finds the reach due and not held. No row: it is neither.
update poll set epoch = epoch + 1, worker = @worker, lease_until = clock_timestamp() + @lease::interval, asked = false
where source = @source and reach = @reach and due_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())
returning *;

-- name: AskPoll :one
-- Asks the run under way to be followed by another; tells how long the reach is held or rests.
update poll set asked = asked or coalesce(lease_until >= clock_timestamp(), false)
where source = @source and reach = @reach
returning (greatest(coalesce(lease_until, due_at), due_at) - clock_timestamp())::interval as rest;

-- name: BeginPoll :exec
update poll set run_to = @run_to, run_started_at = clock_timestamp(), unfinished = true
where source = @source and reach = @reach and epoch = @epoch;

-- name: TakePollOrgs :many
-- Puts every organisation under the epoch. One that is new begins where the source does.
insert into poll_org as p (source, reach, org, epoch, position)
select @source, @reach, o.org, @epoch, @position from organisation o
on conflict (source, reach, org) do update set epoch = excluded.epoch
returning p.org, p.position;

-- name: RestartPollOrgs :exec
-- Sets every organisation back to the beginning of a stretch: at most to @from_time, and no further than live or closed coverage
-- that adjoins it goes back, since what is older is history's to bring over.
insert into poll_org as p (source, reach, org, epoch, position)
select @source, @reach, o.org, @epoch, greatest(@from_time::timestamptz, least(@since::timestamptz, (
    select min(lower(r)) from coverage c, unnest(c.closed) as r
    where c.source = @source and c.org = o.org and upper(r) >= @since)))
from organisation o
on conflict (source, reach, org) do update set epoch = excluded.epoch, position = excluded.position;

-- name: ExtendPoll :one
-- No row: the epoch is somebody else's now, or the reach was let go. behind: the source's first reach is under way and goes before.
update poll p set lease_until = clock_timestamp() + @lease::interval
where p.source = @source and p.reach = @reach and p.epoch = @epoch and p.lease_until is not null
returning (exists (select 1 from poll o where o.source = p.source and o.reach = @first and o.reach <> p.reach
    and o.lease_until >= clock_timestamp()))::boolean as behind;

-- name: RecordPolls :execrows
-- Positions and counts of organisations. Fewer rows than organisations: the epoch is somebody else's, and the transaction must
-- be undone (Invariant 5).
update poll_org p set position = i.position, walked_at = clock_timestamp(),
    failure = nullif(i.failure, ''),
    failing_since = case when i.failure = '' then null else coalesce(p.failing_since, clock_timestamp()) end,
    listed = p.listed + i.listed, known = p.known + i.known
from (select unnest(@orgs::text[]) as org, unnest(@positions::timestamptz[]) as position, unnest(@failures::text[]) as failure,
        unnest(@listed::bigint[]) as listed, unnest(@known::bigint[]) as known) as i
where p.source = @source and p.reach = @reach and p.org = i.org and p.epoch = @epoch;

-- name: CountPoll :exec
-- What a page delivered.
update poll_org p set found = p.found + @found,
    created = p.created + @created, updated = p.updated + @updated, unchanged = p.unchanged + @unchanged,
    deleted = p.deleted + @deleted, purged = p.purged + @purged, restored = p.restored + @restored,
    skipped = p.skipped + @skipped, quarantined = p.quarantined + @quarantined,
    skipped_by_reason = case when @skipped::bigint = 0 then p.skipped_by_reason else (
        select jsonb_object_agg(reason, items) from (
            select reason, sum(items) as items from (
                select key as reason, value::bigint as items from jsonb_each_text(p.skipped_by_reason)
                union all
                select key, value::bigint from jsonb_each_text(@skipped_by_reason::jsonb)) as parts
            group by reason) as sums) end
where p.source = @source and p.reach = @reach and p.org = @org and p.epoch = @epoch;

-- name: AddPollHour :exec
insert into poll_hour as h (source, reach, hour, known, found)
values (@source, @reach, date_trunc('hour', clock_timestamp(), 'UTC'), @known, @found)
on conflict (source, hour, reach) do update set known = h.known + excluded.known, found = h.found + excluded.found;

-- name: AddArrivals :exec
insert into poll_arrival as a (source, day, lag_s, items, longest_s)
select @source, (clock_timestamp() at time zone 'UTC')::date, i.lag_s, i.items, i.longest_s
from (select unnest(@lags::bigint[]) as lag_s, unnest(@items::bigint[]) as items, unnest(@longest::bigint[]) as longest_s) as i
order by i.lag_s
on conflict (source, day, lag_s) do update set items = a.items + excluded.items, longest_s = greatest(a.longest_s, excluded.longest_s);

-- name: ReleasePoll :one
-- Ends a run. asked: another shall follow at once.
update poll set lease_until = null, worker = null, due_at = clock_timestamp() + @rest::interval,
    unfinished = not @ended::boolean, run_ended_at = case when @ended::boolean then clock_timestamp() else run_ended_at end,
    waiting_reason = sqlc.narg(waiting)::text
where source = @source and reach = @reach and epoch = @epoch
returning asked;

-- name: MovePoll :execrows
-- The position of a second look, which has no organisations.
update poll set run_to = @run_to where source = @source and reach = @reach and epoch = @epoch;

-- name: PollOf :one
select * from poll where source = @source and reach = @reach;

-- name: PollsOf :many
select p.*, coalesce(p.lease_until >= clock_timestamp(), false)::boolean as running, sums.*
from poll p cross join lateral (
    select count(*) as orgs, count(o.failure) as failing,
        coalesce(sum(o.listed), 0)::bigint as listed, coalesce(sum(o.known), 0)::bigint as known, coalesce(sum(o.found), 0)::bigint as found,
        coalesce(sum(o.created), 0)::bigint as created, coalesce(sum(o.updated), 0)::bigint as updated,
        coalesce(sum(o.unchanged), 0)::bigint as unchanged, coalesce(sum(o.deleted), 0)::bigint as deleted,
        coalesce(sum(o.purged), 0)::bigint as purged, coalesce(sum(o.restored), 0)::bigint as restored,
        coalesce(sum(o.skipped), 0)::bigint as skipped, coalesce(sum(o.quarantined), 0)::bigint as quarantined
    from poll_org o where o.source = p.source and o.reach = p.reach) as sums
where p.source = @source order by p.since, p.reach;

-- name: PollSkips :many
select o.reach, s.key::text as reason, sum(s.value::bigint)::bigint as items
from poll_org o, jsonb_each_text(o.skipped_by_reason) as s(key, value)
where o.source = @source and o.skipped > 0 group by 1, 2 order by 1, 3 desc, 2;

-- name: PollWatermark :one
-- The earliest position of any organisation; one that no run has met yet stands where the source began.
select coalesce(min(coalesce(o.position, p.since)), '0001-01-01 00:00:00+00')::timestamptz as position, count(k.org) as orgs
from poll p cross join organisation k
left join poll_org o on o.source = p.source and o.reach = p.reach and o.org = k.org
where p.source = @source and p.reach = @reach;

-- name: PollsBehind :many
-- Organisations that hold the watermark, or whose polls fail.
select org, reach, position, failure, failing_since from poll_org
where source = @source and failure is not null order by position, org limit @max_rows;

-- name: PollShare :one
-- Everything that any reach found, and what the first one met for the first time and knew already.
select coalesce(sum(known) filter (where reach = @reach), 0)::bigint as known, coalesce(sum(found), 0)::bigint as found
from poll_hour where source = @source and hour >= @since;

-- name: Arrivals :many
select lag_s, sum(items)::bigint as items, max(longest_s)::bigint as longest_s
from poll_arrival where source = @source and day >= (@since::timestamptz)::date
group by lag_s order by nullif(lag_s, 0) nulls last;

-- name: DropOldPollHours :exec
delete from poll_hour where source = @source and hour < @before;
