package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/ledger"
)

// BenchmarkRecord records pages of 500 items as a walk backwards does, and tells what a row costs on disk and in WAL. Forms
// carry archive references, which fall with time as they grew with it.
func BenchmarkRecord(b *testing.B) {
	b.Run("instances", func(b *testing.B) { benchmarkRecord(b, 0) })
	b.Run("forms", func(b *testing.B) { benchmarkRecord(b, 300_000_000) })
}

func benchmarkRecord(b *testing.B, reference int32) {
	b.Helper()
	const page = 500
	pool := dbtest.New(b)
	q := db.New(pool)
	created := time.Now()
	number := func(sql string) (n int64) {
		require.NoError(b, pool.QueryRow(b.Context(), sql).Scan(&n))
		return n
	}
	const wal, size = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint",
		"select sum(pg_total_relation_size(relid))::bigint from pg_partition_tree('ledger')"
	walBefore, sizeBefore := number(wal), number(size)
	for b.Loop() {
		now, err := q.DatabaseNow(b.Context())
		require.NoError(b, err)
		entries := make([]ledger.Entry, page)
		for i := range entries {
			created = created.Add(-time.Duration(rand.Int64N(int64(2 * time.Second))))
			entries[i] = entry(created, now)
			entries[i].WindowID = 1
			if reference > 0 {
				reference -= 1 + rand.Int32N(10)
				entries[i].A2Ref = reference
			}
		}
		if reference > 0 {
			shared, err := ledger.Sharing(b.Context(), q, entries)
			require.NoError(b, err)
			require.Empty(b, shared)
		}
		overtaken, err := ledger.Record(b.Context(), q, entries)
		require.NoError(b, err)
		require.Empty(b, overtaken)
	}
	rows := float64(b.N * page)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(number(wal)-walBefore)/rows, "walB/row")
	b.ReportMetric(float64(number(size)-sizeBefore)/rows, "diskB/row")
}
