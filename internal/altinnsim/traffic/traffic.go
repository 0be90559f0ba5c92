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
	byPath  map[endpointKey]*timing
	since   time.Time
	items   items
}

type endpointKey struct{ service, method, endpoint string }

// timing is how busy an endpoint is.
type timing struct {
	count         int
	took, longest time.Duration
	seconds       [window]tick
}

// maxLines is how many lines are told apart: paths that no service has would make up any number. What is beyond is
// counted as of the endpoint "other".
const maxLines = 4096

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
	c.byPath = map[endpointKey]*timing{}
	c.items.reset()
	c.since = c.now()
}

// Add counts a request that took so long.
func (c *Counters) Add(line Line, took time.Duration) {
	second := c.now().Unix()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.counts[line]; !known && len(c.counts) >= maxLines {
		line.Endpoint = otherEndpointName
	}
	c.counts[line]++
	c.timing(line).add(second, took)
	c.took[line.Service] += took
	ring, ok := c.seconds[line.Service]
	if !ok {
		ring = &[window]tick{}
		c.seconds[line.Service] = ring
	}
	count(ring, second)
}

func count(ring *[window]tick, second int64) {
	t := &ring[second%window]
	if t.second != second {
		*t = tick{second: second}
	}
	t.count++
}

// recent is how many requests a second there were lately. The running second is not over.
func recent(ring *[window]tick, now int64) float64 {
	n := 0
	for _, t := range ring {
		if t.second < now && t.second >= now-window {
			n += t.count
		}
	}
	return float64(n) / (window - 1)
}

func (c *Counters) timing(line Line) *timing {
	key := endpointKey{line.Service, line.Method, line.Endpoint}
	t, ok := c.byPath[key]
	if !ok {
		t = &timing{}
		c.byPath[key] = t
	}
	return t
}

func (t *timing) add(second int64, took time.Duration) {
	t.count++
	t.took += took
	t.longest = max(t.longest, took)
	count(&t.seconds, second)
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

// EndpointRate is how busy an endpoint is.
type EndpointRate struct {
	Service  string `json:"service"`
	Method   string `json:"method"`
	Endpoint string `json:"endpoint"`
	Rate

	MaxMs float64 `json:"maxMs"`
}

// Summary is all counts.
type Summary struct {
	Since    time.Time       `json:"since"`
	Requests []Counted       `json:"requests"`
	Rates    map[string]Rate `json:"rates"` // by service
	// Endpoints has the same by endpoint, the busiest first.
	Endpoints []EndpointRate `json:"endpoints"`
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
		out.Rates[service] = Rate{
			Requests: totals[service], PerSecond: recent(ring, now),
			MeanMs: inMs(c.took[service]) / float64(max(totals[service], 1)),
		}
	}
	for key, t := range c.byPath {
		rate := Rate{Requests: t.count, PerSecond: recent(&t.seconds, now), MeanMs: inMs(t.took) / float64(t.count)}
		out.Endpoints = append(out.Endpoints, EndpointRate{key.service, key.method, key.endpoint, rate, inMs(t.longest)})
	}
	slices.SortFunc(out.Endpoints, func(a, b EndpointRate) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Endpoint, b.Endpoint),
			cmp.Compare(a.Method, b.Method))
	})
	return out
}

func inMs(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
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
		case i > 0 && segments[i-1] == "attachments":
			segments[i] = "{attachmentId}"
		case i > 0 && segments[i-1] == "correspondences" && segment != "" && strings.Trim(segment, "0123456789") == "":
			segments[i] = "{altinn2CorrespondenceId}"
		case i > 0 && segments[i-1] == "subscriptions":
			segments[i] = "{subscriptionId}"
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
	case i > 0 && segments[i-1] == "correspondence":
		return "{correspondenceId}"
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
