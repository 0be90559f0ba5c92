package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	// pollBeat is how often a run tells that it is alive and looks whether it shall go on.
	pollBeat = 500 * time.Millisecond
	// pollGrace is how long items on their way may take to finish once a run is told to stop: with pollBeat and what the gate
	// takes to hear of it, a pause is felt within about two seconds.
	pollGrace = 500 * time.Millisecond
	// gateRest is how long to wait before a paused stream is looked at again.
	gateRest = 2 * time.Second
	// pollFinishTimeout bounds the last writes of a run when the process is told to end.
	pollFinishTimeout = 5 * time.Second
	// pollBlameAfter is how many runs an item may hold up, while its systems are well, before it is blamed.
	pollBlameAfter = 4
	// claimTries bounds how often a reach is asked for that is let go in the same moment.
	claimTries = 3
)

var (
	// errPollFenced tells that the reach's epoch is another run's (Invariant 5).
	errPollFenced = errors.New("the poll was taken over by another run")
	// errPollHeld tells that there is nothing to claim now.
	errPollHeld = errors.New("the poll is held, rests or has not begun")
	// errNoOrgs tells that no organisation is known yet: a run over none would promise what it has not seen.
	errNoOrgs = errors.New("no organisation is known yet")
)

// Poller polls sources: it brings over what changed since the last look, and looks again at stretches of the past for what
// became visible late (Invariant 7). It is safe for concurrent use, and any number of processes may run one: they take turns.
type Poller struct {
	Pool     *pgxpool.Pool
	Storage  *storage.Client
	Delivery *delivery.Deliverer
	Health   []batch.HealthCheck
	// Messages brings messages of Altinn 2 over, by services whose health is MessageHealth; only with PollConfig.Messages.
	Messages      *message.Deliverer
	MessageHealth []batch.HealthCheck
	// Gate is the operators' word on the streams, and the pace of each.
	Gate   *stream.Gate
	Log    *zap.Logger
	Config PollConfig
	// Admit waits until one more item may be delivered; release must be called when it is done. nil admits everything.
	Admit func(ctx context.Context, source ledger.Source) (release func(), err error)
	// Alike gives the memory of how a source's items ended that polls share with events: a world where only bad items move is told
	// from a bad system by what went well before. nil: polls have one of their own. It may give nil as well.
	Alike func(source ledger.Source) *batch.Alike
	// Metrics measures what polls find; nil measures nothing.
	Metrics *PollMetrics
	// Now is the wall clock that runs end at; default time.Now.
	Now func() time.Time
	// Stopping is closed when the process is to end: runs save their positions and return.
	Stopping <-chan struct{}

	mu    sync.Mutex
	known map[ledger.Source]*pollMemory
}

// pollMemory is what a process keeps of a source from run to run.
type pollMemory struct {
	alike *batch.Alike

	mu sync.Mutex
	// tries counts the runs that an item held up, by its key; timeouts the listings that failed in a row, by organisation.
	tries    map[string]int
	timeouts map[string]int
	alone    alone
}

func (m *pollMemory) triesOf(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries[key]
}

func (m *pollMemory) timeoutsOf(org string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.timeouts[org]
}

// note counts a try, or forgets them all.
func (m *pollMemory) note(counts map[string]int, key string, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if failed {
		counts[key]++
	} else {
		delete(counts, key)
	}
}

// PollEnd says how a call of Run ended.
type PollEnd struct {
	// Again: there is more to do at once.
	Again bool
	// Rest is how long to wait before trying again what could not be done; 0: nothing is left to do.
	Rest time.Duration
}

// Run polls a reach until nothing is left to do, or for at most TurnTime. What was left undone is taken up by the next call, in
// whatever process. One that finds another at work asks it to run once more before it ends, so that no tick is lost. An error is
// one of this process or its database.
func (p *Poller) Run(ctx context.Context, reach Reach) (PollEnd, error) {
	config := p.Config.withDefaults()
	deadline := time.Now().Add(config.TurnTime)
	for {
		if p.isOver(ctx, deadline) {
			return PollEnd{Again: true}, nil
		}
		if open, _ := p.Gate.Open(reach.Source, stream.Live); !open {
			return PollEnd{Rest: gateRest}, nil
		}
		run, rest, err := p.claim(ctx, p.present(reach), config)
		switch {
		case errors.Is(err, errPollHeld):
			return PollEnd{Rest: max(rest, 0)}, nil
		case errors.Is(err, errNoOrgs):
			return PollEnd{Rest: gateRest}, nil
		}
		if err != nil {
			return PollEnd{}, fmt.Errorf("poll %s of %s: %w", reach.Name, reach.Source, err)
		}
		run.deadline = deadline
		end, asked, err := run.do(ctx)
		if err != nil {
			return PollEnd{}, fmt.Errorf("poll %s of %s: %w", reach.Name, reach.Source, err)
		}
		if end.Again || end.Rest > 0 || !asked {
			return end, nil
		}
	}
}

// present is the reach as things are: nothing is left to events while none come in.
func (p *Poller) present(reach Reach) Reach {
	if !p.Gate.HearsEvents() {
		reach.Grace = 0
	}
	return reach
}

// isOver tells whether a run must give its slot back.
func (p *Poller) isOver(ctx context.Context, deadline time.Time) bool {
	return ctx.Err() != nil || isClosed(p.Stopping) || !time.Now().Before(deadline)
}

// claim takes a reach under a new epoch. With errPollHeld, rest is how long it is held or rests.
func (p *Poller) claim(ctx context.Context, reach Reach, config PollConfig) (run *pollRun, rest time.Duration, err error) {
	for range claimTries {
		run, err = p.take(ctx, reach, config)
		if !errors.Is(err, pgx.ErrNoRows) {
			return run, 0, err
		}
		if rest, err = p.ask(ctx, reach); err != nil {
			return nil, 0, err
		}
		if rest > 0 {
			return nil, rest, errPollHeld
		}
	}
	return nil, 0, errPollHeld
}

// ask asks a run under way for another one, and tells how long the reach is held or rests; 0: it is to be had, which it is made
// here if it never was. A reach without a schedule is asked for all the time, and needs no more.
func (p *Poller) ask(ctx context.Context, reach Reach) (rest time.Duration, err error) {
	q := db.New(p.Pool)
	if reach.Schedule == "" {
		if _, err = q.PollOf(ctx, db.PollOfParams{Source: reach.Source, Reach: reach.Name}); err == nil {
			return 0, errPollHeld
		}
	} else {
		rest, err = q.AskPoll(ctx, db.AskPollParams{Source: reach.Source, Reach: reach.Name})
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = q.AddPoll(ctx, db.AddPollParams{Source: reach.Source, Reach: reach.Name, Since: p.now()})
	}
	if err != nil {
		return 0, fmt.Errorf("ask for it: %w", err)
	}
	return rest, nil
}

// take claims a reach and begins its run, or goes on with one that was left; pgx.ErrNoRows when it is not to be had.
func (p *Poller) take(ctx context.Context, reach Reach, config PollConfig) (*pollRun, error) {
	run := &pollRun{poller: p, reach: reach, config: config, memory: p.memoryOf(reach.Source), stop: make(chan struct{})}
	err := db.InTx(ctx, p.Pool, func(_ pgx.Tx, q *db.Queries) error {
		row, err := q.ClaimPoll(ctx, db.ClaimPollParams{Source: reach.Source, Reach: reach.Name, Worker: &config.Worker, Lease: config.Lease})
		if err != nil {
			return err
		}
		run.epoch, run.since = row.Epoch, row.Since
		if !reach.follows() {
			first, err := q.PollOf(ctx, db.PollOfParams{Source: reach.Source, Reach: FirstReach(reach.Source)})
			if errors.Is(err, pgx.ErrNoRows) {
				return errPollHeld // nothing is live yet: what there is, is history's
			}
			if err != nil {
				return fmt.Errorf("read when the source was first polled: %w", err)
			}
			run.since = first.Since
		}
		if err := run.begin(ctx, q, row); err != nil {
			return err
		}
		if reach.walk == overOrgs && len(run.positions) == 0 {
			return errNoOrgs
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	run.log = p.Log.With(zap.String(telemetry.LogKeySource, string(reach.Source)), zap.String(telemetry.LogKeyStream, stream.Live),
		zap.String(telemetry.LogKeyReach, reach.Name), zap.Int64(telemetry.LogKeyEpoch, run.epoch))
	return run, nil
}

func (p *Poller) memoryOf(source ledger.Source) *pollMemory {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[ledger.Source]*pollMemory{}
	}
	if p.known[source] == nil {
		memory := &pollMemory{tries: map[string]int{}, timeouts: map[string]int{}}
		if p.Alike != nil {
			memory.alike = p.Alike(source)
		}
		if memory.alike == nil {
			memory.alike = &batch.Alike{}
		}
		p.known[source] = memory
	}
	return p.known[source]
}

func (p *Poller) now() time.Time {
	if p.Now == nil {
		return time.Now().UTC()
	}
	return p.Now().UTC()
}

// pace waits for the stream's rate.
func (p *Poller) pace(ctx context.Context, source ledger.Source) error {
	return p.Gate.Pace(ctx, stream.Stream{Source: source, Direction: stream.Live})
}

// admit waits for the stream's pace, and for whoever else has a say.
func (p *Poller) admit(ctx context.Context, source ledger.Source) (release func(), err error) {
	if err := p.pace(ctx, source); err != nil {
		return nil, err
	}
	if p.Admit == nil {
		return func() {}, nil
	}
	return p.Admit(ctx, source)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Overdue tells whether a reach has missed a tick: it was never begun, its last run was left unfinished, or that was begun longer
// than a period ago, by the database's clock.
func (p *Poller) Overdue(ctx context.Context, reach Reach, period time.Duration) (bool, error) {
	q := db.New(p.Pool)
	row, err := q.PollOf(ctx, db.PollOfParams{Source: reach.Source, Reach: reach.Name})
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read poll %s of %s: %w", reach.Name, reach.Source, err)
	}
	now, err := q.DatabaseNow(ctx)
	if err != nil {
		return false, fmt.Errorf("read the database's clock: %w", err)
	}
	return row.Unfinished || row.RunStartedAt == nil || now.Sub(*row.RunStartedAt) >= period, nil
}
