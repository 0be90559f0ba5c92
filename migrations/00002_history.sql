-- +goose Up

-- Organisations whose applications the Storage service lists: the universe that a watermark must cover.
create table organisation (
    org text primary key,
    first_seen_at timestamptz not null default clock_timestamp()
);

create table backfill (
    id bigint generated always as identity primary key,
    source source not null,
    -- half-open: oldest <= position < newest; empty for a backfill of given items
    oldest timestamptz not null,
    newest timestamptz not null,
    orgs text[] not null,
    -- true: every organisation, those included that appear later
    all_orgs boolean not null,
    rate_per_s double precision check (rate_per_s > 0),
    -- windows walked at the same time, over all workers
    parallel integer not null check (parallel between 1 and 1000),
    -- the stream stops itself when more than this share of the last items failed alike
    max_failure_share double precision not null default 0.5 check (max_failure_share > 0 and max_failure_share <= 1),
    -- failed: nothing is left to walk, but a window could not be closed
    state text not null default 'running' check (state in ('running', 'paused', 'cancelled', 'complete', 'failed')),
    -- set while the stream has stopped itself (Invariant 8): why, and since when
    waiting_reason text,
    waiting_since timestamptz,
    reason text not null,
    operator text not null,
    created_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    check (oldest <= newest),
    check ((waiting_reason is null) = (waiting_since is null))
);

create index backfill_active on backfill (source) where state in ('running', 'paused', 'failed');

create table backfill_window (
    id bigint generated always as identity primary key,
    backfill_id bigint not null references backfill,
    org text not null,
    from_time timestamptz not null,
    to_time timestamptz not null,
    -- given items instead of a range: their keys, and how many of them are recorded
    items text[],
    items_done integer not null default 0,
    state text not null default 'pending' check (state in ('pending', 'walking', 'closed', 'failed')),

    -- Raised by each slice that claims the window; what a slice writes counts only under its own epoch (Invariant 5).
    epoch bigint not null default 0,
    worker text,
    lease_until timestamptz,
    -- slices in a row that ended without recording anything, and when to try again
    attempts integer not null default 0,
    retry_at timestamptz not null default 'epoch',
    failure text,

    -- The checkpoint: all items later than reached are recorded. How the items at reached itself stand: 'below', all are
    -- recorded; 'upto', some may be; 'tie', some may be, and they fill more than a page.
    reached timestamptz not null,
    reached_mode text not null default 'below' check (reached_mode in ('below', 'upto', 'tie')),
    -- where a tie of more items than a slice can walk is taken up; believed only if it leads to items of the tie
    tie_token text not null default '',

    seen bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    deleted bigint not null default 0,
    purged bigint not null default 0,
    restored bigint not null default 0,
    skipped bigint not null default 0,
    quarantined bigint not null default 0,
    skipped_by_reason jsonb not null default '{}',
    pages bigint not null default 0,
    slices bigint not null default 0,
    started_at timestamptz,
    recorded_at timestamptz,
    closed_at timestamptz,

    check (items is not null or from_time < to_time),
    unique (backfill_id, org, to_time),
    -- Invariant 6: a window closes only when its accounts balance.
    constraint accounts_balance check (state <> 'closed'
        or seen = created + updated + unchanged + deleted + purged + restored + skipped + quarantined)
);

-- The claim: newest open window first.
create index backfill_window_open on backfill_window (backfill_id, to_time desc, org) where state in ('pending', 'walking');
-- How many are held: asked at every heartbeat.
create index backfill_window_held on backfill_window (backfill_id, lease_until) where state = 'walking';
-- What `backfill show` names first. A window that failed for good always says why.
create index backfill_window_troubled on backfill_window (backfill_id, to_time desc, org) where state <> 'closed' and failure is not null;

-- What is closed, per organisation: adjoining windows melt into one range, so a row stays small however long history is.
create table coverage (
    source source not null,
    org text not null,
    closed tstzmultirange not null default '{}',
    primary key (source, org)
);

-- Every move of a watermark, newest last: the status page's changelog is made of these.
create table watermark (
    id bigint generated always as identity primary key,
    source source not null,
    stream text not null check (stream in ('live', 'history')),
    -- null: no promise stands
    back_to timestamptz,
    -- items in quarantine at or after back_to when the watermark moved
    exceptions bigint not null,
    moved_at timestamptz not null default clock_timestamp()
);

create index watermark_latest on watermark (source, stream, id desc);

-- +goose Down
drop table watermark;
drop table coverage;
drop table backfill_window;
drop table backfill;
drop table organisation;
