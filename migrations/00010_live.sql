-- +goose Up

-- What a worker tells of itself beside its streams.
alter table worker
    -- the name that River has for the process, a new one whenever it starts; null: its version does not tell
    add column client text,
    -- changes are told by events here, so that polls leave what is new to them
    add column hears_events boolean not null default false,
    -- why nothing comes in from the bus here, and since when; null: it does, or there is no bus
    add column bus_trouble text,
    add column bus_trouble_since timestamptz,
    add check ((bus_trouble is null) = (bus_trouble_since is null));

-- A row that failed where nothing else was there to compare it with: since when, and how often it was tried meanwhile.
alter table inbox
    add column alone_since timestamptz,
    add column alone_tries smallint not null default 0,
    add check ((alone_since is null) = (alone_tries = 0));

-- +goose Down
alter table inbox drop column alone_since, drop column alone_tries;
alter table worker drop column client, drop column hears_events, drop column bus_trouble, drop column bus_trouble_since;
