package faults

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// handClock is a clock that tests move.
type handClock struct{ now time.Time }

func withClock(t *testing.T, rules ...Rule) (*Injector, *handClock) {
	t.Helper()
	clock := &handClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	i := New(7)
	i.now = func() time.Time { return clock.now }
	require.NoError(t, i.Set(rules))
	return i, clock
}

func (i *Injector) drawn(t *testing.T) []drawnRule {
	t.Helper()
	out, _ := i.draw("storage", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/storage/api/v1/instances?org=skd", nil))
	return out
}

// A capacity of ten a second with two at once and a queue of 300 ms: two go through, the next wait 100 ms each, and
// what would wait longer than the queue is refused and told when to come again.
func TestCapacityQueuesThenRefuses(t *testing.T) {
	t.Parallel()
	i, clock := withClock(t, Rule{Effect: EffectCapacity, Rate: 10, Burst: 2, Queue: Duration(300 * time.Millisecond)})
	var waits []time.Duration
	for range 7 {
		drawn := i.drawn(t)
		switch {
		case len(drawn) == 0:
			waits = append(waits, 0)
		case drawn[0].refused:
			waits = append(waits, -drawn[0].wait)
		default:
			waits = append(waits, drawn[0].wait)
		}
	}
	const ms = time.Millisecond
	assert.Equal(t, []time.Duration{0, 0, 100 * ms, 200 * ms, 300 * ms, -400 * ms, -400 * ms}, waits, "a refused request takes no place")
	clock.now = clock.now.Add(250 * ms)
	drawn := i.drawn(t)
	require.Len(t, drawn, 1)
	assert.Equal(t, 150*ms, drawn[0].wait)
	clock.now = clock.now.Add(time.Hour)
	assert.Empty(t, i.drawn(t), "an hour of rest saves up no more than two")
	assert.Empty(t, i.drawn(t))
	assert.Len(t, i.drawn(t), 1)
}

func TestCapacityServesItsRate(t *testing.T) {
	t.Parallel()
	i, clock := withClock(t, Rule{Effect: EffectCapacity, Rate: 500, Queue: Duration(20 * time.Millisecond)})
	served := 0
	for range 10_000 { // a thousand requests a second for ten seconds
		drawn := i.drawn(t)
		if len(drawn) == 0 || !drawn[0].refused {
			served++
		}
		clock.now = clock.now.Add(time.Millisecond)
	}
	assert.InDelta(t, 5000, served, 100)
}

func TestBurstsComeAndGo(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (string, map[int]bool) {
		i, clock := withClock(t)
		i.seed = seed
		require.NoError(t, i.Set([]Rule{{Effect: EffectBurst, On: Duration(5 * time.Second), Off: Duration(10 * time.Second)}}))
		var out []byte
		statuses := map[int]bool{}
		for range 200 {
			if drawn := i.drawn(t); len(drawn) == 0 {
				out = append(out, '.')
			} else {
				out = append(out, 'x')
				statuses[drawn[0].status] = true
			}
			clock.now = clock.now.Add(time.Second)
		}
		clock.now = clock.now.Add(1000 * time.Hour)
		i.drawn(t) // does not go through all of them
		return string(out), statuses
	}
	first, statuses := run(1)
	again, _ := run(1)
	other, _ := run(2)
	assert.Equal(t, first, again)
	assert.NotEqual(t, first, other)
	assert.Regexp(t, `^\.{5,15}x{2,8}\.{5,15}x{2,8}\.`, first)
	assert.Equal(t, map[int]bool{500: true, 502: true, 503: true, 504: true}, statuses)
}

func TestStatementsAreSlowUntilTheDatabaseGivesUp(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, test := range []struct {
		rule   Rule
		tail   bool
		took   time.Duration
		gaveUp bool
	}{
		{Rule{}, false, 30 * s, true},
		{Rule{Latency: Duration(5 * s)}, false, 5 * s, false},
		{Rule{Latency: Duration(5 * s), Tail: Duration(20 * s)}, true, 25 * s, false},
		{Rule{Latency: Duration(5 * s), Tail: Duration(60 * s)}, true, 30 * s, true},
		{Rule{Latency: Duration(5 * s), Timeout: Duration(4 * s)}, false, 4 * s, true},
	} {
		took, gaveUp := statementTime(test.rule, test.tail)
		assert.Equal(t, test.took, took)
		assert.Equal(t, test.gaveUp, gaveUp)
	}
}

func TestRulesEnd(t *testing.T) {
	t.Parallel()
	i, clock := withClock(t,
		Rule{Effect: EffectClockSkew, Service: "storage", Skew: Duration(time.Hour), For: Duration(time.Minute)},
		Rule{Effect: EffectReset, For: Duration(time.Minute)})
	assert.Equal(t, time.Hour, i.Skew("storage"))
	assert.Zero(t, i.Skew("register"))
	assert.Len(t, i.drawn(t), 1)
	clock.now = clock.now.Add(time.Minute)
	assert.Zero(t, i.Skew("storage"))
	assert.Empty(t, i.drawn(t))
}
