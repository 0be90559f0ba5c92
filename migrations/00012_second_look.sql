-- +goose Up

-- Forms that history made, to be looked at a second time as those are that live made (ledger_second_look): it too may meet a form
-- between Altinn 2's calls. Nothing tells when a form arrived in Storage. Those that arrive weeks late are few, and to look again at
-- all of the past would double its readings, so it is what had changed at most 92 days before. A row leaves once it was looked at.
create index ledger_history_look on ledger (recorded_at)
where source = 'a2-archived-forms' and outcome = 'created' and window_id is not null and recorded_at - source_changed < interval '92 days';

-- +goose Down
drop index ledger_history_look;
