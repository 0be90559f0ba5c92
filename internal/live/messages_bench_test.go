package live_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/live"
)

// BenchmarkMessageBatch is one batch of messages that arrived within five minutes: run it with -benchtime 5000x. Then all of them are
// met again, which tells what a refused cursor costs.
func BenchmarkMessageBatch(b *testing.B) {
	m := newMailing(b, func(c *live.PollConfig) { c.PageSize, c.TurnTime = 500, 4*time.Minute })
	m.poller.Messages.Concurrency = 32
	m.pass(-time.Hour)
	m.batch(b) // live begins
	m.pass(time.Hour)
	m.generate(b, b.N, func(o *simaltinn2.Options) { o.LargestFile = 20_000; o.Odd, o.Deceased, o.Purged = 0.03, 0.003, 0.01 })
	all := func() {
		for m.poll(b, live.ReachBatch).Again {
			b.Log("another turn")
		}
	}
	b.ResetTimer()
	all()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	b.StopTimer()
	require.GreaterOrEqual(b, m.count(b, "message"), b.N*9/10)
	_, err := m.pool.Exec(b.Context(), "update poll_org set cursor = null, position = now() - interval '1 hour'")
	require.NoError(b, err)
	again := time.Now()
	all()
	b.ReportMetric(float64(b.N)/time.Since(again).Seconds(), "known/s")
	m.idle(b)
	m.pass(11 * time.Minute)
	again = time.Now()
	for m.poll(b, live.ReachDue).Again {
		b.Log("another turn")
	}
	b.ReportMetric(float64(b.N)/time.Since(again).Seconds(), "verified/s")
	m.clean(b)
}
