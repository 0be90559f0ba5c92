-- name: LockBackfills :exec
-- Creating backfills is done one at a time, so that two cannot overlap.
select pg_advisory_xact_lock(hashtext('dialogsync.backfill.create'));

-- name: AwaitBackfills :exec
-- Waits for backfills that are being created, whose windows are seen from here on; none is created until the transaction is over.
select pg_advisory_xact_lock_shared(hashtext('dialogsync.backfill.create'));

-- name: OverlappingBackfills :many
select id, source, oldest, newest, orgs, all_orgs, state from backfill
where source = @source and stream = @stream and state in ('running', 'paused', 'failed') and oldest < @newest and newest > @oldest
  and (all_orgs or @all_orgs::boolean or orgs && @orgs::text[])
order by id;

-- name: CreateBackfill :one
insert into backfill (source, stream, oldest, newest, orgs, all_orgs, rate_per_s, parallel, max_failure_share, reason, operator,
    redo, older_than_mapping)
values (@source, @stream, @oldest, @newest, @orgs, @all_orgs, @rate_per_s, @parallel, @max_failure_share, @reason, @operator,
    @redo, @older_than_mapping)
returning *;

-- name: AddWindows :copyfrom
insert into backfill_window (backfill_id, org, from_time, to_time, reached, items) values ($1, $2, $3, $4, $5, $6);

-- name: Backfill :one
select * from backfill where id = @id;

-- name: LockBackfill :one
select * from backfill where id = @id for update;

-- name: Backfills :many
select * from backfill order by id;

-- name: RunningBackfills :many
select * from backfill where state = 'running' order by id;

-- name: SetBackfillState :exec
update backfill set state = @state, waiting_reason = null, waiting_since = null,
    finished_at = case when @state in ('cancelled', 'complete') then clock_timestamp() end,
    max_failure_share = coalesce(sqlc.narg(max_failure_share), max_failure_share)
where id = @id;

-- name: SetWaiting :exec
-- Keeps the first moment while the reason changes.
update backfill set waiting_reason = @reason, waiting_since = coalesce(waiting_since, clock_timestamp())
where id = @id and state = 'running';

-- name: ClearWaiting :exec
update backfill set waiting_reason = null, waiting_since = null where id = @id and waiting_reason is not null;

-- name: WidenBackfill :exec
-- Takes in organisations that appeared after the backfill was planned.
update backfill set orgs = (select array_agg(distinct o order by o) from unnest(orgs || @orgs::text[]) as o),
    state = case when state in ('complete', 'failed') then 'running' else state end, finished_at = null
where id = @id;

-- name: BackfillsOfEveryOrg :many
select * from backfill where all_orgs and stream = 'history' and state in ('running', 'paused', 'complete', 'failed') order by id for update;

-- name: BackfillAccounts :many
-- Every backfill's accounts in one pass over its windows.
select b.id,
    coalesce(sum(w.seen), 0)::bigint as seen, coalesce(sum(w.created), 0)::bigint as created,
    coalesce(sum(w.updated), 0)::bigint as updated, coalesce(sum(w.unchanged), 0)::bigint as unchanged,
    coalesce(sum(w.deleted), 0)::bigint as deleted, coalesce(sum(w.purged), 0)::bigint as purged,
    coalesce(sum(w.restored), 0)::bigint as restored, coalesce(sum(w.skipped), 0)::bigint as skipped,
    coalesce(sum(w.quarantined), 0)::bigint as quarantined, coalesce(sum(w.pages), 0)::bigint as pages,
    count(*) filter (where w.state = 'pending') as pending, count(*) filter (where w.state = 'walking') as walking,
    count(*) filter (where w.state = 'closed') as closed, count(*) filter (where w.state = 'failed') as failed,
    -- everything of the backfill that is newer is closed
    coalesce(max(w.to_time) filter (where w.state <> 'closed'), b.oldest)::timestamptz as back_to,
    -- share of the ordered time that is walked, windows in progress by their checkpoint
    coalesce(sum(extract(epoch from w.to_time - case w.state when 'closed' then w.from_time else greatest(w.reached, w.from_time) end))
        / nullif(sum(extract(epoch from w.to_time - w.from_time)), 0), avg((w.state = 'closed')::int))::double precision as share,
    coalesce(min(w.started_at), '0001-01-01 00:00:00+00')::timestamptz as started_at,
    coalesce(max(w.recorded_at), '0001-01-01 00:00:00+00')::timestamptz as recorded_at
from backfill b join backfill_window w on w.backfill_id = b.id
where sqlc.narg(id)::bigint is null or b.id = sqlc.narg(id)::bigint
group by b.id order by b.id;

-- name: SkippedByReason :many
select reason.key::text as reason, sum(reason.value::bigint)::bigint as items
from backfill_window w, jsonb_each_text(w.skipped_by_reason) as reason(key, value)
where w.backfill_id = @backfill_id and w.skipped > 0
group by 1 order by 2 desc, 1;

-- name: TroubledWindows :many
-- Windows that failed for good or could not get on at their last try.
select id, org, from_time, to_time, state, attempts, retry_at, failure, reached, seen from backfill_window
where backfill_id = @backfill_id and state <> 'closed' and failure is not null
order by to_time desc, org limit @max_rows;

-- name: WindowsInProgress :many
select id, org, from_time, to_time, state, epoch, worker, lease_until, attempts, failure, reached, seen from backfill_window
where backfill_id = @backfill_id and state = 'walking' order by to_time desc, org limit @max_rows;

-- name: RetryFailedWindows :execrows
update backfill_window set state = 'pending', attempts = 0, rewalks = 0, failure = null, retry_at = 'epoch'
where backfill_id = @backfill_id and state = 'failed';

-- name: KnownOrgs :many
select org from organisation order by org;

-- name: AddOrgs :many
insert into organisation (org) select unnest(@orgs::text[]) on conflict do nothing returning org;

-- name: RecordOperatorAction :exec
insert into operator_action (operator, action, target, reason, detail) values (@operator, @action, @target, @reason, @detail);

-- name: WaitingSlices :one
-- Slice jobs that wait for a worker.
select count(*) from river_job
where kind = 'history_slice' and state in ('available', 'pending', 'retryable', 'scheduled')
  and args @> jsonb_build_object('backfill_id', @backfill_id::bigint);

-- name: LockKeeper :one
-- Held for a transaction: one process keeps house at a time.
select pg_try_advisory_xact_lock(hashtext('dialogsync.history.keep'))::boolean as mine;
