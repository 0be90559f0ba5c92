-- name: AddCorrections :exec
-- What a redo found wrong and put right.
insert into correction (backfill_id, item_key, outcome, reason)
select @backfill_id, i.item_key, i.outcome::outcome, nullif(i.reason, '')
from (select unnest(@item_keys::text[]) as item_key, unnest(@outcomes::text[]) as outcome, unnest(@reasons::text[]) as reason) as i
on conflict (backfill_id, item_key) do update set outcome = excluded.outcome, reason = excluded.reason, recorded_at = excluded.recorded_at;

-- name: CountCorrections :many
select outcome, count(*) as items from correction where backfill_id = @backfill_id group by outcome order by outcome;

-- name: CorrectionsPage :many
select item_key, outcome, reason, recorded_at from correction
where backfill_id = @backfill_id and item_key > @after order by item_key limit @max_rows;

-- name: TakeIntoWindow :exec
-- A window counts items that it met and left as they were.
update ledger set window_id = @window_id where item_id = any (@item_ids::uuid[]);
