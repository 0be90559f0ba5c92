package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Config bounds a cache. The zero value takes the defaults.
type Config struct {
	// Size is how many values are kept at most; default 1,000.
	Size int
	// Fresh is how long a value is used without asking; default 5 minutes.
	Fresh time.Duration
	// Stale is how long after its fetch a value is used when asking fails; default 2 hours. It is at least Fresh.
	Stale time.Duration
	// Pause is how long a stale value is used after asking failed, before the next try; default 30 seconds.
	Pause time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Defaults are those of the existing consumer (mapping rules, 16), but for the pause: half an hour there.
const (
	DefaultSize  = 1000
	DefaultFresh = 5 * time.Minute
	DefaultStale = 2 * time.Hour
	DefaultPause = 30 * time.Second
)

// Cache is a bounded map of values that were fetched. It is safe for use by many goroutines.
type Cache[K comparable, V any] struct {
	config Config

	mu      sync.Mutex
	entries map[K]*list.Element
	recent  *list.List // of *entry[K, V], the last used first
	flights map[K]*flight[V]
}

type entry[K comparable, V any] struct {
	key     K
	value   V
	fetched time.Time
	// askAfter is when the value stops being used without asking.
	askAfter time.Time
}

// flight is one fetch under way; its results may be read once done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	// left: whoever made the fetch went away, so that err may be the reason of that, which is none of those who wait.
	left bool
}

// New makes an empty cache.
func New[K comparable, V any](config Config) *Cache[K, V] {
	if config.Size <= 0 {
		config.Size = DefaultSize
	}
	if config.Fresh <= 0 {
		config.Fresh = DefaultFresh
	}
	if config.Stale <= 0 {
		config.Stale = DefaultStale
	}
	config.Stale = max(config.Stale, config.Fresh)
	if config.Pause <= 0 {
		config.Pause = DefaultPause
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Cache[K, V]{
		config: config, entries: map[K]*list.Element{}, recent: list.New(), flights: map[K]*flight[V]{},
	}
}

// Fresh gives a value that may be used without asking.
func (c *Cache[K, V]) Fresh(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.lookup(key)
	if e == nil || !c.config.Now().Before(e.askAfter) {
		return value, false
	}
	return e.value, true
}

// Stale gives a value that may be used because asking has just failed, and lets it be used for a pause without asking.
func (c *Cache[K, V]) Stale(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Now()
	e := c.lookup(key)
	if e == nil || now.Sub(e.fetched) >= c.config.Stale {
		return value, false
	}
	if pause := now.Add(c.config.Pause); pause.After(e.askAfter) {
		e.askAfter = pause
	}
	return e.value, true
}

// Peek gives a value that Fresh or Stale would give, and changes nothing.
func (c *Cache[K, V]) Peek(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, found := c.entries[key]
	if !found {
		return value, false
	}
	e := entryOf[K, V](element)
	if c.config.Now().Sub(e.fetched) >= c.config.Stale {
		return value, false
	}
	return e.value, true
}

// Put keeps a value that was fetched just now, and drops the one used longest ago if there are too many.
func (c *Cache[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Now()
	kept := &entry[K, V]{key: key, value: value, fetched: now, askAfter: now.Add(c.config.Fresh)}
	if element, ok := c.entries[key]; ok {
		element.Value = kept
		c.recent.MoveToFront(element)
		return
	}
	c.entries[key] = c.recent.PushFront(kept)
	if c.recent.Len() > c.config.Size {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, entryOf[K, V](oldest).key)
	}
}

// Get gives the value of key, fetching it when there is no fresh one. When the fetch fails, a stale value is given
// instead of the error, unless ctx is done. At most one fetch of a key is under way at a time; a fetch that ended
// because its own caller went away is taken over by one of those who wait for it.
func (c *Cache[K, V]) Get(ctx context.Context, key K, fetch func(context.Context) (V, error)) (V, error) {
	for {
		if value, ok := c.Fresh(key); ok {
			return value, nil
		}
		current, mine := c.join(key)
		if mine {
			c.fly(ctx, key, current, fetch)
		}
		select {
		case <-current.done:
		case <-ctx.Done():
			var none V
			return none, fmt.Errorf("wait for a fetch under way: %w", context.Cause(ctx))
		}
		if current.err == nil {
			return current.value, nil
		}
		if !mine && current.left && ctx.Err() == nil {
			continue
		}
		if ctx.Err() == nil {
			if value, ok := c.Stale(key); ok {
				return value, nil
			}
		}
		var none V
		return none, current.err
	}
}

// join gives the fetch under way, or a new one that the caller has to make.
func (c *Cache[K, V]) join(key K) (current *flight[V], mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if current, ok := c.flights[key]; ok {
		return current, false
	}
	current = &flight[V]{done: make(chan struct{})}
	c.flights[key] = current
	return current, true
}

// fly makes the fetch. Those who wait are let go even if fetch panics.
func (c *Cache[K, V]) fly(ctx context.Context, key K, current *flight[V], fetch func(context.Context) (V, error)) {
	current.err = errFetchPanicked
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		c.mu.Unlock()
		close(current.done)
	}()
	current.value, current.err = fetch(ctx)
	current.left = ctx.Err() != nil
	if current.err == nil {
		c.Put(key, current.value)
	}
}

var errFetchPanicked = errors.New("the fetch waited for has panicked")

// lookup finds an entry and marks it as used. The lock is held.
func (c *Cache[K, V]) lookup(key K) *entry[K, V] {
	element, ok := c.entries[key]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(element)
	return entryOf[K, V](element)
}

func entryOf[K comparable, V any](element *list.Element) *entry[K, V] {
	e, _ := element.Value.(*entry[K, V])
	return e
}
