package throttle

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	tickEvery = time.Second
	// askTimeout bounds the question how live is doing.
	askTimeout = 2 * time.Second
	// holdWeight is the weight of the newest in the mean time that an item holds its slot.
	holdWeight = 0.05
)

// Config is what a Gate is made of.
type Config struct {
	Policy Policy
	// Name tells parts of one process apart, in metrics and logs: the destination that this one is for.
	Name string
	// Destinations are the services that history must be gentle with; none: only live counts.
	Destinations []*Destination
	// Live tells how far the live streams are behind, those left out that an operator or a failing source has stopped: history is
	// not what holds them up. Asked every second, in a goroutine of its own. nil: there are none.
	Live func(ctx context.Context) ([]Lag, error)
	Log  *zap.Logger
}

// Gate admits history's deliveries in this process, as many at once as the policy allows now. Those that wait are admitted in
// their order. Live never asks it (Invariant 9). It is safe for concurrent use.
type Gate struct {
	config Config
	now    func() time.Time

	mu      sync.Mutex
	limit   Limit
	inUse   int
	waiting list.List // of chan struct{}, closed on admission
	// hold is the mean time, in seconds, that an item holds its slot; 0 before the first.
	hold float64
	lags []Lag
	// deaf: Live failed the last time it was asked.
	deaf bool
}

// NewGate makes a gate; Run keeps it true.
func NewGate(config Config) *Gate {
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	return &Gate{config: config, now: time.Now, limit: config.Policy.Start()}
}

// Run looks at live and destination every second until ctx is done. Whoever waits then is admitted by what was decided last.
func (g *Gate) Run(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.Decide(ctx)
		}
	}
}

// Decide looks once and sets history's part.
func (g *Gate) Decide(ctx context.Context) {
	signals := Signals{Live: g.ask(ctx)}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, d := range g.config.Destinations {
		signals.Destinations = append(signals.Destinations, d.Look(g.limit.cutAt))
	}
	before, now := g.limit, g.now()
	g.limit = g.config.Policy.Next(before, signals, now)
	g.tell(before, now)
	g.admit()
}

// ask asks how live is doing; while nobody answers, what was known last holds.
func (g *Gate) ask(ctx context.Context) []Lag {
	if g.config.Live == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	lags, err := g.config.Live(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		if !g.deaf {
			g.config.Log.Warn("how live is doing cannot be read: what was known last holds", zap.Error(err))
		}
		g.deaf = true
		return g.lags
	}
	g.lags, g.deaf = lags, false
	return lags
}

// Lags is Config.Live for another part of the same process: what this one heard last.
func (g *Gate) Lags(context.Context) ([]Lag, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lags, nil
}

// tell logs where holding back begins and ends; the caller holds mu.
func (g *Gate) tell(before Limit, now time.Time) {
	fields := []zap.Field{
		zap.String(telemetry.LogKeyStream, "history"), zap.String(telemetry.LogKeyService, g.config.Name),
		zap.Int(telemetry.LogKeyConcurrency, g.limit.Now(now)),
	}
	switch {
	case before.cause == "" && g.limit.cause != "":
		g.config.Log.Info("history yields", append(fields, zap.String(telemetry.LogKeyReason, g.limit.Reason))...)
	case before.cause != "" && g.limit.cause == "":
		g.config.Log.Info("history has its full part again", fields...)
	}
}

// Acquire waits until one more delivery of history may begin, or for ctx. release gives the slot back; it must be called once.
// The error is the context's cause, wrapped.
func (g *Gate) Acquire(ctx context.Context) (release func(), err error) {
	g.mu.Lock()
	if g.waiting.Len() == 0 && g.inUse < g.limit.Now(g.now()) {
		g.inUse++
		g.mu.Unlock()
		return g.releaser(), nil
	}
	admitted := make(chan struct{})
	place := g.waiting.PushBack(admitted)
	g.mu.Unlock()
	select {
	case <-admitted:
		return g.releaser(), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-admitted: // at the same moment
		g.inUse--
		g.admit()
	default:
		g.waiting.Remove(place)
	}
	return nil, fmt.Errorf("wait for history's part: %w", context.Cause(ctx))
}

func (g *Gate) releaser() func() {
	began := g.now()
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		held := g.now().Sub(began).Seconds()
		if g.hold == 0 {
			g.hold = held
		}
		g.hold += (held - g.hold) * holdWeight
		g.inUse--
		g.admit()
	})
}

// admit lets those in who may begin; the caller holds mu.
func (g *Gate) admit() {
	for limit := g.limit.Now(g.now()); g.inUse < limit && g.waiting.Len() > 0; g.inUse++ {
		first := g.waiting.Front()
		close(g.waiting.Remove(first).(chan struct{})) //nolint:forcetypeassert // it holds nothing else
	}
}

// State is history's part in this process as it is now.
type State struct {
	// Limit is how many deliveries may be under way, Max how many when all is well, InUse how many are.
	Limit, Max, InUse int
	// Reason says why Limit is below Max, or is empty.
	Reason string
	// PerSecond is about how many items a second the limit allows, by how long items take; 0 when nobody knows.
	PerSecond float64
}

// State tells history's part.
func (g *Gate) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := State{Limit: g.limit.Now(g.now()), Max: g.config.Policy.Max(), InUse: g.inUse, Reason: g.limit.Reason}
	if g.hold > 0 {
		s.PerSecond = float64(s.Limit) / g.hold
	}
	return s
}

// Throttled is State for stream.GateConfig: the reason, and what is left in items a second.
func (g *Gate) Throttled() (reason string, perSecond float64) {
	s := g.State()
	return s.Reason, s.PerSecond
}
