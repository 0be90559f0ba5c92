package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// messageWalk brings messages over in a run.
type messageWalk struct {
	run     *pollRun
	carrier *message.Carrier
	// due are the messages of the page that were due, by number.
	due map[int32]db.MessagesToTryRow
}

func (r *pollRun) newMessageCarrier() *message.Carrier {
	p := r.poller
	return &message.Carrier{
		Deliverer: p.Messages, Health: p.MessageHealth, Log: r.log, Alike: r.memory.alike, MaxFailureShare: r.maxFailureShare(),
		FirstPause: r.config.Rest / pollPausesInRest, Grace: pollGrace, Stop: r.stop, Stopping: p.Stopping, MustStop: r.mustStop,
		Admit: func(ctx context.Context) (func(), error) { return p.admit(ctx, r.reach.Source) },
		Pace:  func(ctx context.Context) error { return p.pace(ctx, r.reach.Source) },
		// Nobody is held up by a message: it is put off.
		Patient: true, Blame: func(*message.Row) bool { return false },
	}
}

// listedRows makes rows of a page. Of a message that it has twice the later one counts: both show it as it was when it was read.
func (w *messageWalk) listedRows(items []altinn2.Listed) []message.Row {
	rows := make([]message.Row, 0, len(items))
	met := make(map[int32]bool, len(items))
	for i := range slices.Backward(items) {
		if id := items[i].ID; id > 0 && met[id] {
			continue
		}
		met[items[i].ID] = true
		rows = append(rows, message.NewRow(&items[i]))
	}
	slices.Reverse(rows)
	w.setLanes(rows)
	return rows
}

// setLanes has messages that are older than live brought over as history does: nothing new happened by their coming (Invariant 10).
func (w *messageWalk) setLanes(rows []message.Row) {
	for i := range rows {
		if rows[i].Created.Before(w.run.since) {
			rows[i].Lane = message.History
		}
	}
}

// deliver brings rows over and records what came of them; what fails for a moment is put off. over: the run cannot go on with them.
// lookedAt is the database's time before they were listed.
func (w *messageWalk) deliver(ctx context.Context, rows []message.Row, lookedAt time.Time) (over bool, err error) {
	r := w.run
	if len(rows) == 0 {
		return false, nil
	}
	record := func(ctx context.Context, q *db.Queries, settled []*message.Row) error {
		return w.record(ctx, q, settled, lookedAt)
	}
	end, err := w.carrier.Bring(ctx, rows, message.Order{Lane: message.Live}, record)
	if err != nil {
		return true, fmt.Errorf("bring messages over: %w", err)
	}
	w.noteAlone(rows, end)
	counts := w.count(batch.SettledRows(rows))
	r.totals.Merge(counts.accounts)
	r.poller.Metrics.delivered(ctx, r.reach, counts)
	if end.Waiting != "" {
		r.wait(end.Waiting, true)
		return true, nil
	}
	var open []*message.Row
	held := false
	for i := range rows {
		switch r := &rows[i]; {
		case r.Settled():
		case r.Pending() == nil:
			held = true
		default:
			open = append(open, r)
		}
	}
	switch {
	case len(open) == 0 && !held:
		return false, nil
	case r.mustStop(ctx):
		r.leave()
		return true, nil
	case held: // the lease was lost at every try
		r.fail()
		if w.due == nil || len(open) == 0 {
			return true, nil // the cursor stays before them
		}
		return true, w.putOff(ctx, open)
	}
	return false, w.putOff(ctx, open)
}

// count counts what was recorded. That a message was made visible that had been counted when it was stored is no news.
func (w *messageWalk) count(settled []*message.Row) pageCounts {
	c := pageCounts{accounts: message.AccountsOf(settled)}
	for _, row := range settled {
		due, found := w.due[row.Number]
		if found && due.Hidden && row.Failure() == nil && !row.Repeated && row.Result().Outcome == ledger.Created {
			c.accounts.Created--
			c.accounts.Unchanged++
		}
	}
	return c
}

// record writes what belongs to rows that get an outcome: the proof that the run goes on, counts, and what is owed no more.
func (w *messageWalk) record(ctx context.Context, q *db.Queries, settled []*message.Row, lookedAt time.Time) error {
	r := w.run
	if err := r.moveCursor(ctx, q, r.changes, 0); err != nil { // Invariant 5
		return err
	}
	if err := w.count(settled).write(ctx, q, r, ""); err != nil {
		return err
	}
	var again []*message.Row
	var done, looked []int32
	for _, row := range settled {
		if failure := row.Failure(); failure != nil && isPassing(failure) {
			again = append(again, row)
		} else {
			done = append(done, row.Number)
		}
		if _, due := w.due[row.Number]; due {
			looked = append(looked, row.Number)
		}
	}
	if len(done) > 0 {
		if err := q.DropMessageRetries(ctx, db.DropMessageRetriesParams{Altinn2Ids: done, ReadAt: lookedAt}); err != nil {
			return fmt.Errorf("record that messages are owed no more: %w", err)
		}
	}
	if err := w.keepRetries(ctx, q, again); err != nil {
		return err
	}
	if len(looked) == 0 {
		return nil
	}
	if err := q.MessagesLookedAt(ctx, db.MessagesLookedAtParams{Altinn2Ids: looked, Now: r.to}); err != nil {
		return fmt.Errorf("record that messages were looked at: %w", err)
	}
	return nil
}

// messagesWait tells whether something holds the stream of messages although this run went well: the walk over changes could not get
// on, or nothing was tried.
func (r *pollRun) messagesWait(ctx context.Context) (bool, error) {
	if _, _, waits := r.poller.Gate.Waiting(r.reach.Source, stream.Live); !waits || r.reach.follows() {
		return r.totals.Seen == 0 && !r.waited, nil
	}
	first, err := db.New(r.poller.Pool).PollOf(ctx, db.PollOfParams{Source: r.reach.Source, Reach: FirstReach(r.reach.Source)})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("read how the walk over changes stands: %w", err)
	}
	return first.WaitingReason != nil || r.totals.Seen == 0 && !r.waited, nil
}
