package cache_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/transport/cache"
)

var errDown = errors.New("down")

// clock is a clock that stands until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newCache(c *clock, size int) *cache.Cache[string, int] {
	return cache.New[string, int](cache.Config{Size: size, Now: c.now})
}

// asks counts what it is asked and answers as told.
type asks struct {
	count int
	value int
	err   error
}

func (a *asks) fetch(context.Context) (int, error) {
	a.count++
	return a.value, a.err
}

func TestFreshStaleAndOver(t *testing.T) {
	t.Parallel()
	clock := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	c := newCache(clock, 0)
	source := &asks{value: 1}
	get := func() (int, error) { return c.Get(t.Context(), "k", source.fetch) }

	value, err := get()
	require.NoError(t, err)
	require.Equal(t, 1, value)

	source.value, clock.at = 2, clock.at.Add(cache.DefaultFresh-1)
	value, _ = get()
	require.Equal(t, 1, value, "fresh: not asked again")

	clock.at = clock.at.Add(1)
	value, _ = get()
	require.Equal(t, 2, value, "no longer fresh")

	source.err, clock.at = errDown, clock.at.Add(cache.DefaultFresh)
	value, err = get()
	require.NoError(t, err)
	require.Equal(t, 2, value, "stale, for want of a better one")
	require.Equal(t, 3, source.count)
	_, _ = get()
	require.Equal(t, 3, source.count, "a source that is down is left in peace for a while")
	clock.at = clock.at.Add(cache.DefaultPause)
	_, _ = get()
	require.Equal(t, 4, source.count)

	clock.at = clock.at.Add(cache.DefaultStale)
	_, err = get()
	require.ErrorIs(t, err, errDown, "too old to be used")
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	c := newCache(&clock{at: time.Now()}, 0)
	source := &asks{err: errDown}
	_, err := c.Get(t.Context(), "k", source.fetch)
	require.ErrorIs(t, err, errDown)
	source.err = nil
	_, err = c.Get(t.Context(), "k", source.fetch)
	require.NoError(t, err)
}

func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New[string, int](cache.Config{})
		var fetches atomic.Int64
		answer := make(chan int)
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				value, err := c.Get(t.Context(), "k", func(context.Context) (int, error) {
					fetches.Add(1)
					return <-answer, nil
				})
				if err != nil || value != 7 {
					t.Errorf("got %d, %v", value, err)
				}
			})
		}
		synctest.Wait()
		answer <- 7
		group.Wait()
		require.EqualValues(t, 1, fetches.Load())
	})
}

func TestAFetchWhoseCallerLeftIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New[string, int](cache.Config{})
		// The reason why one item's reading ends, as an errgroup gives it, must not become another item's failure.
		reason := errors.New("the party of the first is unknown")
		ctx, cancel := context.WithCancelCause(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := c.Get(ctx, "k", func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, context.Cause(ctx)
			})
			if !errors.Is(err, reason) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			value, err := c.Get(t.Context(), "k", func(context.Context) (int, error) { return 7, nil })
			if err != nil || value != 7 {
				t.Errorf("got %d, %v", value, err)
			}
		})
		synctest.Wait()
		cancel(reason)
		group.Wait()
	})
}

func TestWaitingEndsWithItsOwnContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cache.New[string, int](cache.Config{})
		answer := make(chan int)
		var group sync.WaitGroup
		group.Go(func() {
			_, _ = c.Get(t.Context(), "k", func(context.Context) (int, error) { return <-answer, nil })
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Get(ctx, "k", nil)
		require.ErrorIs(t, err, context.Canceled)
		answer <- 1
		group.Wait()
	})
}

// The cache never exceeds its size and never forgets what was used last.
func TestBoundedByUse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5).Draw(t, "size")
		c := newCache(&clock{at: time.Now()}, size)
		var used []string // the last used last
		for _, key := range rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "keys") {
			name := strconv.Itoa(key)
			_, err := c.Get(context.Background(), name, func(context.Context) (int, error) { return key, nil })
			if err != nil {
				t.Fatal(err)
			}
			used = append(slices.DeleteFunc(used, func(candidate string) bool { return candidate == name }), name)
			used = used[max(0, len(used)-size):]
			for candidate := range 10 {
				_, kept := c.Peek(strconv.Itoa(candidate))
				if kept != slices.Contains(used, strconv.Itoa(candidate)) {
					t.Fatalf("%d kept: %t, used last: %v", candidate, kept, used)
				}
			}
		}
	})
}
