package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//nolint:tparallel // one backfill goes through all states
func TestStatesOfABackfill(t *testing.T) {
	t.Parallel()
	const running, paused, cancelled, complete, failed = "running", "paused", "cancelled", "complete", "failed"
	r := newWorld(t)
	id := r.create(t)
	for _, test := range []struct {
		state, verb string
		code        int
		after       string
	}{
		{running, "pause", exitOK, paused},
		{running, "resume", exitOK, running},
		{running, "cancel", exitOK, cancelled},
		{paused, "pause", exitOK, paused},
		{paused, "resume", exitOK, running},
		{paused, "cancel", exitOK, cancelled},
		{failed, "pause", exitConflict, failed},
		{failed, "resume", exitOK, running},
		{failed, "cancel", exitOK, cancelled},
		{cancelled, "pause", exitConflict, cancelled},
		{cancelled, "resume", exitConflict, cancelled},
		{cancelled, "cancel", exitOK, cancelled},
		{complete, "pause", exitConflict, complete},
		{complete, "resume", exitConflict, complete},
		{complete, "cancel", exitConflict, complete},
	} {
		t.Run(test.state+" "+test.verb, func(t *testing.T) {
			r.exec(t, "update backfill set state = $1", test.state)
			before := r.tables(t)
			dry := r.run(t, "backfill", test.verb, id, "--dry-run")
			assert.Equal(t, test.code, dry.code, "a dry run tells what would happen: %s", dry.both())
			assert.Equal(t, before, r.tables(t))
			assert.Equal(t, test.state, r.stateOf(t, id))

			got := r.run(t, "backfill", test.verb, id, "--reason", "because", "--yes")
			assert.Equal(t, test.code, got.code, got.both())
			assert.Equal(t, test.after, r.stateOf(t, id))
			if test.code != exitOK {
				assert.Empty(t, got.out)
				assert.Contains(t, got.err, "backfill "+id+" is "+test.state)
				assert.Equal(t, before, r.tables(t))
			}
		})
	}
}

func TestChangesOfABackfillAreAskedFor(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	id := r.create(t)
	before := r.tables(t)
	for _, verb := range []string{"pause", "resume", "cancel"} {
		got := r.run(t, "backfill", verb, id, "--yes")
		assert.Equal(t, exitUsage, got.code)
		assert.Contains(t, got.err, "--reason")
		got = r.run(t, "backfill", verb, id, "--reason", "because")
		assert.Equal(t, exitUsage, got.code)
		assert.Contains(t, got.err, "--yes")
		got = r.run(t, "backfill", verb, "4711", "--reason", "because", "--yes")
		assert.Equal(t, exitNotFound, got.code)
		assert.Contains(t, got.err, "4711")
		assert.Len(t, lines(got.err), 1)
	}
	for _, share := range []string{"0", "1.5", "-1", "NaN"} {
		got := r.run(t, "backfill", "resume", id, "--reason", "because", "--yes", "--max-failure-share="+share)
		assert.Equal(t, exitUsage, got.code, "%s: %s", share, got.err)
		assert.Contains(t, got.err, "--max-failure-share")
	}
	assert.Equal(t, before, r.tables(t))
	assert.Equal(t, "running", r.stateOf(t, id))
	assert.Equal(t, exitNotFound, r.run(t, "backfill", "show", "4711").code)
	assert.Equal(t, exitNotFound, r.run(t, "backfill", "watch", "4711").code)
	assert.Equal(t, exitNotFound, r.run(t, "backfill", "show", "9223372036854775807").code)
}

func TestResumeGivesFailedWindowsAnotherTry(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	id := r.create(t)
	r.exec(t, "update backfill_window set state = 'failed', failure = 'cannot be walked', attempts = 5 where id = 1")
	r.exec(t, "update backfill set state = 'failed'")
	assert.Contains(t, r.ok(t, "backfill", "show", id), "cannot be walked")
	r.ok(t, "backfill", "resume", id, "--reason", "mended", "--yes", "--max-failure-share", "1")
	var state string
	var share float64
	require.NoError(t, r.pool.QueryRow(t.Context(),
		"select w.state, b.max_failure_share from backfill_window w join backfill b on b.id = w.backfill_id where w.id = 1").Scan(&state, &share))
	assert.Equal(t, "pending", state)
	assert.InDelta(t, 1, share, 0)
	r.worker(t)
	assert.Equal(t, "complete", r.walked(t, id))
}

func TestBackfillIsWalked(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	worker := r.worker(t)
	id := r.create(t)
	watching := r.start(t, "backfill", "watch", id, "--interval", "50ms")
	assert.Equal(t, exitOK, watching.ended(t), watching.err.String())
	assert.Empty(t, watching.out.String(), "progress is no data")
	seen := lines(watching.err.String())
	assert.True(t, strings.HasPrefix(seen[len(seen)-1], "a3-app-instances history: back to "+oldestDay+" (100.0 %)"), seen[len(seen)-1])
	for _, line := range seen {
		assert.True(t, strings.HasPrefix(line, "a3-app-instances history: back to "), line)
	}

	second := r.create2(t)
	assert.Equal(t, "complete", r.walked(t, second))
	report, err := r.sim.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), report.Differences)
	assert.Equal(t, 90, report.Instances)

	shown := r.ok(t, "backfill", "show", id)
	assert.Contains(t, shown, "complete")
	assert.Contains(t, shown, "6 closed, 0 under way, 0 to do, 0 failed")
	assert.Contains(t, shown, newestDay+" back to "+oldestDay)
	status := r.ok(t, "status")
	assert.Contains(t, status, "complete")
	assert.Contains(t, r.ok(t, "coverage"), "back to "+oldestDay+", from "+newestDay)

	// A repeat finds everything done.
	again := r.create(t)
	assert.Equal(t, "complete", r.walked(t, again))
	var account struct{ Accounts map[string]int64 }
	r.readJSON(t, &account, "backfill", "show", again)
	assert.Equal(t, account.Accounts["seen"], account.Accounts["unchanged"]+account.Accounts["skipped"], account)

	for _, line := range lines(worker.err.String()) {
		assert.NotContains(t, line, `"level":"error"`)
	}
}

// create2 orders the archived forms of the world.
func (r *rig) create2(t *testing.T) string {
	t.Helper()
	before := r.tables(t)["backfill"]
	r.ok(t, "backfill", "create", "--source", "a2-archived-forms", "--from", newestDay, "--to", oldestDay, "--reason", "phase 2", "--yes")
	require.Equal(t, before+1, r.tables(t)["backfill"])
	var id string
	require.NoError(t, r.pool.QueryRow(t.Context(), "select max(id)::text from backfill").Scan(&id))
	return id
}

func TestWatchEndsWithTheRightCode(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	assert.Equal(t, exitOK, r.run(t, "backfill", "watch").code, "nothing to follow")
	id := r.create(t)
	for _, test := range []struct {
		state string
		code  int
		says  string
	}{
		{"complete", exitOK, "a3-app-instances"},
		{"cancelled", exitOK, "cancelled"},
		{"failed", exitPartly, "failed"},
	} {
		watching := r.start(t, "backfill", "watch", "--interval", "10ms")
		await(t, "the first line", func() bool { return watching.err.String() != "" })
		r.exec(t, "update backfill set state = $1", test.state)
		assert.Equal(t, test.code, watching.ended(t), test.state)
		assert.Contains(t, watching.err.String(), test.says)
		assert.Equal(t, test.code, r.run(t, "backfill", "watch", id).code, test.state)
		r.exec(t, "update backfill set state = 'running'")
	}
	r.exec(t, "update backfill_window set seen = 1, quarantined = 1 where id = 1")
	r.exec(t, "update backfill set state = 'complete'")
	assert.Equal(t, exitPartly, r.run(t, "backfill", "watch", id).code, "items in quarantine")
}

func TestWatchWritesALineOnlyWhenSomethingHasChanged(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	id := r.create(t)
	watching := r.start(t, "backfill", "watch", id, "--interval", "1ms")
	await(t, "a line", func() bool { return watching.err.String() != "" })
	for range 3 {
		r.ok(t, "backfill", "list") // takes longer than many looks
	}
	assert.Len(t, lines(watching.err.String()), 1, watching.err.String())
	r.ok(t, "backfill", "pause", id, "--reason", "night", "--yes")
	await(t, "a second line", func() bool { return strings.Contains(watching.err.String(), "paused") })
	watching.stop()
	watching.ended(t)
	assert.Equal(t, "paused", r.stateOf(t, id), "the backfill does not care who watches")
}
