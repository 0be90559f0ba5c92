package history

import (
	"time"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/delivery/batch"
)

// Mode says how the items at a checkpoint's own instant stand.
type Mode string

// The modes, by the words of the database.
const (
	// Below: all items at the instant are recorded; the next page begins below it.
	Below Mode = "below"
	// UpTo: some are; the next page begins with the instant itself, and what is recorded is dropped.
	UpTo Mode = "upto"
	// Tie: they fill more than a page. They are drained in ascending order with tokens, the only way to see them all.
	Tie Mode = "tie"
)

// Checkpoint is how far a window is walked: every item later than Reached is recorded.
//
// Descending pages of Storage lose rows that share a time, and every token page reads its range again from the start
// (Storage reference 3.5, 3.9). So the walk takes first pages only and moves the time bound; a page that lies entirely at
// one instant is drained by itself. No token is ever kept: where a walk is taken up again, the items at its instant are
// listed once more and the ledger tells which of them are done.
type Checkpoint struct {
	Reached time.Time
	Mode    Mode
}

// Start is the checkpoint of a window that nobody has walked.
func Start(r Range) Checkpoint { return Checkpoint{Reached: r.To, Mode: Below} }

// same compares instants, whatever zone they are written in.
func (c Checkpoint) same(other Checkpoint) bool {
	return c.Mode == other.Mode && c.Reached.Equal(other.Reached)
}

// query is the page that follows the checkpoint. token is used in mode Tie only: empty for the first page of the tie.
func (c Checkpoint) query(w Window, size int, token string) storage.Query {
	q := storage.Query{Org: w.Org, Size: size}
	switch c.Mode {
	case Tie:
		q.At, q.Token = c.Reached, token
	case UpTo:
		q.From, q.UpTo, q.Descending = w.Range.From, c.Reached, true
	case Below:
		q.From, q.To, q.Descending = w.Range.From, c.Reached, true
	}
	return q
}

// position is one listed row as the cursor sees it: its place on the axis.
type position = time.Time

// step is what a page leads to, once all its rows are recorded.
type step struct {
	// next is the checkpoint after the page.
	next Checkpoint
	// token continues a tie within the slice.
	token string
	// done: nothing of the window is left.
	done bool
	// stuck: the page's rows have no time to go on from.
	stuck bool
}

// advance decides what comes after a page. positions are those of the page's rows in the order listed; full tells that the
// page was as long as asked for, so that more may follow.
//
// It always moves on: Below and UpTo to an earlier instant or into a tie, Tie along its token or below its instant.
func (c Checkpoint) advance(positions []position, full bool, token string) step {
	if c.Mode == Tie {
		if full && token != "" {
			return step{next: c, token: token}
		}
		return step{next: Checkpoint{Reached: c.Reached, Mode: Below}}
	}
	if !full || len(positions) == 0 {
		// The page reached the window's lower edge.
		return step{next: c, done: true}
	}
	last := positions[len(positions)-1]
	if c.Mode == Below && !last.Before(c.Reached) {
		return step{next: c, stuck: true}
	}
	if positions[0].Equal(last) {
		return step{next: Checkpoint{Reached: last, Mode: Tie}}
	}
	return step{next: Checkpoint{Reached: last, Mode: UpTo}}
}

// after is the checkpoint when only the first n rows of a page are recorded (n > 0): the walk was told to stop within it.
func (c Checkpoint) after(positions []position, n int) Checkpoint {
	if c.Mode == Tie {
		return c
	}
	return Checkpoint{Reached: positions[n-1], Mode: UpTo}
}

// positionsOf gives every row its place on the axis, in UTC and microseconds as Storage sorts by. A row whose JSON has no
// time takes that of the row before it, behind which it was sorted; at the head of a page that is ceiling. So a position is
// never older than the truth, and no checkpoint made of it skips anything.
func positionsOf(rows []storage.Listed, ceiling time.Time) []position {
	positions := make([]position, len(rows))
	previous := ceiling
	for i := range rows {
		if t := batch.ChangedAt(&rows[i]); !t.IsZero() {
			previous = t
		}
		positions[i] = previous
	}
	return positions
}
