package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
)

// shelf lists instances by Storage's rules (reference 3.2, 3.5, 3.6): order by time, then by row number ascending in both
// directions; a token exactly when the page is full; tokens followed upwards only.
type shelf []shelved

type shelved struct {
	id      uuid.UUID
	changed time.Time // zero: the row's JSON has no lastChanged; sorted is what the column has
	sorted  time.Time
	number  int
}

func (s shelf) list(q storage.Query) storage.Page {
	var hits []shelved
	after, _ := strconv.Atoi(q.Token)
	for _, row := range s {
		t := row.sorted
		switch {
		case !q.From.IsZero() && t.Before(q.From), !q.To.IsZero() && !t.Before(q.To), !q.UpTo.IsZero() && t.After(q.UpTo),
			!q.At.IsZero() && !t.Equal(q.At), q.Token != "" && row.number <= after:
			continue
		}
		hits = append(hits, row)
	}
	slices.SortFunc(hits, func(a, b shelved) int {
		byTime := a.sorted.Compare(b.sorted)
		if q.Descending {
			byTime = -byTime
		}
		return cmp.Or(byTime, cmp.Compare(a.number, b.number))
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

func drawShelf(t *rapid.T, w Window, size int) shelf {
	untimed := 0
	// Few distinct instants, so that ties larger than a page are common.
	instants := rapid.SliceOfN(rapid.Int64Range(-3, int64(w.Range.To.Sub(w.Range.From)/time.Microsecond)+2), 1, 6).Draw(t, "instants")
	n := rapid.IntRange(0, 60).Draw(t, "rows")
	var s shelf
	for i := range n {
		sorted := w.Range.From.Add(time.Duration(rapid.SampledFrom(instants).Draw(t, "instant")) * time.Microsecond)
		changed := sorted
		// A whole page without times cannot be walked, and is refused.
		if untimed < size-1 && rapid.IntRange(0, 8).Draw(t, "untimed") == 0 {
			untimed++
			changed = time.Time{}
		}
		s = append(s, shelved{id: uuid.NewSHA1(uuid.Nil, []byte(strconv.Itoa(i))), changed: changed, sorted: sorted, number: i + 1})
	}
	return s
}

// The walk meets every row of its window, also where rows share a time, where pages end inside ties, and where it is
// interrupted anywhere and taken up again from its checkpoint.
func TestWalkMeetsEveryRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
		w := Window{Org: "ttd", Range: Range{From: from, To: from.Add(100 * time.Microsecond)}}
		size := rapid.IntRange(1, 7).Draw(t, "size")
		s := drawShelf(t, w, size)

		met, err := walkShelf(t, s, w, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range s {
			if w.Range.Contains(row.sorted) && !met[row.id] {
				t.Fatalf("row %d at %v was never met", row.number, row.sorted)
			}
			if !w.Range.Contains(row.sorted) && met[row.id] {
				t.Fatalf("row %d at %v lies outside of the window", row.number, row.sorted)
			}
		}
	})
}

// walkShelf walks as a turn does. Interrupted, it keeps only the checkpoint, as a new slice would.
func walkShelf(t *rapid.T, s shelf, w Window, size int) (map[uuid.UUID]bool, error) {
	met := map[uuid.UUID]bool{}
	checkpoint, token := Start(w.Range), ""
	// Each interruption costs a page at most; without them there are at most two pages a row and one an instant.
	interruptions := 0
	for steps := 0; steps <= 4*len(s)+10+4*interruptions; steps++ {
		page := s.list(checkpoint.query(w, size, token))
		positions := positionsOf(page.Instances, checkpoint.Reached)
		next := checkpoint.advance(positions, page.Full, page.NextToken)
		if next.stuck {
			return nil, fmt.Errorf("stuck at %v", checkpoint)
		}
		n := len(page.Instances)
		if n > 0 && interruptions < 20 && rapid.IntRange(0, 5).Draw(t, "interrupt") == 0 {
			interruptions++
			n = rapid.IntRange(0, n-1).Draw(t, "recorded")
			for _, row := range page.Instances[:n] {
				met[row.ID.GUID] = true
			}
			if n > 0 {
				checkpoint = checkpoint.after(positions, n)
			}
			token = ""
			continue
		}
		for _, row := range page.Instances {
			met[row.ID.GUID] = true
		}
		checkpoint, token = next.next, next.token
		if next.done {
			return met, nil
		}
	}
	return nil, fmt.Errorf("the walk does not end: it stands at %v", checkpoint)
}
