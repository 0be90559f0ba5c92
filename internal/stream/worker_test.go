package stream_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

func TestWhetherEventsComeInIsKnownToAll(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	var bus atomic.Pointer[stream.Bus]
	bus.Store(&stream.Bus{})
	one := stream.NewGate(stream.GateConfig{Pool: pool, Worker: "one", Bus: func() stream.Bus { return *bus.Load() }})
	two := newGate(pool, "two")
	heard := func() bool {
		require.NoError(t, one.Refresh(t.Context()))
		require.NoError(t, two.Refresh(t.Context()))
		return two.HearsEvents()
	}
	assert.False(t, heard(), "there is no bus, and nothing came")
	bus.Store(&stream.Bus{Configured: true})
	assert.True(t, heard(), "the bus is read")
	bus.Store(&stream.Bus{Configured: true, Trouble: "unreachable", Since: time.Now()})
	assert.False(t, heard())
	one.Heard()
	assert.True(t, heard(), "an event came by another way")
}

func TestClosedTellsOfEachPause(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	g := newGate(pool, "one")
	isClosed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	closed := func() <-chan struct{} { return g.Closed(formsLive.Source, formsLive.Direction) }
	assert.True(t, isClosed(closed()), "what is not read yet is closed")
	require.NoError(t, g.Refresh(t.Context()))
	for range 2 {
		open := closed()
		assert.False(t, isClosed(open))
		require.NoError(t, stream.Pause(t.Context(), pool, formsLive, night))
		require.NoError(t, g.Refresh(t.Context()))
		assert.True(t, isClosed(open), "who asked before hears of it")
		assert.True(t, isClosed(closed()))
		require.NoError(t, stream.Resume(t.Context(), pool, formsLive, morning))
		require.NoError(t, g.Refresh(t.Context()))
	}
	assert.Nil(t, g.Closed(ledger.DialogServices, stream.Live))
}
