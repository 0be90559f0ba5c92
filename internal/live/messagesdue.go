package live

import (
	"context"
	"fmt"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
)

// dueRows is how many messages that are due are taken up at a time.
const dueRows = 200

// walkDue delivers messages that are owed a delivery or are to be looked at again, each by reading it anew, until none is due.
func (r *pollRun) walkDue(ctx context.Context) error {
	fresh := &messageWalk{run: r, carrier: r.newMessageCarrier()}
	// That what failed before fails again says nothing new of the systems: only their health does. Else a few dozen bad messages would
	// stand for all in a quiet night.
	retried := &messageWalk{run: r, carrier: r.newMessageCarrier()}
	retried.carrier.Alike, retried.carrier.MaxFailureShare = &batch.Alike{}, 1
	for {
		if r.mustStop(ctx) {
			r.leave()
			return nil
		}
		more, err := r.duePage(ctx, fresh, retried)
		if err != nil || !more {
			return err
		}
	}
}

func (r *pollRun) duePage(ctx context.Context, fresh, retried *messageWalk) (more bool, err error) {
	q := db.New(r.poller.Pool)
	lookedAt, err := q.DatabaseNow(ctx)
	if err != nil {
		return false, fmt.Errorf("read the database's clock: %w", err)
	}
	due, err := q.MessagesToTry(ctx, db.MessagesToTryParams{Now: r.to, MaxRows: dueRows})
	if err != nil {
		return false, fmt.Errorf("read what is due: %w", err)
	}
	failed := func(d db.MessagesToTryRow) bool { return d.Attempt > 0 }
	for _, w := range []*messageWalk{fresh, retried} {
		rows := w.dueOf(due, func(d db.MessagesToTryRow) bool { return failed(d) == (w == retried) })
		if over, err := w.deliver(ctx, rows, lookedAt); err != nil || over {
			return false, err
		}
	}
	return len(due) == dueRows, nil
}

// dueOf makes rows of those that are the walk's.
func (w *messageWalk) dueOf(due []db.MessagesToTryRow, isMine func(db.MessagesToTryRow) bool) []message.Row {
	w.due = make(map[int32]db.MessagesToTryRow, len(due))
	var rows []message.Row
	for _, d := range due {
		if isMine(d) {
			w.due[d.Altinn2ID] = d
			rows = append(rows, message.GivenRow(d.Altinn2ID, d.Created))
		}
	}
	w.setLanes(rows)
	return rows
}
