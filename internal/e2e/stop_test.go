package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// TestStoppedInGoodOrder: SIGTERM ends a worker with its checkpoints saved, and another goes on.
func TestStoppedInGoodOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1200)
	r.platform.fail(t, slow(8*time.Millisecond))
	one := r.worker(t, "one", "--lease", "10m")
	r.order(t)
	r.afterCreates(t, 100)
	began := time.Now()
	one.signal(t, syscall.SIGTERM)
	assert.Equal(t, "exit 0", one.ended(t), one.tail())
	t.Logf("ended after %s", time.Since(began).Round(10*time.Millisecond))
	assert.Contains(t, one.text(), "worker stopped")
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where state = 'walking'"), "a window that is held for ten minutes more")
	assert.Zero(t, r.count(t, "select count(*) from backfill_window where failure is not null"), "to be told to stop is no failure")
	assert.Zero(t, r.count(t, "select count(*) from river_job where state = 'running'"))
	assert.Positive(t, r.recorded(t))

	two := r.worker(t, "two")
	r.completed(t, two)
	r.prove(t)
	// Checkpoints were saved: hardly anything is done twice.
	assert.Less(t, r.platform.creates.Load(), int64(r.items+100))
}

// TestSecondSignalEndsAtOnce: a worker that waits for answers is not waited for.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 300)
	r.platform.fail(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectLatency, Latency: faults.Duration(time.Hour)})
	one := r.worker(t, "one")
	r.order(t)
	await(t, "it to wait for an answer", func() bool { return r.platform.creates.Load() > 0 })
	assertStatus(t, one, "/readyz", http.StatusOK)
	one.signal(t, syscall.SIGTERM)
	one.awaitLog(t, "worker stops")
	// It waits for those answers a moment, and says that it takes no more work.
	status, body := one.ask(t, "/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, body, "stopping")
	one.signal(t, syscall.SIGTERM)
	assert.Equal(t, "killed by terminated", one.ended(t), "it ended in its own time: %s", one.tail())

	r.platform.fail(t)
	two := r.worker(t, "two")
	r.completed(t, two)
	r.prove(t)
}

func assertStatus(t *testing.T, p *process, path string, want int) {
	t.Helper()
	status, body := p.ask(t, path)
	assert.Equal(t, want, status, body)
}

// TestPause takes effect on all workers, and nothing but a resume ends it.
func TestPause(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1200)
	r.platform.fail(t, slow(8*time.Millisecond))
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.order(t)
	r.afterCreates(t, 100)
	for _, id := range []string{"1", "2"} {
		r.ok(t, "backfill", "pause", id, "--reason", "night", "--yes")
	}
	began := time.Now()
	await(t, "all windows to be given back", func() bool {
		return r.count(t, "select count(*) from backfill_window where state = 'walking'") == 0
	})
	t.Logf("paused after %s", time.Since(began).Round(10*time.Millisecond))
	creates, recorded := r.platform.creates.Load(), r.recorded(t)
	assert.Less(t, recorded, r.items, "nothing is left to pause")
	// The keeper looks after backfills twice, and a fresh worker comes in.
	workers = append(workers, r.worker(t, "three"))
	r.awaitKeeper(t, 2)
	assert.Equal(t, creates, r.platform.creates.Load())
	assert.Equal(t, recorded, r.recorded(t))
	assert.Contains(t, r.ok(t, "status"), "paused")

	for _, id := range []string{"1", "2"} {
		r.ok(t, "backfill", "resume", id, "--reason", "morning", "--yes")
	}
	r.platform.fail(t)
	r.completed(t, workers...)
	r.prove(t)
}

// awaitKeeper waits until the keeper has looked after the backfills so many more times.
func (r *rig) awaitKeeper(t *testing.T, times int) {
	t.Helper()
	const kept = "select count(*) from river_job where kind = 'history_keep' and state = 'completed'"
	target := r.count(t, kept) + times
	await(t, "the keeper", func() bool { return r.count(t, kept) >= target })
}

// TestHealthAndMetrics is what a cluster and its dashboards rely on.
func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t, 200)
	one := r.worker(t, "one")
	r.order(t)
	r.completed(t, one)
	assertStatus(t, one, "/healthz", http.StatusOK)
	assertStatus(t, one, "/readyz", http.StatusOK)
	assertStatus(t, one, "/", http.StatusNotFound)
	var names map[string]string
	await(t, "the watermark's metric", func() bool {
		status, body := one.ask(t, "/metrics")
		assert.Equal(t, http.StatusOK, status)
		names = parseMetrics(t, body)
		r.proveNobodyIsTold(t, body)
		return names["dialogsync_history_back_to_timestamp_seconds"] != ""
	})
	for name, kind := range map[string]string{
		"dialogsync_items_total":                       "counter",
		"dialogsync_http_requests_total":               "counter",
		"dialogsync_http_attempts_total":               "counter",
		"dialogsync_http_duration_seconds":             "histogram",
		"dialogsync_http_wait_seconds":                 "histogram",
		"dialogsync_history_back_to_timestamp_seconds": "gauge",
		"dialogsync_quarantined_items":                 "gauge",
		"dialogsync_stream_state":                      "gauge",
		"go_goroutines":                                "gauge",
		"process_cpu_seconds_total":                    "counter",
	} {
		assert.Equal(t, kind, names[name], name)
	}
	r.prove(t)
}

// parseMetrics reads Prometheus's text form: the kind of each metric by its name. Every sample must belong to one.
func parseMetrics(t *testing.T, text string) map[string]string {
	t.Helper()
	kinds := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		switch {
		case line == "", strings.HasPrefix(line, "# HELP "):
		case strings.HasPrefix(line, "# TYPE "):
			kinds[fields[2]] = fields[3]
		default:
			name := line[:strings.IndexAny(line, "{ ")]
			base := name
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if kind := kinds[strings.TrimSuffix(name, part)]; kind == "histogram" || kind == "summary" {
					base = strings.TrimSuffix(name, part)
				}
			}
			assert.NotEmpty(t, kinds[base], line)
		}
	}
	return kinds
}
