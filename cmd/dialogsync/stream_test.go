package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streamState is what a test looks at of `stream list`.
type streamState struct {
	Name, Source, Stream, State, Reason, By, Since string

	RateLimitPerS               *float64
	RateReason, RateBy          string
	ThrottleReason              string
	ThrottlePerS, LagS          *float64
	Backlog, Parked, Exceptions *int64
	LiveTo                      string
	Workers                     int
}

func (r *rig) streams(t *testing.T) map[string]streamState {
	t.Helper()
	var listed []streamState
	r.readJSON(t, &listed, "stream", "list")
	byName := map[string]streamState{}
	for _, s := range listed {
		assert.Equal(t, s.Name, s.Source+"/"+s.Stream)
		byName[s.Name] = s
	}
	require.Len(t, byName, 7, "native sources have no stream")
	return byName
}

func TestStreamsArePausedResumedAndThrottled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const name = "a3-app-instances/live"
	for _, s := range r.streams(t) {
		assert.Equal(t, "off", s.State, s.Name)
		assert.Nil(t, s.RateLimitPerS)
	}

	said := r.ok(t, "stream", "pause", name, "--reason", "upgrade", "--yes")
	assert.Regexp(t, `^Stream a3-app-instances/live is paused by kari since 20\S+Z: upgrade\.\n$`, said)
	s := r.streams(t)[name]
	assert.Equal(t, "paused", s.State)
	assert.Equal(t, "upgrade", s.Reason)
	assert.Equal(t, "kari", s.By)
	assert.NotEmpty(t, s.Since)
	assert.Contains(t, r.ok(t, "status"), "upgrade")

	again := r.run(t, "stream", "pause", name, "--reason", "once more", "--yes", "--operator", "ola")
	assert.Equal(t, exitConflict, again.code)
	assert.Contains(t, again.err, "is paused already, by kari")
	assert.Len(t, lines(again.err), 1)

	said = r.ok(t, "stream", "throttle", "--source", "a3-app-instances", "--stream", "live", "--rate", "12.5", "--reason", "gently", "--yes")
	assert.Regexp(t, `is paused by kari since \S+: upgrade, at most 12\.5/s\.\n$`, said)
	said = r.ok(t, "stream", "resume", name, "--reason", "done", "--yes")
	assert.Equal(t, "Stream a3-app-instances/live may run, at most 12.5/s.\n", said)
	s = r.streams(t)[name]
	assert.Equal(t, "off", s.State, "no worker is running")
	assert.InDelta(t, 12.5, *s.RateLimitPerS, 1e-9)
	assert.Equal(t, "gently", s.RateReason)
	assert.Equal(t, exitConflict, r.run(t, "stream", "resume", name, "--reason", "again", "--yes").code)
	assert.Equal(t, "Stream a3-app-instances/live may run.\n", r.ok(t, "stream", "throttle", name, "--rate", "none", "--reason", "well", "--yes"))
	assert.Nil(t, r.streams(t)[name].RateLimitPerS)

	var one streamState
	r.readJSON(t, &one, "stream", "pause", "a2-archived-forms/history", "--reason", "night", "--yes")
	assert.Equal(t, "a2-archived-forms/history", one.Name)
	assert.Equal(t, "paused", one.State)
	assert.Equal(t, []string{
		"kari: stream pause a3-app-instances/live: upgrade", "kari: stream throttle a3-app-instances/live: gently",
		"kari: stream resume a3-app-instances/live: done", "kari: stream throttle a3-app-instances/live: well",
		"kari: stream pause a2-archived-forms/history: night",
	}, r.actions(t))
}

func TestOrdersToStreamsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.streams(t)
	for text, code := range map[string]int{
		"stream pause a3-app-instances/live --yes":                                           exitUsage, // no reason
		"stream pause a3-app-instances/live --reason x":                                      exitUsage, // nobody can be asked
		"stream pause --reason x --yes":                                                      exitUsage,
		"stream pause a3-app-instances --reason x --yes":                                     exitUsage,
		"stream pause --source a3-app-instances --reason x --yes":                            exitUsage,
		"stream pause a3-app-instances/live --source a3-app-instances --reason x --yes":      exitUsage,
		"stream pause a3-app-instances/live a2-archived-forms/live --reason x --yes":         exitUsage,
		"stream pause a3-app-instances/sideways --reason x --yes":                            exitUsage,
		"stream pause a3-correspondence/live --reason x --yes":                               exitNotFound,
		"stream pause a4-forms/live --reason x --yes --dry-run":                              exitNotFound,
		"stream resume a3-app-instances/live --reason x --yes":                               exitConflict,
		"stream resume a3-app-instances/live --dry-run":                                      exitConflict,
		"stream throttle a3-app-instances/live --reason x --yes":                             exitUsage,
		"stream throttle a3-app-instances/live --rate fast --reason x --yes":                 exitUsage,
		"stream throttle a3-app-instances/live --rate 0 --reason x --yes":                    exitUsage,
		"stream throttle a3-app-instances/live --rate=-1 --reason x --yes":                   exitUsage,
		"stream throttle a3-app-instances/live --rate NaN --reason x --yes":                  exitUsage,
		"stream throttle a3-app-instances/live --rate Inf --reason x --yes":                  exitUsage,
		"stream explode a3-app-instances/live":                                               exitUsage,
		"stream list a3-app-instances/live":                                                  exitUsage,
		"stream throttle --source a4-forms --stream live --rate 5 --reason x --yes -o json":  exitNotFound,
		"stream throttle --source a3-app-instances --stream up --rate none --reason x --yes": exitUsage,
	} {
		got := r.run(t, strings.Fields(text)...)
		assert.Equal(t, code, got.code, "%s: %s", text, got.both())
		assert.Empty(t, got.out, text)
		assert.Len(t, lines(got.err), 1, text)
	}
	assert.Equal(t, before, r.streams(t))
	assert.Empty(t, r.actions(t))
}

func TestDryRunsOfStreamsChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const name = "a3-app-instances/history"
	assert.Equal(t, "Would pause a3-app-instances/history; it may run.\n", r.ok(t, "stream", "pause", name, "--dry-run"))
	assert.Equal(t, "Would throttle a3-app-instances/history to 50/s; it may run.\n", r.ok(t, "stream", "throttle", name, "--rate", "50", "--dry-run"))
	assert.Equal(t, "Would throttle a3-app-instances/history to no limit; it may run.\n", r.ok(t, "stream", "throttle", name, "--rate", "none", "--dry-run"))
	assert.Equal(t, "off", r.streams(t)[name].State)
	assert.Empty(t, r.actions(t))
	r.exec(t, "update stream set waiting_reason = 'storage is down', waiting_since = clock_timestamp() where source = 'a3-app-instances' and stream = 'history'")
	assert.Regexp(t, `^Would resume a3-app-instances/history; it waits since \S+Z: storage is down\.\n$`, r.ok(t, "stream", "resume", name, "--dry-run"))
	assert.Equal(t, "waiting", r.streams(t)[name].State)
}

func TestNamesOfStreamsAreCompleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for text, wants := range map[string][]string{
		"stream pause ":                        {"a2-correspondence/live", "a3-app-instances/history"},
		"stream throttle ":                     {"a2-archived-forms/history"},
		"stream resume --source ":              {"a2-correspondence", "a3-app-instances"},
		"stream resume --stream ":              {"live", "history", "transfer", "publish"},
		"stream throttle --rate ":              {"none"},
		"stream pause a3-app-instances/live  ": nil,
	} {
		args := append([]string{"__complete"}, strings.Split(strings.TrimRight(text, " "), " ")...)
		got := lines(r.ok(t, append(args, "")...))
		for _, want := range wants {
			assert.Contains(t, got, want, text)
		}
		if wants == nil {
			assert.Equal(t, []string{":4"}, got, "one stream at a time")
		}
	}
}

// What throttling, a paused stream and a lag of live look like to whoever watches a backfill.
func TestWatchSaysWhatHoldsHistoryBack(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	id := r.create(t, "--rate", "150")
	r.exec(t, `insert into worker (name, heard_at, streams, throttle_reason, throttle_per_s)
		values ('w', clock_timestamp() + interval '1 hour', '{a3-app-instances/history}', 'dialogporten p95 310 ms', 24.4)`)
	r.exec(t, `insert into inbox (instance_guid, received_at, party_id, source, migration, intake, app_id)
		values (gen_random_uuid(), clock_timestamp() - interval '3 hours', 50001337, 'a3-app-instances', false, 'webhook', 'ttd/app')`)
	watching := r.start(t, "backfill", "watch", id, "--interval", "10ms")
	await(t, "a line", func() bool { return watching.err.String() != "" })
	assert.Equal(t, "a3-app-instances history: back to 2025-03-04 (0.0 %), 0/s (limit 25: dialogporten p95 310 ms), 0 gaps, "+
		"0 quarantined, live lag 3 h", lines(watching.err.String())[0])
	r.ok(t, "stream", "pause", "a3-app-instances/history", "--reason", "night", "--yes")
	await(t, "the pause", func() bool { return strings.Contains(watching.err.String(), "live lag 3 h, stream paused: night\n") })
	assert.Equal(t, "running", r.stateOf(t, id), "the backfill's own state is left alone")

	status := r.ok(t, "status", "-o", "wide")
	assert.Contains(t, status, "night")
	r.ok(t, "stream", "resume", "a3-app-instances/history", "--reason", "morning", "--yes")
	assert.Contains(t, r.ok(t, "status"), "held back to 25/s: dialogporten p95 310 ms")
	listed := r.streams(t)["a3-app-instances/history"]
	assert.Equal(t, "running", listed.State)
	assert.Equal(t, "dialogporten p95 310 ms", listed.ThrottleReason)
	assert.Equal(t, 1, listed.Workers)
	live := r.streams(t)["a3-app-instances/live"]
	assert.Equal(t, "running", live.State, "a worker lives")
	assert.InDelta(t, 3*3600, *live.LagS, 3600)
	assert.EqualValues(t, 1, *live.Backlog)
	assert.EqualValues(t, 1, *live.Parked)
}

func TestStreamTables(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok(t, "stream", "pause", "a2-correspondence/transfer", "--reason", "not\tyet\nbuilt", "--yes")
	r.ok(t, "stream", "throttle", "a3-app-instances/history", "--rate", "50", "--reason", "gently", "--yes")
	r.exec(t, `update stream set watermark = '2025-03-03 12:00:00+00', watermark_at = clock_timestamp()
		where source = 'a2-archived-forms' and stream = 'live'`)
	table := lines(r.ok(t, "stream", "list"))
	require.Len(t, table, 1+7)
	assert.Equal(t, []string{"STREAM", "STATE", "SINCE", "BY", "RATE", "LIVE", "TO", "LAG", "THROTTLED", "REASON"}, strings.Fields(table[0]))
	assert.Regexp(t, `^a2-correspondence/transfer +paused +20\S+Z +kari +- +- +- +- +not yet built$`, table[2])
	assert.Regexp(t, `^a2-archived-forms/live +off +- +- +- +2025-03-03T12:00:00Z +\d+ d +- +no worker is running$`, table[4])
	assert.Regexp(t, `^a3-app-instances/history +off +- +- +50/s +- +- +- +-$`, table[7])
	wide := r.ok(t, "stream", "list", "-o", "wide")
	for _, more := range []string{"BACKLOG", "PARKED", "ARRIVAL LAG", "BY CATCH-UP", "WORKERS", "RATE REASON", "gently"} {
		assert.NotContains(t, strings.Join(table, "\n"), more)
		assert.Contains(t, wide, more)
	}
}
