package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLineSaysHowABackfillStands(t *testing.T) {
	t.Parallel()
	p := Progress{
		Source: "a2-correspondence", State: StateRunning, BackTo: time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC), Share: 0.6129,
		RatePerS: new(150.0), Accounts: Accounts{Seen: 1014, Created: 1000, Quarantined: 14},
	}
	before := p
	before.Share, before.Accounts.Created = 0.6029, 1000-142
	speed := SpeedBetween(before, p, time.Second)

	assert.Equal(t, "a2-correspondence history: back to 2024-12-01 (61.2 %), 142/s (limit 150), 1014 items, 14 quarantined, ETA 39 s", p.Line(speed))
	p.Waiting = "dialogporten: 8 of the last 11 calls failed: 503"
	assert.Contains(t, p.Line(speed), "14 quarantined, waiting: dialogporten: 8 of")
	p.Waiting, p.State, p.Windows.Failed = "", StateFailed, 2
	assert.Contains(t, p.Line(speed), "2 windows failed, failed")
	p.Share = 0.99999
	assert.Contains(t, p.Line(speed), "(99.9 %)", "never 100 before it is")
	assert.Zero(t, Speed{}.ETA(p))
	assert.InDelta(t, 71, Speed{}.Smooth(speed, 0.5).ItemsPerS, 1e-9)
}

func TestRoughDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		40 * time.Second: "40 s", 3 * time.Minute: "3 min", 5 * time.Hour: "5 h", 11 * Day: "11 d",
	} {
		assert.Equal(t, want, roughly(d))
	}
}

func TestAccountsBalanceOnlyWhenEverythingSeenHasAnOutcome(t *testing.T) {
	t.Parallel()
	rows := []*row{{settled: true}, {settled: true, repeated: true}, {settled: true, met: true}}
	rows[0].result.Outcome = "created"
	assert.Equal(t, Accounts{Seen: 1, Created: 1}, accountsOf(rows))
	rows[0].result.Outcome = "an outcome nobody knows"
	assert.False(t, accountsOf(rows).Balanced())
	assert.False(t, Accounts{Seen: 1, Skipped: 1, SkippedBy: map[string]int64{"gone": 2}}.Balanced())
}
