-- name: Streams :many
-- Every stream in the order of the report, with what its living workers make of it.
select s.*, coalesce(w.workers, 0)::bigint as workers, coalesce(w.throttle_reason, '')::text as throttle_reason,
    coalesce(w.throttle_per_s, 0)::double precision as throttle_per_s
from stream s left join lateral (
    select count(*) as workers,
        -- the one that is held back most speaks for all
        (array_agg(p.reason order by p.per_s) filter (where p.reason is not null))[1] as throttle_reason,
        sum(p.per_s) as throttle_per_s
    from worker o cross join lateral (values (s.source <> 'a2-correspondence', o.throttle_reason, o.throttle_per_s),
        (s.source = 'a2-correspondence', o.message_throttle_reason, o.message_throttle_per_s)) as p(its, reason, per_s)
    where o.heard_at > clock_timestamp() - @alive::interval and (s.source || '/' || s.stream) = any (o.streams) and p.its) w on true
order by s.source, s.stream <> 'live', s.stream desc;

-- name: LockStream :one
select * from stream where source = @source and stream = @stream for update;

-- name: SetStreamPaused :exec
-- An operator's word; what the stream waits for itself is forgotten with it, so that a resumed one tries at once.
update stream set paused = @paused, reason = @reason, operator = @operator, changed_at = clock_timestamp(),
    waiting_reason = null, waiting_since = null
where source = @source and stream = @stream;

-- name: SetStreamRate :exec
update stream set rate_per_s = sqlc.narg(rate_per_s), rate_reason = @reason, rate_operator = @operator, rate_changed_at = clock_timestamp()
where source = @source and stream = @stream;

-- name: SetStreamWaiting :exec
-- Keeps the first moment while the reason changes.
update stream set waiting_reason = @reason, waiting_since = coalesce(waiting_since, clock_timestamp())
where source = @source and stream = @stream;

-- name: ClearStreamWaiting :exec
update stream set waiting_reason = null, waiting_since = null
where source = @source and stream = @stream and waiting_reason is not null;

-- name: MoveLiveWatermark :exec
-- Never back: two processes may have looked at nearly the same time.
update stream set watermark = greatest(watermark, @watermark::timestamptz), watermark_at = clock_timestamp()
where source = @source and stream = 'live';

-- name: StreamPaused :one
-- Asked before a slice claims anything.
select exists (select 1 from stream where source = @source and stream = @stream and paused)::boolean as paused;

-- name: HearWorker :exec
insert into worker as w (name, streams, throttle_reason, throttle_per_s, message_throttle_reason, message_throttle_per_s, client,
    hears_events, bus_trouble, bus_trouble_since)
values (@name, @streams, sqlc.narg(throttle_reason), sqlc.narg(throttle_per_s), sqlc.narg(message_throttle_reason),
    sqlc.narg(message_throttle_per_s), sqlc.narg(client), @hears_events, sqlc.narg(bus_trouble), sqlc.narg(bus_trouble_since))
on conflict (name) do update set heard_at = clock_timestamp(), streams = excluded.streams,
    throttle_reason = excluded.throttle_reason, throttle_per_s = excluded.throttle_per_s,
    message_throttle_reason = excluded.message_throttle_reason, message_throttle_per_s = excluded.message_throttle_per_s,
    client = excluded.client, hears_events = excluded.hears_events, bus_trouble = excluded.bus_trouble, bus_trouble_since = excluded.bus_trouble_since;

-- name: StreamsOfWorker :many
-- What a worker must know of the streams every second: their states, how many others work on each, and how many live at all.
select s.source, s.stream, s.paused, s.reason, s.operator, s.changed_at, s.rate_per_s, s.waiting_reason, s.waiting_since,
    (select count(*) from worker o where o.heard_at > clock_timestamp() - @alive::interval and o.name <> @name
        and (s.source || '/' || s.stream) = any (o.streams)) as others,
    (select count(*) from worker o where o.heard_at > clock_timestamp() - @alive::interval) as living,
    (exists (select 1 from worker o where o.heard_at > clock_timestamp() - @alive::interval and o.hears_events))::boolean as hears_events
from stream s;

-- name: DropWorker :exec
delete from worker where name = @name;

-- name: DropDeadWorkers :exec
delete from worker where heard_at < clock_timestamp() - interval '1 hour';

-- name: LiveLags :many
-- How far live streams are behind: the age of the oldest event that nobody has tried, so that one bad item is not taken for a
-- lag, that of the oldest that waits for a worker, and that of the watermark, -1 where there is none. failing: it is held by an organisation that cannot be polled.
select s.source, s.paused, (s.waiting_reason is not null)::boolean as waiting,
    (exists (select 1 from poll_org o where o.source = s.source and o.failure is not null))::boolean as failing,
    coalesce(extract(epoch from clock_timestamp() - (
        select i.received_at from inbox i where i.source = s.source and i.attempt = 0 and i.held = 0
        order by i.received_at limit 1)), 0)::double precision as event_s,
    coalesce(extract(epoch from clock_timestamp() - (
        select i.received_at from inbox i where i.source = s.source and i.attempt = 0 and i.held = 0
            and coalesce((select j.state = 'available' from river_job j where j.id = i.job_id), true)
        order by i.received_at limit 1)), 0)::double precision as waiting_s,
    coalesce(extract(epoch from clock_timestamp() - s.watermark), -1)::double precision as watermark_s
from stream s where s.stream = 'live' order by s.source;

-- name: LivingWorkers :one
select count(*) from worker where heard_at > clock_timestamp() - @alive::interval;

-- name: LiveExceptions :one
-- Items in quarantine that no window of history put there.
select count(*) from quarantine where source = @source and window_id is null;

-- name: BusTroubles :many
-- Why living workers take nothing in from the bus, the longest first.
select name, bus_trouble::text as trouble, bus_trouble_since::timestamptz as since from worker
where heard_at > clock_timestamp() - @alive::interval and bus_trouble is not null order by bus_trouble_since, name;
