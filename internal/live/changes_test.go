package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
)

func TestPositionOfTheWalkOverChanges(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC)
	change := func(seq int64, at time.Time) altinn2.Listed {
		return altinn2.Listed{Message: &altinn2.Message{ChangeSeq: seq, ChangedAt: at}}
	}
	from := changesCursor{token: "a", position: noon}
	later, asOf := noon.Add(time.Hour), noon.Add(3*time.Hour)
	now := noon.Add(4 * time.Hour)
	for _, test := range []struct {
		name string
		page altinn2.Page
		want time.Time
	}{
		{"at the end it is the export's word", altinn2.Page{AsOf: asOf}, asOf},
		{"which is not believed beyond now", altinn2.Page{AsOf: now.Add(time.Hour)}, now},
		{"before the end it follows the last change", altinn2.Page{HasMore: true, AsOf: asOf, Items: []altinn2.Listed{change(1, noon), change(2, later)}}, later.Add(-changesMargin)},
		{"and never passes the export's word", altinn2.Page{HasMore: true, AsOf: later, Items: []altinn2.Listed{change(2, asOf)}}, later},
		{"where changes are out of order nothing is known", altinn2.Page{HasMore: true, AsOf: asOf, Items: []altinn2.Listed{change(2, later), change(1, later)}}, noon},
		{"nor where none can be read", altinn2.Page{HasMore: true, AsOf: asOf, Items: []altinn2.Listed{{}}}, noon},
		{"nor where the export gives no word", altinn2.Page{}, noon},
		{"it never goes back", altinn2.Page{AsOf: noon.Add(-time.Hour)}, noon},
	} {
		test.page.NextCursor = "b"
		got := from.after(&test.page, now)
		assert.Equal(t, test.want, got.position, test.name)
		assert.Equal(t, "b", got.token)
	}
	assert.Equal(t, altinn2.ChangesQuery{Cursor: "a", Limit: 7}, from.query(time.Hour, 7))
	assert.Equal(t, altinn2.ChangesQuery{Since: noon.Add(-time.Hour), Limit: 7}, changesCursor{position: noon}.query(time.Hour, 7))
}

func TestWalkThatLeadsNowhereIsSeen(t *testing.T) {
	t.Parallel()
	c := changesCursor{token: "a"}
	assert.True(t, c.leadsOn(&altinn2.Page{HasMore: true, NextCursor: "b"}))
	assert.True(t, c.leadsOn(&altinn2.Page{NextCursor: "a"}), "the end repeats its position")
	assert.False(t, c.leadsOn(&altinn2.Page{HasMore: true, NextCursor: "a"}))
	assert.False(t, c.leadsOn(&altinn2.Page{HasMore: true}))
}

// Pauses grow to a day, and end.
func TestPausesOfMessagesGrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.IntRange(1, 40).Draw(t, "attempt")
		pause, again := messagePause(attempt, 1)
		next, nextAgain := messagePause(attempt+1, 1)
		switch {
		case again && nextAgain:
			assert.GreaterOrEqual(t, next, pause)
			assert.Positive(t, pause)
			assert.LessOrEqual(t, next, 24*time.Hour)
		case !again:
			assert.False(t, nextAgain)
		}
	})
	sum := time.Duration(0)
	for attempt := 1; ; attempt++ {
		pause, again := messagePause(attempt, 1)
		if !again {
			break
		}
		sum += pause
	}
	assert.InDelta(t, 14*24*time.Hour, sum, float64(24*time.Hour))
}
