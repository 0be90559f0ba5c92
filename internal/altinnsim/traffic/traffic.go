// Package traffic counts requests: by service, endpoint and status, and how many a second.
package traffic

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Reset is the status of a request that was answered by hanging up.
const Reset = 0

// Counters count requests since the last reset. They are safe for concurrent use.
type Counters struct {
	now func() time.Time

	mu      sync.Mutex
	counts  map[Line]int
	took    map[string]time.Duration // by service
	seconds map[string]*[window]tick // by service
	since   time.Time
}

// Line is what requests are counted by.
type Line struct {
	Service  string `json:"service"`
	Method   string `json:"method"`
	Endpoint string `json:"endpoint"` // the path with {partyId}, {guid} and so on
	Status   int    `json:"status"`   // 0: hung up
}

// window is how many seconds rates look back.
const window = 10

type tick struct {
	second int64
	count  int
}

// New makes counters. They measure by the real clock, whatever the simulator's says.
func New() *Counters {
	c := &Counters{now: time.Now}
	c.Reset()
	return c
}

// Reset forgets all counts.
func (c *Counters) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts, c.took, c.seconds = map[Line]int{}, map[string]time.Duration{}, map[string]*[window]tick{}
	c.since = c.now()
}

// Add counts a request that took so long.
func (c *Counters) Add(line Line, took time.Duration) {
	second := c.now().Unix()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[line]++
	c.took[line.Service] += took
	ring, ok := c.seconds[line.Service]
	if !ok {
		ring = &[window]tick{}
		c.seconds[line.Service] = ring
	}
	t := &ring[second%window]
	if t.second != second {
		*t = tick{second: second}
	}
	t.count++
}

// Count is how many requests match: an empty service, method or endpoint matches all.
func (c *Counters) Count(service, method, endpoint string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for line, count := range c.counts {
		if (service == "" || line.Service == service) && (method == "" || line.Method == method) &&
			(endpoint == "" || line.Endpoint == endpoint) {
			n += count
		}
	}
	return n
}

// Total is how many requests there were.
func (c *Counters) Total() int { return c.Count("", "", "") }

// Counted is a line with its count.
type Counted struct {
	Line

	Count int `json:"count"`
}

// Rate is how busy a service is.
type Rate struct {
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"perSecond"` // over the last ten seconds
	MeanMs    float64 `json:"meanMs"`    // time taken by a request, latency faults included
}

// Summary is all counts.
type Summary struct {
	Since    time.Time       `json:"since"`
	Requests []Counted       `json:"requests"`
	Rates    map[string]Rate `json:"rates"` // by service
}

// Summary is a copy of all counts, sorted.
func (c *Counters) Summary() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now().Unix()
	out := Summary{Since: c.since.UTC(), Rates: map[string]Rate{}, Requests: make([]Counted, 0, len(c.counts))}
	totals := map[string]int{}
	for line, count := range c.counts {
		out.Requests = append(out.Requests, Counted{Line: line, Count: count})
		totals[line.Service] += count
	}
	slices.SortFunc(out.Requests, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Method, b.Method),
			cmp.Compare(a.Status, b.Status))
	})
	for service, ring := range c.seconds {
		recent := 0
		for _, t := range ring {
			// The running second is not over.
			if t.second < now && t.second >= now-window {
				recent += t.count
			}
		}
		out.Rates[service] = Rate{
			Requests: totals[service], PerSecond: float64(recent) / (window - 1),
			MeanMs: float64(c.took[service].Microseconds()) / 1000 / float64(max(totals[service], 1)),
		}
	}
	return out
}

// Endpoint is a path with its ids replaced by their names.
func Endpoint(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		switch {
		case i > 0 && segments[i-1] == "applications":
			segments[i] = "{org}"
		case i > 1 && segments[i-2] == "applications":
			segments[i] = "{app}"
		case i > 0 && segments[i-1] == "texts":
			segments[i] = "{language}"
		case i > 0 && segments[i-1] == "labels" && segment != "":
			segments[i] = "{label}"
		case isUUID(segment):
			segments[i] = idName(segments, i)
		case segment != "" && strings.Trim(segment, "-0123456789") == "":
			segments[i] = "{partyId}"
		}
	}
	return strings.Join(segments, "/")
}

func isUUID(segment string) bool {
	_, err := uuid.Parse(segment)
	return err == nil
}

func idName(segments []string, i int) string {
	switch {
	case i > 0 && segments[i-1] == "dialogs":
		return "{dialogId}"
	case i > 0 && segments[i-1] == "events":
		return "{eventId}"
	case i > 0 && segments[i-1] == "activities":
		return "{activityId}"
	case i > 0 && segments[i-1] == "transmissions":
		return "{transmissionId}"
	}
	return "{guid}"
}
