package history_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/throttle"
	"github.com/altinn/dialogsync/internal/transport"
)

var (
	formsHistory = stream.Stream{Source: ledger.A3AppInstances, Direction: stream.History}
	asked        = stream.Order{Operator: "tester", Reason: "test"}
)

// observed hands exchanges on to whoever watches the destination.
func (e *engine) observed(exchange transport.Exchange) {
	if d := e.destination.Load(); d != nil {
		d.Observe(exchange)
	}
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// slice runs a slice beside the test, and gives how it ended.
func (e *engine) slice(t *testing.T, id int64) <-chan history.SliceEnd {
	t.Helper()
	ended := make(chan history.SliceEnd, 1)
	var running sync.WaitGroup
	running.Go(func() {
		end, err := e.walker.Slice(t.Context(), id)
		assert.NoError(t, err)
		ended <- end
	})
	t.Cleanup(running.Wait)
	return ended
}

func (e *engine) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 5*time.Millisecond, what)
}

// A paused stream stops the slices of all its backfills, checkpoints saved, and leaves their own states alone.
func TestPausedStreamStopsItsBackfills(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(300))
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectLatency, Latency: faults.Duration(20 * time.Millisecond)})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	ended := []<-chan history.SliceEnd{e.slice(t, id), e.slice(t, id)}
	e.await(t, "some items to be recorded", func() bool { return e.progress(t, id).Accounts.Settled() > 0 })
	require.NoError(t, stream.Pause(t.Context(), e.pool, formsHistory, asked))
	for _, end := range ended {
		select {
		case got := <-end:
			assert.Equal(t, history.SliceEnd{}, got, "nothing is claimed while the stream is paused")
		case <-time.After(patience):
			require.Fail(t, "the slice goes on")
		}
	}
	p := e.progress(t, id)
	assert.Equal(t, history.StateRunning, p.State)
	assert.True(t, p.StreamPaused)
	assert.Zero(t, p.Windows.Walking, "windows are given back")
	assert.Zero(t, p.Windows.Failed)
	assert.True(t, p.Accounts.Balanced())
	require.NotZero(t, p.Windows.Pending)
	before := e.enqueued.count()
	require.NoError(t, e.keeper.Keep(t.Context()))
	assert.Equal(t, before, e.enqueued.count(), "no slice is sent into the pause")

	other := e.order(t, orderOf(ledger.A2ArchivedForms))
	e.work(t, other) // another source's stream goes on

	require.NoError(t, stream.Resume(t.Context(), e.pool, formsHistory, asked))
	require.NoError(t, e.keeper.Keep(t.Context()))
	assert.Greater(t, e.enqueued.count(), before, "and after it they are")
	e.fault(t)
	e.work(t, id)
	p = e.progress(t, id)
	assert.True(t, p.Accounts.Balanced())
	for _, item := range e.listed(t, ledger.A3AppInstances) {
		assert.LessOrEqual(t, e.creates(item.ID.GUID), 1)
	}
	e.requireEqual(t)
}

// An operator's pause is felt by those who wait for admission too: they neither hold their slice up nor are they anybody's
// fault.
func TestPauseReachesThoseWhoWaitForAdmission(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60))
	waiting := make(chan struct{}, 1000)
	e.walker.Admit = func(ctx context.Context, _ stream.Stream) (func(), error) {
		waiting <- struct{}{}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	id := e.order(t, orderOf(ledger.A3AppInstances))
	end := e.slice(t, id)
	<-waiting
	require.NoError(t, stream.Pause(t.Context(), e.pool, formsHistory, asked))
	select {
	case got := <-end:
		assert.Zero(t, got)
	case <-time.After(patience):
		require.Fail(t, "the slice goes on")
	}
	p := e.progress(t, id)
	assert.Empty(t, p.Waiting, "nothing is wrong with the stream")
	assert.Zero(t, p.Windows.Walking)
}

func TestWaitingForAdmissionEndsWithTheSlice(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60), func(c *history.WalkerConfig) { c.SliceTime = 300 * time.Millisecond })
	e.walker.Admit = func(ctx context.Context, _ stream.Stream) (func(), error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	id := e.order(t, orderOf(ledger.A3AppInstances))
	end, err := e.walker.Slice(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, history.SliceEnd{Again: true}, end, "another turn goes on")
	assert.Empty(t, e.progress(t, id).Waiting)
}

func TestEveryItemIsAdmittedAndReleased(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(200))
	var paced, admitted, released atomic.Int64
	e.walker.Pace = func(_ context.Context, of stream.Stream) error {
		assert.Equal(t, formsHistory, of)
		paced.Add(1)
		return nil
	}
	e.walker.Admit = func(context.Context, stream.Stream) (func(), error) {
		admitted.Add(1)
		return func() { released.Add(1) }, nil
	}
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	assert.GreaterOrEqual(t, admitted.Load(), e.progress(t, id).Accounts.Seen)
	assert.Equal(t, admitted.Load(), released.Load())
	assert.Equal(t, admitted.Load(), paced.Load())
}

// throttled puts a gate before history as a worker does, and decides once for each call of the function it returns.
func (e *engine) throttled(t *testing.T, slots int, destinations ...*throttle.Destination) (gate *throttle.Gate, decide func()) {
	t.Helper()
	streams := stream.NewGate(stream.GateConfig{Pool: e.pool, Worker: "test"})
	require.NoError(t, streams.Refresh(t.Context()))
	gate = throttle.NewGate(throttle.Config{
		Policy: throttle.Policy{Slots: slots, Reserved: throttle.DefaultReserved}, Destinations: destinations, Live: streams.LiveLags,
	})
	told := stream.NewGate(stream.GateConfig{
		Pool: e.pool, Worker: "test", Throttled: func(ledger.Source) (string, float64) { return gate.Throttled() },
	})
	require.NoError(t, told.Refresh(t.Context()))
	e.walker.Pace = told.Pace
	e.walker.Admit = func(ctx context.Context, _ stream.Stream) (func(), error) { return gate.Acquire(ctx) }
	return gate, func() {
		gate.Decide(t.Context())
		require.NoError(t, told.Refresh(t.Context()))
	}
}

// Live before history (Invariant 9), through database, gate and engine: when live falls behind history yields and says so, in
// the line that operators watch; when live has caught up history is walked to its end.
func TestHistoryYieldsWhenLiveFallsBehind(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(200))
	gate, decide := e.throttled(t, 20)
	_, err := e.pool.Exec(t.Context(), `insert into inbox (instance_guid, received_at, party_id, source, migration, intake, app_id)
		values (gen_random_uuid(), clock_timestamp() - interval '1 hour', 50001337, 'a3-app-instances', false, 'webhook', 'ttd/app')`)
	require.NoError(t, err)
	decide()
	assert.Equal(t, 1, gate.State().Limit)

	id := e.order(t, orderOf(ledger.A3AppInstances))
	end := e.slice(t, id)
	e.await(t, "the reason to be told", func() bool {
		decide()
		return e.progress(t, id).Throttled != ""
	})
	p := e.progress(t, id)
	assert.Regexp(t, `^live lag 3\d\d\d s$`, p.Throttled)
	assert.Regexp(t, ` \(limit(ed| \d+): live lag 3\d\d\d s\), 0 gaps, 0 quarantined, live lag 60 min`, p.Line(history.Speed{}))
	assert.LessOrEqual(t, gate.State().InUse, 1)

	_, err = e.pool.Exec(t.Context(), "delete from inbox")
	require.NoError(t, err)
	<-end
	e.work(t, id)
	assert.True(t, e.progress(t, id).Accounts.Balanced())
	e.requireEqual(t)
}

// A destination that slows is given less, and the reason names it.
func TestHistoryYieldsWhenTheDestinationSlows(t *testing.T) {
	t.Parallel()
	destination := throttle.NewDestination(altinnsim.ServiceDialogporten)
	e := newEngine(t, generated(400))
	e.destination.Store(destination)
	gate, decide := e.throttled(t, 20, destination)
	e.fault(t, faults.Rule{Service: altinnsim.ServiceDialogporten, Effect: faults.EffectLatency, Latency: faults.Duration(1500 * time.Millisecond)})
	id := e.order(t, orderOf(ledger.A3AppInstances))
	end := e.slice(t, id)
	before := gate.State().Limit
	e.await(t, "history to yield", func() bool {
		decide()
		return gate.State().Limit < before && e.progress(t, id).Throttled != ""
	})
	assert.Regexp(t, `^(after )?dialogporten p95 \d{4} ms$`, e.progress(t, id).Throttled)
	e.fault(t)
	<-end
	e.work(t, id)
	e.requireEqual(t)
}
