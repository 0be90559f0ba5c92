package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// afterCreates waits until so many more dialogs were asked for: some page is half done then.
func (r *rig) afterCreates(t *testing.T, n int64) {
	t.Helper()
	target := r.platform.creates.Load() + n
	await(t, "more dialogs to be made", func() bool { return r.platform.creates.Load() >= target || r.over(t) })
}

// TestKilledWorkersLoseNothing kills one of two workers again and again in the middle of its pages (Invariant 1).
func TestKilledWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1600)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r.platform.fail(t, slow(4*time.Millisecond))
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.order(t)
	kills := 0
	for kills < 6 {
		r.afterCreates(t, 30+random.Int64N(120))
		if r.over(t) {
			break
		}
		victim := random.IntN(len(workers))
		workers[victim].kill()
		kills++
		workers[victim] = r.worker(t, workers[victim].name)
	}
	assert.GreaterOrEqual(t, kills, 4, "it was over before enough were killed")
	r.completed(t, workers...)
	r.prove(t)
	again := r.count(t, "select sum(updated + unchanged) from backfill_window")
	t.Logf("%d kills, %d windows claimed again, %d items met their own earlier create", kills,
		r.count(t, "select sum(epoch - 1) from backfill_window"), again)
}

// TestOnlyWorkerIsKilled: the one that takes its place has nobody to ask, and River believes the dead one's jobs to be at work.
func TestOnlyWorkerIsKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t, 400)
	r.platform.fail(t, slow(10*time.Millisecond))
	worker := r.worker(t, "only", "--history-slots", "4")
	// All windows that may be walked at once are in the dead one's hands.
	r.order(t, "--parallel", "2")
	await(t, "all slots to be at work", func() bool {
		return r.count(t, "select count(*) from backfill_window where state = 'walking'") == 4
	})
	r.afterCreates(t, 60)
	worker.kill()
	before := r.recorded(t)
	began := time.Now()
	worker = r.worker(t, "only", "--history-slots", "4")
	await(t, "the next worker to go on", func() bool { return r.recorded(t) > before })
	t.Logf("went on after %s", time.Since(began).Round(100*time.Millisecond))
	r.platform.fail(t)
	r.completed(t, worker)
	r.prove(t)
}

// TestAnswersAreLost has writes applied whose answers never come, while two workers are at it (Invariant 2).
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, 700)
	some, few := 0.25, 0.05
	r.platform.fail(t,
		faults.Rule{Service: "dialogporten", Method: "POST", Probability: &some, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "dialogporten", Method: "POST", Probability: &few, Effect: faults.EffectStatusAfter, Status: 502},
		faults.Rule{Service: "dialogporten", Method: "DELETE", Probability: &some, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "storage", Method: "PUT", Path: "/datavalues$", Probability: &some, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "storage", Method: "PUT", Path: "/datavalues$", Probability: &few, Effect: faults.EffectStatusAfter, Status: 500},
		faults.Rule{Service: "storage", Method: "GET", Path: "/instances$", Probability: &few, Effect: faults.EffectTruncate},
		faults.Rule{Service: "storage", Method: "GET", Probability: &few, Effect: faults.EffectReadFailed, Path: "/instances/[^/]+/[^/]+$"},
		faults.Rule{Service: "register", Probability: &few, Effect: faults.EffectThrottle},
	)
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.order(t)
	r.completed(t, workers...)
	r.platform.fail(t)
	r.prove(t)
	assert.Greater(t, r.platform.creates.Load(), int64(r.items), "no create was repeated")
}
