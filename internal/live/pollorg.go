package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

const (
	// smallestPollPage is as far as a page shrinks when Storage cannot answer larger ones in time; largestPollPage as far as one
	// grows where a smaller one leads nowhere.
	smallestPollPage = 50
	largestPollPage  = 10_000
	// pollPausesInRest makes the first pause between tries half a second at the default rest of 15 s.
	pollPausesInRest = 30
)

// orgWalk is a forward walk through one organisation.
type orgWalk struct {
	run     *pollRun
	org     string
	cursor  cursor
	front   frontier
	carrier *batch.Carrier
	// larger doubles the page where a smaller one led nowhere.
	larger int
	// edge are the rows of the page before at the instant that it ended with: the next page begins with them.
	edge map[rowKey]bool
	// failure is why the organisation, or an item of it, cannot get on.
	failure string
	// listed and known are counted and not yet written.
	listed, known int64
}

// rowKey is one version of an item.
type rowKey struct {
	item    string
	changed time.Time
}

func keyOf(row *batch.Row) rowKey { return rowKey{row.PageKey(), row.Changed()} }

// walkOrg walks from some way before the organisation's position to the end of the run. Items that fail hold the position and
// nothing else. An error is one of this process or its database.
func (r *pollRun) walkOrg(ctx context.Context, org string, position time.Time) error {
	w := &orgWalk{run: r, org: org, front: frontier{position: position}, cursor: begin(position, r.reach.Overlap)}
	w.carrier = r.newCarrier(org)
	for over := false; !over; {
		var err error
		if over, err = w.step(ctx); err != nil {
			return err
		}
	}
	if w.failure != "" {
		r.fail()
	}
	r.note(w.end())
	return nil
}

// step does a page, unless the walk is over or told to stop.
func (w *orgWalk) step(ctx context.Context) (over bool, err error) {
	r := w.run
	if !w.cursor.reached.Before(r.to) {
		return true, nil
	}
	r.giveWay(ctx)
	if r.mustStop(ctx) {
		r.leave()
		return true, nil
	}
	done, end, err := w.page(ctx)
	if errors.Is(err, errPollFenced) || errors.Is(context.Cause(ctx), errPollFenced) {
		w.carrier.MakeGood(ctx)
		return true, errPollFenced
	}
	if err != nil {
		return true, err
	}
	if end.Waiting != "" {
		_, failing := w.carrier.Failing()
		r.wait(end.Waiting, failing)
		return true, nil
	}
	w.failure = cmp.Or(w.failure, end.Failure)
	return done, nil
}

// fail notes that an item or an organisation could not get on.
func (r *pollRun) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = true
}

// end is where the walk stands, with what it has counted and not yet written.
func (w *orgWalk) end() orgEnd {
	e := orgEnd{org: w.org, position: w.front.at(w.cursor.reached), failure: w.failure, listed: w.listed, known: w.known}
	w.listed, w.known = 0, 0
	return e
}

func (r *pollRun) newCarrier(org string) *batch.Carrier {
	p := r.poller
	return &batch.Carrier{
		Pool: p.Pool, Delivery: p.Delivery, Health: p.Health, Log: r.log, Alike: r.memory.alike,
		MaxFailureShare: r.maxFailureShare(), Source: r.reach.Source, Org: org,
		Concurrency: r.reach.Items, FirstPause: r.config.Rest / pollPausesInRest, Grace: pollGrace,
		Stop: r.stop, Stopping: p.Stopping, MustStop: r.mustStop,
		Admit: func(ctx context.Context) (func(), error) { return p.admit(ctx, r.reach.Source) },
		Blame: func(row *batch.Row) bool { return r.memory.triesOf(row.Key) >= pollBlameAfter },
	}
}

// page is one step of the walk: list, deliver what is not there, record.
func (w *orgWalk) page(ctx context.Context) (done bool, end batch.Ending, err error) {
	listedAt, err := db.New(w.run.poller.Pool).DatabaseNow(ctx)
	if err != nil {
		return false, end, fmt.Errorf("read the database's clock: %w", err)
	}
	listing, again, end, err := w.list(ctx)
	if err != nil || again || end.Waiting != "" {
		return false, end, err
	}
	if end.Failure != "" { // the organisation cannot be listed further
		w.front.hold(w.front.at(w.cursor.reached))
		return true, end, nil
	}
	positions, timed := forwardPositions(listing.Instances, w.cursor.reached)
	next := w.cursor.advance(positions, listing.Full || listing.NextToken != "", timed, listing.NextToken)
	if next.stuck {
		if w.grow() {
			return false, end, nil
		}
		w.front.hold(w.front.at(w.cursor.reached))
		return true, batch.Ending{Failure: "not one row of a full page has a lastChanged to go on from"}, nil
	}
	rows, err := w.admit(ctx, listing.Instances, positions, listedAt)
	if err != nil {
		return false, end, err
	}
	end = w.carrier.Deliver(ctx, rows, listedAt)
	w.judge(rows)
	w.noteAlone(rows, end)
	w.cursor, w.larger = next.next, 0
	if next.done && w.front.held.IsZero() {
		w.cursor.reached = w.run.to
	}
	w.keepEdge(rows)
	return next.done, end, w.record(ctx, rows, !next.done)
}

// list asks for the next page. again: another one is to be asked for.
func (w *orgWalk) list(ctx context.Context) (listing storage.Page, again bool, end batch.Ending, err error) {
	r := w.run
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.carrier.CancelAfterGrace(ctx, cancel)()
	query := w.cursor.query(w.org, r.to, w.pageSize())
	batch.VersionFilter(r.reach.Source, &query)
	listing, err = r.poller.Storage.ListInstances(ctx, query)
	if err == nil && len(listing.Instances) == 0 && listing.NextToken != "" {
		err = &storage.PageError{Problem: "an empty page that says more follow"}
	}
	if err == nil {
		r.memory.note(r.memory.timeouts, w.org, false)
		return listing, false, end, nil
	}
	if ctx.Err() != nil {
		r.leave()
		return listing, true, end, nil // told to stop: the walk's next look finds out
	}
	if _, odd := errors.AsType[*storage.PageError](err); odd && w.grow() {
		return listing, true, end, nil
	}
	failure := telemetry.Redact(err.Error())
	if transport.Classify(err) == transport.Systemic {
		return listing, false, batch.Ending{Waiting: failure}, nil
	}
	if reason, failing := w.carrier.Failing(); failing {
		return listing, false, batch.Ending{Waiting: reason}, nil
	}
	r.memory.note(r.memory.timeouts, w.org, true)
	return listing, false, batch.Ending{Failure: failure}, nil
}

// pageSize shrinks when Storage could not answer. Within a tie it is larger, since every token page reads the tie again from its
// start, and it grows where a token, or the rows of a page, lead nowhere.
func (w *orgWalk) pageSize() int {
	const halvings = 3
	size := w.run.config.PageSize
	if w.cursor.tie {
		size *= 2
	} else if tries := min(w.run.memory.timeoutsOf(w.org), halvings); tries > 0 {
		size = max(size>>tries, min(smallestPollPage, size))
	}
	return min(size<<w.larger, max(largestPollPage, size))
}

// grow asks for larger pages from here; false when they cannot grow further.
func (w *orgWalk) grow() bool {
	if w.pageSize() >= largestPollPage {
		return false
	}
	w.larger++
	w.cursor.token = "" // a tie is drained from its start
	return true
}

// admit makes rows of a listing, and settles those that need nothing done.
func (w *orgWalk) admit(ctx context.Context, listing []storage.Listed, positions []time.Time, listedAt time.Time) ([]batch.Row, error) {
	r := w.run
	now := r.poller.now()
	rows := make([]batch.Row, len(listing))
	ids := make([]uuid.UUID, 0, len(listing))
	inPage := make(map[string]bool, len(listing))
	var malformed []string
	for i := len(listing) - 1; i >= 0; i-- { // the newest version of an item comes last
		rows[i] = batch.NewRow(&listing[i], positions[i], r.reach.item(now.Sub(positions[i])))
		if w.edge[keyOf(&rows[i])] || inPage[rows[i].PageKey()] {
			rows[i].Repeat()
			continue
		}
		w.listed++
		inPage[rows[i].PageKey()] = true
		if rows[i].Malformed() {
			malformed = append(malformed, rows[i].Key)
		} else {
			ids = append(ids, rows[i].ItemID)
		}
	}
	q := db.New(r.poller.Pool)
	known, quarantined, err := lookup(ctx, q, r.reach.Source, ids, malformed)
	if err != nil {
		return nil, fmt.Errorf("admit page: %w", err)
	}
	for i := range rows {
		row := &rows[i]
		if row.Repeated {
			continue
		}
		if row.Malformed() {
			if _, in := quarantined[row.Key]; in {
				row.Repeat()
			}
			continue
		}
		entry, found := known[row.ItemID]
		if found {
			row.Known = &entry
		}
		switch {
		case found && (batch.SameVersion(row) && !r.reach.again(entry.Outcome) || entry.ReadAt.After(listedAt)):
			// Delivered, or read since it was listed by somebody who knows better.
			row.Repeat()
		case r.reach.leaves(now.Sub(row.Position)):
			row.Left = true
		}
	}
	return rows, nil
}

func lookup(
	ctx context.Context, q *db.Queries, source ledger.Source, ids []uuid.UUID, malformed []string,
) (known map[uuid.UUID]ledger.Entry, quarantined map[string]int64, err error) {
	if len(ids) > 0 {
		if known, err = ledger.Lookup(ctx, q, ids); err != nil {
			return nil, nil, err
		}
	}
	if len(malformed) > 0 {
		quarantined, err = ledger.QuarantinedBy(ctx, q, source, malformed)
	}
	return known, quarantined, err
}

// judge holds the position at what is not settled, and counts what was known.
func (w *orgWalk) judge(rows []batch.Row) {
	memory := w.run.memory
	for i := range rows {
		row := &rows[i]
		result := row.Result()
		switch {
		case !row.Settled(), row.Failure() == nil && result.Withheld > 0:
			w.front.hold(row.Position)
			if row.Pending() != nil {
				memory.note(memory.tries, row.Key, true)
			}
			continue
		case row.Repeated && row.Known != nil && w.front.passes(row.Position):
			w.known++
		}
		memory.note(memory.tries, row.Key, false)
	}
}

// keepEdge remembers the rows that the next page begins with.
func (w *orgWalk) keepEdge(rows []batch.Row) {
	if w.cursor.tie && w.cursor.token != "" {
		return // the tie's next page begins behind these
	}
	edge := map[rowKey]bool{}
	for i := range rows {
		if rows[i].Position.Equal(w.cursor.reached) {
			edge[keyOf(&rows[i])] = true
		}
	}
	w.edge = edge
}

// record writes what the page leaves. A page without news is written only when more follow; the last is written with the others
// at the end of the run.
func (w *orgWalk) record(ctx context.Context, rows []batch.Row, more bool) error {
	r := w.run
	settled := batch.SettledRows(rows)
	counts := r.count(settled)
	if counts.accounts.Seen == 0 {
		w.carrier.Forget()
		if !more || w.cursor.tie {
			return nil
		}
		r.note(w.end())
		return r.flush(ctx)
	}
	end := w.end()
	err := w.carrier.Record(ctx, settled, func(ctx context.Context, q *db.Queries) error {
		return r.write(ctx, q, []orgEnd{end}, r.count(settled))
	})
	if err != nil {
		return err
	}
	counts = r.count(settled)
	r.mu.Lock()
	r.totals.Merge(counts.accounts)
	r.mu.Unlock()
	r.poller.Metrics.delivered(ctx, r.reach, counts)
	return nil
}

// pageCounts are what a page delivered.
type pageCounts struct {
	accounts batch.Accounts
	// found are versions of items that nobody had brought over.
	found int64
	// arrivals are how long after their lastChanged items were first met.
	arrivals []time.Duration
}

// count counts rows with an outcome.
func (r *pollRun) count(settled []*batch.Row) pageCounts {
	c := pageCounts{accounts: batch.AccountsOf(settled)}
	now := r.poller.now()
	for _, row := range settled {
		if row.Repeated || row.Failure() != nil {
			continue
		}
		if row.Known == nil || !row.Known.SourceChanged.IsZero() && !row.Known.SourceChanged.Equal(row.Changed()) {
			c.found++
		}
		// What is older than the stream was not late: it is history's.
		if row.Known == nil && r.reach.Source == ledger.A2ArchivedForms && !row.Changed().Before(r.since) {
			c.arrivals = append(c.arrivals, max(now.Sub(row.Changed()), 0))
		}
	}
	return c
}

func (c pageCounts) write(ctx context.Context, q *db.Queries, r *pollRun, org string) error {
	a := c.accounts
	if a.Seen == 0 {
		return nil
	}
	skippedBy, err := json.Marshal(a.SkippedBy)
	if err != nil {
		return fmt.Errorf("write reasons: %w", err)
	}
	err = q.CountPoll(ctx, db.CountPollParams{
		Source: r.reach.Source, Reach: r.reach.Name, Org: org, Epoch: r.epoch, Found: c.found,
		Created: a.Created, Updated: a.Updated, Unchanged: a.Unchanged, Deleted: a.Deleted, Purged: a.Purged, Restored: a.Restored,
		Skipped: a.Skipped, Quarantined: a.Quarantined, SkippedByReason: skippedBy,
	})
	if err != nil {
		return fmt.Errorf("record counts: %w", err)
	}
	if len(c.arrivals) == 0 {
		return nil
	}
	p := db.AddArrivalsParams{Source: r.reach.Source}
	for bound, b := range lagBuckets(c.arrivals) {
		p.Lags, p.Items, p.Longest = append(p.Lags, bound), append(p.Items, b.items), append(p.Longest, b.longest)
	}
	if err := q.AddArrivals(ctx, p); err != nil {
		return fmt.Errorf("record lags of arrivals: %w", err)
	}
	return nil
}
