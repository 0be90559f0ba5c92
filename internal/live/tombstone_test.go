package live_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// A listing may be behind, and show what was deleted meanwhile: what has a tombstone is made again only by whoever has read the
// instance itself (Invariant 4).
func TestAListingDoesNotRaiseTheDead(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	th := p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	p.poll(t, live.ReachCatchUp)
	require.True(t, p.has(th))
	require.NoError(t, p.sim.Storage.HardDelete(th.guid))
	p.accept(t, th.command())
	p.finish(t)
	require.False(t, p.has(th))
	entry, found := p.ledger(t, th)
	require.True(t, found)
	require.Equal(t, ledger.Purged, entry.Outcome)

	p.pass(10 * time.Second)
	p.place(t, th, p.clock().Add(-5*time.Second)) // as a listing that is behind shows it
	var read, created atomic.Bool
	p.watch(func(r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, th.guid.String()):
			read.Store(true)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs"):
			created.Store(created.Load() || !read.Load())
		}
	})
	p.poll(t, live.ReachCatchUp)
	p.watch(nil)
	assert.False(t, created.Load(), "made from the listing alone")
	assert.True(t, read.Load())
}

func TestAPausedStreamTakesNoSecondLook(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	require.NoError(t, p.poller.SecondLook(t.Context(), source)) // begins it
	th := p.put(t, newThing())
	p.accept(t, th.command())
	p.finish(t)
	require.NoError(t, p.sim.Storage.HardDelete(th.guid))
	p.accept(t, th.command())
	p.finish(t)
	p.age(t)
	var requests atomic.Int64
	p.watch(func(*http.Request) { requests.Add(1) })
	p.pause(t, true)
	require.NoError(t, p.poller.Gate.Refresh(t.Context()))
	require.NoError(t, p.poller.SecondLook(t.Context(), source))
	assert.Zero(t, requests.Load())
	p.pause(t, false)
	require.NoError(t, p.poller.Gate.Refresh(t.Context()))
	require.NoError(t, p.poller.SecondLook(t.Context(), source))
	assert.Positive(t, requests.Load(), "the dialog is looked for")
	p.watch(nil)
}
