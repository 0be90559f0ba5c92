package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLineSaysHowABackfillStands(t *testing.T) {
	t.Parallel()
	p := Progress{
		Source: "a2-correspondence", Stream: "transfer", State: StateRunning, BackTo: time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC), Share: 0.6129,
		RatePerS: new(150.0), Accounts: Accounts{Seen: 1014, Created: 1000, Quarantined: 14},
	}
	before := p
	before.Share, before.Accounts.Created = 0.6029, 1000-142
	speed := SpeedBetween(before, p, time.Second)

	assert.Equal(t, "a2-correspondence transfer: back to 2024-12-01 (61.2 %), 142/s (limit 150), 0 gaps, 14 quarantined, ETA 39 s", p.Line(speed))
	p.Waiting = "dialogporten: 8 of the last 11 calls failed: 503"
	assert.Contains(t, p.Line(speed), "14 quarantined, waiting: dialogporten: 8 of")
	p.Waiting, p.State, p.Windows.Failed = "", StateFailed, 2
	assert.Contains(t, p.Line(speed), "2 windows failed, failed")
	p.Share = 0.99999
	assert.Contains(t, p.Line(speed), "(99.9 %)", "never 100 before it is")
	assert.Zero(t, Speed{}.ETA(p))
	assert.InDelta(t, 71, Speed{}.Smooth(speed, 0.5).ItemsPerS, 1e-9)
}

func TestLineSaysWhatHoldsABackfillBack(t *testing.T) {
	t.Parallel()
	const slow = "dialogporten p95 310 ms"
	for name, tt := range map[string]struct {
		progress Progress
		limit    string
	}{
		"nothing":                        {Progress{}, ""},
		"its own rate":                   {Progress{RatePerS: new(12.5)}, " (limit 12.5)"},
		"the stream's rate":              {Progress{StreamPart: StreamPart{StreamRatePerS: new(150.0)}}, " (limit 150)"},
		"the lower of both":              {Progress{RatePerS: new(200.0), StreamPart: StreamPart{StreamRatePerS: new(150.0)}}, " (limit 150)"},
		"its own below the stream's":     {Progress{RatePerS: new(20.0), StreamPart: StreamPart{StreamRatePerS: new(150.0)}}, " (limit 20)"},
		"throttling":                     {Progress{StreamPart: StreamPart{Throttled: slow, ThrottlePerS: new(149.6)}}, " (limit 150: dialogporten p95 310 ms)"},
		"throttling, nobody knows how":   {Progress{StreamPart: StreamPart{Throttled: slow}}, " (limited: dialogporten p95 310 ms)"},
		"throttling to the last item":    {Progress{StreamPart: StreamPart{Throttled: slow, ThrottlePerS: new(0.2)}}, " (limit 1: dialogporten p95 310 ms)"},
		"a rate below what is left":      {Progress{RatePerS: new(20.0), StreamPart: StreamPart{Throttled: slow, ThrottlePerS: new(150.0)}}, " (limit 20: dialogporten p95 310 ms)"},
		"what is left is below the rate": {Progress{RatePerS: new(200.0), StreamPart: StreamPart{Throttled: slow, ThrottlePerS: new(150.0)}}, " (limit 150: dialogporten p95 310 ms)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.limit, tt.progress.limit())
		})
	}
}

func TestLineAsDesigned(t *testing.T) {
	t.Parallel()
	p := Progress{
		Source: "a2-correspondence", Stream: "transfer", State: StateRunning, BackTo: time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC), Share: 0.6129,
		RatePerS: new(150.0), Accounts: Accounts{Seen: 1014, Created: 1000, Quarantined: 14},
		StreamPart: StreamPart{Throttled: "dialogporten p95 310 ms", LiveLag: new(40.4)},
	}
	speed := Speed{ItemsPerS: 142, sharePerS: (1 - 0.6129) / (11 * Day.Seconds())}
	assert.Equal(t, "a2-correspondence transfer: back to 2024-12-01 (61.2 %), 142/s (limit 150: dialogporten p95 310 ms), 0 gaps, "+
		"14 quarantined, live lag 40 s, ETA 11 d", p.Line(speed))
	p.StreamPaused, p.StreamReason = true, "the destination asks for a rest"
	assert.Contains(t, p.Line(speed), "live lag 40 s, stream paused: the destination asks for a rest")
	p.State = StatePaused
	assert.Contains(t, p.Line(speed), "live lag 40 s, paused", "its own state is what an operator must change first")
	p.Accounts.Seen++
	assert.Contains(t, p.Line(speed), "1 gaps")
}

func TestRoughDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		40 * time.Second: "40 s", 3 * time.Minute: "3 min", 5 * time.Hour: "5 h", 11 * Day: "11 d",
	} {
		assert.Equal(t, want, Roughly(d))
	}
}
