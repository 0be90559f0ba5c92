package live

import (
	"time"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/delivery/batch"
)

// tick is what Storage's times are kept in.
const tick = time.Microsecond

// cursor is how far a forward walk of one organisation has come: every row before reached was met.
//
// The walk takes first pages and moves the time bound to the last time seen, since every token page reads its range again from
// the start (Storage reference 3.9, 3.10). Rows that share a time and fill more than a page are drained by themselves.
type cursor struct {
	reached time.Time
	// tie: the rows at reached are being drained; token continues them, empty for the first page.
	tie   bool
	token string
}

// query is the page that follows, up to the time to (exclusive).
func (c cursor) query(org string, to time.Time, size int) storage.Query {
	q := storage.Query{Org: org, Size: size}
	if c.tie {
		q.At, q.Token = c.reached, c.token
		return q
	}
	q.From, q.To = c.reached, to
	return q
}

// stride is what a page leads to.
type stride struct {
	next cursor
	// done: nothing is left before the end of the walk.
	done bool
	// stuck: a full page on which no row has a time to go on from.
	stuck bool
}

// advance decides what comes after a page. positions are those of its rows in the order listed; full: more may follow; timed: at
// least one row has a time of its own. The first row of the page after may be the last of this one.
func (c cursor) advance(positions []time.Time, full, timed bool, token string) stride {
	switch {
	case c.tie && full && token != "":
		return stride{next: cursor{reached: c.reached, tie: true, token: token}}
	case c.tie:
		return stride{next: cursor{reached: c.reached.Add(tick)}}
	case !full || len(positions) == 0:
		return stride{next: c, done: true}
	case !timed:
		return stride{next: c, stuck: true}
	}
	last := positions[len(positions)-1]
	return stride{next: cursor{reached: last, tie: positions[0].Equal(last)}}
}

// forwardPositions gives every row its place on the axis. A row whose JSON has no time takes that of the row before it, behind
// which it was sorted; at the head of a page that is floor. So a position is never later than the truth, and no position made of
// it skips anything.
func forwardPositions(rows []storage.Listed, floor time.Time) (positions []time.Time, timed bool) {
	positions = make([]time.Time, len(rows))
	previous := floor
	for i := range rows {
		if t := batch.ChangedAt(&rows[i]); !t.IsZero() {
			previous, timed = t, true
		}
		positions[i] = previous
	}
	return positions, timed
}

// frontier is the position of an organisation while a walk is under way: every change before it is delivered. It moves on with
// the walk, never past a row that is not settled, and goes back to one that shows up behind it.
type frontier struct {
	position time.Time
	// held is the earliest row that is not settled; zero: all are.
	held time.Time
}

// hold keeps the position at a row that is not settled.
func (f *frontier) hold(at time.Time) {
	if f.held.IsZero() || at.Before(f.held) {
		f.held = at
	}
}

// passes tells whether the position moves past an instant that it had not passed before.
func (f *frontier) passes(at time.Time) bool { return f.held.IsZero() && !at.Before(f.position) }

// at is the position now that the walk has reached so far.
func (f *frontier) at(reached time.Time) time.Time {
	switch {
	case !f.held.IsZero():
		return f.held
	case reached.After(f.position):
		return reached
	}
	return f.position
}

// begin is where a walk starts: some way before the position, since rows become visible after their time has passed
// (Invariant 7).
func begin(position time.Time, overlap time.Duration) cursor {
	return cursor{reached: position.Add(-overlap).UTC().Truncate(tick)}
}
