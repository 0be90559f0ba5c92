package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// maxOvertaken bounds how often an item is read again because others deliver it at the same time. Each of them lets go
// after its own delivery, so a few are plenty.
const maxOvertaken = 5

// Recorder brings single items over and records what came of it. It is safe for concurrent use.
type Recorder struct {
	Pool      *pgxpool.Pool
	Deliverer *Deliverer
}

// RecordError tells that a delivery was made and not recorded: repeating it changes nothing (Invariant 2). No item is to
// blame for it.
type RecordError struct{ Err error }

func (e *RecordError) Error() string { return "record outcome: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// Transient tells the classification of errors that it says nothing of the item.
func (e *RecordError) Transient() bool { return true }

// Refused tells that PostgreSQL does not take the record for what is in it, and will not take it the next time either: data
// exceptions and violated constraints (SQLSTATE classes 22 and 23). The failure names code, table and constraint; what PostgreSQL
// says beyond that may quote the row.
func (e *RecordError) Refused() (Failure, bool) {
	refusal, ok := errors.AsType[*pgconn.PgError](e.Err)
	if !ok || !strings.HasPrefix(refusal.Code, "22") && !strings.HasPrefix(refusal.Code, "23") {
		return Failure{}, false
	}
	detail := []string{"PostgreSQL refuses the record of what was delivered: SQLSTATE " + refusal.Code}
	for _, named := range [...]struct{ what, name string }{
		{"table", refusal.TableName}, {"column", refusal.ColumnName}, {"constraint", refusal.ConstraintName},
	} {
		if named.name != "" {
			detail = append(detail, named.what+" "+named.name)
		}
	}
	return Failure{Class: transport.Permanent, Reason: "record_refused_" + refusal.Code, Detail: strings.Join(detail, ", ")}, true
}

// Also writes what belongs to a delivery beside its record, in the same transaction; nil writes nothing.
type Also func(ctx context.Context, q *db.Queries, result Result) error

// Deliver brings an item over by reading everything, and writes its ledger row, its release from quarantine and also in one
// transaction. An item that others recorded meanwhile is delivered again (Invariant 4). Errors: *RecordError; whatever else
// comes is the delivery's own, and its result tells only the source and the instance as far as they are known.
func (r *Recorder) Deliver(ctx context.Context, item Item, also Also) (Result, error) {
	for range maxOvertaken {
		result, err := r.Deliverer.Deliver(ctx, item)
		if err != nil {
			return result, err
		}
		overtaken, err := r.record(ctx, item, result, also)
		if err != nil {
			return result, &RecordError{Err: err}
		}
		if !overtaken {
			return result, nil
		}
	}
	return Result{}, &RecordError{Err: fmt.Errorf("item %s: others kept delivering it; try again", item.ID)}
}

func (r *Recorder) record(ctx context.Context, item Item, result Result, also Also) (overtaken bool, err error) {
	err = db.InTx(ctx, r.Pool, func(_ pgx.Tx, q *db.Queries) error {
		missed, err := ledger.Record(ctx, q, []ledger.Entry{result.Entry()})
		if err != nil {
			return fmt.Errorf("item %s: %w", item.ID, err)
		}
		if overtaken = len(missed) > 0; overtaken {
			return nil
		}
		// First the inbox, then the quarantine: a failing delivery of the same item writes both in that order.
		if also != nil {
			if err := also(ctx, q, result); err != nil {
				return err
			}
		}
		keys := []string{item.ID.String(), result.Instance.String()}
		for _, source := range []ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms} {
			// A failure may have been kept under either, where nobody could tell.
			if _, err := ledger.ReleaseRead(ctx, q, source, keys, []time.Time{result.ReadAt, result.ReadAt}); err != nil {
				return fmt.Errorf("item %s: %w", item.ID, err)
			}
		}
		return nil
	})
	return overtaken, err
}

// Entry is the ledger's row of what was delivered. A delivery that withheld something leaves it open which version of the source
// was brought over, so that nobody takes the item for done.
func (r *Result) Entry() ledger.Entry {
	return ledger.Entry{
		ItemID: r.ItemID, DialogID: r.DialogID, Instance: r.Instance, Source: r.Source, SourceChanged: r.SourceChanged, Open: r.Withheld > 0,
		A1Ref: r.A1Ref, A2Ref: r.A2Ref, ReadAt: r.ReadAt, Outcome: r.Outcome, Reason: r.Reason, State: r.State, Unseen: r.Unseen,
		MappingVersion: mapping.Version,
	}
}

// Quarantined is an item whose delivery failed, as the quarantine keeps it. An item of which nobody can tell the source is
// kept among app instances.
func Quarantined(item Item, result Result, failure Failure, attempts int) ledger.Quarantined {
	q := ledger.Quarantined{
		Source:  cmp.Or(item.Source, result.Source, item.source(item.AppID)),
		ItemKey: cmp.Or(result.Instance, item.ID).String(), AppID: item.AppID, InstanceCreated: item.Created,
		Class: failure.Class.String(), Reason: failure.Reason, Detail: failure.Detail, Attempts: attempts,
	}
	if !item.Created.IsZero() {
		q.ItemID = dialogid.V7(item.ID.GUID, item.Created)
		q.Position = item.Created // the nearest known time: its lastChanged was not read
	}
	return q
}
