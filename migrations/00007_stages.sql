-- +goose Up

-- History of messages goes in two stages, each a stream with windows, coverage and a watermark of its own: 'transfer' stores them in
-- Correspondence, hidden, and 'publish' makes available what is stored.
alter table stream drop constraint stream_stream_check;

insert into stream (source, stream, paused, reason, operator, changed_at, rate_per_s, rate_reason, rate_operator, rate_changed_at)
select source, stage, paused, reason, operator, changed_at, rate_per_s, rate_reason, rate_operator, rate_changed_at
from stream, unnest('{transfer,publish}'::text[]) as stage
where source = 'a2-correspondence' and stream = 'history';

delete from stream where source = 'a2-correspondence' and stream = 'history';

alter table stream add constraint stream_direction check (stream = 'live'
    or stream = any (case source when 'a2-correspondence' then '{transfer,publish}'::text[] else '{history}' end));

alter table watermark drop constraint watermark_stream_check,
    add constraint watermark_direction check (stream = 'live'
        or stream = any (case source when 'a2-correspondence' then '{transfer,publish}'::text[] else '{history}' end));

alter table backfill
    add column stream text not null default 'history',
    add constraint backfill_direction
        check (stream = any (case source when 'a2-correspondence' then '{transfer,publish}'::text[] else '{history}' end));

alter table coverage
    add column stream text not null default 'history',
    add constraint coverage_direction
        check (stream = any (case source when 'a2-correspondence' then '{transfer,publish}'::text[] else '{history}' end)),
    drop constraint coverage_pkey,
    add primary key (source, stream, org);

-- The source's own count of a window's items, where it has one, and how often the walk began again from the top because it counted more.
alter table backfill_window
    add column source_count bigint,
    add column rewalks smallint not null default 0;

-- What has been transferred and is not to be transferred again: the ranges that publish may walk. Ranges of backfills that are not over
-- are not among them, though they may have been covered before.
create view transferred as
select c.source, c.org, c.closed - coalesce((
    select range_agg(tstzrange(w.from_time, w.to_time))
    from backfill b join backfill_window w on w.backfill_id = b.id
    where b.source = c.source and b.stream = 'transfer' and b.state in ('running', 'paused', 'failed')
      and w.org = c.org and w.state <> 'closed' and w.from_time < w.to_time), '{}') as ranges
from coverage c where c.stream = 'transfer';

-- The walk of publish: newest first.
create index message_to_publish on message (created desc, altinn2_id desc) where stage = 'transferred';

-- +goose Down
drop index message_to_publish;
drop view transferred;
alter table backfill_window drop column rewalks, drop column source_count;
delete from coverage where stream <> 'history';
alter table coverage drop constraint coverage_pkey, drop column stream, add primary key (source, org);
delete from backfill_window where backfill_id in (select id from backfill where stream <> 'history');
delete from backfill where stream <> 'history';
alter table backfill drop column stream;
delete from watermark where stream in ('transfer', 'publish');
alter table watermark drop constraint watermark_direction, add check (stream in ('live', 'history'));
alter table stream drop constraint stream_direction;
delete from stream where stream = 'publish';
update stream set stream = 'history' where stream = 'transfer';
alter table stream add check (stream in ('live', 'history'));
