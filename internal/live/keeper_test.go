package live_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

// process makes another process known, whose jobs River knows by client; it is heard of once.
func (p *plant) process(t *testing.T, name, client string) {
	t.Helper()
	gate := stream.NewGate(stream.GateConfig{Pool: p.pool, Worker: name, Log: p.log})
	gate.RunsJobsAs(client)
	require.NoError(t, gate.Refresh(t.Context()))
	_, err := p.pool.Exec(t.Context(), "update worker set heard_at = clock_timestamp() + interval '1 hour' where name = $1", name)
	require.NoError(t, err)
}

// A process that was killed is not heard of any more: what it was at goes to others at once, and not when the time that a delivery may
// take is over.
func TestWhatADeadWorkerWasAtIsTakenUpByOthers(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	things := make([]thing, 4)
	for i := range things {
		things[i] = p.put(t, newThing())
		p.accept(t, things[i].command())
	}
	exec := func(sql string, args ...any) {
		_, err := p.pool.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	before := p.rows(t)
	for i, by := range [][]string{{"one-1"}, {"one-1", "two-1"}, {"two-1", "one-1"}} {
		exec("update river_job set state = 'running', attempted_at = now(), attempted_by = $2 where id = $1", before[i].Job, by)
	}
	replaced := func() (which []int) {
		require.NoError(t, p.keeper.Keep(t.Context()))
		for i, r := range p.rows(t) {
			if r.Job != before[i].Job {
				which = append(which, i)
			}
		}
		return which
	}
	p.process(t, "one", "one-1")
	p.process(t, "two", "two-1")
	exec("update worker set heard_at = clock_timestamp() + interval '1 hour'")
	assert.Empty(t, replaced(), "both live")
	exec("update worker set heard_at = clock_timestamp() - interval '11 seconds' where name = 'one'")
	assert.Empty(t, replaced(), "a process lives that does not tell what River calls it")
	exec("delete from worker where client is null")
	assert.Equal(t, []int{0, 2}, replaced())
	assert.Equal(t, []int{0, 2}, replaced(), "once is enough")
	p.process(t, "two", "two-2")
	assert.Equal(t, []int{0, 1, 2}, replaced(), "the process that has its name now is another")
	p.finish(t)
	for _, th := range things {
		assert.Contains(t, p.title(t, th), "utgave 1")
	}
}

func TestTheKeeperNeedsNoLeader(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.pause(t, true)
	p.accept(t, p.put(t, newThing()).command())
	require.Zero(t, p.withJob(t))
	p.pause(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		other := &live.Keeper{Pool: p.pool, Enqueue: p.keeper.Enqueue, Queue: p.keeper.Queue, Gate: p.gate, Log: p.log}
		running.Go(func() { other.Run(ctx) })
	}
	require.Eventually(t, func() bool { return p.withJob(t) == 1 }, time.Minute, 5*time.Millisecond)
	cancel()
	running.Wait()
}
