-- +goose Up

-- The row of no organisation: where a walk stands that goes on by a token of its source and not by time, as that of changes to
-- messages does.
alter table poll_org add column cursor text;

-- Messages that are owed a delivery: a change of theirs was met, or their time came, and they could not be brought over. They are
-- tried again beside the walk, which goes on. Few at any time.
create table message_retry (
    altinn2_id integer primary key,
    -- deliveries that failed in a row
    attempt smallint not null,
    -- it was put in quarantine meanwhile; while it is not there, it holds the live watermark
    quarantined boolean not null,
    -- of the message
    created timestamptz not null,
    -- of the earliest change that is owed
    changed_at timestamptz not null,
    -- when it is tried again, by the workers' clocks
    due_at timestamptz not null,
    -- by this database's clock: a reading that began later than this makes the row needless
    put_at timestamptz not null default clock_timestamp(),
    -- why it is not delivered yet, for people
    failure text not null
) with (fillfactor = 50);

create index message_retry_due on message_retry (due_at);
-- What holds the live watermark.
create index message_retry_holding on message_retry (changed_at);

-- +goose Down
drop table message_retry;
alter table poll_org drop column cursor;
