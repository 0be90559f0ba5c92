package throttle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lags are what live tells of itself.
type lags struct {
	mu     sync.Mutex
	behind time.Duration
	err    error
}

func (l *lags) set(behind time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind, l.err = behind, err
}

func (l *lags) read(context.Context) ([]Lag, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []Lag{{Behind: l.behind}}, l.err
}

func TestGateFollowsLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		live := &lags{}
		g := NewGate(Config{Policy: Policy{Slots: 20, Reserved: 0.3}, Live: live.read})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { g.Run(ctx) })
		<-time.After(30 * time.Second)
		assert.Equal(t, State{Limit: 14, Max: 14}, g.State())

		live.set(4*time.Second, nil)
		<-time.After(2 * time.Second)
		assert.Equal(t, State{Limit: 7, Max: 14, Reason: "live lag 4 s"}, g.State())
		live.set(0, errors.New("the database is away"))
		<-time.After(10 * time.Second)
		assert.Equal(t, "live lag 4 s", g.State().Reason, "what was known last holds")
		live.set(0, nil)
		<-time.After(time.Minute)
		assert.Equal(t, State{Limit: 14, Max: 14}, g.State())
		cancel()
		running.Wait()
	})
}

func TestGateAdmitsNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		live := &lags{}
		g := NewGate(Config{Policy: Policy{Slots: 10, Reserved: 0}, Live: live.read})
		var now, most atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				release, err := g.Acquire(t.Context())
				if err != nil {
					assert.NoError(t, err)
					return
				}
				defer release()
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-time.After(100 * time.Millisecond)
				now.Add(-1)
			})
		}
		all.Wait()
		assert.EqualValues(t, 5, most.Load(), "half of it at first")
		assert.Zero(t, g.State().InUse)
		assert.InDelta(t, 50, g.State().PerSecond, 0.1, "5 at a time, a tenth of a second each")
		assert.Zero(t, g.waiting.Len())
	})
}

func TestWaitersAreAdmittedInTheirOrderAsHistoryGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		live := &lags{behind: time.Hour}
		g := NewGate(Config{Policy: Policy{Slots: 10, Reserved: 0}, Live: live.read})
		g.Decide(t.Context())
		require.Equal(t, 1, g.State().Limit)
		first, err := g.Acquire(t.Context())
		require.NoError(t, err)
		order := make(chan int, 3)
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				release, err := g.Acquire(t.Context())
				if assert.NoError(t, err) {
					order <- i
					release()
				}
			})
			synctest.Wait()
		}
		assert.Empty(t, order, "there is one slot, and it is taken")
		first()
		first() // once counts
		all.Wait()
		for i := range 3 {
			assert.Equal(t, i, <-order)
		}
		assert.Zero(t, g.State().InUse)
	})
}

func TestWaitingForAdmissionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(Config{Policy: Policy{Slots: 2, Reserved: 0}})
		release, err := g.Acquire(t.Context())
		require.NoError(t, err)
		stopped := errors.New("the slice is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := g.Acquire(ctx)
			assert.ErrorIs(t, err, stopped)
		})
		synctest.Wait()
		cancel(stopped)
		waiting.Wait()
		release()
		again, err := g.Acquire(t.Context())
		require.NoError(t, err, "no slot is lost")
		again()
		assert.Zero(t, g.State().InUse)
	})
}

func TestNothingBeginsDuringARest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := NewDestination("dialogporten")
		g := NewGate(Config{Policy: Policy{Slots: 20, Reserved: 0.3}, Destinations: []*Destination{d}})
		d.refusals = []refusal{{time.Now(), 429, 5 * time.Second}}
		<-time.After(time.Nanosecond)
		g.Decide(t.Context())
		assert.Zero(t, g.State().Limit)
		assert.Equal(t, "dialogporten answers 429", g.State().Reason)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { g.Run(ctx) })
		began := time.Now()
		release, err := g.Acquire(t.Context())
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(began), 5*time.Second)
		release()
		cancel()
		running.Wait()
	})
}
