-- name: QuarantinePage :many
-- Newest failures first, from behind the last row of the page before.
select q.source, q.item_key, q.org, q.app_id, q.position, q.class, q.reason, q.detail, q.attempts, q.first_failed_at, q.last_failed_at,
    w.backfill_id
from quarantine q left join backfill_window w on w.id = q.window_id
where (sqlc.narg(source)::source is null or q.source = sqlc.narg(source)::source)
  and (sqlc.narg(reason)::text is null or q.reason = sqlc.narg(reason)::text)
  and (q.last_failed_at, q.source, q.item_key) < (@before_failed_at::timestamptz, @before_source::source, @before_key::text)
order by q.last_failed_at desc, q.source desc, q.item_key desc
limit @max_rows;

-- name: QuarantineOf :many
-- What is in quarantine under these keys, whatever its source.
select q.source, q.item_key, q.item_id, q.org, q.app_id, q.position, q.instance_created, q.class, q.reason, q.detail, q.attempts,
    q.first_failed_at, q.last_failed_at, w.backfill_id
from quarantine q left join backfill_window w on w.id = q.window_id
where q.source = any (enum_range(null::source)) and q.item_key = any (@item_keys::text[])
order by q.last_failed_at desc, q.source;
