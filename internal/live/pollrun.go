package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// pollRun is one process's hold of a reach, from claim to release.
type pollRun struct {
	poller *Poller
	reach  Reach
	config PollConfig
	memory *pollMemory
	epoch  int64
	// since is when the source was first polled; to is where the walks end.
	since, to time.Time
	positions map[string]time.Time
	// changes is how far a walk that is not by organisation has come.
	changes  changesCursor
	deadline time.Time
	log      *zap.Logger

	stop     chan struct{}
	stopOnce sync.Once
	// behind: the source's first reach is at work, and goes before.
	behind atomic.Bool
	// waited: the run before could not get on.
	waited bool

	mu sync.Mutex
	// ended are organisations walked without anything to record but where they stand.
	ended []orgEnd
	// waiting is why the stream stops itself; unfinished: not every walk came to its end; failing: some item or organisation could
	// not get on.
	waiting             string
	unfinished, failing bool
	totals              batch.Accounts
	// putOff counts messages that are tried again later.
	putOff int
}

// begin sets the run's range and puts every organisation under its epoch.
func (r *pollRun) begin(ctx context.Context, q *db.Queries, row db.Poll) error {
	r.waited = row.WaitingReason != nil
	if r.reach.walk != overOrgs {
		return r.beginMessages(ctx, q)
	}
	of := r.reach
	goesOn := !of.follows() && row.Unfinished && row.RunTo != nil
	if goesOn {
		r.to = row.RunTo.UTC()
	} else {
		r.to = r.poller.now().Add(-of.Settle).Truncate(tick)
		err := q.BeginPoll(ctx, db.BeginPollParams{Source: of.Source, Reach: of.Name, Epoch: r.epoch, RunTo: &r.to})
		if err != nil {
			return fmt.Errorf("begin a run: %w", err)
		}
	}
	if !of.follows() && !goesOn {
		since := r.since
		if of.Source == ledger.A2ArchivedForms {
			// What arrives after live began is live's, and forms arrive days late (Storage reference 12.3).
			since = since.Add(-r.config.DaysSpan)
		}
		err := q.RestartPollOrgs(ctx, db.RestartPollOrgsParams{
			Source: of.Source, Reach: of.Name, Epoch: r.epoch, FromTime: r.to.Add(-of.Span), Since: since,
		})
		if err != nil {
			return fmt.Errorf("set organisations back: %w", err)
		}
	}
	orgs, err := q.TakePollOrgs(ctx, db.TakePollOrgsParams{Source: of.Source, Reach: of.Name, Epoch: r.epoch, Position: r.since})
	if err != nil {
		return fmt.Errorf("take organisations: %w", err)
	}
	r.positions = make(map[string]time.Time, len(orgs))
	for _, o := range orgs {
		r.positions[o.Org] = o.Position.UTC()
	}
	return nil
}

// do walks every organisation and lets the reach go. asked: another run shall follow at once.
func (r *pollRun) do(ctx context.Context) (end PollEnd, asked bool, err error) {
	began := time.Now()
	walks, cancel := context.WithCancelCause(ctx)
	var beats sync.WaitGroup
	beats.Go(func() { r.keepAlive(walks, cancel) })
	err = r.walk(walks)
	if err == nil {
		err = r.flush(walks)
	}
	if errors.Is(context.Cause(walks), errPollFenced) {
		err = errPollFenced
	}
	stopped := walks.Err() != nil
	cancel(nil)
	beats.Wait()
	switch {
	case errors.Is(err, errPollFenced):
		r.log.Info("poll taken over by another run")
		return PollEnd{}, false, nil
	case err != nil && stopped:
		r.unfinished, err = true, nil
	}
	end, asked, releaseErr := r.release(ctx, time.Since(began), err != nil)
	return end, asked, errors.Join(err, releaseErr)
}

func (r *pollRun) walk(ctx context.Context) error {
	switch r.reach.walk {
	case overChanges:
		return r.walkChanges(ctx)
	case overDue:
		return r.walkDue(ctx)
	case overOrgs:
	}
	return r.walkAll(ctx)
}

func (r *pollRun) walkAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.reach.Orgs)
	for org, position := range r.positions {
		if r.mustStop(ctx) {
			r.leave()
			break
		}
		group.Go(func() error {
			if err := r.walkOrg(ctx, org, position); err != nil {
				return fmt.Errorf("organisation %s: %w", org, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// leave notes that not everything was walked.
func (r *pollRun) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unfinished = true
}

// wait notes why the stream stops itself; stopAll: nobody else would fare better.
func (r *pollRun) wait(reason string, stopAll bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unfinished = true
	if r.waiting == "" {
		r.waiting = reason
	}
	if stopAll {
		r.stopOnce.Do(func() { close(r.stop) })
	}
}

func (r *pollRun) mustStop(ctx context.Context) bool {
	return isClosed(r.stop) || r.poller.isOver(ctx, r.deadline)
}

// keepAlive extends the lease and takes up an operator's pause. Another run's epoch, or a lease that ran out unextended, ends
// the run.
func (r *pollRun) keepAlive(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(pollBeat)
	defer ticker.Stop()
	q := db.New(r.poller.Pool)
	heard := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		behind, err := r.extend(ctx, q)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, pgx.ErrNoRows):
			cancel(errPollFenced)
			return
		case err == nil:
			heard = time.Now()
			r.behind.Store(behind)
		case time.Since(heard) > r.config.Lease:
			cancel(fmt.Errorf("lease not extended for %s: %w", r.config.Lease, err))
			return
		}
		if open, _ := r.poller.Gate.Open(r.reach.Source, stream.Live); !open {
			r.stopOnce.Do(func() { close(r.stop) })
		}
	}
}

// extend is not cut off in the middle: a connection would go with it at the end of every run.
func (r *pollRun) extend(ctx context.Context, q *db.Queries) (behind bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollFinishTimeout)
	defer cancel()
	behind, err = q.ExtendPoll(ctx, db.ExtendPollParams{
		Source: r.reach.Source, Reach: r.reach.Name, Epoch: r.epoch, Lease: r.config.Lease, First: FirstReach(r.reach.Source),
	})
	if err != nil {
		return false, fmt.Errorf("extend the lease: %w", err)
	}
	return behind, nil
}

// giveWay waits while the source's first reach is at work.
func (r *pollRun) giveWay(ctx context.Context) {
	ticker := time.NewTicker(pollBeat)
	defer ticker.Stop()
	for r.behind.Load() && !r.mustStop(ctx) {
		select {
		case <-ctx.Done():
		case <-r.stop:
		case <-r.poller.Stopping:
		case <-ticker.C:
		}
	}
}

// orgEnd is where an organisation stands, and what its walk met since it was last written.
type orgEnd struct {
	org           string
	position      time.Time
	failure       string
	listed, known int64
}

// note keeps where an organisation stands until the run's end, when all are written at once.
func (r *pollRun) note(e orgEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, e)
}

// flush writes where organisations stand that had nothing else to record.
func (r *pollRun) flush(ctx context.Context) error {
	r.mu.Lock()
	ended := r.ended
	r.ended = nil
	r.mu.Unlock()
	if len(ended) == 0 {
		return nil
	}
	// What is known is not lost because the run was told to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollFinishTimeout)
	defer cancel()
	err := db.InTx(ctx, r.poller.Pool, func(_ pgx.Tx, q *db.Queries) error { return r.write(ctx, q, ended, pageCounts{}) })
	if err != nil {
		return fmt.Errorf("record positions: %w", err)
	}
	return nil
}

// write records positions under the run's epoch, with their counts (Invariant 5).
func (r *pollRun) write(ctx context.Context, q *db.Queries, ends []orgEnd, page pageCounts) error {
	p := db.RecordPollsParams{Source: r.reach.Source, Reach: r.reach.Name, Epoch: r.epoch}
	var known int64
	for _, e := range ends {
		p.Orgs, p.Positions = append(p.Orgs, e.org), append(p.Positions, e.position)
		p.Failures = append(p.Failures, telemetry.Redact(e.failure))
		p.Listed, p.Known = append(p.Listed, e.listed), append(p.Known, e.known)
		known += e.known
	}
	written, err := q.RecordPolls(ctx, p)
	if err != nil {
		return fmt.Errorf("record positions: %w", err)
	}
	if written != int64(len(ends)) {
		return errPollFenced
	}
	if err := page.write(ctx, q, r, ends[0].org); err != nil {
		return err
	}
	if known == 0 && page.found == 0 {
		return nil
	}
	err = q.AddPollHour(ctx, db.AddPollHourParams{Source: r.reach.Source, Reach: r.reach.Name, Known: known, Found: page.found})
	if err != nil {
		return fmt.Errorf("record how much was found: %w", err)
	}
	return nil
}

// release lets the reach go, and says when it is to be taken up again.
func (r *pollRun) release(ctx context.Context, took time.Duration, broken bool) (end PollEnd, asked bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollFinishTimeout)
	defer cancel()
	waiting := telemetry.Redact(r.waiting)
	// A stretch listed again is over when nothing on it is left; following goes on with the next run anyway.
	ended := !r.unfinished && !broken && (r.reach.follows() || !r.failing)
	params := db.ReleasePollParams{
		Source: r.reach.Source, Reach: r.reach.Name, Epoch: r.epoch, Ended: ended, Rest: max(r.reach.Every-took, 0),
	}
	paused := false
	switch open, _ := r.poller.Gate.Open(r.reach.Source, stream.Live); {
	case waiting != "":
		params.Waiting, params.Rest = &waiting, r.config.Rest
		end.Rest = r.config.Rest
	case !open:
		paused = true
		end.Rest = gateRest
	case r.unfinished || broken:
		end.Again = true
	case r.failing:
		end.Rest = r.config.Rest
	}
	asked, err = db.New(r.poller.Pool).ReleasePoll(ctx, params)
	if errors.Is(err, pgx.ErrNoRows) {
		return PollEnd{}, false, nil // taken over
	}
	if err != nil {
		return PollEnd{}, false, fmt.Errorf("let the reach go: %w", err)
	}
	r.report(took)
	return end, asked && !paused, errors.Join(r.tellStream(ctx, waiting), r.moveWatermark(ctx), r.clean(ctx))
}

// tellStream records why the stream waits, or that it gets on.
func (r *pollRun) tellStream(ctx context.Context, waiting string) error {
	if waiting != "" {
		return r.poller.Gate.SetWaiting(ctx, r.reach.Source, stream.Live, waiting)
	}
	if r.unfinished || r.failing {
		return nil
	}
	if r.reach.walk != overOrgs {
		if blocked, err := r.messagesWait(ctx); err != nil || blocked {
			return err
		}
	} else if r.totals.Seen == 0 && !r.waited {
		// It had nothing to try a system with. What stopped the stream may be an event's, which is tried again by itself.
		if left, err := r.eventsLeft(ctx); err != nil || left {
			return err
		}
	}
	return r.poller.Gate.ClearWaiting(ctx, r.reach.Source, stream.Live)
}

// eventsLeft tells whether events of the source wait to be delivered.
func (r *pollRun) eventsLeft(ctx context.Context) (bool, error) {
	if _, _, waits := r.poller.Gate.Waiting(r.reach.Source, stream.Live); !waits {
		return false, nil
	}
	oldest, err := db.New(r.poller.Pool).OldestInInbox(ctx)
	if err != nil {
		return false, fmt.Errorf("read the oldest event: %w", err)
	}
	return slices.ContainsFunc(oldest, func(o db.OldestInInboxRow) bool { return o.Source == r.reach.Source }), nil
}

// shareKept is how long the share of what polls found is kept by the hour.
const shareKept = 31 * 24 * time.Hour

// clean drops what nobody asks for any more; once an hour at most, with what lists a stretch again.
func (r *pollRun) clean(ctx context.Context) error {
	if r.reach.follows() {
		return nil
	}
	before := r.poller.now().Add(-shareKept)
	if err := db.New(r.poller.Pool).DropOldPollHours(ctx, db.DropOldPollHoursParams{Source: r.reach.Source, Before: before}); err != nil {
		return fmt.Errorf("drop old hours: %w", err)
	}
	return nil
}

// moveWatermark records up to where the source's changes are delivered. What is due may have held it.
func (r *pollRun) moveWatermark(ctx context.Context) error {
	if !r.reach.follows() && r.reach.walk != overDue {
		return nil
	}
	q := db.New(r.poller.Pool)
	watermark, err := liveWatermark(ctx, q, r.reach.Source)
	if err != nil || watermark.IsZero() {
		return err
	}
	if err := q.MoveLiveWatermark(ctx, db.MoveLiveWatermarkParams{Source: r.reach.Source, Watermark: watermark}); err != nil {
		return fmt.Errorf("move the live watermark: %w", err)
	}
	return nil
}

// report logs a run that did something.
func (r *pollRun) report(took time.Duration) {
	a := r.totals
	if a.Seen == 0 && r.putOff == 0 {
		return
	}
	r.log.Info("poll brought items over", zap.Int64(telemetry.LogKeySeen, a.Seen), zap.Int64(telemetry.LogKeyCreated, a.Created),
		zap.Int64(telemetry.LogKeyUpdated, a.Updated), zap.Int64(telemetry.LogKeyUnchanged, a.Unchanged),
		zap.Int64(telemetry.LogKeyDeleted, a.Deleted), zap.Int64(telemetry.LogKeyPurged, a.Purged),
		zap.Int64(telemetry.LogKeyRestored, a.Restored), zap.Int64(telemetry.LogKeySkipped, a.Skipped),
		zap.Int64(telemetry.LogKeyQuarantined, a.Quarantined), zap.Int(telemetry.LogKeyPutOff, r.putOff),
		zap.Int64(telemetry.LogKeyDuration, took.Milliseconds()))
}
