package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
)

// The longest slice ends before its job times out, and that before the job is rescued; River's own retries would take weeks
// in the end.
func TestSlicesEndBeforeTheyAreTakenForDead(t *testing.T) {
	t.Parallel()
	const longestSlice = 4 * time.Minute // design, "What River does"
	w := &historySliceWorker{}
	timeout := w.Timeout(&river.Job[HistorySlice]{})
	assert.Greater(t, timeout, longestSlice)
	assert.Greater(t, rescueAfter, timeout)
	assert.Less(t, rescueAfter, 10*time.Minute)
	assert.WithinRange(t, w.NextRetry(&river.Job[HistorySlice]{}), time.Now(), time.Now().Add(time.Minute))
}

func TestHousekeepingIsNotRetried(t *testing.T) {
	t.Parallel()
	opts := onlyOnce()
	assert.Equal(t, 1, opts.MaxAttempts, "the next tick does the same")
	assert.NotEqual(t, queueHistory, opts.Queue, "it does not wait behind slices")
}
