package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/assert"
)

// The longest slice ends before its job times out, with time for a message whose files are gigabytes; River rescues none before its
// own timeout. River's own retries would take weeks in the end.
func TestSlicesEndBeforeTheyAreTakenForDead(t *testing.T) {
	t.Parallel()
	const longestSlice = 4 * time.Minute // design, "What River does"
	w := &historySliceWorker{}
	timeout := w.Timeout(&river.Job[HistorySlice]{})
	const largestFile, slowestUpload = 2 << 30, 1 << 20 // bytes, and bytes a second
	assert.Greater(t, timeout, longestSlice+largestFile/slowestUpload*time.Second)
	assert.Greater(t, rescueAfter, longestSlice)
	assert.Less(t, rescueAfter, 10*time.Minute)
	assert.WithinRange(t, w.NextRetry(&river.Job[HistorySlice]{}), time.Now(), time.Now().Add(time.Minute))
}

func TestHousekeepingIsNotRetried(t *testing.T) {
	t.Parallel()
	opts := onlyOnce()
	assert.Equal(t, 1, opts.MaxAttempts, "the next tick does the same")
	assert.NotEqual(t, queueHistory, opts.Queue, "it does not wait behind slices")
}
