package live_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

func TestAcceptCommitsARowAndAJobForEachCommand(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := newThing()
	form := th
	form.app = a2App
	form.guid = uuid.New()
	p.accept(t, th.command(), th.command(), form.webhook())

	rows := p.rows(t)
	require.Len(t, rows, 3, "no uniqueness: an event must not be dropped because another waits")
	for _, r := range rows {
		var inbox int64
		require.NoError(t, p.pool.QueryRow(t.Context(),
			"select (args->>'inbox_id')::bigint from river_job where id = $1 and state = 'available'", r.Job).Scan(&inbox))
		assert.Equal(t, r.ID, inbox, "each row has its own job")
	}
	var sources []string
	require.NoError(t, p.pool.QueryRow(t.Context(), "select array_agg(distinct source::text order by source::text) from inbox").Scan(&sources))
	assert.Equal(t, []string{string(ledger.A2ArchivedForms), string(ledger.A3AppInstances)}, sources, "told by the app id")
}

func TestCallsThatComeTogetherShareTransactions(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	const calls = 3000
	var callers sync.WaitGroup
	failed := make(chan error, calls)
	for range calls {
		callers.Go(func() {
			if err := p.inbox.Accept(t.Context(), newThing().webhook()); err != nil {
				failed <- err
			}
		})
	}
	callers.Wait()
	close(failed)
	require.NoError(t, <-failed)
	var rows, withJob, transactions int
	require.NoError(t, p.pool.QueryRow(t.Context(), `select count(*), count(distinct j.id), count(distinct i.xmin::text)
		from inbox i join river_job j on j.id = i.job_id`).Scan(&rows, &withJob, &transactions))
	assert.Equal(t, calls, rows)
	assert.Equal(t, calls, withJob)
	assert.Less(t, transactions, calls/10)
}

func TestEveryWaiterLearnsThatACommitFailed(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	broken := errors.New("the disk is full")
	inbox := live.NewInbox(p.pool, func(context.Context, pgx.Tx, ledger.Source, []int64) ([]int64, error) { return nil, broken }, p.gate, nil)
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() { assert.ErrorIs(t, inbox.Accept(t.Context(), newThing().command()), broken) })
	}
	callers.Wait()
	assert.Empty(t, p.rows(t), "nothing half")
	assert.ErrorIs(t, inbox.Accept(t.Context(), newThing().command()), broken, "and the inbox is not stuck")
}

// stuck makes an inbox whose commits wait until release is called.
func stuck(p *plant) (inbox *live.Inbox, entered chan struct{}, release func()) {
	entered, gate := make(chan struct{}, 100), make(chan struct{})
	enqueue := jobs.EnqueueEvents(p.client)
	return live.NewInbox(p.pool, func(ctx context.Context, tx pgx.Tx, source ledger.Source, rows []int64) ([]int64, error) {
		entered <- struct{}{}
		<-gate
		return enqueue(ctx, tx, source, rows)
	}, p.gate, nil), entered, sync.OnceFunc(func() { close(gate) })
}

func TestAFullInboxRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	inbox, entered, release := stuck(p)
	defer release()
	many := make([]live.Command, 1000)
	for i := range many {
		many[i] = newThing().webhook()
	}
	var callers sync.WaitGroup
	var mu sync.Mutex
	accepted, refused := 0, 0
	for range 40 {
		callers.Go(func() {
			err := inbox.Accept(t.Context(), many...)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, live.ErrBusy) {
				refused++
			} else if assert.NoError(t, err) {
				accepted++
			}
		})
	}
	<-entered
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return refused == 20 }, time.Minute, time.Millisecond)
	release()
	callers.Wait()
	assert.Equal(t, 20, accepted, "those that found room are committed")
	assert.Len(t, p.rows(t), 20_000)
	require.NoError(t, inbox.Accept(t.Context(), newThing().webhook()))
}

func TestACallerThatHangsUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	inbox, entered, release := stuck(p)
	defer release()
	ctx, hangUp := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() {
		assert.ErrorIs(t, inbox.Accept(ctx, newThing().webhook()), context.Canceled, "nobody waits longer than he likes")
	})
	<-entered
	callers.Go(func() { assert.NoError(t, inbox.Accept(t.Context(), newThing().webhook())) })
	<-entered
	hangUp()
	callers.Go(func() { assert.NoError(t, inbox.Accept(t.Context(), newThing().webhook())) })
	release()
	callers.Wait()
	inbox.Wait()
	assert.Len(t, p.rows(t), 3, "what was begun is committed all the same")
}

func TestMalformedCommandsAreRefusedAndHarmNoOther(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	good := newThing().command()
	with := func(change func(*live.Command)) live.Command {
		c := good
		change(&c)
		return c
	}
	for name, command := range map[string]live.Command{
		"no instance":     with(func(c *live.Command) { c.ID = altinn.InstanceID{} }),
		"party too large": with(func(c *live.Command) { c.ID.PartyID = 1 << 31 }),
		"no app":          with(func(c *live.Command) { c.AppID = "" }),
		"no org":          with(func(c *live.Command) { c.AppID = "/app" }),
		"a path":          with(func(c *live.Command) { c.AppID = "ttd/app/x" }),
		"zero byte":       with(func(c *live.Command) { c.AppID = "ttd/a\x00" }),
		"no text":         with(func(c *live.Command) { c.AppID = "ttd/\xff" }),
		"far future":      with(func(c *live.Command) { c.Created = time.Date(290_000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"antiquity":       with(func(c *live.Command) { c.Created = time.Date(1, 2, 1, 0, 0, 0, 0, time.UTC) }),
	} {
		var malformed *live.CommandError
		require.ErrorAs(t, p.inbox.Accept(t.Context(), good, command), &malformed, name)
	}
	assert.Empty(t, p.rows(t))
	require.NoError(t, p.inbox.Accept(t.Context()))
}

func BenchmarkAccept(b *testing.B) {
	p := newPlant(b)
	b.SetParallelism(500)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := p.inbox.Accept(b.Context(), newThing().webhook()); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
