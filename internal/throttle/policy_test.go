package throttle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// noon is when the tests' time begins.
var noon = time.Date(2025, time.March, 3, 12, 0, 0, 0, time.UTC)

func behind(d time.Duration) []Lag { return []Lag{{Behind: d}} }

func TestWhatACutIsMadeFor(t *testing.T) {
	t.Parallel()
	slow := Observation{Service: "dialogporten", P95: 310 * time.Millisecond, Baseline: 130 * time.Millisecond}
	refused := Observation{Service: "dialogporten", Refused: 429, P95: time.Minute}
	for name, tt := range map[string]struct {
		signals Signals
		factor  float64
		cause   string
	}{
		"all well":                            {Signals{Live: behind(0)}, 1, ""},
		"nothing known":                       {Signals{}, 1, ""},
		"live is as far behind as it may be":  {Signals{Live: behind(3 * time.Second)}, 1, ""},
		"live is further behind":              {Signals{Live: behind(4 * time.Second)}, 0.5, "live lag 4 s"},
		"live is far behind":                  {Signals{Live: behind(2 * time.Minute)}, 0, "live lag 120 s"},
		"a batch within its promise":          {Signals{Live: []Lag{{Behind: 9 * time.Minute, Promise: 10 * time.Minute}}}, 1, ""},
		"a batch that is late":                {Signals{Live: []Lag{{Behind: 11 * time.Minute, Promise: 10 * time.Minute}}}, 0.5, "live lag 660 s"},
		"the one furthest from its promise":   {Signals{Live: []Lag{{Behind: 11 * time.Minute, Promise: 10 * time.Minute}, {Behind: 6 * time.Second}}}, 0.5, "live lag 6 s"},
		"slower than twice its own best":      {Signals{Destinations: []Observation{slow}}, 260.0 / 310, "dialogporten p95 310 ms"},
		"much slower":                         {Signals{Destinations: []Observation{{Service: "dialogporten", P95: 3 * time.Second, Baseline: time.Second / 2}}}, 0.5, "dialogporten p95 3000 ms"},
		"a little slower counts all the same": {Signals{Destinations: []Observation{{Service: "dialogporten", P95: 301 * time.Millisecond, Baseline: 150 * time.Millisecond}}}, 0.9, "dialogporten p95 301 ms"},
		"slower, but fast by any measure":     {Signals{Destinations: []Observation{{P95: 249 * time.Millisecond, Baseline: time.Millisecond}}}, 1, ""},
		"no baseline, and not slow":           {Signals{Destinations: []Observation{{P95: 900 * time.Millisecond}}}, 1, ""},
		"no baseline, and slow":               {Signals{Destinations: []Observation{{Service: "dialogporten", P95: 4 * time.Second}}}, 0.5, "dialogporten p95 4000 ms"},
		"the slowest of two counts":           {Signals{Destinations: []Observation{{Service: "correspondence", P95: 270 * time.Millisecond, Baseline: 130 * time.Millisecond}, slow}}, 260.0 / 310, "dialogporten p95 310 ms"},
		"one that asks for less comes first":  {Signals{Destinations: []Observation{slow, refused}}, 0.5, "dialogporten answers 429"},
		"it asks for less":                    {Signals{Destinations: []Observation{refused}}, 0.5, "dialogporten answers 429"},
		"it asks for less, and live lags":     {Signals{Live: behind(4 * time.Second), Destinations: []Observation{refused}}, 0.5, "dialogporten answers 429"},
		"live far behind comes first":         {Signals{Live: behind(time.Hour), Destinations: []Observation{refused}}, 0, "live lag 3600 s"},
		"live behind, destination slow":       {Signals{Live: behind(4 * time.Second), Destinations: []Observation{slow}}, 0.5, "live lag 4 s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			factor, cause := cut(tt.signals)
			assert.InDelta(t, tt.factor, factor, 1e-9)
			assert.Equal(t, tt.cause, cause)
		})
	}
}

func TestLiveHasItsReservedShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		slots    int
		reserved float64
		most     int
	}{
		{256, DefaultReserved, 179}, {10, DefaultReserved, 7}, {1, DefaultReserved, 1}, {2, DefaultReserved, 1}, {100, 0, 100}, {0, 0.3, 1},
	} {
		p := Policy{Slots: tt.slots, Reserved: tt.reserved}
		assert.Equal(t, tt.most, p.Max())
		assert.LessOrEqual(t, p.Start().Slots, p.Max())
		assert.Positive(t, p.Start().Slots)
	}
}

// steps asks once a second, from noon plus from on, and gives the last limit.
func steps(p Policy, l Limit, s Signals, from, n int) Limit {
	for i := range n {
		l = p.Next(l, s, noon.Add(time.Duration(from+i)*time.Second))
	}
	return l
}

func TestHistoryYieldsAtOnceAndComesBackSlowly(t *testing.T) {
	t.Parallel()
	p := Policy{Slots: 256, Reserved: DefaultReserved}
	bad := Signals{Live: behind(4 * time.Second)}

	l := steps(p, p.Start(), Signals{}, 0, 60)
	assert.Equal(t, 179, l.Slots)
	assert.Empty(t, l.Reason, "nothing is held back")

	l = steps(p, l, bad, 60, 1)
	assert.Equal(t, 89, l.Slots, "at the first look")
	assert.Equal(t, "live lag 4 s", l.Reason)
	l = steps(p, l, bad, 61, 4)
	assert.Equal(t, 89, l.Slots, "a cut is given time to show")
	l = steps(p, l, bad, 65, 1)
	assert.Equal(t, 44, l.Slots)
	l = steps(p, l, bad, 66, 120)
	assert.Equal(t, 1, l.Slots, "never below one")

	l = steps(p, l, Signals{}, 186, 10)
	assert.Equal(t, 1, l.Slots, "a moment's rest is not yet well")
	assert.Equal(t, "after live lag 4 s", l.Reason)
	l = steps(p, l, Signals{}, 196, 10)
	assert.Equal(t, 31, l.Slots)
	l = steps(p, l, bad, 206, 1)
	assert.Equal(t, 15, l.Slots, "and down again at once")
	l = steps(p, l, Signals{}, 207, 120)
	assert.Equal(t, 179, l.Slots)
	assert.Empty(t, l.Reason)

	l = steps(p, l, Signals{Live: behind(time.Hour)}, 400, 1)
	assert.Equal(t, 1, l.Slots, "live is far behind: it gets all but one")
}

func TestARestThatTheDestinationAsksForIsKept(t *testing.T) {
	t.Parallel()
	p := Policy{Slots: 100, Reserved: 0.3}
	l := p.Next(Limit{Slots: 70}, Signals{Destinations: []Observation{{Service: "dialogporten", Refused: 429, Rest: 8 * time.Second}}}, noon)
	assert.Equal(t, "dialogporten answers 429", l.Reason)
	assert.Equal(t, 35, l.Slots)
	assert.Zero(t, l.Now(noon.Add(7*time.Second)))
	assert.Equal(t, 35, l.Now(noon.Add(8*time.Second)))

	l = p.Next(l, Signals{Destinations: []Observation{{Service: "dialogporten", Refused: 429, Rest: 24 * time.Hour}}}, noon)
	assert.Equal(t, 35, l.Now(noon.Add(longestRest)), "nobody stops history for a day by a header")
}

func TestLimitStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{Slots: rapid.IntRange(0, 500).Draw(t, "slots"), Reserved: rapid.Float64Range(0, 0.99).Draw(t, "reserved")}
		l, now := p.Start(), noon
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			signals := Signals{
				Live:         behind(time.Duration(rapid.IntRange(0, 20).Draw(t, "lag")) * time.Second),
				Destinations: []Observation{drawn(t, "dialogporten"), drawn(t, "correspondence")},
			}
			before := l.Slots
			l = p.Next(l, signals, now)
			assert.GreaterOrEqual(t, l.Slots, 1)
			assert.LessOrEqual(t, l.Slots, p.Max())
			if factor, cause := cut(signals); factor < 1 {
				assert.LessOrEqual(t, l.Slots, before, "never more while something is wrong")
				assert.Equal(t, cause, l.Reason, "and it says what")
			}
			assert.LessOrEqual(t, l.Slots-before, max(p.Max()/growthPart, 1), "slowly up")
			if l.cause != "" {
				assert.NotEmpty(t, l.Reason)
			}
		}
	})
}

func drawn(t *rapid.T, service string) Observation {
	return Observation{
		Service: service, P95: time.Duration(rapid.IntRange(0, 2000).Draw(t, "p95")) * time.Millisecond,
		Baseline: time.Duration(rapid.IntRange(0, 500).Draw(t, "baseline")) * time.Millisecond,
		Refused:  rapid.SampledFrom([]int{0, 0, 429, 503}).Draw(t, "refused"),
	}
}
