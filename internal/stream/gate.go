package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	// refreshEvery is how often a gate looks. With readTimeout it keeps what operators say within two seconds of every worker.
	refreshEvery = time.Second
	readTimeout  = time.Second
	// activeFor is how long a process counts as working on a stream after its last step.
	activeFor = 5 * time.Second
	// cleanEvery is how often rows of the dead are cleared away.
	cleanEvery = 10 * time.Minute
	// hears is how long after an accepted event others are expected.
	hears = 5 * time.Minute
	// Alive is how long a worker that is not heard of counts as living.
	Alive = alive
)

// Bus is how a process's intake from the bus is. The zero value: there is none.
type Bus struct {
	Configured bool
	// Trouble is why nothing comes in, since Since; empty: it does.
	Trouble string
	Since   time.Time
}

// GateConfig is what a Gate is made of.
type GateConfig struct {
	Pool *pgxpool.Pool
	// Worker names this process; no two that live may share a name.
	Worker string
	Log    *zap.Logger
	// Throttled tells how far this process holds the history of a source back: why (empty: it does not), and the items a second left
	// to it (0: not known). nil: never. It must not block.
	Throttled func(ledger.Source) (reason string, perSecond float64)
	// Bus tells how the intake from the bus is; nil: there is none. It must not block.
	Bus func() Bus
}

// Gate is what a worker process knows of the streams: whether they are open, and its share of their rates. It asks the
// database every second; while that is down, what was known last holds, and before it was ever asked all streams are closed.
// It is safe for concurrent use.
type Gate struct {
	config GateConfig

	mu      sync.Mutex
	streams map[Stream]*known
	// read: the database has answered at least once; failing: not the last time.
	read, failing bool
	cleanAt       time.Time
	// client is what River calls this process.
	client string
	// heardAt is when an event was last accepted here; hearsEvents: a living process hears of changes by events.
	heardAt     time.Time
	hearsEvents bool
}

// known is one stream as this process knows it.
type known struct {
	paused  bool
	why     string
	waiting string
	since   time.Time
	limiter *Limiter
	// closed is closed while the stream is paused.
	closed chan struct{}
}

// NewGate makes a gate; Run keeps it true.
func NewGate(config GateConfig) *Gate {
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	g := &Gate{config: config, streams: map[Stream]*known{}}
	for _, s := range Streams() {
		k := &known{paused: true, why: "its state is not read yet", limiter: newLimiter(), closed: make(chan struct{})}
		close(k.closed)
		g.streams[s] = k
	}
	return g
}

// RunsJobsAs tells what River calls this process, before it takes jobs: then its jobs are known for lost soon after it died.
func (g *Gate) RunsJobsAs(client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.client = client
}

// Heard notes that an event of app instances was accepted.
func (g *Gate) Heard() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heardAt = time.Now()
}

// HearsEvents tells whether changes of app instances are told by events now: a living worker reads the bus, or accepted one within
// the last minutes.
func (g *Gate) HearsEvents() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hearsEvents
}

// Run keeps the gate true until ctx is done, and then takes this process off the list of workers.
func (g *Gate) Run(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	defer g.leave(ctx)
	for {
		if err := g.Refresh(ctx); err != nil && ctx.Err() == nil {
			g.complain(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// complain logs the first failure of a row of them; what was known holds meanwhile.
func (g *Gate) complain(err error) {
	g.mu.Lock()
	first := !g.failing
	g.failing = true
	g.mu.Unlock()
	if first {
		g.config.Log.Warn("states of streams cannot be read: the last known ones hold", zap.Error(err))
	}
}

// Refresh tells the database that this process lives and reads how the streams stand. A worker that cannot do so when it
// starts should not start.
func (g *Gate) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	q := db.New(g.config.Pool)
	if err := g.hear(ctx, q); err != nil {
		return err
	}
	rows, err := q.StreamsOfWorker(ctx, db.StreamsOfWorkerParams{Alive: alive, Name: g.config.Worker})
	if err != nil {
		return fmt.Errorf("read streams: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failing = false
	for i := range rows {
		g.take(&rows[i])
		g.hearsEvents = rows[i].HearsEvents
	}
	g.read = true
	return nil
}

// hear tells that this process lives, what it works on, and how far it holds history back.
func (g *Gate) hear(ctx context.Context, q *db.Queries) error {
	now := time.Now()
	params := db.HearWorkerParams{Name: g.config.Worker, Streams: []string{}}
	g.mu.Lock()
	for _, s := range Streams() {
		if g.streams[s].limiter.active() {
			params.Streams = append(params.Streams, s.String())
		}
	}
	clean := now.After(g.cleanAt)
	if clean {
		g.cleanAt = now.Add(cleanEvery)
	}
	if g.client != "" {
		client := g.client
		params.Client = &client
	}
	params.HearsEvents = !g.heardAt.IsZero() && now.Sub(g.heardAt) < hears
	g.mu.Unlock()
	if g.config.Bus != nil {
		bus := g.config.Bus()
		params.HearsEvents = params.HearsEvents || bus.Configured && bus.Trouble == ""
		if trouble := telemetry.Redact(bus.Trouble); trouble != "" {
			params.BusTrouble, params.BusTroubleSince = &trouble, &bus.Since
		}
	}
	params.ThrottleReason, params.ThrottlePerS = g.throttled(ledger.A3AppInstances)
	params.MessageThrottleReason, params.MessageThrottlePerS = g.throttled(ledger.A2Correspondence)
	if err := q.HearWorker(ctx, params); err != nil {
		return fmt.Errorf("tell that this worker lives: %w", err)
	}
	if !clean {
		return nil
	}
	if err := q.DropDeadWorkers(ctx); err != nil {
		return fmt.Errorf("clear away dead workers: %w", err)
	}
	return nil
}

// throttled is how far the history of a source is held back here, nil where it is not, or nobody knows.
func (g *Gate) throttled(of ledger.Source) (reason *string, perSecond *float64) {
	if g.config.Throttled == nil {
		return nil, nil
	}
	why, left := g.config.Throttled(of)
	if why = telemetry.Redact(why); why != "" {
		reason = &why
	}
	if left > 0 {
		perSecond = &left
	}
	return reason, perSecond
}

// take takes a row up; the caller holds mu.
func (g *Gate) take(r *db.StreamsOfWorkerRow) {
	s := Stream{r.Source, r.Stream}
	k := g.streams[s]
	if k == nil {
		return // of a later version
	}
	if g.read && k.paused != r.Paused {
		g.config.Log.Info(map[bool]string{true: "stream paused", false: "stream resumed"}[r.Paused],
			zap.String(telemetry.LogKeySource, string(s.Source)), zap.String(telemetry.LogKeyStream, s.Direction),
			zap.String(telemetry.LogKeyActor, valueOf(r.Operator)), zap.String(telemetry.LogKeyReason, valueOf(r.Reason)))
	}
	switch {
	case r.Paused && !k.paused:
		close(k.closed)
	case !r.Paused && k.paused:
		k.closed = make(chan struct{})
	}
	k.paused, k.why = r.Paused, ""
	if r.Paused {
		k.why = fmt.Sprintf("paused by %s since %s: %s", valueOf(r.Operator), utc(r.ChangedAt).Format(time.RFC3339), valueOf(r.Reason))
	}
	k.waiting, k.since = valueOf(r.WaitingReason), utc(r.WaitingSince)
	k.limiter.set(r.RatePerS, r.Others, r.Living)
}

// leave gives this process's share to the others at once.
func (g *Gate) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	if err := db.New(g.config.Pool).DropWorker(ctx, g.config.Worker); err != nil {
		g.config.Log.Debug("worker not taken off the list: its share is free in some seconds", zap.Error(err))
	}
}

// Open tells whether work may be done in a stream, and if not, why: an operator paused it. A stream that waits is open: it
// tries again by itself.
func (g *Gate) Open(source ledger.Source, direction string) (open bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.streams[Stream{source, direction}]
	if k == nil {
		return false, "there is no such stream"
	}
	return !k.paused, k.why
}

// Closed is closed when operators pause the stream; a new one is to be asked for once it is open again.
func (g *Gate) Closed(source ledger.Source, direction string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.streams[Stream{source, direction}]; k != nil {
		return k.closed
	}
	return nil
}

// Limiter is the pace of a stream in this process; every step of work waits for it. It stays the same for ever, so that no
// first step is free. A stream that does not exist has none: nil lets everything pass.
func (g *Gate) Limiter(source ledger.Source, direction string) *Limiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.streams[Stream{source, direction}]; k != nil {
		return k.limiter
	}
	return nil
}

// Pace waits until the rate of a stream allows one more item.
func (g *Gate) Pace(ctx context.Context, of Stream) error {
	return g.Limiter(of.Source, of.Direction).Wait(ctx)
}

// Waiting tells why a stream has stopped itself, and since when.
func (g *Gate) Waiting(source ledger.Source, direction string) (reason string, since time.Time, waiting bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.streams[Stream{source, direction}]
	if k == nil || k.waiting == "" {
		return "", time.Time{}, false
	}
	return k.waiting, k.since, true
}

// SetWaiting records that a stream has stopped itself, and why (Invariant 8). The first moment is kept while reasons change;
// a reason that is known already costs nothing.
func (g *Gate) SetWaiting(ctx context.Context, source ledger.Source, direction, reason string) error {
	s, reason := Stream{source, direction}, telemetry.Redact(reason)
	if current, _, _ := g.Waiting(source, direction); current == reason {
		return nil
	}
	err := db.New(g.config.Pool).SetStreamWaiting(ctx, db.SetStreamWaitingParams{Source: source, Stream: direction, Reason: &reason})
	if err != nil {
		return fmt.Errorf("record why stream %s waits: %w", s, err)
	}
	g.config.Log.Warn("stream waits", zap.String(telemetry.LogKeySource, string(source)), zap.String(telemetry.LogKeyStream, direction),
		zap.String(telemetry.LogKeyReason, reason))
	g.setWaiting(s, reason)
	return nil
}

// ClearWaiting records that a stream gets on again; it costs nothing when it does not wait.
func (g *Gate) ClearWaiting(ctx context.Context, source ledger.Source, direction string) error {
	s := Stream{source, direction}
	if _, _, waiting := g.Waiting(source, direction); !waiting {
		return nil
	}
	if err := db.New(g.config.Pool).ClearStreamWaiting(ctx, db.ClearStreamWaitingParams{Source: source, Stream: direction}); err != nil {
		return fmt.Errorf("record that stream %s gets on: %w", s, err)
	}
	g.config.Log.Info("stream gets on again", zap.String(telemetry.LogKeySource, string(source)),
		zap.String(telemetry.LogKeyStream, direction))
	g.setWaiting(s, "")
	return nil
}

func (g *Gate) setWaiting(s Stream, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.streams[s]
	if k == nil {
		return
	}
	if k.waiting == "" {
		k.since = time.Now().UTC() // until the database's own time is read
	}
	k.waiting = reason
}
