-- +goose Up

-- A source in one direction, as operators handle it. What they say here survives restarts: River forgets a paused queue that
-- no client has looked at for a day.
create table stream (
    source source not null,
    stream text not null check (stream in ('live', 'history')),
    paused boolean not null default false,
    -- of the last pause or resume: why, by whom and when; null: never
    reason text,
    operator text,
    changed_at timestamptz,
    -- items a second over all workers; null: no limit
    rate_per_s double precision check (rate_per_s > 0),
    -- of the last change of the rate
    rate_reason text,
    rate_operator text,
    rate_changed_at timestamptz,
    -- set while the stream has stopped itself (Invariant 8): why, and since when
    waiting_reason text,
    waiting_since timestamptz,
    -- live: every change up to this time is delivered; and when that was found
    watermark timestamptz,
    watermark_at timestamptz,
    primary key (source, stream),
    check ((waiting_reason is null) = (waiting_since is null)),
    check ((reason is null) = (operator is null) and (reason is null) = (changed_at is null)),
    check ((rate_reason is null) = (rate_operator is null) and (rate_reason is null) = (rate_changed_at is null)),
    check ((watermark is null) = (watermark_at is null))
) with (fillfactor = 50);

insert into stream (source, stream)
select source, stream
from unnest('{a2-correspondence,a2-archived-forms,a3-app-instances}'::source[]) as source, unnest('{live,history}'::text[]) as stream;

-- Worker processes, each telling every second that it lives: what share of a stream's rate is its own, and how far it holds
-- history back in favour of live (Invariant 9). Rows of the dead are cleared away by the living.
create table worker (
    name text primary key,
    heard_at timestamptz not null default clock_timestamp(),
    -- streams that it worked on within the last seconds, as 'a3-app-instances/live'
    streams text[] not null default '{}',
    -- why history is held back here, and to how many items a second; null: it is not
    throttle_reason text,
    throttle_per_s double precision
) with (fillfactor = 50);

-- +goose Down
drop table worker;
drop table stream;
