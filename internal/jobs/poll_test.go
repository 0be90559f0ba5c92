package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

func TestPollsTickByTheWallClock(t *testing.T) {
	t.Parallel()
	schedules, err := PollSchedules(live.PollConfig{})
	require.NoError(t, err)
	assert.Len(t, schedules, 10, "each has a tick and a start")
	schedules, err = PollSchedules(live.PollConfig{Messages: true})
	require.NoError(t, err)
	assert.Len(t, schedules, 12)

	batch, found := live.PollConfig{}.ReachOf(ledger.A2ArchivedForms, live.ReachBatch)
	require.True(t, found)
	schedule, err := parseSchedule(batch)
	require.NoError(t, err)
	oslo := time.FixedZone("+02:00", 2*60*60)
	at := time.Date(2026, 3, 1, 12, 3, 7, 0, oslo)
	assert.True(t, schedule.Next(at).Equal(time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC)))
	months, found := live.PollConfig{}.ReachOf(ledger.A2ArchivedForms, live.ReachMonths)
	require.True(t, found)
	schedule, err = parseSchedule(months)
	require.NoError(t, err)
	assert.True(t, schedule.Next(at).Equal(time.Date(2026, 3, 2, 1, 11, 0, 0, time.UTC)), "UTC, whatever the zone of the machine")

	for name, want := range map[string]time.Duration{
		live.ReachBatch: 5 * time.Minute, live.ReachRecent: 5 * time.Minute, live.ReachDay: time.Hour, live.ReachDays: time.Hour,
		live.ReachMonths: 24 * time.Hour, live.ReachCatchUp: live.DefaultCatchUpEvery, live.ReachDue: live.DefaultDueEvery,
	} {
		for _, r := range (live.PollConfig{Messages: true}).Reaches() {
			if r.Name != name {
				continue
			}
			period, err := periodOf(r)
			require.NoError(t, err)
			assert.Equal(t, want, period, name)
		}
	}
}

// A file of gigabytes is not begun again and again with every turn.
func TestBatchOfMessagesOutlastsATurn(t *testing.T) {
	t.Parallel()
	w := &pollWorker{}
	timeout := func(source ledger.Source) time.Duration {
		return w.Timeout(&river.Job[Poll]{Args: Poll{Source: string(source), Reach: live.ReachBatch}})
	}
	assert.Greater(t, timeout(ledger.A2Correspondence), 30*time.Minute, "the longest that one file may take")
	assert.Less(t, timeout(ledger.A2ArchivedForms), rescueAfter)
}
