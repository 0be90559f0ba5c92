package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// EnqueueEvents inserts one job for each of these rows of the inbox, all of one source, in the transaction that writes them, and
// returns the jobs' numbers in the same order.
type EnqueueEvents func(ctx context.Context, tx pgx.Tx, source ledger.Source, rows []int64) (jobs []int64, err error)

// ErrBusy tells that more commands wait to be committed than the inbox holds: the sender is to try again.
var ErrBusy = errors.New("the inbox is full for the moment")

// CommandError tells that a command cannot be accepted, however often it is sent. It names no person.
type CommandError struct{ Problem string }

func (e *CommandError) Error() string { return "malformed command: " + e.Problem }

// What the inbox holds while it commits.
const (
	// linger is how long the first command of a transaction waits for others. A commit takes as long.
	linger = 2 * time.Millisecond
	// largestCommit is how many commands are committed together at most.
	largestCommit = 1000
	// mostWaiting is how many may wait: some seconds' worth.
	mostWaiting = 20 * largestCommit
	// commitsAtOnce lets one transaction be filled, and another sent, while a third waits for the disk.
	commitsAtOnce = 2
	// commitTimeout bounds a commit, whose callers may have hung up.
	commitTimeout = 10 * time.Second
)

// Inbox keeps what was accepted until it is delivered: a row and a job a command, committed in one transaction (Invariant 1).
// Calls that come at the same time share a transaction. It is safe for concurrent use; make it with NewInbox.
type Inbox struct {
	pool    *pgxpool.Pool
	enqueue EnqueueEvents
	gate    *stream.Gate
	metrics *EventMetrics
	slots   chan struct{}
	// leads are the commits under way. None is the caller's: the first of those that wait for it may hang up.
	leads sync.WaitGroup

	mu sync.Mutex
	// filling takes commands in; nil: there is none.
	filling *commit
	waiting int
}

// commit is one transaction and those who wait for it.
type commit struct {
	commands []Command
	full     chan struct{}
	done     chan struct{}
	err      error
}

// NewInbox makes an inbox; metrics may be nil.
func NewInbox(pool *pgxpool.Pool, enqueue EnqueueEvents, gate *stream.Gate, metrics *EventMetrics) *Inbox {
	return &Inbox{pool: pool, enqueue: enqueue, gate: gate, metrics: metrics, slots: make(chan struct{}, commitsAtOnce)}
}

// Accept returns nil once the commands are committed. Errors: *CommandError, for which nothing was accepted; ErrBusy; those
// of the database and of ctx, after which some or all may have been accepted nonetheless: events are hints, and a second
// one does no harm (Invariant 2).
func (i *Inbox) Accept(ctx context.Context, commands ...Command) error {
	for n := range commands {
		if err := commands[n].Check(); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(commands, largestCommit) {
		if err := i.accept(ctx, part); err != nil {
			return fmt.Errorf("accept %d commands: %w", len(commands), err)
		}
	}
	return nil
}

// Wait waits for the commits under way. It is called when nobody accepts any more; they are over within seconds.
func (i *Inbox) Wait() { i.leads.Wait() }

func (i *Inbox) accept(ctx context.Context, commands []Command) error {
	joined, leads, err := i.join(commands)
	if err != nil {
		return err
	}
	if leads {
		i.leads.Go(func() { i.lead(ctx, joined) })
	}
	select {
	case <-joined.done:
		return joined.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join adds commands to the transaction that is being filled, or begins one, which the caller then sees to.
func (i *Inbox) join(commands []Command) (joined *commit, leads bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting+len(commands) > mostWaiting {
		return nil, false, ErrBusy
	}
	i.waiting += len(commands)
	if i.filling != nil && len(i.filling.commands)+len(commands) > largestCommit {
		i.closeFilling()
	}
	if leads = i.filling == nil; leads {
		i.filling = &commit{full: make(chan struct{}), done: make(chan struct{})}
	}
	joined = i.filling
	joined.commands = append(joined.commands, commands...)
	if len(joined.commands) == largestCommit {
		i.closeFilling()
	}
	return joined, leads, nil
}

func (i *Inbox) closeFilling() {
	close(i.filling.full)
	i.filling = nil
}

// lead waits for others to join, and commits. While all slots are taken more can join.
func (i *Inbox) lead(ctx context.Context, c *commit) {
	timer := time.NewTimer(linger)
	select {
	case <-c.full:
		timer.Stop()
	case <-timer.C:
	}
	i.slots <- struct{}{}
	defer func() { <-i.slots }()
	i.mu.Lock()
	if i.filling == c {
		i.closeFilling()
	}
	i.mu.Unlock()

	defer close(c.done)
	// The callers must not fail because the first of them hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	c.err = i.write(ctx, c.commands)
	i.mu.Lock()
	i.waiting -= len(c.commands)
	i.mu.Unlock()
}

// write inserts rows and jobs. What belongs to a stream that stands still gets no job: the keeper gives it one in time.
func (i *Inbox) write(ctx context.Context, commands []Command) error {
	moving := map[ledger.Source]bool{}
	for _, source := range Sources() {
		open, _ := i.gate.Open(source, stream.Live)
		_, _, waiting := i.gate.Waiting(source, stream.Live)
		moving[source] = open && !waiting
	}
	p := columnsOf(commands)
	err := db.InTx(ctx, i.pool, func(tx pgx.Tx, q *db.Queries) error {
		var err error
		if p.Ids, err = q.NextInboxIDs(ctx, int32(len(commands))); err != nil { //nolint:gosec // at most largestCommit
			return fmt.Errorf("number rows: %w", err)
		}
		for source, moves := range moving {
			if !moves {
				continue
			}
			if err := i.giveJobs(ctx, tx, source, &p); err != nil {
				return err
			}
		}
		if err := q.AddToInbox(ctx, p); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for n := range commands {
		i.metrics.accepted(ctx, db.Source(p.Sources[n]), commands[n].Intake)
	}
	if slices.Contains(p.Sources, string(ledger.A3AppInstances)) {
		i.gate.Heard()
	}
	return nil
}

// giveJobs makes the jobs of a source's rows.
func (i *Inbox) giveJobs(ctx context.Context, tx pgx.Tx, source ledger.Source, p *db.AddToInboxParams) error {
	var rows []int64
	var at []int
	for n, of := range p.Sources {
		if of == string(source) {
			rows, at = append(rows, p.Ids[n]), append(at, n)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	jobs, err := i.enqueue(ctx, tx, source, rows)
	if err != nil {
		return err
	}
	for n, job := range jobs {
		p.JobIds[at[n]] = job
	}
	return nil
}

func columnsOf(commands []Command) db.AddToInboxParams {
	p := db.AddToInboxParams{JobIds: make([]int64, len(commands))}
	for n := range commands {
		c := &commands[n]
		p.InstanceGuids = append(p.InstanceGuids, c.ID.GUID)
		p.Created = append(p.Created, c.Created)
		p.PartyIds = append(p.PartyIds, int32(c.ID.PartyID)) //nolint:gosec // check admits 31 bits
		p.Sources = append(p.Sources, string(sourceOf(c.AppID)))
		p.Migrations = append(p.Migrations, c.Migration)
		p.Intakes = append(p.Intakes, string(c.Intake))
		p.AppIds = append(p.AppIds, c.AppID)
	}
	return p
}

// Check refuses what the table could not hold: one such command must not fail the others of its transaction. The error is a
// *CommandError.
func (c *Command) Check() error {
	const (
		partyBits  = 31
		longestApp = 300
	)
	earliest, latest := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	switch org, app, found := strings.Cut(c.AppID, "/"); {
	case c.ID.IsZero() || c.ID.PartyID <= 0 || c.ID.PartyID >= 1<<partyBits:
		return &CommandError{Problem: "it names no instance"}
	case !found || org == "" || app == "" || strings.Contains(app, "/"):
		return &CommandError{Problem: "its app id is not org/app"}
	case len(c.AppID) > longestApp || !utf8.ValidString(c.AppID) || strings.ContainsRune(c.AppID, 0):
		return &CommandError{Problem: "its app id is no text of ordinary length"}
	case !c.Created.IsZero() && (c.Created.Before(earliest) || c.Created.After(latest)):
		return &CommandError{Problem: "its instance's creation time is impossible"}
	}
	return nil
}
