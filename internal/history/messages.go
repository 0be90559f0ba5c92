package history

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
)

// messages is what the courses through messages have in common.
type messages struct {
	*turn

	carrier *message.Carrier
}

func newMessages(t *turn) messages {
	return messages{turn: t, carrier: &message.Carrier{
		Deliverer: t.walker.Messages, Health: t.walker.MessageHealth, Log: t.log, Alike: t.alike,
		MaxFailureShare: t.backfill.MaxFailureShare, WindowID: t.window.ID,
		// Given items must not take an item from the walk that counts it.
		WindowTakes: t.window.Items == nil,
		FirstPause:  t.config.Rest / pausesInRest, Grace: grace,
		Stop: t.stop, Stopping: t.walker.Stopping, MustStop: t.mustStop, Admit: t.admitItem, Pace: t.paceItem,
		Blame:     func(*message.Row) bool { return t.window.Attempts >= blameAfter },
		BlameHint: blameHint,
	}}
}

// makeGood has nothing to do: whoever took the window over reads each message's record under its lease.
func (m *messages) makeGood(context.Context) {}

// pageSize shrinks when the source could not answer.
func (m *messages) pageSize(largest int) int {
	const halvings = 3
	size := min(m.config.PageSize, largest)
	return max(size>>min(m.window.Attempts, halvings), min(smallestPage, size))
}

// carrying is a way of bringing the rows of a page over.
type carrying func(context.Context, []message.Row, message.Order, message.Write) (batch.Ending, error)

// carry brings rows over and records those that get an outcome, under the checkpoint that the page began with. settled: all have one, and
// the checkpoint may move over them.
func (m *messages) carry(
	ctx context.Context, rows []message.Row, order message.Order, bring carrying,
) (settled bool, end *ending, err error) {
	ended, err := bring(ctx, rows, order, func(ctx context.Context, q *db.Queries, now []*message.Row) error {
		if order.TransferOnly {
			if err := m.reopenPublish(ctx, q, now); err != nil {
				return err
			}
		}
		if _, err := m.save(ctx, q, m.savedOf(rows, now)); err != nil {
			return err
		}
		return m.correctedMessages(ctx, q, now)
	})
	if err != nil {
		return false, nil, err
	}
	done := batch.SettledRows(rows)
	m.wasSaved(m.savedOf(rows, done))
	m.walker.Items.count(ctx, m.stream(), message.AccountsOf(done))
	switch {
	case ended.Waiting == "" && onlyBusy(rows):
		return false, &ending{busy: true}, nil
	case ended != batch.Ending{}:
		return false, &ending{waiting: ended.Waiting, failure: ended.Failure}, nil
	case len(done) < len(rows):
		return false, &ending{}, nil // told to stop
	}
	return true, nil, nil
}

// reopenPublish makes publish walk the days of messages that are hidden now, again maybe: it promises them no more, and its open windows
// over them go back to their tops, where it lists what is hidden and nothing else. The order of the locks is that of every end of a
// window, which comes before its coverage; and before the rest of the page, since the backfill's row is part of that.
func (m *messages) reopenPublish(ctx context.Context, q *db.Queries, now []*message.Row) error {
	var days []time.Time
	for _, r := range now {
		if day := r.Created.Truncate(Day); r.Result().Hidden && !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	if len(days) == 0 {
		return nil
	}
	if err := q.AwaitBackfills(ctx); err != nil {
		return fmt.Errorf("await orders: %w", err)
	}
	err := q.ReopenWindows(ctx, db.ReopenWindowsParams{Source: m.backfill.Source, Stream: StagePublish, Org: WholeSource, Days: days})
	if err != nil {
		return fmt.Errorf("reopen windows of publish: %w", err)
	}
	err = q.UncoverDays(ctx, db.UncoverDaysParams{Source: m.backfill.Source, Stream: StagePublish, Org: WholeSource, Days: days})
	if err != nil {
		return fmt.Errorf("take back what publish covers: %w", err)
	}
	return nil
}

// onlyBusy tells whether all that is left of a page is in somebody else's hands.
func onlyBusy(rows []message.Row) bool {
	busy := false
	for i := range rows {
		if rows[i].Settled() {
			continue
		}
		if pending := rows[i].Pending(); pending == nil || pending.Reason != message.ReasonBusy {
			return false
		}
		busy = true
	}
	return busy
}

// savedOf is what rows that are settled now leave of the window; its checkpoint stays.
func (m *messages) savedOf(rows []message.Row, now []*message.Row) saved {
	s := saved{
		checkpoint: m.at(m.window.Reached), token: m.window.TieToken, itemsDone: m.window.ItemsDone, accounts: message.AccountsOf(now),
	}
	for _, r := range now {
		s.progress = s.progress || !r.Repeated && !r.Met
	}
	if m.window.Items == nil {
		return s
	}
	var keys []string
	for _, r := range batch.SettledRows(rows) {
		keys = append(keys, r.Key())
	}
	s.items = settledFirst(m.window.Items, m.window.ItemsDone, keys)
	s.itemsDone += int32(len(keys)) //nolint:gosec // at most itemsPerWindow
	return s
}

func (m *messages) at(reached time.Time) Checkpoint { return Checkpoint{Reached: reached, Mode: Below} }

// move records a checkpoint by itself, and gives what the window has seen.
func (m *messages) move(ctx context.Context, s saved) (seen int64, err error) {
	s.itemsDone = m.window.ItemsDone
	err = db.InTx(ctx, m.walker.Pool, func(_ pgx.Tx, q *db.Queries) error {
		var err error
		seen, err = m.save(ctx, q, s)
		return err
	})
	if err != nil {
		return 0, err
	}
	m.wasSaved(s)
	return seen, nil
}

// givenMessages is the course through messages given by their numbers: each is read from its source.
type givenMessages struct{ messages }

func (g *givenMessages) page(ctx context.Context) (done bool, end *ending, err error) {
	rows := make([]message.Row, 0, len(g.window.Items))
	for _, key := range g.window.Items[g.window.ItemsDone:] {
		number, err := message.ParseKey(key)
		if err != nil {
			return false, &ending{failure: fmt.Sprintf("item: %v", err), forGood: true}, nil
		}
		rows = append(rows, message.GivenRow(number, time.Time{}))
	}
	order := message.Order{Lane: message.History, TransferOnly: g.backfill.Stream == StageTransfer, Insist: true, Redo: g.backfill.Redo}
	return g.carry(ctx, rows, order, g.carrier.Bring)
}

// place is where a walk of our own record stands: below a time, and at that time below a number.
type place struct {
	reached time.Time
	below   int32
}

func (m *messages) place() (place, error) {
	p := place{reached: m.window.Reached}
	if m.window.TieToken == "" {
		return p, nil
	}
	below, err := strconv.ParseInt(m.window.TieToken, 10, 32)
	if err != nil {
		return p, fmt.Errorf("read checkpoint: %w", err)
	}
	p.below = int32(below)
	return p, nil
}

func (p place) token() string { return strconv.Itoa(int(p.below)) }
