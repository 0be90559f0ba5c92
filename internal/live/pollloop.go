package live

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// lookEvery is how often a process looks whether a reach without a schedule is due: a second after its holder has gone, its
// lease aside, another takes over.
const lookEvery = time.Second

// Follow runs what has no schedule until ctx is done: reaches that are begun every few seconds, and second looks. A job for each
// would only be rows; leases and due times in the database see to it that one process does the work at a time.
func (p *Poller) Follow(ctx context.Context) {
	var loops sync.WaitGroup
	for _, reach := range p.Config.Reaches() {
		if reach.Schedule == "" {
			loops.Go(func() { p.loop(ctx, func() error { _, err := p.Run(ctx, reach); return err }) })
		}
	}
	for _, source := range Sources() {
		loops.Go(func() { p.loop(ctx, func() error { return p.SecondLook(ctx, source) }) })
	}
	loops.Wait()
}

// loop does something again and again; what fails is logged, and waits a while.
func (p *Poller) loop(ctx context.Context, do func() error) {
	rest := p.Config.withDefaults().Rest
	for {
		pause := lookEvery
		if err := do(); err != nil && ctx.Err() == nil {
			p.Log.Error("poll failed", zap.Error(err), zap.Float64(telemetry.LogKeyNextRetry, rest.Seconds()))
			pause = rest
		}
		select {
		case <-ctx.Done():
			return
		case <-p.Stopping:
			return
		case <-time.After(pause):
		}
	}
}

// ReachOf finds a reach by its source and name.
func (c PollConfig) ReachOf(source ledger.Source, name string) (Reach, bool) {
	for _, r := range c.Reaches() {
		if r.Source == source && r.Name == name {
			return r, true
		}
	}
	return Reach{}, false
}
