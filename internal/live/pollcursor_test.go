package live

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/ledger"
)

// shelved is a row of a model of Storage: what it says of its time, what it is sorted by, and from when on it can be seen.
type shelved struct {
	id      uuid.UUID
	changed time.Time
	sorted  time.Time
	visible time.Time
	number  int
}

// shelf lists as Storage does in ascending order (Storage reference 3.5, 3.6).
type shelf []*shelved

func (s shelf) list(q storage.Query, now time.Time) storage.Page {
	var hits []*shelved
	after, _ := strconv.Atoi(q.Token)
	for _, row := range s {
		inside := !row.sorted.Before(q.From) && (q.To.IsZero() || row.sorted.Before(q.To)) && !row.visible.After(now)
		if !q.At.IsZero() {
			inside = row.sorted.Equal(q.At) && !row.visible.After(now)
		}
		if inside && row.number > after { // tokens are followed within a tie only
			hits = append(hits, row)
		}
	}
	slices.SortFunc(hits, func(a, b *shelved) int {
		if !a.sorted.Equal(b.sorted) {
			return a.sorted.Compare(b.sorted)
		}
		return a.number - b.number
	})
	hits = hits[:min(len(hits), q.Size)]
	page := storage.Page{Full: len(hits) == q.Size}
	if page.Full {
		page.NextToken = strconv.Itoa(hits[len(hits)-1].number)
	}
	for _, row := range hits {
		instance := &altinn.Instance{}
		if !row.changed.IsZero() {
			instance.LastChanged = &altinn.Time{Time: row.changed}
		}
		page.Instances = append(page.Instances, storage.Listed{Instance: instance, ID: altinn.InstanceID{PartyID: 1, GUID: row.id}})
	}
	return page
}

// met is what a follower has brought over: the time that each item stood at.
type met map[uuid.UUID]time.Time

// follow is one run, as walkOrg does it: everything met is brought over, unless refused says no.
func follow(s shelf, m met, position, now time.Time, overlap time.Duration, size int, refused func(*shelved) bool) (time.Time, error) {
	byID := map[uuid.UUID]*shelved{}
	for _, row := range s {
		byID[row.id] = row
	}
	front, at := frontier{position: position}, begin(position, overlap)
	for steps := 0; at.reached.Before(now); steps++ {
		if steps > 6*len(s)+20 {
			return position, fmt.Errorf("the walk does not end: it stands at %v", at)
		}
		page := s.list(at.query("ttd", now, size), now)
		positions, timed := forwardPositions(page.Instances, at.reached)
		next := at.advance(positions, page.Full, timed, page.NextToken)
		if next.stuck {
			return position, fmt.Errorf("stuck at %v", at)
		}
		for i, listed := range page.Instances {
			row := byID[listed.ID.GUID]
			if refused(row) {
				front.hold(positions[i])
				continue
			}
			m[row.id] = row.sorted
		}
		at = next.next
		if next.done {
			at.reached = now
			break
		}
	}
	return front.at(at.reached), nil
}

// Whatever becomes visible no later than the overlap after its time is met, also where rows change while they are walked, share
// a time, or cannot be brought over at first; and the position never passes what is not.
func TestFollowingMeetsEveryRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const overlap = 20 * tick
		size := rapid.IntRange(1, 6).Draw(t, "size")
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		now, position := start, start
		var s shelf
		m := met{}
		untimed, bad := 0, map[uuid.UUID]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "runs") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "passed")) * tick)
			for range rapid.IntRange(0, 12).Draw(t, "new") {
				// Written within the overlap before it can be seen; few instants, so that many share one.
				late := time.Duration(rapid.IntRange(0, 4).Draw(t, "late")) * 5 * tick
				sorted := now.Add(-late)
				row := &shelved{id: uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(len(s)))), changed: sorted, sorted: sorted, visible: now, number: len(s) + 1}
				if untimed < size-1 && rapid.IntRange(0, 9).Draw(t, "untimed") == 0 {
					untimed++
					row.changed = time.Time{}
				}
				bad[row.id] = rapid.IntRange(0, 9).Draw(t, "bad") == 0
				s = append(s, row)
			}
			for _, row := range s {
				if !row.changed.IsZero() && rapid.IntRange(0, 9).Draw(t, "touched") == 0 {
					row.changed, row.sorted, row.visible = now, now, now
				}
			}
			to := now.Add(tick)
			var err error
			position, err = follow(s, m, position, to, overlap, size, func(r *shelved) bool { return bad[r.id] })
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range s {
				if row.sorted.Before(position) && !row.visible.After(now) && !m[row.id].Equal(row.sorted) {
					t.Fatalf("row %d at %v is not brought over, and the position is %v", row.number, row.sorted, position)
				}
				if rapid.IntRange(0, 1).Draw(t, "healed") == 0 {
					bad[row.id] = false
				}
			}
		}
		clear(bad)
		position, err := follow(s, m, position, now.Add(tick), overlap, size, func(*shelved) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range s {
			if !m[row.id].Equal(row.sorted) {
				t.Fatalf("row %d at %v was never met", row.number, row.sorted)
			}
		}
		if position.Before(now) {
			t.Fatalf("everything is met, and the position is %v", position)
		}
	})
}

func TestFrontierNeverPassesWhatIsNotSettled(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	f := frontier{position: at(10)}
	assert.Equal(t, at(10), f.at(at(4)), "what is listed again is behind it")
	assert.Equal(t, at(12), f.at(at(12)))
	assert.True(t, f.passes(at(11)))
	assert.False(t, f.passes(at(9)), "it was counted before")
	f.hold(at(13))
	f.hold(at(8))
	f.hold(at(14))
	assert.Equal(t, at(8), f.at(at(20)), "it goes back to what shows up behind it")
	assert.False(t, f.passes(at(15)))
}

func TestFormsArchivedFarBackAreSortedIntoBuckets(t *testing.T) {
	t.Parallel()
	buckets := lagBuckets([]time.Duration{0, 61 * time.Second, 2 * time.Minute, 5 * 366 * 24 * time.Hour})
	assert.Equal(t, map[int64]lagBucket{60: {1, 0}, 120: {2, 120}, 0: {1, 5 * 366 * 24 * 3600}}, buckets)
}

func TestSubmissionWaitsForItsPDFByItsAge(t *testing.T) {
	t.Parallel()
	for age, attempt := range map[time.Duration]int{-time.Second: 1, 2 * time.Second: 1, 10 * time.Second: 2, 50 * time.Second: 3, time.Minute: 4} {
		assert.Equal(t, attempt, attemptAt(age), "%s", age)
	}
}

func TestReachesAreOneFirstAndTheRestBySchedule(t *testing.T) {
	t.Parallel()
	first := map[ledger.Source]int{}
	for _, r := range (PollConfig{}).Reaches() {
		assert.Zero(t, r.Grace, "no intakes, nothing is left to them")
		if r.follows() {
			first[r.Source]++
			assert.Equal(t, FirstReach(r.Source), r.Name)
		}
		assert.NotEqual(t, r.Schedule == "", r.Every == 0, r.Name)
	}
	assert.Equal(t, map[ledger.Source]int{ledger.A3AppInstances: 1, ledger.A2ArchivedForms: 1}, first)
	catchUp, found := PollConfig{Intakes: true}.ReachOf(ledger.A3AppInstances, ReachCatchUp)
	assert.True(t, found)
	assert.Equal(t, DefaultGrace, catchUp.Grace)
}
