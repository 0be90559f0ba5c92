package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return parsed
}

func TestPlanIsNewestFirstByDayAndOrganisation(t *testing.T) {
	t.Parallel()
	r := Range{From: at(t, "2025-02-27T00:00:00Z"), To: at(t, "2025-03-01T12:00:00Z")}

	var got []string
	for w := range Plan(r, []string{"skd", "ttd"}) {
		got = append(got, w.Org+" "+w.Range.String())
	}

	assert.Equal(t, []string{
		"skd 2025-03-01 to 2025-03-01T12:00:00Z", "ttd 2025-03-01 to 2025-03-01T12:00:00Z",
		"skd 2025-02-28 to 2025-03-01", "ttd 2025-02-28 to 2025-03-01",
		"skd 2025-02-27 to 2025-02-28", "ttd 2025-02-27 to 2025-02-28",
	}, got)
}

// Whatever the range, the windows of an organisation are exactly the range: an instant left out would be an item lost.
func TestPlanCoversTheRangeWithoutOverlapOrHole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.UnixMicro(rapid.Int64Range(-1e15, 2e15).Draw(t, "from")).UTC()
		length := time.Duration(rapid.Int64Range(1, int64(40*Day)).Draw(t, "length"))
		r := Range{From: from, To: from.Add(length)}

		edge := r.To
		for w := range Plan(r, []string{"ttd"}) {
			if !w.Range.To.Equal(edge) || !w.Range.From.Before(w.Range.To) {
				t.Fatalf("window %v does not follow %v", w.Range, edge)
			}
			if w.Range.From.Truncate(Day) != w.Range.To.Add(-1).Truncate(Day) {
				t.Fatalf("window %v spans two UTC days", w.Range)
			}
			edge = w.Range.From
		}
		if !edge.Equal(r.From) {
			t.Fatalf("windows end at %v, not at %v", edge, r.From)
		}
	})
}

func TestPlanStopsWhenAsked(t *testing.T) {
	t.Parallel()
	r := Range{From: at(t, "2003-01-01T00:00:00Z"), To: at(t, "2026-01-01T00:00:00Z")}
	n := 0
	for range Plan(r, []string{"a", "b"}) {
		if n++; n == 3 {
			break
		}
	}
	assert.Equal(t, 3, n)
}

func TestWatermark(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2025, 1, d, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name    string
		covered map[string][]Range
		orgs    []string
		top     time.Time
		want    time.Time
		none    bool
	}{
		{"everything", map[string][]Range{"a": {{day(1), day(9)}}, "b": {{day(1), day(9)}}}, []string{"a", "b"}, day(9), day(1), false},
		{"the slowest organisation tells", map[string][]Range{"a": {{day(1), day(9)}}, "b": {{day(7), day(9)}}}, []string{"a", "b"}, day(9), day(7), false},
		{"a hole stops it", map[string][]Range{"a": {{day(6), day(9)}, {day(1), day(5)}}}, []string{"a"}, day(9), day(6), false},
		{"an organisation without coverage", map[string][]Range{"a": {{day(1), day(9)}}}, []string{"a", "b"}, day(9), time.Time{}, true},
		{"newer data are ordered and not walked", map[string][]Range{"a": {{day(1), day(8)}}}, []string{"a"}, day(9), time.Time{}, true},
		{"coverage beyond what is promised", map[string][]Range{"a": {{day(2), day(20)}}}, []string{"a"}, day(9), day(2), false},
		{"nothing ordered", map[string][]Range{"a": {{day(1), day(9)}}}, []string{"a"}, time.Time{}, time.Time{}, true},
		{"no organisations", nil, nil, day(9), time.Time{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := backTo(tt.covered, tt.orgs, tt.top)
			assert.Equal(t, !tt.none, ok)
			assert.True(t, tt.want.Equal(got), "got %v", got)
		})
	}
}
