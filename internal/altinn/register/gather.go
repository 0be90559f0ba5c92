package register

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// gathering is the batch that look-ups may join at the moment; nil when there is none.
//
// There is no goroutine behind it: whoever begins a batch waits for others for a few milliseconds, makes the request for
// all of them, and wakes them. The request lives as long as anybody still waits for it.
type gathering struct {
	mu   sync.Mutex
	open *batch
}

// batch is one request in the making. Its URNs and waiters are guarded by the gathering's lock; results may be read once
// done is closed.
type batch struct {
	urns    []string
	waiters int
	full    chan struct{} // closed when no URN fits in any more
	done    chan struct{}
	results map[string]result
	ctx     context.Context //nolint:containedctx // The batch's own life: until nobody waits for it.
	cancel  context.CancelFunc
}

// fetch asks Register for URNs, together with whatever others ask for now. Each URN has a result.
func (c *Client) fetch(ctx context.Context, urns []string) map[string]result {
	results := make(map[string]result, len(urns))
	for len(urns) > 0 {
		joined, mine, rest := c.join(ctx, urns)
		c.await(ctx, joined, mine)
		for _, urn := range urns[:len(urns)-len(rest)] {
			results[urn] = c.resultOf(ctx, joined, urn)
		}
		urns = rest
	}
	return results
}

// join puts as many URNs as fit into the open batch, or into a new one, which the caller has to send.
func (c *Client) join(ctx context.Context, urns []string) (joined *batch, mine bool, rest []string) {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	if c.waiting.open == nil {
		mine = true
		b := &batch{full: make(chan struct{}), done: make(chan struct{}), results: map[string]result{}}
		// The values of the one who sends (its trace) go along, its end does not.
		b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
		c.waiting.open = b
	}
	joined = c.waiting.open
	joined.waiters++
	n := min(len(urns), maxURNs-len(joined.urns))
	joined.urns = append(joined.urns, urns[:n]...)
	if len(joined.urns) == maxURNs {
		close(joined.full)
		c.waiting.open = nil
	}
	return joined, mine, urns[n:]
}

// await waits for the batch's results, or for ctx. Who began the batch sends it, and stays while others wait.
func (c *Client) await(ctx context.Context, b *batch, mine bool) {
	leave := sync.OnceFunc(func() { c.leave(b) })
	stop := context.AfterFunc(ctx, leave)
	defer stop()
	defer leave()
	if mine {
		c.send(b)
		return
	}
	select {
	case <-b.done:
	case <-ctx.Done():
	}
}

// leave ends the request when nobody waits for it any more.
func (c *Client) leave(b *batch) {
	c.waiting.mu.Lock()
	defer c.waiting.mu.Unlock()
	b.waiters--
	if b.waiters > 0 {
		return
	}
	if c.waiting.open == b {
		c.waiting.open = nil // nobody may join a batch that is given up
	}
	b.cancel()
}

// send gathers for a moment, closes the batch to others and asks.
func (c *Client) send(b *batch) {
	defer close(b.done)
	timer := time.NewTimer(c.gather)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.full:
	case <-b.ctx.Done():
	}
	c.waiting.mu.Lock()
	if c.waiting.open == b {
		c.waiting.open = nil
	}
	urns := b.urns
	c.waiting.mu.Unlock()
	c.ask(b, urns)
}

// ask fills in the results of the batch. A URN that cannot be matched by value is asked for again alone, where the first
// record is its own; so are all of them when the request was refused, which may be the fault of one.
func (c *Client) ask(b *batch, urns []string) {
	seen := map[string]struct{}{}
	var distinct []string
	for _, urn := range urns {
		if _, again := seen[urn]; !again {
			seen[urn] = struct{}{}
			distinct = append(distinct, urn)
		}
	}
	if len(distinct) == 1 {
		b.results[distinct[0]] = c.askAlone(b.ctx, distinct[0])
		return
	}
	records, err := c.query(b.ctx, distinct)
	for _, urn := range distinct {
		switch {
		case err != nil && !isRefusal(err):
			b.results[urn] = result{err: err}
			continue
		case err == nil:
			if party, ok := match(urn, records); ok {
				c.cache.Put(urn, *party)
				b.results[urn] = result{party: party}
				continue
			}
		}
		b.results[urn] = c.askAlone(b.ctx, urn)
	}
}

// askAlone asks for one URN and takes the first record, as the existing consumer does.
func (c *Client) askAlone(ctx context.Context, urn string) result {
	records, err := c.query(ctx, []string{urn})
	if err != nil || len(records) == 0 {
		return result{err: err}
	}
	c.cache.Put(urn, records[0])
	return result{party: &records[0]}
}

func (c *Client) resultOf(ctx context.Context, b *batch, urn string) result {
	select {
	case <-b.done:
		if r, ok := b.results[urn]; ok && (r.err == nil || ctx.Err() == nil) {
			return r
		}
	default:
	}
	if ctx.Err() != nil {
		return result{err: fmt.Errorf("wait for register: %w", context.Cause(ctx))}
	}
	return result{err: errAbandoned}
}
