-- The parts of River's own tables that our queries read. For sqlc only: River's migrations make them.
create table river_job (
    id bigserial primary key,
    state text not null,
    queue text not null,
    kind text not null,
    args jsonb not null,
    attempted_at timestamptz,
    attempted_by text[]
);

create table river_migration (
    line text not null,
    version bigint not null
);
