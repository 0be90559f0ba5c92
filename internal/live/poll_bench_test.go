package live_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// BenchmarkFormBatch is one batch of forms that arrived within five minutes: run it with -benchtime 100000x. A second batch over
// the same overlap tells what knowing them already costs.
func BenchmarkFormBatch(b *testing.B) {
	benchPoll(b, live.ReachBatch, 5*time.Minute, func(o *altinnsim.GenerateOptions) { o.A2, o.A1 = 0.85, 0.15 })
}

// BenchmarkThreeDaysOut is what catch-up brings over after an outage of three days without any event.
func BenchmarkThreeDaysOut(b *testing.B) {
	benchPoll(b, live.ReachCatchUp, 3*history.Day, func(o *altinnsim.GenerateOptions) { o.A2, o.A1 = 0, 0 })
}

func benchPoll(b *testing.B, reach string, away time.Duration, shape func(*altinnsim.GenerateOptions)) {
	b.Helper()
	p := newPolling(b, func(c *live.PollConfig) { c.PageSize, c.Concurrency, c.TurnTime = 500, 16, 4*time.Minute })
	p.poll(b, reach) // live begins
	from := p.clock()
	p.pass(away)
	world := altinnsim.DefaultOptions()
	world.Instances, world.From, world.To, world.End, world.FlatWeek, world.MissingParties = b.N, from, p.clock(), p.clock(), true, 0
	shape(&world)
	_, err := p.sim.Generate(world)
	require.NoError(b, err)
	orgs, err := p.deliverer.Storage.Orgs(b.Context())
	require.NoError(b, err)
	p.know(b, orgs...)
	p.pass(time.Minute)

	all := func() {
		for p.poll(b, reach).Again {
			b.Log("another turn")
		}
	}
	b.ResetTimer()
	all()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	b.StopTimer()
	again := time.Now()
	all()
	b.ReportMetric(float64(b.N)/time.Since(again).Seconds(), "known/s")
	source := ledger.A3AppInstances
	if reach == live.ReachBatch {
		source = ledger.A2ArchivedForms
	}
	state := p.live(b, source)
	require.NotNil(b, state.Watermark)
	require.True(b, state.Watermark.After(from.Add(away)), "live to %s", state.Watermark)
}
