package batch

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/ledger"
)

func TestAlike(t *testing.T) {
	t.Parallel()
	judge := func(share float64, reasons ...string) Verdict {
		a := &Alike{}
		for i, r := range reasons {
			a.Note(strconv.Itoa(i), r, false)
		}
		return a.Judge(share)
	}
	some := func(n int, reasons ...string) []string { return slices.Repeat(reasons, n) }

	assert.False(t, judge(0.5, some(2, "a")...).Tripped, "two bad items are two bad items")
	assert.True(t, judge(0.5, some(3, "a")...).Tripped, "not one went well")
	assert.False(t, judge(0.5, append(some(12, "a"), "")...).Tripped, "too few for a share")
	assert.True(t, judge(0.5, append(some(19, "a"), "")...).Tripped)
	assert.False(t, judge(0.5, append(some(20, "a", "b", "c"), "")...).Tripped, "different faults are the items' own")
	assert.False(t, judge(0.5, some(25, "a", "")...).Tripped, "half is not more than half")
	assert.False(t, judge(1, some(50, "a")...).Tripped, "an operator's 1 turns it off")
	assert.False(t, judge(0.5, append(some(50, "a"), some(30, "")...)...).Tripped, "old ones are forgotten")

	assert.True(t, judge(0.5, append(some(9, ""), "a")...).Well)
	assert.False(t, judge(0.5, append(some(8, ""), "a")...).Well, "nine are too few to blame the one")
	assert.False(t, judge(0.5, some(10, "", "a")...).Well)
	assert.True(t, judge(1, "a").Well)

	refused := &Alike{}
	refused.Note("1", "http_400", true)
	assert.True(t, refused.Judge(0.5).Tripped, "nothing shows that the service takes any")
	refused.Note("2", "", false)
	assert.False(t, refused.Judge(0.5).Tripped)

	again := &Alike{}
	for range 100 {
		again.Note("the same", "a", false)
	}
	assert.Equal(t, 1, again.Judge(0.5).Of, "an item that is tried again counts once")
}

func TestAccountsBalanceOnlyWhenEverythingSeenHasAnOutcome(t *testing.T) {
	t.Parallel()
	rows := []*Row{{settled: true}, {settled: true, Repeated: true}, {settled: true, Met: true}}
	rows[0].result.Outcome = "created"
	assert.Equal(t, Accounts{Seen: 1, Created: 1}, AccountsOf(rows))
	rows[0].result.Outcome = "an outcome nobody knows"
	assert.False(t, AccountsOf(rows).Balanced())
	assert.False(t, Accounts{Seen: 1, Skipped: 1, SkippedBy: map[string]int64{"gone": 2}}.Balanced())
}

// What failed is read again, whatever the ledger says of an earlier delivery.
func TestWhatIsInQuarantineIsNotLeftAsItStands(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	known := ledger.Entry{SourceChanged: at, MappingVersion: 2, Outcome: ledger.Created, State: ledger.DialogAlive}
	r := Row{Listed: &altinn.Instance{LastChanged: &altinn.Time{Time: at}}, Known: &known}
	_, left := alreadyThere(&r, 2)
	assert.True(t, left)
	r.Quarantined = true
	_, left = alreadyThere(&r, 2)
	assert.False(t, left)
}
