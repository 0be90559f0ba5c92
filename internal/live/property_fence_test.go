package live_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
)

// A slice of history that was taken for dead wakes up with a page to record, while another, under a newer epoch, is past that page
// and still at work: the sleeper's page does not count, and the checkpoint stays where it is (Invariant 5).
func TestPageOfASleeperDoesNotCount(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.mu.Lock()
	p.now = p.now.Truncate(24 * time.Hour).Add(12 * time.Hour) // one window
	p.mu.Unlock()
	for n := range 4 {
		p.instance(t, time.Duration(n+1)*time.Hour)
	}
	backfill := p.orderHistory(t, ledger.A3AppInstances)
	platform := httptest.NewServer(p.sim.Handler())
	t.Cleanup(platform.Close)
	sleeper, other := newSyncProcess(t, p, platform.URL, "sleeper"), newSyncProcess(t, p, platform.URL, "other")
	slice := func(pr *syncProcess, stopAt int, answered bool, match func(*http.Request) bool) (ended chan error) {
		for {
			p.exec(t, "update backfill_window set lease_until = 'epoch' where state = 'walking'")
			pr.gate.set(stopAt, answered)
			pr.gate.match = match
			ended = make(chan error, 1)
			go func() {
				_, err := pr.walker.Slice(context.WithoutCancel(t.Context()), backfill)
				ended <- err
			}()
			select {
			case <-pr.gate.stopped:
				return ended
			case err := <-ended:
				require.NoError(t, err) // it found nothing: the sleeper had just told that it lives
			}
		}
	}
	window := func() (seen int, epoch int64, reached time.Time) {
		require.NoError(t, p.pool.QueryRow(t.Context(), "select seen, epoch, reached from backfill_window").Scan(&seen, &epoch, &reached))
		return seen, epoch, reached
	}
	// The last effect of its first page is made, and it does not know yet.
	sleeping := slice(sleeper, 2, true, func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs")
	})
	// The other has recorded that page, and asks for the next but one.
	walking := slice(other, 3, false, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/instances") })
	seen, epoch, reached := window()
	require.Positive(t, seen)
	require.EqualValues(t, 2, epoch)

	close(sleeper.gate.wake)
	require.NoError(t, <-sleeping)
	nowSeen, nowEpoch, nowReached := window()
	assert.Equal(t, seen, nowSeen, "counted twice")
	assert.Equal(t, epoch, nowEpoch)
	assert.True(t, reached.Equal(nowReached), "the checkpoint went from %s to %s", reached, nowReached)

	close(other.gate.wake)
	require.NoError(t, <-walking)
	seen, _, _ = window()
	assert.Equal(t, 4, seen)
}
