package live_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/live"
)

// A message that fails where nothing else happens holds its stream up for an hour and ten tries, and no longer (Invariant 8).
func TestMessageThatIsAloneStopsItsStreamForAWhileOnly(t *testing.T) {
	t.Parallel()
	m := begun(t)
	m.poller = m.another(t) // of a process that knows of no other message
	m.arrive(t)
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/correspondence/api/v1/migration/") {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	for range 10 {
		require.Eventually(t, func() bool { return m.poll(t, live.ReachBatch).Rest > 0 }, 20*time.Second, time.Millisecond)
	}
	assert.Contains(t, m.waiting(t), "1 of the last 1 items failed alike")
	assert.Zero(t, m.count(t, "message_retry"))
	m.pass(61 * time.Minute)
	require.Eventually(t, func() bool {
		m.batch(t)
		return m.count(t, "message_retry") == 1
	}, 20*time.Second, 10*time.Millisecond)
	assert.Empty(t, m.waiting(t))
	m.watch(nil)
	m.arrive(t)
	m.batch(t)
	assert.Len(t, m.told(), 1, "the stream goes on")
}

// More messages whose calls fail, each by itself, than a page tries in a row let those behind them be tried as well (Invariant 8).
func TestSeveralMessagesThatFailAloneHoldNobodyUp(t *testing.T) {
	t.Parallel()
	m := begun(t)
	const bad = 8
	for range bad {
		m.arrive(t)
	}
	m.batch(t)
	got, err := m.pool.Query(t.Context(), "select correspondence_id::text from message where due_at is not null order by altinn2_id desc limit 8")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(got, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, ids, bad)
	for range 30 {
		m.arrive(t)
	}
	m.batch(t)
	m.idle(t)
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, callAvailable) {
			return false
		}
		body, _ := io.ReadAll(r.Body) // it is our own client's
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, id := range ids {
			if bytes.Contains(body, []byte(id)) {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
		}
		return false
	})
	for range 10 {
		m.pass(37 * time.Hour)
		m.poll(t, live.ReachDue)
	}
	assert.Equal(t, bad, m.count(t, "message_retry where attempt > 3"))
}
