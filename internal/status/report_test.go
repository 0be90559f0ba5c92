package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/internal/status"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m})
}

// orgs are what the platform would list.
type orgs []string

func (o orgs) Orgs(context.Context) ([]string, error) { return o, nil }

// desk is where orders are given, without anybody who works on them.
type desk struct {
	pool      *pgxpool.Pool
	backfills *history.Backfills
	keeper    *history.Keeper
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	pool := dbtest.New(t)
	enqueue := func(context.Context, pgx.Tx, int64, int) error { return nil }
	return &desk{
		pool:      pool,
		backfills: &history.Backfills{Pool: pool, Orgs: orgs{"skd", "ttd"}, Enqueue: enqueue},
		keeper:    &history.Keeper{Pool: pool, Orgs: orgs{"skd", "ttd"}, Enqueue: enqueue, Log: zaptest.NewLogger(t)},
	}
}

func day(n int) time.Time { return time.Date(2025, 3, n, 0, 0, 0, 0, time.UTC) }

// order orders the days of March 2025 from first up to, not including, end.
func (d *desk) order(t *testing.T, source ledger.Source, first, end int) int64 {
	t.Helper()
	made, err := d.backfills.Create(t.Context(), history.Order{
		Source: source, Range: history.Range{From: day(first), To: day(end)}, Parallel: 2, MaxFailureShare: 0.5, Reason: "test", Operator: "kari",
	})
	require.NoError(t, err)
	return made[0].ID
}

func (d *desk) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := d.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// walk closes a backfill's windows, as if 10 items had been created in each, and adds them to the coverage.
func (d *desk) walk(t *testing.T, id int64) {
	t.Helper()
	d.exec(t, "update backfill_window set state = 'closed', reached = from_time, seen = 10, created = 10 where backfill_id = $1", id)
	rows, err := d.pool.Query(t.Context(), "select b.source, b.stream, w.org, w.from_time, w.to_time from backfill_window w join backfill b on b.id = w.backfill_id where b.id = $1", id)
	require.NoError(t, err)
	windows, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.CoverRangeParams])
	require.NoError(t, err)
	for _, w := range windows {
		require.NoError(t, db.New(d.pool).CoverRange(t.Context(), w))
	}
}

func (d *desk) quarantine(t *testing.T, source ledger.Source, position time.Time) {
	t.Helper()
	require.NoError(t, ledger.Quarantine(t.Context(), db.New(d.pool), []ledger.Quarantined{{
		Source: source, ItemKey: "50001337/" + uuid.NewString(), Class: "permanent", Reason: "http_400", Detail: "refused", Attempts: 1, Position: position,
	}}))
}

func (d *desk) read(t *testing.T) status.Report {
	t.Helper()
	report, err := status.Read(t.Context(), d.pool)
	require.NoError(t, err)
	return report
}

func names(report status.Report) []string {
	list := make([]string, 0, len(report.Streams))
	for _, s := range report.Streams {
		list = append(list, s.Source+" "+s.Stream)
	}
	return list
}

// always are the rows of every report.
func always() []string {
	return []string{
		"a2-correspondence live", "a2-correspondence transfer", "a2-correspondence publish", "a2-archived-forms live", "a2-archived-forms history",
		"a3-app-instances live", "a3-app-instances history", "a3-correspondence live", "dialog-services live",
	}
}

// historyOf is the row of a source's history.
func historyOf(t *testing.T, report status.Report, source ledger.Source) status.Stream {
	t.Helper()
	for _, s := range report.Streams {
		if s.Source == string(source) && s.Stream == "history" {
			return s
		}
	}
	require.Fail(t, "no such row", source)
	return status.Stream{}
}

func TestReportOfAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before, err := db.New(d.pool).DatabaseNow(t.Context())
	require.NoError(t, err)
	report := d.read(t)
	assert.Equal(t, always(), names(report))
	for _, s := range report.Streams {
		want := status.Off
		if s.Source == string(ledger.A3Correspondence) || s.Source == string(ledger.DialogServices) {
			want = status.Native
		}
		assert.Equal(t, want, s.State, "%s %s", s.Source, s.Stream)
		assert.Nil(t, s.BackTo)
		assert.Nil(t, s.Newest)
		assert.Zero(t, s.Exceptions)
		assert.Nil(t, s.Accounts)
		assert.Empty(t, s.Backfills)
		switch s.Source + " " + s.Stream {
		case "a2-archived-forms live", "a3-app-instances live":
			assert.Equal(t, "no worker is running", s.Reason)
		default:
			assert.Empty(t, s.Reason)
		}
	}
	assert.False(t, report.At.Before(before), "it is dated by the database")
	assert.Equal(t, time.UTC, report.At.Location())
}

func TestStateOfAStreamIsTheWorstOfItsBackfills(t *testing.T) {
	t.Parallel()
	const source = ledger.A3AppInstances
	running := func(*testing.T, *desk, int64) {}
	waiting := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		reason := "dialogporten answers 503"
		require.NoError(t, db.New(d.pool).SetWaiting(t.Context(), db.SetWaitingParams{ID: id, Reason: &reason}))
	}
	paused := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		require.NoError(t, d.backfills.Pause(t.Context(), id, "kari", "lunch"))
	}
	pausedWhileWaiting := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		waiting(t, d, id)
		paused(t, d, id)
	}
	complete := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		d.walk(t, id)
		require.NoError(t, d.keeper.Keep(t.Context()))
	}
	failed := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		d.exec(t, "update backfill_window set state = 'failed', failure = 'refused' where backfill_id = $1", id)
		require.NoError(t, d.keeper.Keep(t.Context()))
	}
	cancelled := func(t *testing.T, d *desk, id int64) {
		t.Helper()
		require.NoError(t, d.backfills.Cancel(t.Context(), id, "kari", "a slip"))
	}
	type backfills []func(*testing.T, *desk, int64)
	for name, tt := range map[string]struct {
		backfills backfills
		state     status.State
		reason    string
		open      []int
	}{
		"running":                   {backfills{running}, status.Running, "", []int{0}},
		"waiting":                   {backfills{waiting}, status.Waiting, "dialogporten answers 503", []int{0}},
		"paused":                    {backfills{paused}, status.Paused, "", []int{0}},
		"paused while it waited":    {backfills{pausedWhileWaiting}, status.Paused, "", []int{0}},
		"complete":                  {backfills{complete}, status.Complete, "", nil},
		"failed":                    {backfills{failed}, status.Failed, "", []int{0}},
		"cancelled":                 {backfills{cancelled}, status.Off, "", nil},
		"complete and running":      {backfills{complete, running}, status.Running, "", []int{1}},
		"running and cancelled":     {backfills{running, cancelled}, status.Running, "", []int{0}},
		"paused and running":        {backfills{paused, running}, status.Paused, "", []int{0, 1}},
		"waiting and paused":        {backfills{waiting, paused}, status.Waiting, "dialogporten answers 503", []int{0, 1}},
		"failed and waiting":        {backfills{failed, waiting}, status.Failed, "", []int{0, 1}},
		"cancelled and complete":    {backfills{cancelled, complete}, status.Complete, "", nil},
		"failed, waiting, complete": {backfills{failed, waiting, complete}, status.Failed, "", []int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			var ids, open []int64
			for i := range tt.backfills {
				ids = append(ids, d.order(t, source, 1+i, 2+i))
			}
			for i, become := range tt.backfills {
				become(t, d, ids[i])
			}
			for _, i := range tt.open {
				open = append(open, ids[i])
			}
			report := d.read(t)
			assert.Equal(t, always(), names(report))
			row := historyOf(t, report, source)
			assert.Equal(t, tt.state, row.State)
			assert.Equal(t, tt.reason, row.Reason)
			assert.Equal(t, open, row.Backfills)
			other := historyOf(t, report, ledger.A2ArchivedForms)
			assert.Equal(t, status.Off, other.State, "another source has nothing to do with it")
			assert.Nil(t, other.Accounts)
		})
	}
}

func TestWatermarkStandsWithItsAccountsAndExceptions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const source = ledger.A2ArchivedForms
	d.quarantine(t, source, day(20))
	d.quarantine(t, source, time.Time{})            // nobody knows when: it always counts
	d.quarantine(t, source, day(2))                 // older than the watermark will be
	d.quarantine(t, ledger.A3AppInstances, day(20)) // another source's
	row := historyOf(t, d.read(t), source)
	assert.EqualValues(t, 3, row.Exceptions, "without a watermark all of the source are told")

	newest := d.order(t, source, 15, 22)
	older := d.order(t, source, 5, 15)
	row = historyOf(t, d.read(t), source)
	assert.Nil(t, row.BackTo)
	assert.Zero(t, row.Accounts.Seen)

	d.walk(t, older) // there is a hole above it
	row = historyOf(t, d.read(t), source)
	assert.Nil(t, row.BackTo, "a watermark does not jump over a hole")

	d.walk(t, newest)
	row = historyOf(t, d.read(t), source)
	require.NotNil(t, row.BackTo)
	require.NotNil(t, row.Newest)
	assert.True(t, day(5).Equal(*row.BackTo), "%s", row.BackTo)
	assert.True(t, day(22).Equal(*row.Newest), "%s", row.Newest)
	assert.EqualValues(t, 2, row.Exceptions)
	var windows int64
	require.NoError(t, d.pool.QueryRow(t.Context(), "select count(*) from backfill_window").Scan(&windows))
	assert.Equal(t, windows*10, row.Accounts.Seen, "the accounts of all its backfills together")
	assert.Equal(t, row.Accounts.Seen, row.Accounts.Created)
	assert.True(t, row.Accounts.Balanced())
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.walk(t, d.order(t, ledger.A3AppInstances, 1, 3))
	body, err := json.Marshal(d.read(t))
	require.NoError(t, err)
	var got struct {
		At      time.Time        `json:"at"`
		Streams []map[string]any `json:"streams"`
	}
	require.NoError(t, json.Unmarshal(body, &got))
	require.Len(t, got.Streams, len(always()))
	assert.Equal(t, map[string]any{"source": "a2-correspondence", "stream": "live", "state": "off", "exceptions": 0.0, "workers": 0.0}, got.Streams[0])
	a3 := got.Streams[6]
	assert.Equal(t, "running", a3["state"])
	assert.Equal(t, "2025-03-01T00:00:00Z", a3["backTo"])
	assert.Equal(t, "2025-03-03T00:00:00Z", a3["newest"])
}

func TestReportNeedsTheDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.pool.Close()
	_, err := status.Read(t.Context(), d.pool)
	require.Error(t, err)
}

// gauges are the values of all gauges by name and labels.
func gauges(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	found := map[string]int64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			named := func(labels attribute.Set) string {
				name := []string{m.Name}
				for _, label := range labels.ToSlice() {
					name = append(name, fmt.Sprintf("%s=%s", label.Key, label.Value.AsString()))
				}
				return strings.Join(name, " ")
			}
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, point := range data.DataPoints {
					found[named(point.Attributes)] = point.Value
				}
			case metricdata.Gauge[float64]:
				for _, point := range data.DataPoints {
					found[named(point.Attributes)] = int64(point.Value)
				}
			default:
				require.Fail(t, "no gauge", m.Name)
			}
		}
	}
	return found
}

func meter(t *testing.T, pool *pgxpool.Pool) *sdkmetric.ManualReader {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
	require.NoError(t, status.RegisterMetrics(provider.Meter("test"), pool))
	return reader
}

func TestGauges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := gauges(t, meter(t, d.pool))
	assert.NotContains(t, first, "dialogsync_history_back_to_timestamp source=a3-app-instances stream=history", "no promise stands")
	assert.EqualValues(t, 1, first["dialogsync_stream_state source=a3-app-instances state=off stream=history"])
	assert.EqualValues(t, 1, first["dialogsync_stream_state source=dialog-services state=native stream=live"])

	id := d.order(t, ledger.A3AppInstances, 1, 3)
	d.walk(t, id)
	d.quarantine(t, ledger.A3AppInstances, day(2))
	got := gauges(t, meter(t, d.pool))
	assert.Equal(t, day(1).Unix(), got["dialogsync_history_back_to_timestamp source=a3-app-instances stream=history"])
	assert.EqualValues(t, 1, got["dialogsync_quarantined_items source=a3-app-instances stream=history"])
	assert.EqualValues(t, 1, got["dialogsync_stream_state source=a3-app-instances state=running stream=history"])
	assert.NotContains(t, got, "dialogsync_stream_state source=a3-app-instances state=off stream=history", "one state at a time")
	states := 0
	for name, value := range got {
		if strings.HasPrefix(name, "dialogsync_stream_state ") {
			assert.EqualValues(t, 1, value)
			states++
		}
	}
	assert.Equal(t, len(always()), states)
}

func TestScrapeFailsWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	reader := meter(t, d.pool)
	d.pool.Close()
	var collected metricdata.ResourceMetrics
	require.Error(t, reader.Collect(t.Context(), &collected))
}
