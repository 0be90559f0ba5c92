package generator_test

import (
	"testing"

	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// What a list costs is mostly the writing of its instances.
func BenchmarkAppendInstance(b *testing.B) {
	options := generator.Defaults()
	options.Instances = 2000
	g, err := generator.New(options, now(), "tt02.altinn.no", func(string) uint16 { return 0 })
	if err != nil {
		b.Fatal(err)
	}
	var totals generator.Totals
	var rows []storage.Row
	g.Rows(&totals)(func(row storage.Row) bool {
		rows = append(rows, row)
		return true
	})
	var buffer []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buffer = g.AppendInstance(buffer[:0], storage.View{Row: rows[i%len(rows)], ID: 1, SelfLinks: true, Elements: true})
	}
}
