-- +goose Up

-- What throttle_reason and throttle_per_s are for history that goes to Dialogporten, for that of messages, which goes to Correspondence.
alter table worker
    add column message_throttle_reason text,
    add column message_throttle_per_s double precision;

-- +goose Down
alter table worker drop column message_throttle_reason, drop column message_throttle_per_s;
