package live_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

// A message that others held for a moment holds the watermark until it is delivered, and not until the next batch.
func TestWatermarkMovesOnceWhatHeldItIsDelivered(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	record, _ := m.sim.Altinn2.Message(id)
	_, err := m.pool.Exec(t.Context(), "insert into message_lease values ($1, gen_random_uuid(), now() + interval '1 hour')", id)
	require.NoError(t, err)
	m.batch(t)
	watermark := func() time.Time {
		states, err := stream.Read(t.Context(), m.pool)
		require.NoError(t, err)
		state := stream.Of(states, stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Live})
		return state.Watermark
	}
	assert.False(t, watermark().After(record.ChangedAt))
	_, err = m.pool.Exec(t.Context(), "delete from message_lease")
	require.NoError(t, err)
	m.pass(time.Minute)
	m.poll(t, live.ReachDue)
	assert.Zero(t, m.count(t, "message_retry"))
	assert.True(t, watermark().After(record.ChangedAt))
}
