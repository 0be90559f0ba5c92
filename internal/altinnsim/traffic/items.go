package traffic

import (
	"cmp"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Bounds of what is kept of items: two generations in each shard, some 150 MB in all when they are full.
const (
	itemShards        = 16
	itemsPerShard     = 1 << 16
	endpointsPerItem  = 8
	maxItemEndpoints  = 255
	otherEndpoint     = 0
	otherEndpointName = "other"
)

// items count the requests for single items and dialogs. When a shard is full, those that were not asked for lately
// are forgotten: what is asked for again and again is always known.
type items struct {
	mu       sync.RWMutex
	numbers  map[itemEndpoint]uint8 // the names of endpoints, numbered
	names    []string
	shards   [itemShards]itemShard
	perShard int
}

type itemEndpoint struct{ method, endpoint string }

type itemShard struct {
	mu         sync.Mutex
	young, old map[uuid.UUID]itemCount
	forgotten  int
}

// itemCount is how often an item was asked for, and by which endpoints. Those beyond the first count as others.
type itemCount struct {
	total    uint32
	counts   [endpointsPerItem]uint32
	endpoint [endpointsPerItem]uint8 // 0: none, or others
}

func (x *items) reset() {
	x.mu.Lock()
	x.numbers, x.names = map[itemEndpoint]uint8{}, []string{otherEndpointName}
	if x.perShard == 0 {
		x.perShard = itemsPerShard
	}
	x.mu.Unlock()
	for i := range x.shards {
		s := &x.shards[i]
		s.mu.Lock()
		s.young, s.old, s.forgotten = map[uuid.UUID]itemCount{}, nil, 0
		s.mu.Unlock()
	}
}

// number is the number of an endpoint.
func (x *items) number(method, endpoint string) uint8 {
	key := itemEndpoint{method, endpoint}
	x.mu.RLock()
	n, known := x.numbers[key]
	x.mu.RUnlock()
	if known {
		return n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n, known = x.numbers[key]; known {
		return n
	}
	if len(x.names) > maxItemEndpoints {
		return otherEndpoint
	}
	n = uint8(len(x.names)) //nolint:gosec // bounded above
	x.numbers[key] = n
	x.names = append(x.names, method+" "+endpoint)
	return n
}

// shard spreads ids by their last bytes, which are random in all kinds of ids.
func (x *items) shard(id uuid.UUID) *itemShard { return &x.shards[(id[15]^id[11])%itemShards] }

func (x *items) add(id uuid.UUID, endpoint uint8) {
	s := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	count, known := s.young[id]
	if !known {
		if count, known = s.old[id]; known {
			delete(s.old, id)
		}
		if len(s.young) >= x.perShard {
			s.forgotten += len(s.old)
			s.old, s.young = s.young, make(map[uuid.UUID]itemCount, x.perShard)
		}
	}
	count.total++
	for i := range count.endpoint {
		if count.counts[i] == 0 && endpoint != otherEndpoint {
			count.endpoint[i] = endpoint
		}
		if count.endpoint[i] == endpoint && endpoint != otherEndpoint {
			count.counts[i]++
			break
		}
	}
	s.young[id] = count
}

func (x *items) of(id uuid.UUID) (itemCount, bool) {
	s := x.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	count, known := s.young[id]
	if !known {
		count, known = s.old[id]
	}
	return count, known
}

// Touched counts a request for items: the instances or dialogs that it named.
func (c *Counters) Touched(method, endpoint string, ids ...uuid.UUID) {
	if len(ids) == 0 {
		return
	}
	n := c.items.number(method, endpoint)
	for _, id := range ids {
		c.items.add(id, n)
	}
}

// Item is how many requests named one of the ids, by method and endpoint.
func (c *Counters) Item(ids ...uuid.UUID) map[string]int {
	out := map[string]int{}
	for _, id := range ids {
		count, known := c.items.of(id)
		if !known {
			continue
		}
		// The names after the counts: an endpoint gets its number before anything is counted under it.
		c.items.mu.RLock()
		names := c.items.names
		c.items.mu.RUnlock()
		others := int(count.total)
		for i, n := range count.counts {
			// A request that a reset overtook was counted under a number of before.
			if endpoint := int(count.endpoint[i]); n > 0 && endpoint < len(names) {
				out[names[endpoint]] += int(n)
				others -= int(n)
			}
		}
		if others > 0 {
			out[otherEndpointName] += others
		}
	}
	return out
}

// Busy is an item with the number of its requests.
type Busy struct {
	ID       uuid.UUID
	Requests int
}

// Busiest are the items with the most requests, how many are known, and how many have been forgotten.
func (c *Counters) Busiest(most int) (busiest []Busy, known, forgotten int) {
	byRequests := func(a, b Busy) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), slices.Compare(a.ID[:], b.ID[:]))
	}
	for i := range c.items.shards {
		s := &c.items.shards[i]
		s.mu.Lock()
		known += len(s.young) + len(s.old)
		forgotten += s.forgotten
		for _, generation := range [...]map[uuid.UUID]itemCount{s.young, s.old} {
			for id, count := range generation {
				busiest = append(busiest, Busy{id, int(count.total)})
				if len(busiest) >= 1024+2*most {
					slices.SortFunc(busiest, byRequests)
					busiest = busiest[:most]
				}
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(busiest, byRequests)
	return busiest[:min(most, len(busiest))], known, forgotten
}
