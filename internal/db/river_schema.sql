-- The part of River's own table that our queries read. For sqlc only: River's migrations make the table.
create table river_job (
    id bigserial primary key,
    state text not null,
    kind text not null,
    args jsonb not null
);
