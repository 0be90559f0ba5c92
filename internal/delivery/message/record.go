package message

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
)

// load reads what is on record of the messages.
func (d *Deliverer) load(ctx context.Context, tasks []*task) error {
	now := d.Now()
	byNumber := make(map[int32]*task, len(tasks))
	numbers := make([]int32, len(tasks))
	for i, t := range tasks {
		numbers[i], byNumber[t.number] = t.number, t
		t.now = now
		t.row = row{stage: untransferred, outcome: ledger.Failed, version: mapping.Version}
	}
	rows, err := db.New(d.Pool).MessageRows(ctx, numbers)
	if err != nil {
		return fmt.Errorf("look up %d messages: %w", len(tasks), err)
	}
	for i := range rows {
		r := &rows[i]
		t := byNumber[r.Altinn2ID]
		t.known = true
		t.stored = row{
			created: r.Created.UTC(), changeSeq: r.ChangeSeq, dueAt: orZero(r.DueAt).UTC(), stage: r.Stage, outcome: r.Outcome,
			version: r.MappingVersion, correspondenceID: orZero(r.CorrespondenceID), dialogID: orZero(r.DialogID),
			reason: orZero(r.Reason), sent: r.Sent,
		}
		t.row = t.stored
	}
	return nil
}

// findQuarantined sees which messages stand in quarantine. Those are read under the lease, whatever was listed before: what failed may be
// a change that came later. Only such a reading releases them.
func (d *Deliverer) findQuarantined(ctx context.Context, tasks []*task) error {
	keys := make([]string, len(tasks))
	for i, t := range tasks {
		keys[i] = Key(t.number)
	}
	found, err := ledger.QuarantinedBy(ctx, db.New(d.Pool), ledger.A2Correspondence, keys)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if _, t.quarantined = found[Key(t.number)]; t.quarantined {
			t.message = nil
		}
	}
	return nil
}

// resume takes tasks up again where a try ended whose failure is not on record yet, unless somebody else has had their messages since.
func (d *Deliverer) resume(ctx context.Context, tasks []*task, before map[int32]aside) error {
	found := make(map[int32]task, len(tasks))
	for _, t := range tasks {
		found[t.number] = *t
		t.known, t.stored = false, row{}
	}
	if err := d.load(ctx, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		if had := found[t.number]; t.known != had.known || !t.stored.equal(&had.stored) {
			t.err = ErrBusy
			continue
		}
		t.row = before[t.number].row
	}
	return nil
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// keep writes how far messages have come that go on, without an outcome.
func (d *Deliverer) keep(ctx context.Context, held lease, tasks []*task) error {
	if d.Rehearse {
		return nil
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	return d.writeRows(ctx, db.New(d.Pool), held, tasks)
}

// finishTimeout bounds the recording of what was done when the work is told to end.
const finishTimeout = 5 * time.Second

// finishing is a context to record in what was done, also when the work is told to end; the lease guards what is written.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() { time.AfterFunc(finishTimeout, cancel) })
	return lasting, func() {
		unwatch()
		cancel()
	}
}

// record writes what came of the messages: their rows, and in the same transaction the ledger's rows of those that were brought over or
// skipped; those that were read leave the quarantine (Invariant 5).
func (d *Deliverer) record(ctx context.Context, held lease, tasks []*task, order Order, readAt time.Time) error {
	for _, t := range tasks {
		t.readAt = readAt
	}
	if d.Rehearse {
		return nil
	}
	if order.decide != nil {
		order.decide(ctx, tasks, readAt)
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	err := db.InTx(ctx, d.Pool, func(_ pgx.Tx, q *db.Queries) error {
		if err := d.writeRows(ctx, q, held, tasks); err != nil {
			return err
		}
		var entries []ledger.Entry
		var released []*task
		for _, t := range tasks {
			if t.err != nil {
				continue
			}
			result := t.result()
			entries = append(entries, result.Entry(order.WindowID))
			if t.quarantined {
				released = append(released, t)
			}
		}
		overtaken, err := ledger.Record(ctx, q, entries)
		if err != nil {
			return err
		}
		if len(overtaken) > 0 {
			return ErrLeaseLost
		}
		if err := release(ctx, q, released, readAt); err != nil || order.write == nil {
			return err
		}
		return order.write(ctx, q, tasks)
	})
	if err == nil {
		held.recorded(tasks)
	}
	return err
}

// release takes messages out of quarantine that were read after readAt. What live still owed of them is done with that reading as well:
// left owed, it would hold the live watermark that it did not hold in quarantine.
func release(ctx context.Context, q *db.Queries, tasks []*task, readAt time.Time) error {
	if len(tasks) == 0 {
		return nil
	}
	keys, numbers := make([]string, len(tasks)), make([]int32, len(tasks))
	for i, t := range tasks {
		keys[i], numbers[i] = Key(t.number), t.number
	}
	_, err := ledger.ReleaseRead(ctx, q, ledger.A2Correspondence, keys, slices.Repeat([]time.Time{readAt}, len(keys)))
	if err != nil {
		return err
	}
	if err := q.DropMessageRetries(ctx, db.DropMessageRetriesParams{Altinn2Ids: numbers, ReadAt: readAt}); err != nil {
		return fmt.Errorf("record that %d messages are owed no more: %w", len(tasks), err)
	}
	return nil
}

// Entry is the ledger's row of what was brought over.
func (r *Result) Entry(windowID int64) ledger.Entry {
	return ledger.Entry{
		ItemID: r.ItemID, DialogID: r.DialogID, Source: ledger.A2Correspondence, SourceChanged: r.Changed, ReadAt: r.ReadAt,
		Outcome: r.Outcome, Reason: r.Reason, State: r.State, MappingVersion: mapping.Version, WindowID: windowID,
	}
}

// isNews tells whether a message's row is to be written. One that nothing is known of but a fault that may go away leaves none.
func (t *task) isNews() bool {
	switch {
	case t.row.created.IsZero():
		return false
	case t.known:
		return !t.row.equal(&t.stored)
	default:
		return t.err == nil || t.row.reason != ""
	}
}

// writeRows writes the rows that are not as they stand in the database. It fails with ErrLeaseLost when the messages are not held any
// more: what somebody else wrote since stays (Invariant 5).
func (d *Deliverer) writeRows(ctx context.Context, q *db.Queries, held lease, tasks []*task) error {
	p := db.RecordMessagesParams{Holder: held.holder}
	var written []*task
	for _, t := range tasks {
		if !t.isNews() {
			continue
		}
		written = append(written, t)
		p.Altinn2Ids = append(p.Altinn2Ids, t.number)
		p.Created = append(p.Created, t.row.created)
		p.ChangeSeqs = append(p.ChangeSeqs, t.row.changeSeq)
		p.DueAt = append(p.DueAt, t.row.dueAt)
		p.Stages = append(p.Stages, string(t.row.stage))
		p.Outcomes = append(p.Outcomes, string(t.row.outcome))
		p.MappingVersions = append(p.MappingVersions, t.row.version)
		p.CorrespondenceIds = append(p.CorrespondenceIds, t.row.correspondenceID)
		p.DialogIds = append(p.DialogIds, t.row.dialogID)
		p.Reasons = append(p.Reasons, t.row.reason)
		sent := t.row.sent
		if sent == nil {
			sent = mapping.Sent{}
		}
		p.Sent = append(p.Sent, sent)
	}
	if len(written) == 0 {
		return nil
	}
	recorded, err := q.RecordMessages(ctx, p)
	if err != nil {
		return fmt.Errorf("record %d messages: %w", len(written), err)
	}
	if len(recorded) < len(written) {
		return ErrLeaseLost
	}
	for _, t := range written {
		t.known, t.stored = true, t.row
	}
	return nil
}
