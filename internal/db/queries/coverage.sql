-- name: Coverage :many
-- One row an interval that is closed, newest first.
select c.org, lower(r)::timestamptz as from_time, upper(r)::timestamptz as to_time
from coverage c, unnest(c.closed) as r
where c.source = @source and c.stream = @stream order by c.org, lower(r) desc;

-- name: IntervalAccounts :many
-- Accounts by month and organisation of windows that are closed.
select org, (date_trunc('month', from_time at time zone 'UTC') at time zone 'UTC')::timestamptz as month,
    sum(seen)::bigint as seen, sum(created)::bigint as created, sum(updated)::bigint as updated, sum(unchanged)::bigint as unchanged,
    sum(deleted)::bigint as deleted, sum(purged)::bigint as purged, sum(restored)::bigint as restored,
    sum(skipped)::bigint as skipped, sum(quarantined)::bigint as quarantined
from backfill_window w join backfill b on b.id = w.backfill_id
where b.source = @source and b.stream = @stream and w.state = 'closed'
group by 1, 2 order by 2 desc, 1;

-- name: NewestOrdered :one
-- The newest instant that any backfill of every organisation was ordered from: where the promise of a history begins.
select coalesce(max(newest), '0001-01-01 00:00:00+00')::timestamptz as newest from backfill
where source = @source and stream = @stream and all_orgs and state <> 'cancelled';

-- name: LatestWatermark :one
select * from watermark where source = @source and stream = @stream order by id desc limit 1;

-- name: AddWatermark :one
insert into watermark (source, stream, back_to, exceptions) values (@source, @stream, @back_to, @exceptions) returning *;

-- name: WatermarkMoves :many
select * from watermark where source = @source and stream = @stream order by id desc limit @max_rows;
