package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// Where messages stand among organisations: nowhere. Live keeps its place in the row of none, history in that of all.
const (
	noOrg  = ""
	allOrg = "all"
)

// Message explains a message of Altinn 2. Of its item in Correspondence only what is on record is told: the migration API has nothing to
// read it by, and its ordinary one wants rights on the resource (correspondence reference 8.3). An error is one of the database; what
// else cannot be read is told in the explanation.
func (x *Explainer) Message(ctx context.Context, number int32) (*Explanation, error) {
	e, err := x.begin(ctx, message.Key(number))
	if err != nil {
		return nil, err
	}
	e.Source = ledger.A2Correspondence
	m := x.readMessage(ctx, e, number)
	if err := x.readMessageRecords(ctx, e, number); err != nil {
		return nil, fmt.Errorf("explain message %d: %w", number, err)
	}
	x.readDialog(ctx, e, x.Dialogs)
	if err := x.readStreams(ctx, e, noOrg, allOrg, e.Origin.Created); err != nil {
		return nil, fmt.Errorf("explain message %d: %w", number, err)
	}
	if m != nil {
		e.foresee(m, &x.Selection, x.Now())
	}
	e.Verdict = Judge(e)
	return e, nil
}

// readMessage reads the source; nil when there is nothing to be read.
func (x *Explainer) readMessage(ctx context.Context, e *Explanation, number int32) *altinn2.Message {
	e.Origin.System = "Altinn 2"
	m, err := x.Messages.Message(ctx, number)
	switch {
	case errors.Is(err, altinn2.ErrNoMessage):
		e.Origin.State = OriginGone
		return nil
	case err != nil:
		e.Origin.State, e.Origin.Problem = OriginUnreadable, telemetry.Redact(err.Error())
		return nil
	}
	o := &e.Origin
	o.State, o.ResourceID, o.ChangeSeq = OriginExists, mapping.ResourceID(m), m.ChangeSeq
	o.Created, o.Changed = m.Created.UTC(), m.ChangedAt.UTC()
	switch {
	case mapping.IsPurged(m):
		o.State = OriginPurged
	case m.Deletion == altinn2.SoftDeleted:
		o.State = OriginSoftDeleted
	}
	return m
}

func (x *Explainer) readMessageRecords(ctx context.Context, e *Explanation, number int32) error {
	rows, err := x.readQuarantine(ctx, e, e.Item)
	if err != nil {
		return err
	}
	created := e.Origin.Created
	for i := range rows {
		if created.IsZero() {
			created = orZero(rows[i].InstanceCreated).UTC()
		}
	}
	q := db.New(x.Pool)
	r, err := q.ExplainMessage(ctx, number)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return fmt.Errorf("look up the message's row: %w", err)
	default:
		created = r.Created.UTC()
		e.Message = &MessageFacts{
			Stage: r.Stage, Outcome: r.Outcome, Reason: orZero(r.Reason), Remedy: remedyOf(e.Source, r.Outcome, orZero(r.Reason)),
			DueAt: orZero(r.DueAt).UTC(), ChangeSeq: r.ChangeSeq, CorrespondenceID: orZero(r.CorrespondenceID), MappingVersion: r.MappingVersion,
		}
	}
	if !created.IsZero() {
		e.ItemID = dialogid.Message(number, created)
		if e.Origin.Created.IsZero() {
			e.Origin.Created = created // as it was when it was brought over
		}
	}
	if err := x.readLedger(ctx, e); err != nil {
		return err
	}
	e.Dialog.ID = uuid.Nil // the ledger's is that of what was known then
	if e.Message != nil && e.Message.CorrespondenceID != uuid.Nil {
		e.Dialog.ID = dialogid.Correspondence(e.Message.CorrespondenceID, created, x.Now())
		if r.DialogID != nil {
			e.Dialog.ID = *r.DialogID
		}
	}
	return x.readRetry(ctx, e, number)
}

func (x *Explainer) readRetry(ctx context.Context, e *Explanation, number int32) error {
	r, err := db.New(x.Pool).ExplainMessageRetry(ctx, number)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up retries: %w", err)
	}
	e.Inbox = &InboxFacts{
		Events: 1, Oldest: r.ChangedAt.UTC(), DueAt: r.DueAt.UTC(), Attempts: r.Attempt, Failure: telemetry.Redact(r.Failure),
	}
	return nil
}

// foresee tells what a delivery would do now, as far as message and record tell: nobody over there is asked.
func (e *Explanation) foresee(m *altinn2.Message, selection *mapping.Selection, now time.Time) {
	if e.Message == nil || e.Message.CorrespondenceID == uuid.Nil {
		reason := mapping.Select(m)
		if reason == "" {
			reason, _ = selection.LeavesOut(m, now)
		}
		if reason != "" {
			e.would(ledger.Skipped, reason, nil)
			return
		}
		if _, err := mapping.Make(mapping.Input{Message: m, Now: now}); err != nil {
			failure := message.Describe(err)
			e.would("", "", &failure)
			return
		}
		e.would(ledger.Created, "", nil)
		return
	}
	switch {
	case e.Message.Stage == db.MessageStagePurged:
		e.would(ledger.Unchanged, "", nil)
	case e.Origin.State == OriginPurged:
		e.would(ledger.Purged, "", nil)
	case e.Message.Stage == db.MessageStageTransferred && !e.Message.dialogUnderWay(now):
		e.would(ledger.Created, "", nil)
	case m.ChangeSeq > e.Message.ChangeSeq:
		e.would(ledger.Updated, "", nil)
	default:
		e.would(ledger.Unchanged, "", nil)
	}
}
