package stream_test

import (
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

func TestNamesOfStreams(t *testing.T) {
	t.Parallel()
	for _, s := range stream.Streams() {
		same, err := stream.Parse(s.String())
		require.NoError(t, err)
		assert.Equal(t, s, same)
	}
	for _, text := range []string{"", "/", "a3-app-instances", "a3-app-instances/", "/live", "a3-app-instances/Live", "a3-app-instances/live/x"} {
		_, err := stream.Parse(text)
		var name *stream.NameError
		require.ErrorAs(t, err, &name, text)
	}
	for _, text := range []string{"a4-forms/live", "a3-correspondence/live", "dialog-services/history"} {
		_, err := stream.Parse(text)
		var unknown *stream.UnknownError
		require.ErrorAs(t, err, &unknown, text)
	}
}

func actions(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), "select operator || ': ' || action || ' ' || target || ': ' || reason || ' ' || detail from operator_action order by id")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

func stateOf(t *testing.T, pool *pgxpool.Pool, s stream.Stream) stream.State {
	t.Helper()
	states, err := stream.Read(t.Context(), pool)
	require.NoError(t, err)
	require.Len(t, states, len(stream.Streams()))
	for i, state := range states {
		require.Equal(t, stream.Streams()[i], state.Stream, "in the order of the report")
	}
	return stream.Of(states, s)
}

func TestOrdersAreKeptWithWhoAndWhy(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	assert.Equal(t, stream.State{Stream: formsLive}, stateOf(t, pool, formsLive))

	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, new(12.5), morning))
	require.NoError(t, stream.Pause(t.Context(), pool, formsLive, night))
	s := stateOf(t, pool, formsLive)
	assert.True(t, s.Paused)
	assert.Equal(t, "night", s.Reason)
	assert.Equal(t, "kari", s.Operator)
	assert.WithinDuration(t, time.Now(), s.Changed, time.Hour)
	assert.Equal(t, s.Changed, s.StoppedSince())
	assert.InDelta(t, 12.5, *s.RatePerS, 1e-9)
	assert.Equal(t, "morning", s.RateReason)
	assert.Equal(t, "ola", s.RateOperator)

	var state *stream.StateError
	require.ErrorAs(t, stream.Pause(t.Context(), pool, formsLive, morning), &state)
	assert.Regexp(t, `stream a3-app-instances/live is paused already, by kari since 20.*Z: night$`, state.Error())
	require.NoError(t, stream.Resume(t.Context(), pool, formsLive, morning))
	require.ErrorAs(t, stream.Resume(t.Context(), pool, formsLive, morning), &state)
	assert.Contains(t, state.Error(), "nothing to resume")
	require.NoError(t, stream.Throttle(t.Context(), pool, formsLive, nil, night))
	assert.Nil(t, stateOf(t, pool, formsLive).RatePerS)

	var problem *stream.OrderError
	require.ErrorAs(t, stream.Pause(t.Context(), pool, formsLive, stream.Order{Operator: "kari", Reason: " "}), &problem)
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		require.ErrorAs(t, stream.Throttle(t.Context(), pool, formsLive, &rate, night), &problem, "%g", rate)
	}
	var unknown *stream.UnknownError
	require.ErrorAs(t, stream.Pause(t.Context(), pool, stream.Stream{Source: ledger.DialogServices, Direction: stream.Live}, night), &unknown)

	assert.Equal(t, []string{
		`ola: stream throttle a3-app-instances/live: morning {"rate_per_s": 12.5}`,
		`kari: stream pause a3-app-instances/live: night {}`,
		`ola: stream resume a3-app-instances/live: morning {}`,
		`kari: stream throttle a3-app-instances/live: night {"rate_per_s": null}`,
	}, actions(t, pool), "what was refused left nothing behind")
}

func TestResumeLetsAStreamThatStoppedItselfTryAtOnce(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	g := newGate(pool, "one")
	require.NoError(t, g.SetWaiting(t.Context(), formsLive.Source, stream.Live, "no token"))
	s := stateOf(t, pool, formsLive)
	assert.Equal(t, "no token", s.Waiting)
	assert.Equal(t, s.Since, s.StoppedSince())
	require.NoError(t, stream.Resume(t.Context(), pool, formsLive, morning))
	s = stateOf(t, pool, formsLive)
	assert.Empty(t, s.Waiting)
	assert.Zero(t, s.StoppedSince())
}

func TestLiveWatermarkNeverMovesBack(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	noon := time.Date(2025, time.March, 3, 12, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{noon, noon.Add(-time.Minute)} {
		require.NoError(t, stream.MoveWatermark(t.Context(), pool, ledger.A3AppInstances, at))
		s := stateOf(t, pool, formsLive)
		assert.Equal(t, noon, s.Watermark)
		assert.False(t, s.WatermarkAt.IsZero())
	}
	assert.Zero(t, stateOf(t, pool, formsHistory).Watermark)
}

func addEvent(t *testing.T, pool *pgxpool.Pool, source ledger.Source, ago string, attempt int) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `insert into inbox (instance_guid, received_at, party_id, attempt, source, migration, intake, app_id)
		values (gen_random_uuid(), clock_timestamp() - $1::interval, 50001337, $2, $3, false, 'webhook', 'ttd/app')`, ago, attempt, source)
	require.NoError(t, err)
}

func TestLagsThatHistoryCanHelp(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	g := newGate(pool, "one")
	const source = ledger.A3AppInstances
	lagOf := func() stream.Lag {
		lags, err := stream.ReadLags(t.Context(), pool)
		require.NoError(t, err)
		require.Len(t, lags, 3)
		return lags[2]
	}
	worst := func() time.Duration {
		lags, err := g.LiveLags(t.Context())
		require.NoError(t, err)
		worst := time.Duration(0)
		for _, lag := range lags {
			worst = max(worst, lag.Behind)
		}
		return worst
	}
	_, known := lagOf().Behind()
	assert.False(t, known, "nothing was ever done")
	assert.Zero(t, worst())

	addEvent(t, pool, source, "1 hour", 3)
	_, known = lagOf().Behind()
	assert.False(t, known, "one bad item is no lag")
	addEvent(t, pool, source, "40 seconds", 0)
	addEvent(t, pool, source, "10 seconds", 0)
	behind, known := lagOf().Behind()
	assert.True(t, known)
	assert.InDelta(t, 40, behind.Seconds(), 30)
	assert.InDelta(t, 40, worst().Seconds(), 30)

	require.NoError(t, stream.MoveWatermark(t.Context(), pool, source, time.Now().Add(-2*time.Hour)))
	assert.InDelta(t, 2*time.Hour, worst(), float64(10*time.Minute), "polls count too")
	behind, _ = lagOf().Behind()
	assert.InDelta(t, 2*time.Hour, behind, float64(10*time.Minute), "what no event tells is late")
	for _, failure := range []any{"storage refuses", nil} {
		_, err := pool.Exec(t.Context(), `insert into poll (source, reach, since) values ($1, 'catch-up', now()) on conflict do nothing`, source)
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), `insert into poll_org (source, reach, org, epoch, position, failure, failing_since)
			values ($1, 'catch-up', 'skd', 1, now(), $2, case when $2::text is null then null else now() end)
			on conflict (source, reach, org) do update set failure = excluded.failure, failing_since = excluded.failing_since`, source, failure)
		require.NoError(t, err)
		assert.Equal(t, failure != nil, worst() < time.Hour, "history is not what an organisation waits for that cannot be polled")
	}
	require.NoError(t, stream.MoveWatermark(t.Context(), pool, source, time.Now()))
	behind, _ = lagOf().Behind()
	assert.InDelta(t, 40, behind.Seconds(), 30, "where polls keep up, events are what people are told")

	require.NoError(t, g.SetWaiting(t.Context(), source, stream.Live, "storage is down"))
	assert.Zero(t, worst(), "history is not what holds it up")
	require.NoError(t, g.ClearWaiting(t.Context(), source, stream.Live))
	require.NoError(t, stream.Pause(t.Context(), pool, stream.Stream{Source: source, Direction: stream.Live}, night))
	assert.Zero(t, worst())
}
