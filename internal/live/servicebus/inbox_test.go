package servicebus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	bus "github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

// inbox is the real one, in PostgreSQL.
func inbox(t testing.TB) (*live.Inbox, *pgxpool.Pool) {
	t.Helper()
	pool := dbtest.New(t)
	gate := stream.NewGate(stream.GateConfig{Pool: pool, Worker: "worker", Log: zap.NewNop()})
	require.NoError(t, gate.Refresh(t.Context()))
	client, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	in := live.NewInbox(pool, jobs.EnqueueEvents(client), gate, nil)
	t.Cleanup(in.Wait)
	return in, pool
}

func inboxRows(t testing.TB, pool *pgxpool.Pool) (rows int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "select count(distinct instance_guid) from inbox where intake = 'bus'").Scan(&rows))
	return rows
}

// What the bus says lies in PostgreSQL when the bus has forgotten it.
func TestIntoTheInbox(t *testing.T) {
	t.Parallel()
	const messages = 2000
	r := newRig(t, bus.QueueOptions{})
	in, pool := inbox(t)
	r.publish(t, messages)
	config := r.config()
	config.Accepter = in
	_, stop := start(t, config)
	eventually(t, r.settled)
	stop()
	require.Equal(t, messages, inboxRows(t, pool))
}

// Messages a second from the bus into PostgreSQL, acknowledged.
func BenchmarkIntake(b *testing.B) {
	for _, inPostgreSQL := range []bool{false, true} {
		b.Run(fmt.Sprintf("postgresql=%t", inPostgreSQL), func(b *testing.B) {
			r := newRig(b, bus.QueueOptions{})
			config := r.config()
			if inPostgreSQL {
				config.Accepter, _ = inbox(b)
			}
			r.publish(b, b.N)
			b.ResetTimer()
			began := time.Now()
			_, stop := start(b, config)
			eventually(b, r.settled)
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "commands/s")
			b.StopTimer()
			stop()
		})
	}
}
