package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// TestSystemsThatAreDown: the streams stop with the reason shown, no item is blamed, and they go on by themselves (Invariant 8).
func TestSystemsThatAreDown(t *testing.T) {
	t.Parallel()
	outage := func(service string) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			t.Helper()
			r.platform.fail(t, faults.Rule{Service: service, Effect: faults.EffectOutage, Status: 503})
		}
	}
	refusal := func(service string, status int) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			t.Helper()
			r.platform.fail(t, faults.Rule{Service: service, Effect: faults.EffectStatus, Status: status})
		}
	}
	for name, test := range map[string]struct {
		service string
		begin   func(*testing.T, *rig)
		end     func(*testing.T, *rig)
	}{
		"Dialogporten answers 503": {service: "dialogporten", begin: outage("dialogporten")},
		"Storage answers 503":      {service: "storage", begin: outage("storage")},
		"Register answers 503":     {service: "register", begin: outage("register")},
		"Dialogporten answers 500": {service: "dialogporten", begin: refusal("dialogporten", 500)},
		"credentials are refused":  {service: "dialogporten", begin: refusal("dialogporten", 401)},
		"a scope is missing":       {service: "storage", begin: refusal("storage", 403)},
		"Dialogporten hangs up": {service: "dialogporten", begin: func(t *testing.T, r *rig) {
			t.Helper()
			r.platform.fail(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectOutage})
		}},
		"nobody listens at that place": {service: "", begin: func(t *testing.T, r *rig) { t.Helper(); r.platform.down(t) }, end: func(t *testing.T, r *rig) { t.Helper(); r.platform.up(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 500)
			r.platform.fail(t, slow(5*time.Millisecond))
			workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
			r.order(t)
			r.afterCreates(t, 40)
			test.begin(t, r)
			r.awaitWaiting(t, test.service)
			blamed := r.count(t, "select count(*) from quarantine")
			assert.Less(t, r.recorded(t), r.items, "nothing was left to do")
			// It tries again now and then, and finds things as they were.
			r.awaitKeeper(t, 2)
			r.awaitWaiting(t, test.service)
			assert.Equal(t, blamed, r.count(t, "select count(*) from quarantine"))
			assert.Zero(t, r.count(t, "select count(*) from backfill_window where state = 'failed'"), r.texts(t, "select failure from backfill_window where failure is not null"))
			assert.Zero(t, r.count(t, "select count(*) from ledger where outcome = 'failed' and reason <> 'party_not_found'"))

			seen := r.recorded(t)
			if test.end != nil {
				test.end(t, r)
			}
			r.platform.fail(t)
			began := time.Now()
			await(t, "the streams to go on", func() bool { return r.recorded(t) > seen })
			t.Logf("went on after %s", time.Since(began).Round(100*time.Millisecond))
			r.completed(t, workers...)
			assert.NotContains(t, r.ok(t, "backfill", "list"), "waiting")
			r.prove(t)
		})
	}
}

// awaitWaiting waits until an operator sees that both backfills wait, and for which service.
func (r *rig) awaitWaiting(t *testing.T, service string) {
	t.Helper()
	await(t, "the backfills to wait", func() bool {
		return r.count(t, "select count(*) from backfill where waiting_reason is not null") == 2
	})
	for _, id := range []string{"1", "2"} {
		await(t, "the reason to be shown", func() bool {
			for line := range strings.Lines(r.ok(t, "backfill", "show", id)) {
				if strings.HasPrefix(line, "Waiting") {
					return strings.Contains(strings.ToLower(line), service) && strings.Contains(line, "since")
				}
			}
			return false
		})
	}
	await(t, "the list to tell", func() bool { return strings.Count(r.ok(t, "backfill", "list"), " waiting ") == 2 })
	stopped := regexp.MustCompile(`history +waiting `) // live may wait as well
	await(t, "the status to tell", func() bool { return len(stopped.FindAllString(r.ok(t, "status"), -1)) == 2 })
}

// TestSlowCorrespondenceHoldsMessagesBack: history of messages yields when Correspondence slows, and says so; the rest goes on (Invariant 9).
func TestSlowCorrespondenceHoldsMessagesBack(t *testing.T) {
	t.Parallel()
	r := newMessageRig(t, 300)
	options := worldOf(100)
	options.To = time.Now().Add(-quietFor)
	options.End = options.To
	r.generate(t, options)
	worker := r.worker(t, "one")
	r.platform.fail(t, faults.Rule{Service: "correspondence", Effect: faults.EffectLatency, Latency: faults.Duration(1200 * time.Millisecond)})
	r.orderMessages(t)
	now := time.Now().UTC()
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--from", now.Format(time.DateOnly), "--to", now.AddDate(0, 0, -7).Format(time.DateOnly),
		"--reason", "e2e", "--yes")
	heldBack := func(stream string) bool {
		return regexp.MustCompile(stream + ` .* held back.*: (after )?correspondence p95 1\d\d\d ms`).MatchString(r.ok(t, "status"))
	}
	await(t, "messages to be held back", func() bool {
		require.False(t, heldBack("a3-app-instances +history"))
		return heldBack("a2-correspondence +transfer")
	})
	r.platform.fail(t)
	r.completed(t, worker)
	r.proveStages(t, r.proveMessages(t))
}
