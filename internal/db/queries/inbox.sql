-- name: NextInboxIDs :many
-- Numbers for rows to come: their jobs are inserted first, so that each row is written once, with its job.
select nextval(pg_get_serial_sequence('inbox', 'id'))::bigint as id from generate_series(1, @n::integer);

-- name: AddToInbox :exec
insert into inbox (id, instance_guid, created, job_id, party_id, source, migration, intake, app_id)
overriding system value
select i.id, i.instance_guid, nullif(i.created, '0001-01-01 00:00:00+00'), nullif(i.job_id, 0), i.party_id, i.source::source,
    i.migration, i.intake, i.app_id
from (select unnest(@ids::bigint[]) as id, unnest(@instance_guids::uuid[]) as instance_guid, unnest(@created::timestamptz[]) as created,
        unnest(@job_ids::bigint[]) as job_id, unnest(@party_ids::integer[]) as party_id, unnest(@sources::text[]) as source,
        unnest(@migrations::boolean[]) as migration, unnest(@intakes::text[]) as intake, unnest(@app_ids::text[]) as app_id) as i;

-- name: InboxRow :one
-- held: as often as any event on the instance waited for a PDF. due_in: how long until the next try, by the clock of the row.
select i.id, i.instance_guid, i.received_at, i.created, i.job_id, i.party_id, i.attempt, i.source, i.migration, i.intake, i.app_id,
    i.alone_tries, coalesce(clock_timestamp() - i.alone_since, interval '0')::interval as alone_for,
    (select max(o.held) from inbox o where o.instance_guid = i.instance_guid)::smallint as held,
    (i.due_at - clock_timestamp())::interval as due_in
from inbox i where i.id = @id;

-- name: TakeFromInbox :many
-- The given event unless it is kept, and all others on the instance that came in before the reading began.
delete from inbox
where id = @id and not @keep::boolean or instance_guid = @instance_guid and received_at < @read_at and id <> @id
returning id, source, intake, received_at, clock_timestamp()::timestamptz as taken_at;

-- name: DropFromInbox :execrows
-- None: a delivery that began later has taken the row already.
delete from inbox where id = @id;

-- name: RetryInbox :execrows
-- Writes down when a row is tried again, and why. Its job is snoozed as long.
update inbox set attempt = @attempt, held = @held, failure = @failure, due_at = clock_timestamp() + @pause::interval
where id = @id;

-- name: ParkInbox :exec
-- Takes a row from the job that ends now; another's row stays its own. Nothing counts as an attempt. alone: whether it failed
-- where nothing else was there to compare it with; null: it was not tried.
update inbox set job_id = null, failure = @failure, due_at = clock_timestamp() + @pause::interval,
    alone_since = case when sqlc.narg(alone)::boolean is null then alone_since
        when sqlc.narg(alone)::boolean then coalesce(alone_since, clock_timestamp()) end,
    alone_tries = case when sqlc.narg(alone)::boolean is null then alone_tries
        when sqlc.narg(alone)::boolean then least(alone_tries + 1, 30000) else 0 end
where id = @id and job_id = @job_id;

-- name: LockInboxKeeper :one
-- Held for a transaction: one process keeps the inbox at a time.
select pg_try_advisory_xact_lock(hashtext('dialogsync.live.keep'))::boolean as mine;

-- name: ParkedInbox :many
-- The rows of a source that are due and have no job, those due longest first.
select id from inbox where source = @source and job_id is null and due_at <= clock_timestamp()
order by due_at limit @at_most for update skip locked;

-- name: GiveInboxJobs :exec
update inbox set job_id = given.job_id
from (select unnest(@ids::bigint[]) as id, unnest(@job_ids::bigint[]) as job_id) as given
where inbox.id = given.id;

-- name: SweepInbox :many
-- The next rows in the order of their numbers, each with whether its job is lost: gone, finished although the row is still
-- there, or at work for longer than a delivery may take.
select i.id, (j.id is null or j.state in ('completed', 'cancelled', 'discarded')
    or j.state = 'running' and j.attempted_at < clock_timestamp() - @longest::interval)::boolean as lost
from (select s.id, s.job_id from inbox s where s.id > @after order by s.id limit @at_most) as i
left join river_job j on j.id = i.job_id
where i.job_id is not null
order by i.id;

-- name: OrphansInInbox :many
-- Rows whose jobs are at work in a process that lives no more, not parked by others meanwhile, for their jobs to be replaced. As
-- long as a process lives that does not tell its name, nobody can say which do.
select i.id, i.source
from river_job j join inbox i on i.id = (j.args ->> 'inbox_id')::bigint and i.job_id = j.id
where j.state = 'running' and j.queue = any (@queues::text[]) and cardinality(j.attempted_by) > 0
    and not exists (select 1 from worker w where w.heard_at > clock_timestamp() - @alive::interval
        and (w.client is null or w.client = j.attempted_by[cardinality(j.attempted_by)]))
order by i.id for update of i skip locked;

-- name: LastSwept :one
-- Where a step of the sweep ends; 0: nothing is left behind it.
select coalesce(max(s.id), 0)::bigint as id from (select id from inbox where id > @after order by id limit @at_most) as s;

-- name: LockInboxRows :many
-- Rows that are still there and not parked, for their jobs to be replaced.
select id, source from inbox where id = any(@ids::bigint[]) and job_id is not null order by id for update skip locked;

-- name: EventsAtHand :one
-- Jobs that wait for a worker, counted no further than is of interest.
select count(*) from (
    select 1 from river_job where state = 'available' and queue = @queue::text limit @at_most) as first_ones;

-- name: OldestInInbox :many
-- The oldest event not delivered, by source: the live watermark cannot be later. Items in quarantine stand beside it while they
-- are tried again.
select s.source::source as source, o.received_at::timestamptz as received_at
from unnest(enum_range(null::source)) as s(source)
cross join lateral (
    select i.received_at from inbox i
    where i.source = s.source and not exists (
        select 1 from quarantine q where q.source = i.source and q.item_key = i.party_id || '/' || i.instance_guid)
    order by i.received_at limit 1) as o;

-- name: InboxBacklog :many
-- Events not delivered, by source, with the age of the oldest, for gauges. Counting stops at a million.
select s.source::source as source, b.events::bigint as events, b.parked::bigint as parked,
    coalesce(extract(epoch from clock_timestamp() - (select min(i.received_at) from inbox i where i.source = s.source)), 0)::double precision as lag_s
from unnest(array['a3-app-instances', 'a2-archived-forms']::source[]) as s(source)
cross join lateral (
    select (select count(*) from (select 1 from inbox i where i.source = s.source limit 1000000) as all_of_it) as events,
        (select count(*) from (select 1 from inbox i where i.source = s.source and i.job_id is null limit 1000000) as parked_ones) as parked) as b;
