-- +goose Up

-- A reach of a source: a poll that goes on from where it was, or one that lists a stretch of the past again. One process at a
-- time works on it, under a lease.
create table poll (
    source source not null,
    reach text not null,
    -- when it was first begun, by the worker's clock; what is older than a source's first reach is history's
    since timestamptz not null,
    -- Raised by each run; what a run writes counts only under its own epoch (Invariant 5).
    epoch bigint not null default 0,
    worker text,
    lease_until timestamptz,
    -- not to be begun before: one that waits for a failing system rests
    due_at timestamptz not null default 'epoch',
    -- asked for while a run was under way: another follows at once
    asked boolean not null default false,
    -- what the run at hand, or the last one, goes up to; a second look: the time up to which records are looked at
    run_to timestamptz,
    run_started_at timestamptz,
    -- when a run had last walked all of it
    run_ended_at timestamptz,
    -- the run at hand has not: it is gone on with
    unfinished boolean not null default false,
    -- why the last run could not get on
    waiting_reason text,
    primary key (source, reach)
) with (fillfactor = 50);

-- How far a reach has come in each organisation, and what it met.
create table poll_org (
    source source not null,
    reach text not null,
    org text not null,
    epoch bigint not null,
    -- every change before this instant is delivered, or in quarantine, as far as it could be seen
    position timestamptz not null,
    walked_at timestamptz,
    -- why its last walk could not get on, and since when
    failure text,
    failing_since timestamptz,
    -- rows listed; listed for the first time and known already; delivered by the poll
    listed bigint not null default 0,
    known bigint not null default 0,
    found bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    deleted bigint not null default 0,
    purged bigint not null default 0,
    restored bigint not null default 0,
    skipped bigint not null default 0,
    quarantined bigint not null default 0,
    skipped_by_reason jsonb not null default '{}',
    primary key (source, reach, org),
    foreign key (source, reach) references poll,
    check ((failure is null) = (failing_since is null))
) with (fillfactor = 50);

-- Of the live deliveries of an hour: known to the poll already, and found by the poll alone.
create table poll_hour (
    source source not null,
    reach text not null,
    hour timestamptz not null,
    known bigint not null,
    found bigint not null,
    primary key (source, hour, reach)
) with (fillfactor = 50);

-- How long after their lastChanged items were first met, by the day they were met on (UTC): what overlaps are set by.
create table poll_arrival (
    source source not null,
    day date not null,
    -- upper bound of the lag, in seconds; 0: longer than the largest
    lag_s bigint not null,
    items bigint not null,
    longest_s bigint not null,
    primary key (source, day, lag_s)
) with (fillfactor = 50);

-- +goose Down
drop table poll_arrival;
drop table poll_hour;
drop table poll_org;
drop table poll;
