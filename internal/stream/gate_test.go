package stream_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Suite{M: m}) }

// patience is how long a condition may take on a busy machine.
const patience = time.Minute

var (
	formsLive    = stream.Stream{Source: ledger.A3AppInstances, Direction: stream.Live}
	formsHistory = stream.Stream{Source: ledger.A3AppInstances, Direction: stream.History}
	night        = stream.Order{Operator: "kari", Reason: "night"}
	morning      = stream.Order{Operator: "ola", Reason: "morning"}
)

// process is a worker process with its gate at work.
type process struct {
	*stream.Gate

	stop func()
}

func newGate(pool *pgxpool.Pool, name string) *stream.Gate {
	return stream.NewGate(stream.GateConfig{Pool: pool, Worker: name})
}

// start runs a gate until the test ends or it is stopped.
func start(t *testing.T, g *stream.Gate) process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	stop := func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return process{g, stop}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 5*time.Millisecond, what)
}

func isOpen(g *stream.Gate, s stream.Stream) bool {
	open, _ := g.Open(s.Source, s.Direction)
	return open
}

func TestPauseReachesAllProcessesAndSurvivesThem(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	one, two := start(t, newGate(pool, "one")), start(t, newGate(pool, "two"))
	both := func(open bool) func() bool {
		return func() bool { return isOpen(one.Gate, formsLive) == open && isOpen(two.Gate, formsLive) == open }
	}
	eventually(t, "both read the states", both(true))

	require.NoError(t, stream.Pause(t.Context(), pool, formsLive, night))
	eventually(t, "both are closed", both(false))
	_, reason := two.Open(formsLive.Source, formsLive.Direction)
	assert.Regexp(t, `^paused by kari since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ: night$`, reason)
	for _, s := range stream.Streams() {
		assert.Equal(t, s != formsLive, isOpen(one.Gate, s), "%s is another stream", s)
	}

	one.stop()
	three := newGate(pool, "three")
	assert.False(t, isOpen(three, formsHistory), "what is not read yet is closed")
	require.NoError(t, three.Refresh(t.Context()))
	assert.False(t, isOpen(three, formsLive), "a new process knows")
	assert.True(t, isOpen(three, formsHistory))

	require.NoError(t, stream.Resume(t.Context(), pool, formsLive, morning))
	eventually(t, "it is open again", func() bool { return isOpen(two.Gate, formsLive) })
	open, reason := two.Open(formsLive.Source, formsLive.Direction)
	assert.True(t, open)
	assert.Empty(t, reason)
	open, _ = two.Open(ledger.DialogServices, stream.Live)
	assert.False(t, open, "there is no such stream")
}

func TestLastKnownStatesHoldWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	require.NoError(t, stream.Pause(t.Context(), pool, formsHistory, night))
	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, new(5.0), night))
	core, logged := observer.New(zap.InfoLevel)
	g := stream.NewGate(stream.GateConfig{Pool: pool, Worker: "one", Log: zap.New(core)})
	require.NoError(t, g.Refresh(t.Context()))
	pool.Close()
	require.Error(t, g.Refresh(t.Context()))
	start(t, g)
	eventually(t, "it complains", func() bool { return logged.FilterMessageSnippet("last known").Len() == 1 })
	assert.False(t, isOpen(g, formsHistory))
	assert.True(t, isOpen(g, formsLive))
	share, limited := g.Limiter(formsLive.Source, stream.Live).PerSecond()
	assert.True(t, limited)
	assert.InDelta(t, 5, share, 1e-9)
}

func TestARateIsSharedByThoseWhoWork(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	gates := make([]*stream.Gate, 4)
	for i, name := range []string{"one", "two", "three", "four"} {
		gates[i] = newGate(pool, name)
		require.NoError(t, gates[i].Refresh(t.Context()))
	}
	refresh := func() {
		for range 2 { // the first tells, the second hears
			for _, g := range gates {
				require.NoError(t, g.Refresh(t.Context()))
			}
		}
	}
	share := func(g *stream.Gate) float64 {
		perSecond, limited := g.Limiter(formsHistory.Source, stream.History).PerSecond()
		require.True(t, limited)
		return perSecond
	}
	_, limited := gates[0].Limiter(formsHistory.Source, stream.History).PerSecond()
	assert.False(t, limited)

	require.NoError(t, stream.Throttle(t.Context(), pool, formsHistory, new(1000.0), night))
	refresh()
	for _, g := range gates {
		assert.InDelta(t, 250, share(g), 1e-9, "nobody works: whoever begins takes the smallest share")
	}
	require.NoError(t, gates[0].Limiter(formsHistory.Source, stream.History).Wait(t.Context()))
	refresh()
	assert.InDelta(t, 1000, share(gates[0]), 1e-9, "it works alone")
	assert.InDelta(t, 250, share(gates[1]), 1e-9)
	require.NoError(t, gates[1].Limiter(formsHistory.Source, stream.History).Wait(t.Context()))
	refresh()
	assert.InDelta(t, 500, share(gates[0]), 1e-9)
	assert.InDelta(t, 500, share(gates[1]), 1e-9)
	_, limited = gates[0].Limiter(formsHistory.Source, stream.Live).PerSecond()
	assert.False(t, limited, "live is another stream")

	// One that ends in good order frees its share at once.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gates[1].Run(ctx)
	gates = gates[:1]
	refresh()
	assert.InDelta(t, 1000, share(gates[0]), 1e-9)

	require.NoError(t, stream.Throttle(t.Context(), pool, formsHistory, nil, morning))
	refresh()
	_, limited = gates[0].Limiter(formsHistory.Source, stream.History).PerSecond()
	assert.False(t, limited)
}

func TestAChangedRateReachesThoseWhoWait(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, new(0.001), night))
	g := newGate(pool, "one")
	require.NoError(t, g.Refresh(t.Context()))
	limiter := g.Limiter(formsLive.Source, stream.Live)
	require.NoError(t, limiter.Wait(t.Context()), "the first is free")
	passed := make(chan error)
	go func() { passed <- limiter.Wait(t.Context()) }()
	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, nil, morning))
	require.NoError(t, g.Refresh(t.Context()))
	select {
	case err := <-passed:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "it waits for a quarter of an hour")
	}

	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, new(0.001), night))
	require.NoError(t, g.Refresh(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := limiter.Wait(ctx); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	var none *stream.Limiter
	require.NoError(t, none.Wait(ctx), "none lets everything pass")
	assert.Nil(t, g.Limiter(ledger.DialogServices, stream.Live))
}

func TestAStreamThatStoppedItselfSaysWhyEverywhere(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	one, two := newGate(pool, "one"), newGate(pool, "two")
	require.NoError(t, one.Refresh(t.Context()))
	const down = "dialogporten: 8 of the last 11 calls failed: 503"
	require.NoError(t, one.SetWaiting(t.Context(), formsLive.Source, stream.Live, down))
	require.NoError(t, two.Refresh(t.Context()))
	reason, since, waiting := two.Waiting(formsLive.Source, stream.Live)
	assert.True(t, waiting)
	assert.Equal(t, down, reason)
	assert.True(t, isOpen(two, formsLive), "it tries again by itself")

	require.NoError(t, one.SetWaiting(t.Context(), formsLive.Source, stream.Live, "timeout of 12345678901"))
	require.NoError(t, two.Refresh(t.Context()))
	reason, again, _ := two.Waiting(formsLive.Source, stream.Live)
	assert.NotContains(t, reason, "12345678901", "no person in it")
	assert.Equal(t, since, again, "the first moment stays")

	require.NoError(t, two.ClearWaiting(t.Context(), formsLive.Source, stream.Live))
	_, _, waiting = two.Waiting(formsLive.Source, stream.Live)
	assert.False(t, waiting)
	require.NoError(t, one.Refresh(t.Context()))
	_, _, waiting = one.Waiting(formsLive.Source, stream.Live)
	assert.False(t, waiting)

	// What is known already asks nothing of the database.
	pool.Close()
	require.NoError(t, one.ClearWaiting(t.Context(), formsLive.Source, stream.Live))
	require.Error(t, one.SetWaiting(t.Context(), formsLive.Source, stream.Live, down))
}

func TestThrottlingIsToldByTheProcessThatHoldsBackMost(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	throttled := func(name, reason string, perSecond float64) {
		g := stream.NewGate(stream.GateConfig{
			Pool: pool, Worker: name, Throttled: func(of ledger.Source) (string, float64) {
				if of == ledger.A2Correspondence {
					return "correspondence answers 429", 1
				}
				return reason, perSecond
			},
		})
		require.NoError(t, g.Refresh(t.Context()))
		require.NoError(t, g.Limiter(formsHistory.Source, stream.History).Wait(t.Context()))
		require.NoError(t, g.Limiter(ledger.A2Correspondence, stream.Transfer).Wait(t.Context()))
		require.NoError(t, g.Refresh(t.Context()))
	}
	throttled("one", "", 80)
	throttled("two", "live lag 40 s", 20)
	throttled("three", "dialogporten p95 310 ms", 30)
	states, err := stream.Read(t.Context(), pool)
	require.NoError(t, err)
	s := stream.Of(states, formsHistory)
	assert.EqualValues(t, 3, s.Workers)
	assert.Equal(t, "live lag 40 s", s.Throttled)
	assert.InDelta(t, 130, s.ThrottlePerS, 1e-9, "what is left to all of them")
	messages := stream.Of(states, stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Transfer})
	assert.EqualValues(t, 3, messages.Workers)
	assert.Equal(t, "correspondence answers 429", messages.Throttled)
	assert.InDelta(t, 3, messages.ThrottlePerS, 1e-9)
	other := stream.Of(states, stream.Stream{Source: ledger.A2ArchivedForms, Direction: stream.History})
	assert.Zero(t, other.Workers)
	assert.Empty(t, other.Throttled)

	_, err = pool.Exec(t.Context(), "update worker set heard_at = heard_at - interval '1 minute' where name = 'two'")
	require.NoError(t, err)
	states, err = stream.Read(t.Context(), pool)
	require.NoError(t, err)
	assert.Equal(t, "dialogporten p95 310 ms", stream.Of(states, formsHistory).Throttled, "the dead do not speak")
}
