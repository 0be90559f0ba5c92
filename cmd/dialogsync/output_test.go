package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// updateGolden is the variable that makes tests write what they would compare with.
const updateGolden = "UPDATE_GOLDEN"

// richRig has something in every member of every report: items in quarantine, skipped ones, windows under way and in trouble, and
// one backfill that is over.
func richRig(t *testing.T) *rig {
	t.Helper()
	r := newWorld(t, missingParties)
	worker := r.worker(t)
	require.Equal(t, "complete", r.walked(t, r.create(t, "--rate", "1000", "--max-failure-share", "1")))
	require.Equal(t, "complete", r.walked(t, r.create2(t)))
	worker.stop() // what is compared below must stand still
	require.Equal(t, exitOK, worker.ended(t), worker.err.String())
	r.exec(t, `update backfill set state = 'paused', waiting_reason = 'dialogporten: 8 of the last 11 calls failed: 503',
		waiting_since = clock_timestamp(), finished_at = clock_timestamp() where id = 1`)
	r.exec(t, `update backfill_window set state = 'walking', worker = 'w', failure = 'slow', attempts = 1,
		lease_until = clock_timestamp() + interval '1 hour' where id = 1`)
	r.exec(t, `update backfill_window set state = 'failed', failure = 'cannot be walked', attempts = 2
		where id = 2`)
	r.exec(t, `update backfill_window set state = 'pending', failure = 'too slow', attempts = 3,
		retry_at = clock_timestamp() + interval '1 hour' where id = 4`)
	r.ok(t, "stream", "pause", "a2-archived-forms/history", "--reason", "night", "--yes")
	r.ok(t, "stream", "throttle", "a3-app-instances/history", "--rate", "1000", "--reason", "gently", "--yes")
	r.exec(t, `update stream set watermark = '2025-03-03 12:00:00+00', watermark_at = clock_timestamp() where stream = 'live'`)
	r.exec(t, `insert into poll_hour (source, reach, hour, known, found) values ('a3-app-instances', 'catch-up', date_trunc('hour', now()), 90, 10)`)
	r.exec(t, `insert into poll_arrival (source, day, lag_s, items, longest_s) values ('a3-app-instances', now()::date, 120, 100, 90)`)
	r.exec(t, `insert into worker (name, heard_at, streams, throttle_reason, throttle_per_s) values ('rich',
		clock_timestamp() + interval '1 hour', '{a3-app-instances/history,a2-archived-forms/history}', 'live lag 40 s', 24.4)`)
	r.exec(t, `update backfill_window set skipped_by_reason = '{"gone": 1}', skipped = skipped + 1, seen = seen + 1 where id = 3`)
	return r
}

// readCommands are those that show something, with the name of their golden file.
func readCommands() map[string][]string {
	return map[string][]string{
		"backfill-create-dry-run": append(order("--dry-run"), "--source", "a2-archived-forms", "--from", "2025-02-28", "--to", "2025-02-01"),
		"backfill-list":           {"backfill", "list"},
		"backfill-pause-dry-run":  {"backfill", "pause", "1", "--dry-run"},
		"backfill-show":           {"backfill", "show", "1"},
		"coverage":                {"coverage"},
		"migrate-status":          {"migrate", "status"},
		"migrate-up":              {"migrate", "up"},
		"quarantine-list":         {"quarantine", "list"},
		"status":                  {"status"},
		"stream-list":             {"stream", "list"},
		"stream-pause-dry-run":    {"stream", "pause", "a3-app-instances/history", "--dry-run"},
		"version":                 {"version"},
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	r := richRig(t)
	for name, args := range readCommands() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asJSON := r.ok(t, append(args, "-o", "json")...)
			var value any
			require.NoError(t, json.Unmarshal([]byte(asJSON), &value))
			t.Run("members", func(t *testing.T) {
				t.Parallel()
				compareGolden(t, name, members(value))
			})
			t.Run("yaml", func(t *testing.T) {
				t.Parallel()
				var same any
				require.NoError(t, yaml.Unmarshal([]byte(r.ok(t, append(args, "-o", "yaml")...)), &same))
				assert.Equal(t, timeless(value), timeless(plain(t, same)))
			})
			t.Run("tables", func(t *testing.T) {
				t.Parallel()
				table, wide := r.ok(t, append(args, "-o", "table")...), r.ok(t, append(args, "-o", "wide")...)
				assert.Equal(t, table, r.ok(t, args...), "a table is what people get")
				assert.Len(t, lines(wide), len(lines(table)))
				for _, line := range lines(wide) {
					assert.NotContains(t, line, "\t")
					assert.NotContains(t, line, "%!", "a verb without its value")
					assert.NotContains(t, line, "<nil>")
					assert.NotContains(t, line, "0001-01-01")
					assert.NotContains(t, line, "1970-01-01")
				}
			})
			assertTimes(t, name, value)
		})
	}
}

// plain gives a value the types that JSON gives it.
func plain(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	var same any
	require.NoError(t, json.Unmarshal(encoded, &same))
	return same
}

// timeless leaves out the moment at which a report was made, and what is measured from it.
func timeless(value any) any {
	switch v := value.(type) {
	case map[string]any:
		v = maps.Clone(v)
		for _, name := range []string{"at", "lagS", "liveLagS", "arrivalLagS", "foundByCatchUpShare"} {
			delete(v, name)
		}
		for name := range v {
			v[name] = timeless(v[name])
		}
		return v
	case []any:
		v = slices.Clone(v)
		for i := range v {
			v[i] = timeless(v[i])
		}
		return v
	}
	return value
}

// assertTimes looks for times that are not RFC 3339 in UTC, or that say "never" with a year that was not.
func assertTimes(t *testing.T, path string, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			assertTimes(t, path+"."+name, member)
		}
	case []any:
		for _, element := range v {
			assertTimes(t, path+"[]", element)
		}
	case string:
		if len(v) > len("2025-03-03T") && v[4] == '-' && v[10] == 'T' {
			assert.True(t, strings.HasSuffix(v, "Z"), "%s is %s: not UTC", path, v)
			assert.True(t, strings.HasPrefix(v, "20"), "%s is %s", path, v)
		}
	}
}

// members lists the names and types of everything in a JSON value, one a line.
func members(value any) string {
	found := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			found[path+" object"] = true
			for name, member := range v {
				walk(path+"."+name, member)
			}
		case []any:
			found[path+" array"] = true
			for _, element := range v {
				walk(path+"[]", element)
			}
		case nil:
			found[path+" null"] = true
		default:
			found[fmt.Sprintf("%s %T", path, v)] = true
		}
	}
	walk("", value)
	return strings.Join(slices.Sorted(maps.Keys(found)), "\n") + "\n"
}

// compareGolden holds the members of a report to those that are promised.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".members")
	if os.Getenv(updateGolden) != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestWideTablesShowMore(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.create(t, "--org", "skd", "--rate", "12.5", "--operator", "ola")
	narrow, wide := r.ok(t, "backfill", "list"), r.ok(t, "backfill", "list", "-o", "wide")
	for _, more := range []string{"ORGS", "RATE LIMIT", "OPERATOR", "REASON", "skd", "12.5/s", "ola", "phase 1"} {
		assert.NotContains(t, narrow, more)
		assert.Contains(t, wide, more)
	}
	narrow, wide = r.ok(t, "status"), r.ok(t, "status", "-o", "wide")
	for _, more := range []string{
		"CREATED", "UPDATED", "UNCHANGED", "DELETED", "PURGED", "RESTORED", "SKIPPED", "QUARANTINED", "ARRIVAL LAG", "BY CATCH-UP", "SINCE",
	} {
		assert.NotContains(t, narrow, more)
		assert.Contains(t, wide, more)
	}
}

func TestReportsOfNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	assert.JSONEq(t, "[]", r.ok(t, "backfill", "list", "-o", "json"))
	assert.Len(t, lines(r.ok(t, "backfill", "list")), 1)
	status := lines(r.ok(t, "status"))
	assert.Len(t, status, 1+9, "every stream of every source has its row")
	var coverage []struct {
		Source                  string
		Closed, Holes, Accounts []any
	}
	r.readJSON(t, &coverage, "coverage")
	require.Len(t, coverage, 4)
	for _, source := range coverage {
		assert.NotNil(t, source.Closed)
		assert.NotNil(t, source.Holes)
		assert.NotNil(t, source.Accounts, "a list is never null")
	}
	r.readJSON(t, &coverage, "coverage", "--source", "a3-app-instances")
	assert.Len(t, coverage, 1)
	assert.Contains(t, r.ok(t, "coverage"), "no watermark")
}

func TestReasonsCannotBreakTheOutput(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	const reason = "first\tline\nsecond \x1b[31mline\x7f \u0085 \u2028 æøå 🙂 \"quoted\" 'x': - #"
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--reason", reason, "--yes")
	assert.Len(t, lines(r.ok(t, "backfill", "list", "-o", "wide")), 2, "a row is a line")
	for _, args := range [][]string{{"backfill", "list", "-o", "wide"}, {"backfill", "show", "1"}} {
		assert.NotContains(t, r.ok(t, args...), "\x1b", "nobody paints another's terminal")
	}
	var listed, same []struct{ Reason string }
	r.readJSON(t, &listed, "backfill", "list")
	assert.Equal(t, reason, listed[0].Reason)
	require.NoError(t, yaml.Unmarshal([]byte(r.ok(t, "backfill", "list", "-o", "yaml")), &same))
	assert.Equal(t, listed, same)
}
