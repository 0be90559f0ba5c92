package status_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/status"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/throttle"
)

func rowOf(t *testing.T, report status.Report, source ledger.Source) status.Stream {
	t.Helper()
	for _, s := range report.Streams {
		if s.Source == string(source) && s.Stream == stream.Live {
			return s
		}
	}
	require.Fail(t, "no such row", source)
	return status.Stream{}
}

// worker is heard of, as one that works on these streams.
func (d *desk) worker(t *testing.T, name, throttled string, perSecond float64, streams ...string) {
	t.Helper()
	params := db.HearWorkerParams{Name: name, Streams: append([]string{}, streams...)}
	if throttled != "" {
		params.ThrottleReason, params.ThrottlePerS = &throttled, &perSecond
	}
	require.NoError(t, db.New(d.pool).HearWorker(t.Context(), params))
	d.exec(t, "update worker set heard_at = clock_timestamp() + interval '1 hour' where name = $1", name)
}

func (d *desk) event(t *testing.T, source ledger.Source, age string) {
	t.Helper()
	d.exec(t, `insert into inbox (instance_guid, received_at, party_id, source, migration, intake, app_id)
		values ($1, clock_timestamp() - $2::interval, 50001337, $3, false, 'webhook', 'ttd/app')`, uuid.New(), age, source)
}

func TestLiveRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const source = ledger.A3AppInstances
	live := stream.Stream{Source: source, Direction: stream.Live}
	read := func() status.Stream { return rowOf(t, d.read(t), source) }

	d.worker(t, "one", "", 0)
	row := read()
	assert.Equal(t, status.Running, row.State, "a worker lives")
	assert.Empty(t, row.Reason)
	assert.Nil(t, row.LagS)
	assert.Nil(t, row.LiveTo)
	assert.Zero(t, *row.Backlog)
	assert.Equal(t, status.Off, rowOf(t, d.read(t), ledger.A2Correspondence).State, "nothing runs it")

	liveTo := time.Now().UTC().Truncate(time.Second)
	require.NoError(t, stream.MoveWatermark(t.Context(), d.pool, source, liveTo))
	d.event(t, source, "2 hours")
	d.event(t, source, "1 hour")
	d.quarantine(t, source, day(2))
	d.quarantine(t, ledger.A2ArchivedForms, day(2))
	row = read()
	assert.Equal(t, liveTo, *row.LiveTo)
	assert.InDelta(t, 7200, *row.LagS, 600)
	assert.EqualValues(t, 2, *row.Backlog)
	assert.EqualValues(t, 1, row.Exceptions)
	d.exec(t, "update quarantine set window_id = 1")
	assert.Zero(t, read().Exceptions, "it is history's")

	d.exec(t, "insert into poll (source, reach, since) values ($1, 'catch-up', now())", source)
	d.exec(t, `insert into poll_org (source, reach, org, epoch, position, failure, failing_since)
		values ($1, 'catch-up', 'skd', 1, now(), 'list instances of 12345678901: 400', now())`, source)
	d.exec(t, "insert into poll_hour (source, reach, hour, known, found) values ($1, 'catch-up', date_trunc('hour', now()), 90, 10)", source)
	d.exec(t, "insert into poll_arrival (source, day, lag_s, items, longest_s) values ($1, now()::date, 120, 100, 90)", source)
	row = read()
	assert.Equal(t, status.Running, row.State, "the others are polled")
	assert.Equal(t, 1, row.HeldBy)
	assert.Regexp(t, `^organisation skd cannot be polled: list instances of .*: 400$`, row.Reason)
	assert.NotContains(t, row.Reason, "12345678901")
	assert.InDelta(t, 0.1, *row.FoundByCatchUp, 1e-9)
	assert.InDelta(t, 90, *row.ArrivalLagS, 1e-9)

	down := "dialogporten: 8 of the last 11 calls failed: 503"
	require.NoError(t, db.New(d.pool).SetStreamWaiting(t.Context(), db.SetStreamWaitingParams{Source: source, Stream: stream.Live, Reason: &down}))
	row = read()
	assert.Equal(t, status.Waiting, row.State)
	assert.Equal(t, down, row.Reason)
	assert.NotNil(t, row.Since)

	require.NoError(t, stream.Throttle(t.Context(), d.pool, live, new(12.5), stream.Order{Operator: "ola", Reason: "gently"}))
	require.NoError(t, stream.Pause(t.Context(), d.pool, live, stream.Order{Operator: "kari", Reason: "upgrade"}))
	row = read()
	assert.Equal(t, status.Paused, row.State)
	assert.Equal(t, "upgrade", row.Reason)
	assert.Equal(t, "kari", row.By)
	assert.NotNil(t, row.Since)
	assert.InDelta(t, 12.5, *row.RatePerS, 1e-9)
	assert.Equal(t, liveTo, *row.LiveTo, "what stands, stands")
}

func TestLiveRowOfMessages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const source = ledger.A2Correspondence
	read := func() status.Stream { return rowOf(t, d.read(t), source) }
	d.worker(t, "one", "", 0)
	row := read()
	assert.Equal(t, status.Off, row.State, "no worker knows the export")
	assert.Nil(t, row.Backlog)

	d.exec(t, "insert into poll (source, reach, since, run_ended_at) values ($1, 'batch', now(), now())", source)
	d.exec(t, "insert into poll_org (source, reach, org, epoch, position) values ($1, 'batch', '', 1, now())", source)
	d.exec(t, `insert into message_retry (altinn2_id, attempt, quarantined, created, changed_at, due_at, failure)
		select id, 3, true, now(), current_date, now() + interval '1 hour', 'x' from generate_series(1, 2) as id`)
	d.exec(t, `insert into message (created, change_seq, due_at, altinn2_id, stage, outcome, mapping_version, sent)
		values (now(), 1, now() - interval '1 minute', 3, 'transferred', 'created', 1, ''), (now(), 1, now() + interval '1 hour', 4, 'transferred', 'created', 1, ''),
			(now(), 1, now() - interval '1 minute', 2, 'transferred', 'created', 1, '')`)
	d.quarantine(t, source, day(2))
	liveTo := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	require.NoError(t, stream.MoveWatermark(t.Context(), d.pool, source, liveTo))
	row = read()
	assert.Equal(t, status.Running, row.State)
	assert.EqualValues(t, 3, *row.Backlog, "one due, two put off")
	assert.EqualValues(t, 2, *row.Parked)
	assert.EqualValues(t, 1, row.Exceptions)
	assert.Equal(t, liveTo, *row.LiveTo)
	assert.InDelta(t, 3600, *row.LagS, 600)
	assert.Nil(t, row.FoundByCatchUp)
	lags, err := stream.NewGate(stream.GateConfig{Pool: d.pool, Worker: "two"}).LiveLags(t.Context())
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(lags, func(l throttle.Lag) bool { return l.Behind > 50*time.Minute }), "history yields to it")
}

func TestHistoryRowSaysWhatHoldsItBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const source = ledger.A3AppInstances
	history := stream.Stream{Source: source, Direction: stream.History}
	id := d.order(t, source, 1, 3)
	d.worker(t, "one", "live lag 40 s", 20, history.String())
	d.worker(t, "two", "dialogporten p95 310 ms", 30, history.String(), "a2-archived-forms/live")
	row := historyOf(t, d.read(t), source)
	assert.Equal(t, status.Running, row.State)
	assert.Equal(t, "live lag 40 s", row.Throttled)
	assert.InDelta(t, 50, *row.ThrottlePerS, 1e-9)
	assert.EqualValues(t, 2, row.Workers)
	assert.Empty(t, historyOf(t, d.read(t), ledger.A2ArchivedForms).Throttled)
	assert.EqualValues(t, 1, rowOf(t, d.read(t), ledger.A2ArchivedForms).Workers)

	require.NoError(t, stream.Pause(t.Context(), d.pool, history, stream.Order{Operator: "kari", Reason: "night"}))
	row = historyOf(t, d.read(t), source)
	assert.Equal(t, status.Paused, row.State)
	assert.Equal(t, "night", row.Reason)
	assert.Equal(t, []int64{id}, row.Backfills)
}

func TestStreamGauges(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const source = ledger.A3AppInstances
	first := gauges(t, meter(t, d.pool))
	assert.EqualValues(t, 0, first["dialogsync_stream_paused source=a3-app-instances stream=live"])
	assert.EqualValues(t, 0, first["dialogsync_history_throttled source=a3-app-instances stream=history"])
	for name := range first {
		assert.NotContains(t, name, "dialogsync_live_lag", "nothing is known")
		assert.NotContains(t, name, "dialogsync_stream_rate_limit")
		assert.False(t, strings.HasPrefix(name, "dialogsync_stream_paused source=dialog-services"), "native")
	}
	liveTo := time.Now().UTC().Truncate(time.Second)
	require.NoError(t, stream.MoveWatermark(t.Context(), d.pool, source, liveTo))
	d.event(t, source, "2 hours")
	d.worker(t, "one", "live lag 40 s", 20, "a3-app-instances/history")
	order := stream.Order{Operator: "kari", Reason: "upgrade"}
	require.NoError(t, stream.Pause(t.Context(), d.pool, stream.Stream{Source: source, Direction: stream.Live}, order))
	require.NoError(t, stream.Throttle(t.Context(), d.pool, stream.Stream{Source: source, Direction: stream.History}, new(50.0), order))
	got := gauges(t, meter(t, d.pool))
	assert.EqualValues(t, 1, got["dialogsync_stream_paused source=a3-app-instances stream=live"])
	assert.EqualValues(t, 0, got["dialogsync_stream_waiting source=a3-app-instances stream=live"])
	assert.InDelta(t, 7200, got["dialogsync_live_lag source=a3-app-instances stream=live"], 600)
	assert.Equal(t, liveTo.Unix(), got["dialogsync_live_to_timestamp source=a3-app-instances stream=live"])
	assert.EqualValues(t, 1, got["dialogsync_history_throttled source=a3-app-instances stream=history"])
	assert.EqualValues(t, 20, got["dialogsync_history_throttle_limit source=a3-app-instances stream=history"])
	assert.EqualValues(t, 50, got["dialogsync_stream_rate_limit source=a3-app-instances stream=history"])
	assert.Contains(t, got, "dialogsync_stream_stopped source=a3-app-instances stream=live")
}
