package storage

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// However rows come, go and move, an index holds them in order, and a seek finds the first that does not come before.
func TestIndexKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := map[slot]int64{}
		x := newIndex(func(s slot) position { return position{changed: times[s], id: idOf(s)} })
		var held []slot
		fresh := slot(0)
		add := func() slot {
			times[fresh] = rapid.Int64Range(0, 50).Draw(t, "time")
			fresh++
			return fresh - 1
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"load", "insert", "move", "remove"}).Draw(t, "step") {
			case "load":
				var added []slot
				for range rapid.IntRange(0, 3*maxBlock/2).Draw(t, "rows") {
					times[fresh] = int64(fresh*7919) % 1000
					added = append(added, fresh)
					fresh++
				}
				held = append(held, added...)
				x.load(added)
			case "insert":
				s := add()
				held = append(held, s)
				x.insert(s)
			case "move":
				if len(held) > 0 {
					s := rapid.SampledFrom(held).Draw(t, "moved")
					x.remove(s)
					times[s] += rapid.Int64Range(-5, 900).Draw(t, "by")
					x.insert(s)
				}
			case "remove":
				if len(held) > 0 {
					i := rapid.IntRange(0, len(held)-1).Draw(t, "removed")
					x.remove(held[i])
					held = slices.Delete(held, i, i+1)
				}
			}
		}
		want := slices.Clone(held)
		slices.SortFunc(want, func(a, b slot) int { return cmp.Or(cmp.Compare(times[a], times[b]), cmp.Compare(a, b)) })
		require.Equal(t, len(want), x.count)
		got := []slot{}
		for c := x.seek(position{changed: -1 << 62}); ; {
			s, ok := x.next(&c)
			if !ok {
				break
			}
			got = append(got, s)
		}
		require.Equal(t, append([]slot{}, want...), got)
		at := position{changed: rapid.Int64Range(-1, 1100).Draw(t, "sought"), id: RowID(rapid.Int64Range(0, int64(fresh)+1).Draw(t, "id"))}
		i := slices.IndexFunc(want, func(s slot) bool { return !x.at(s).before(at) })
		c := x.seek(at)
		s, ok := x.next(&c)
		require.Equal(t, i >= 0, ok)
		if ok {
			require.Equal(t, want[i], s)
		}
		last, ok := x.previous(x.end())
		require.Equal(t, len(want) > 0, ok)
		if ok {
			require.Equal(t, want[len(want)-1], last)
		}
	})
}

func TestTimesAreWrittenAsGoWritesThem(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(-62_135_596_800_000_000, 260_000_000_000_000_000).Draw(t, "micros")
		micros -= micros % rapid.SampledFrom([]int64{1, 10, 1000, 100_000, 1_000_000}).Draw(t, "precision")
		want := time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
		require.Equal(t, want, FormatTime(micros))
		parsed, ok := ParseTime(want)
		require.Equal(t, micros < 253_402_300_800_000_000, ok)
		if ok {
			require.Equal(t, micros, parsed)
		}
		require.Equal(t, micros, microsOf(ticksOf(micros)))
	})
}
