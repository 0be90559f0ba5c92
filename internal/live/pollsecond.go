package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

const (
	// secondLookAfter is how old a record is when it is looked at once more; nobody's work on a page takes as long.
	secondLookAfter = 10 * time.Minute
	// secondLookEvery is how often, secondLookRows how many at a time: a round fits into its lease.
	secondLookEvery = time.Minute
	secondLookRows  = 200
	secondLookItems = 4
)

// errNotDue tells that there is no second look to take now.
var errNotDue = errors.New("no second look is due")

// SecondLook goes over what was recorded some minutes ago and may have been wrong by the time it was:
//
//   - Tombstones. Somebody who had listed the item before it was deleted may have made its dialog right after the deletion was
//     recorded, and died before recording that. No page meets such a dialog again. What is looked at is the dialog alone, unless
//     it is there (Invariant 4).
//   - Forms just created. Between Altinn 2's calls a form can be seen without its elements and events, and nothing tells when
//     the last of them is stored (Storage reference 12.3). Of those that history created it is those that had changed within the
//     92 days before. An older one that history meets in that very moment stays as it was met until its message on the bus, or a
//     redo: nothing tells an arrival, and to look at everything again would double history's readings. They have a queue of their own,
//     so that what live recorded never waits for them.
//
// It is meant to be called every few seconds, and does a round of each queue a minute, and more at once while more is due, in one
// process at a time.
func (p *Poller) SecondLook(ctx context.Context, source ledger.Source) error {
	err := p.secondLook(ctx, source, reachSecondLook)
	if source == ledger.A2ArchivedForms {
		err = errors.Join(err, p.secondLook(ctx, source, reachHistoryLook))
	}
	return err
}

func (p *Poller) secondLook(ctx context.Context, source ledger.Source, queue string) error {
	if open, _ := p.Gate.Open(source, stream.Live); !open || isClosed(p.Stopping) {
		return nil
	}
	config := p.Config.withDefaults()
	reach := Reach{Source: source, Name: queue, Items: secondLookItems, Every: secondLookEvery}
	q := db.New(p.Pool)
	row, err := q.ClaimPoll(ctx, db.ClaimPollParams{Source: source, Reach: queue, Worker: &config.Worker, Lease: config.Lease})
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := p.ask(ctx, reach); err != nil && !errors.Is(err, errPollHeld) {
			return fmt.Errorf("second look at %s: %w", source, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("second look at %s: claim: %w", source, err)
	}
	r := &pollRun{
		poller: p, reach: reach, config: config, memory: p.memoryOf(source), epoch: row.Epoch, since: row.Since, stop: make(chan struct{}),
		deadline: time.Now().Add(config.Lease),
		log:      p.Log.With(zap.String(telemetry.LogKeySource, string(source)), zap.String(telemetry.LogKeyReach, queue)),
	}
	// Past its lease it could only be fenced.
	bounded, cancel := context.WithTimeout(ctx, config.Lease)
	defer cancel()
	full, err := r.lookAgain(bounded, row)
	release := db.ReleasePollParams{Source: source, Reach: queue, Epoch: r.epoch, Ended: true, Rest: secondLookEvery}
	if full && err == nil {
		release.Rest = 0
	}
	ctx, finished := context.WithTimeout(context.WithoutCancel(ctx), pollFinishTimeout)
	defer finished()
	if _, releaseErr := q.ReleasePoll(ctx, release); releaseErr != nil && !errors.Is(releaseErr, pgx.ErrNoRows) {
		err = errors.Join(err, releaseErr)
	}
	if err != nil && !errors.Is(err, errPollFenced) && !errors.Is(err, errNotDue) {
		return fmt.Errorf("second look at %s: %w", source, err)
	}
	return nil
}

// lookAgain does a round; full: there is more to look at.
func (r *pollRun) lookAgain(ctx context.Context, row db.Poll) (full bool, err error) {
	after := row.Since
	if r.reach.Name == reachHistoryLook {
		after = time.Time{} // history may have been at work before live began
	}
	if row.RunTo != nil {
		after = *row.RunTo
	}
	looks, err := r.due(ctx, after)
	if err != nil {
		return false, fmt.Errorf("read what is due: %w", err)
	}
	if len(looks) == 0 {
		return false, errNotDue
	}
	full = len(looks) == secondLookRows
	position := looks[len(looks)-1].RecordedAt
	if before := position.Add(-tick); full && before.After(after) {
		position = before // more may be recorded at that very instant
	}
	suspects, err := r.suspects(ctx, looks)
	if err != nil {
		return false, err
	}
	rows := make([]batch.Row, 0, len(suspects))
	for _, look := range suspects {
		rows = append(rows, r.secondRow(look))
	}
	readAt, err := db.New(r.poller.Pool).DatabaseNow(ctx)
	if err != nil {
		return false, fmt.Errorf("read the database's clock: %w", err)
	}
	carrier := r.newCarrier("")
	end := carrier.Deliver(ctx, rows, readAt)
	for i := range rows {
		r.memory.note(r.memory.tries, rows[i].Key, !rows[i].Settled() && rows[i].Pending() != nil)
		if !rows[i].Settled() && !suspects[i].RecordedAt.After(position) {
			position, full = suspects[i].RecordedAt.Add(-tick), false
		}
	}
	if reason := end.Waiting + end.Failure; reason != "" {
		r.log.Warn("second look waits", zap.String(telemetry.LogKeyReason, telemetry.Redact(reason)))
	}
	err = carrier.Record(ctx, batch.SettledRows(rows), func(ctx context.Context, q *db.Queries) error {
		moved, err := q.MovePoll(ctx, db.MovePollParams{Source: r.reach.Source, Reach: r.reach.Name, Epoch: r.epoch, RunTo: &position})
		if err == nil && moved == 0 {
			err = errPollFenced
		}
		return err
	})
	return full, err
}

// due is the head of the run's queue.
func (r *pollRun) due(ctx context.Context, after time.Time) ([]db.SecondLooksRow, error) {
	q := db.New(r.poller.Pool)
	if r.reach.Name != reachHistoryLook {
		return q.SecondLooks(ctx, db.SecondLooksParams{
			Source: r.reach.Source, After: after, Age: secondLookAfter, MaxRows: secondLookRows,
		})
	}
	forms, err := q.HistoryLooks(ctx, db.HistoryLooksParams{After: after, Age: secondLookAfter, MaxRows: secondLookRows})
	looks := make([]db.SecondLooksRow, 0, len(forms))
	for _, form := range forms {
		looks = append(looks, db.SecondLooksRow(form))
	}
	return looks, err
}

// suspects are the items to be delivered again: forms just created, and tombstones whose dialog is there.
func (r *pollRun) suspects(ctx context.Context, looks []db.SecondLooksRow) ([]db.SecondLooksRow, error) {
	keep := make([]bool, len(looks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(secondLookItems)
	for i := range looks {
		look := &looks[i]
		if look.DialogState == ledger.DialogAlive {
			keep[i] = true
			continue
		}
		group.Go(func() error {
			release, err := r.poller.admit(ctx, r.reach.Source)
			if err != nil {
				return err
			}
			defer release()
			id := look.ItemID
			if look.DialogID != nil {
				id = *look.DialogID
			}
			dialog, err := r.poller.Delivery.Dialogs.Get(ctx, id)
			if err != nil {
				return fmt.Errorf("read dialog of item %s: %w", look.ItemID, err)
			}
			keep[i] = dialog != nil && (look.DialogState == ledger.DialogAbsent || !dialog.IsDeleted())
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var suspects []db.SecondLooksRow
	for i := range looks {
		if keep[i] {
			suspects = append(suspects, looks[i])
		}
	}
	return suspects, nil
}

// secondRow is delivered silently: whatever is found happened some time ago.
func (r *pollRun) secondRow(look db.SecondLooksRow) batch.Row {
	id := altinn.InstanceID{}
	if look.PartyID != nil && look.InstanceGuid != nil {
		id = altinn.InstanceID{PartyID: int64(*look.PartyID), GUID: *look.InstanceGuid}
	}
	row := batch.GivenRow(id.String(), delivery.Item{
		Source: r.reach.Source, ID: id, Created: dialogid.Time(look.ItemID), Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1,
	})
	row.ItemID = look.ItemID
	if id.GUID == uuid.Nil {
		row.Repeat() // of a key that no instance has
	}
	return row
}
