-- name: ExplainLedger :one
-- An item's row, with the backfill whose window last met it.
select l.item_id, l.dialog_id, l.source_changed, l.read_at, l.recorded_at, l.window_id, l.source, l.outcome, l.dialog_state,
    l.mapping_version, l.reason, w.backfill_id
from ledger l left join backfill_window w on w.id = l.window_id
where l.item_id = @item_id;

-- name: ExplainInbox :one
-- Events on an instance that wait for their delivery. due_at is that of the first to be tried.
select count(*) as events, coalesce(min(received_at), '0001-01-01 00:00:00+00')::timestamptz as received_at,
    coalesce(min(due_at), '0001-01-01 00:00:00+00')::timestamptz as due_at, coalesce(max(attempt), 0)::smallint as attempt,
    count(*) filter (where job_id is null) as parked, coalesce(max(failure), '')::text as failure,
    coalesce(max(created), '0001-01-01 00:00:00+00')::timestamptz as created, coalesce(max(app_id), '')::text as app_id
from inbox where instance_guid = @instance_guid;

-- name: ExplainWindows :many
-- The window of each backfill that a position lies in, newest backfill first.
select b.id as backfill_id, b.state as backfill_state, w.from_time, w.to_time, w.state, w.reached, w.failure, w.closed_at
from backfill b cross join lateral (
    select * from backfill_window o
    where o.backfill_id = b.id and o.org = @org and o.to_time > @position and o.items is null
    order by o.to_time limit 1) as w
where b.source = @source and b.stream = @stream and w.from_time <= @position
order by b.id desc limit @max_rows;

-- name: ExplainCovered :one
-- Whether a position is closed.
select exists (select 1 from coverage where source = @source and stream = @stream and org = @org and closed @> @position::timestamptz)::boolean as closed;

-- name: ExplainPoll :one
-- How far a source's first reach has come in an organisation, and since when live brings things over.
select p.since, p.reach, o.position, o.failure
from poll p left join poll_org o on o.source = p.source and o.reach = p.reach and o.org = @org
where p.source = @source and p.reach = @reach;

-- name: ExplainMessage :one
select created, change_seq, due_at, stage, outcome, mapping_version, correspondence_id, dialog_id, reason
from message where altinn2_id = @altinn2_id;

-- name: ExplainMessageRetry :one
-- A message that is owed a delivery.
select attempt, quarantined, changed_at, due_at, failure from message_retry where altinn2_id = @altinn2_id;
