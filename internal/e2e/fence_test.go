package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSleeperIsFenced: a worker that was taken for dead comes back in the middle of its pages, after others took up its windows
// (Invariant 5). It may have been stopped in the middle of a transaction, which must not keep others from their work.
func TestSleeperIsFenced(t *testing.T) {
	t.Parallel()
	for name, inTransaction := range map[string]bool{"between transactions": false, "in a transaction": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 500)
			sleeper := r.worker(t, "sleeper")
			// Slow enough that a window is still open when its first holder comes back.
			r.order(t, "--rate", "40")
			r.afterCreates(t, 30)
			r.freeze(t, sleeper, inTransaction)
			held := r.texts(t, "select id::text from backfill_window where state = 'walking' and worker = $1", sleeper.name)
			require.NotEmpty(t, held, "it holds nothing that could be taken from it")
			other := r.worker(t, "other")
			await(t, "another to take up what it held", func() bool {
				return r.count(t, "select count(*) from backfill_window where id::text = any($1) and epoch > 1", held) == len(held)
			})
			sleeper.signal(t, syscall.SIGCONT)
			r.completed(t, sleeper, other)
			require.True(t, sleeper.running(), sleeper.tail())
			assert.Contains(t, sleeper.text(), "window taken over by another slice")
			r.prove(t)
		})
	}
}

// freeze stops a worker that holds windows, at a moment at which it has a transaction open, or has none.
func (r *rig) freeze(t *testing.T, p *process, inTransaction bool) {
	t.Helper()
	await(t, "the moment", func() bool {
		p.signal(t, syscall.SIGSTOP)
		// Statements on their way come to their end; what is open then stays open.
		await(t, "the database to be still", func() bool { return r.sessions(t, "active") == 0 })
		held := r.count(t, "select count(*) from backfill_window where state = 'walking'")
		if held > 0 && inTransaction == (r.sessions(t, "idle in transaction") > 0) {
			return true
		}
		p.signal(t, syscall.SIGCONT)
		return false
	})
}

// sessions counts the workers' connections that are in a state.
func (r *rig) sessions(t *testing.T, state string) int {
	t.Helper()
	return r.count(t, `select count(*) from pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid() and state = $1`, state)
}

// TestConnectionsAreCut: the database, or a proxy before it, ends connections whenever it likes.
func TestConnectionsAreCut(t *testing.T) {
	t.Parallel()
	r := newRig(t, 700)
	r.platform.fail(t, slow(5*time.Millisecond))
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.order(t)
	cuts := 0
	for range 8 {
		r.afterCreates(t, 40)
		cuts += r.count(t, `select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and application_name like 'dialogsync%'`)
	}
	t.Logf("%d connections cut", cuts)
	assert.Positive(t, cuts)
	r.platform.fail(t)
	r.completed(t, workers...)
	for _, w := range workers {
		require.True(t, w.running(), w.tail())
	}
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where state = 'failed'"))
	r.prove(t)
}
