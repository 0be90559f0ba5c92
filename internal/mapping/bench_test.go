package mapping_test

import (
	"encoding/json"
	"testing"

	"github.com/altinn/dialogsync/internal/mapping"
)

func BenchmarkCreate(b *testing.B) {
	in := readGolden(b, "testdata/archived")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := mapping.Create(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateToJSON(b *testing.B) {
	in := readGolden(b, "testdata/archived")
	b.ReportAllocs()
	for b.Loop() {
		created, err := mapping.Create(in)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(created.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateUnchanged(b *testing.B) {
	in := readGolden(b, "testdata/archived")
	in.Existing = stored(b, mustCreate(b, in).Body)
	b.ReportAllocs()
	for b.Loop() {
		change, err := mapping.Update(in)
		if err != nil || !change.Unchanged {
			b.Fatal(err, change.Unchanged)
		}
	}
}
