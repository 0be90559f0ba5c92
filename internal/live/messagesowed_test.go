package live_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/live"
)

// A purge that cannot be told stands in quarantine until it is: publish, whose walk is our own record, tells it or leaves it there. What
// has left the quarantine is owed no more.
func TestPublishTellsWhatStandsInQuarantine(t *testing.T) {
	t.Parallel()
	history := message.Order{Lane: message.History}
	for name, tc := range map[string]struct {
		status  int
		owed    int
		visible bool // when it is purged
	}{
		"refused":                    {http.StatusBadRequest, 0, false},
		"for a moment":               {http.StatusInternalServerError, 1, false},
		"refused, and published":     {http.StatusBadRequest, 0, true},
		"for a moment and published": {http.StatusInternalServerError, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := begun(t)
			id := m.arrive(t)
			stored, err := m.poller.Messages.Source.Message(t.Context(), id)
			require.NoError(t, err)
			results, err := m.poller.Messages.DeliverAll(t.Context(), []*altinn2.Message{stored}, message.Order{Lane: message.History, TransferOnly: !tc.visible})
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
			require.NoError(t, m.sim.Altinn2.ChangePurge(id, false))
			purged, _ := m.sim.Altinn2.Message(id)
			m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/syncStatusEvent") {
					w.WriteHeader(tc.status)
					return true
				}
				return false
			})
			for range 6 {
				m.batch(t)
				m.pass(3 * time.Minute)
				m.poll(t, live.ReachDue)
			}
			require.Len(t, m.quarantine(t), 1)
			require.Equal(t, tc.owed, m.count(t, "message_retry where quarantined"))

			results, err = m.poller.Messages.Publish(t.Context(), []int32{id}, history)
			require.NoError(t, err)
			require.Error(t, results[0].Err)
			assert.Len(t, m.quarantine(t), 1, "its only trace")
			assert.Equal(t, tc.owed, m.count(t, "message_retry"))

			m.watch(nil)
			results, err = m.poller.Messages.Publish(t.Context(), []int32{id}, history)
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
			item, _ := m.sim.Correspondence.Item(id)
			assert.True(t, item.Purged())
			assert.Empty(t, m.quarantine(t))
			assert.Zero(t, m.count(t, "message_retry"))
			m.batch(t)
			assert.True(t, m.live(t).Watermark.After(purged.ChangedAt))
			assert.Equal(t, 1, m.count(t, "ledger where outcome in ('purged', 'unchanged') and source_changed = $1", purged.ChangedAt.Truncate(time.Microsecond)))
		})
	}
}

// A listing that is older than what failed does not release it either.
func TestOldListingReleasesNothing(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	listed, err := m.poller.Messages.Source.Message(t.Context(), id)
	require.NoError(t, err)
	transfer := message.Order{Lane: message.History, TransferOnly: true}
	_, err = m.poller.Messages.DeliverAll(t.Context(), []*altinn2.Message{listed}, transfer)
	require.NoError(t, err)
	require.NoError(t, m.sim.Altinn2.ChangePurge(id, false))
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/syncStatusEvent") {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		return false
	})
	m.batch(t)
	require.Len(t, m.quarantine(t), 1)

	results, err := m.poller.Messages.DeliverAll(t.Context(), []*altinn2.Message{listed}, transfer)
	require.NoError(t, err)
	require.Error(t, results[0].Err)
	assert.Len(t, m.quarantine(t), 1)
	m.watch(nil)
	_, err = m.poller.Messages.DeliverAll(t.Context(), []*altinn2.Message{listed}, transfer)
	require.NoError(t, err)
	assert.Empty(t, m.quarantine(t))
	m.clean(t)
}
