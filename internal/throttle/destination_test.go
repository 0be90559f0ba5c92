package throttle

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/transport"
)

// watched is a destination whose clock the test moves.
type watched struct {
	*Destination

	at time.Time
}

func newWatched() *watched {
	w := &watched{Destination: NewDestination("dialogporten"), at: noon}
	w.now = func() time.Time { return w.at }
	return w
}

// answers lets so many answers of a kind come in, evenly over some seconds.
func (w *watched) answers(n int, method string, wire, over time.Duration) {
	for range n {
		w.at = w.at.Add(over / time.Duration(n))
		w.Observe(transport.Exchange{Service: "dialogporten", Method: method, Route: "/dialogs", Status: 200, Attempts: 1, Wire: wire})
	}
}

func TestBaselineIsTheBestOfTheLastHalfHour(t *testing.T) {
	t.Parallel()
	w := newWatched()
	w.answers(100, http.MethodPost, 100*time.Millisecond, 10*time.Second)
	o := w.Look(time.Time{})
	assert.Equal(t, 100*time.Millisecond, o.P95)
	assert.Zero(t, o.Baseline, "nobody knows yet")

	w.answers(400, http.MethodPost, 100*time.Millisecond, 40*time.Second)
	w.answers(100, http.MethodPost, 300*time.Millisecond, 10*time.Second)
	o = w.Look(time.Time{})
	assert.Equal(t, 300*time.Millisecond, o.P95, "of the last seconds")
	assert.Equal(t, 100*time.Millisecond, o.Baseline)

	w.answers(4000, http.MethodPost, 300*time.Millisecond, 40*time.Minute)
	o = w.Look(time.Time{})
	assert.Equal(t, 300*time.Millisecond, o.Baseline, "that is how it is now")
}

func TestKindsOfRequestsAreJudgedByTheirOwnMeasure(t *testing.T) {
	t.Parallel()
	w := newWatched()
	for range 10 {
		w.answers(50, http.MethodGet, 20*time.Millisecond, 5*time.Second)
		w.answers(50, http.MethodPost, 400*time.Millisecond, 5*time.Second)
	}
	o := w.Look(time.Time{})
	assert.LessOrEqual(t, o.P95, slowFrom(o.Baseline), "a create takes its time: nothing is slow")
	w.answers(50, http.MethodGet, 390*time.Millisecond, 5*time.Second)
	o = w.Look(time.Time{})
	assert.Equal(t, 390*time.Millisecond, o.P95)
	assert.Equal(t, 20*time.Millisecond, o.Baseline, "but a read should not take that long")
}

// What asks for more is held to its like: many items one after the other, a dialog that is made along the way, a file.
func TestLoadIsHeldToItsLike(t *testing.T) {
	t.Parallel()
	w := newWatched()
	for range 40 { // half minutes
		for range fewSamples {
			for _, request := range []struct {
				load transport.Load
				wire time.Duration
			}{
				{transport.Load{Kind: "one"}, 40 * time.Millisecond},
				{transport.Load{Kind: "many", Items: 50}, 2 * time.Second},
				{transport.Load{Kind: "visible"}, 400 * time.Millisecond},
				{transport.Load{Untimed: true}, time.Minute},
			} {
				w.Observe(transport.Exchange{
					Service: "dialogporten", Method: "POST", Route: "/x", Status: 200, Attempts: 1, Load: request.load, Wire: request.wire,
				})
			}
		}
		w.at = w.at.Add(baselineStep)
	}
	o := w.Look(time.Time{})
	assert.LessOrEqual(t, o.P95, slowFrom(o.Baseline))
	for range fewSamples {
		w.Observe(transport.Exchange{
			Service: "dialogporten", Method: "POST", Route: "/x", Status: 200, Attempts: 1, Load: transport.Load{Kind: "many", Items: 10}, Wire: 5 * time.Second,
		})
	}
	o = w.Look(time.Time{})
	assert.Equal(t, 500*time.Millisecond, o.P95, "of each item")
	assert.Equal(t, 40*time.Millisecond, o.Baseline)
}

func TestOnlyWhatCameAfterACutCounts(t *testing.T) {
	t.Parallel()
	w := newWatched()
	w.answers(100, http.MethodPost, 5*time.Second, 4*time.Second)
	cutAt := w.at
	w.answers(19, http.MethodPost, 10*time.Millisecond, 19*time.Millisecond)
	assert.Zero(t, w.Look(cutAt).P95, "too few to tell")
	w.answers(1, http.MethodPost, 10*time.Millisecond, time.Millisecond)
	assert.Equal(t, 10*time.Millisecond, w.Look(cutAt).P95)

	w.at = w.at.Add(20 * time.Second)
	w.answers(10, http.MethodPost, 10*time.Millisecond, time.Second)
	assert.Equal(t, 10*time.Millisecond, w.Look(cutAt).P95, "few answers within the window: it looks further back")
	w.at = w.at.Add(time.Hour)
	assert.Zero(t, w.Look(cutAt).P95, "old news")
}

func TestWhatIsNoAnswerOfTheDestination(t *testing.T) {
	t.Parallel()
	w := newWatched()
	for range 100 {
		w.Observe(transport.Exchange{Service: "storage", Method: "GET", Status: 200, Attempts: 1, Wire: time.Minute})
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Err: context.Canceled, Attempts: 1, Wire: time.Minute})
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Status: 200})
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Status: 500, Attempts: 1, Wire: time.Millisecond})
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Err: context.DeadlineExceeded, Attempts: 1, Wire: time.Millisecond})
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Status: 503, Attempts: 3, Refused: 503, Wire: time.Millisecond})
	}
	o := w.Look(time.Time{})
	assert.Zero(t, o.P95)
	assert.Equal(t, http.StatusServiceUnavailable, o.Refused)
	w.at = w.at.Add(window)
	assert.Zero(t, w.Look(time.Time{}).Refused, "it is over")
	for i := range 2 * mostKinds {
		w.Observe(transport.Exchange{Service: "dialogporten", Method: "GET", Route: string(rune('a' + i)), Status: 200, Attempts: 1})
	}
	assert.Len(t, w.kinds, mostKinds)
}

// A refusal that a retry within the call got over is heard all the same, through the real stack.
func TestRefusalsAreHeardThroughRetries(t *testing.T) {
	t.Parallel()
	first := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first {
			first = false
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	d := NewDestination("dialogporten")
	client := transport.NewClient(transport.Config{
		Service: "dialogporten", BaseURL: server.URL, Observe: d.Observe, Retry: transport.RetryPolicy{Initial: time.Millisecond},
	})
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/x", http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	o := d.Look(time.Time{})
	assert.Equal(t, http.StatusTooManyRequests, o.Refused)
	assert.Equal(t, time.Second, o.Rest)
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var durations []time.Duration
	for i := range 100 {
		durations = append(durations, time.Duration(100-i))
	}
	assert.Equal(t, time.Duration(95), percentile95(durations))
	assert.Equal(t, time.Duration(100), durations[0], "left as they were")
	assert.Zero(t, percentile95(durations[:fewSamples-1]))
}
