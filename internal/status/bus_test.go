package status_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/status"
)

// Polls go on while the bus is away: the streams run, and say what is wrong.
func TestStatusSaysThatNothingComesInFromTheBus(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.worker(t, "one", "", 0)
	d.worker(t, "two", "", 0)
	row := func() status.Stream { return rowOf(t, d.read(t), ledger.A3AppInstances) }
	assert.Empty(t, row().Reason)
	since, trouble := day(1), "queue_missing: check DIALOGSYNC_SERVICEBUS_QUEUE"
	require.NoError(t, db.New(d.pool).HearWorker(t.Context(), db.HearWorkerParams{
		Name: "two", Streams: []string{}, BusTrouble: &trouble, BusTroubleSince: &since,
	}))
	d.exec(t, "update worker set heard_at = clock_timestamp() + interval '1 hour'")
	assert.Equal(t, status.Running, row().State)
	want := "bus: nothing comes in since " + since.UTC().Format("2006-01-02T15:04:05Z") + " (1 of 2 workers): " + trouble
	assert.Equal(t, want, row().Reason)
	assert.Equal(t, want, rowOf(t, d.read(t), ledger.A2ArchivedForms).Reason)

	d.exec(t, "update worker set heard_at = clock_timestamp() - interval '1 minute' where name = 'two'")
	assert.Empty(t, row().Reason, "the dead say nothing")
}
