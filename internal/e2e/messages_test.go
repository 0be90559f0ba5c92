package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/live"
)

// TestMessagesSurviveKills kills one of two workers again and again while they transfer messages and publish them (Invariant 1).
func TestMessagesSurviveKills(t *testing.T) {
	t.Parallel()
	r := newMessageRig(t, 450)
	random := rand.New(rand.NewPCG(r.seed, 0))
	r.platform.fail(t, slow(8*time.Millisecond))
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.orderMessages(t)
	kills := map[string]int{}
	for n := range 4 {
		call, more := callMigrate, 20+random.IntN(50)
		if n >= 2 {
			call, more = callPublish, 1+random.IntN(2)
		}
		r.afterCalls(t, call, more)
		if r.over(t) {
			break
		}
		victim := random.IntN(len(workers))
		workers[victim].kill()
		kills[call]++
		workers[victim] = r.worker(t, workers[victim].name)
	}
	assert.Positive(t, kills[callMigrate], "it was over before enough were killed")
	assert.Positive(t, kills[callPublish], "it was over before enough were killed")
	r.completed(t, workers...)
	r.proveStages(t, r.proveMessages(t))
	t.Logf("killed %v; %d windows claimed again", kills, r.count(t, "select sum(greatest(epoch - 1, 0)) from backfill_window"))
}

// TestMessagesSurviveFaults has answers lost, refused and late at every call of both stages, and a worker killed among them
// (Invariants 1, 2, 8).
func TestMessagesSurviveFaults(t *testing.T) {
	t.Parallel()
	r := newMessageRig(t, 250)
	some, few := 0.15, 0.02
	r.platform.fail(t,
		faults.Rule{
			Service: "correspondence", Effect: faults.EffectCapacity, Rate: 300, Burst: 20,
			Queue: faults.Duration(50 * time.Millisecond),
		},
		faults.Rule{Service: "correspondence", Path: "migration/correspondence$", Probability: &some, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "correspondence", Path: "migration/correspondence$", Probability: &few, Effect: faults.EffectStatusAfter, Status: 502},
		faults.Rule{Service: "correspondence", Path: "available$", Probability: &some, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "correspondence", Path: "available$", Probability: &some, Effect: faults.EffectStatusAfter, Status: 504},
		faults.Rule{Service: "correspondence", Path: "attachment$", Probability: &few, Effect: faults.EffectResetAfter},
		faults.Rule{Service: "correspondence", Probability: &few, Effect: faults.EffectThrottle, RetryAfter: faults.Duration(time.Second)},
		faults.Rule{Service: "altinn2", Probability: &few, Effect: faults.EffectTruncate},
		faults.Rule{
			Service: "correspondence", Effect: faults.EffectBurst, On: faults.Duration(500 * time.Millisecond),
			Off: faults.Duration(3 * time.Second),
		},
	)
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.orderMessages(t)
	r.afterCalls(t, callMigrate, 80)
	workers[0].kill()
	workers[0] = r.worker(t, "one")
	r.completed(t, workers...)
	r.platform.fail(t)
	r.proveStages(t, r.proveMessages(t))
	assert.Greater(t, r.calls(callMigrate), r.messages, "no call was repeated")
}

// TestLargeFilesPassThrough: the memory of a worker does not grow with what it carries.
func TestLargeFilesPassThrough(t *testing.T) {
	t.Parallel()
	const files, size, most = 20, 20 << 20, 200 << 20
	r := newMessageRig(t, files, func(o *altinn2.Options) {
		o.Mailings, o.Attached, o.Odd, o.Broken, o.Purged, o.Deceased = 0, 0, 0, 0, 0, 0
	})
	var all []altinn2.Record
	r.eachMessage(func(m altinn2.Record) { all = append(all, m) })
	for _, m := range all {
		m.Attachments = []altinn2.Attachment{{ID: "LARGE-" + m.SendersReference, Size: size, Created: m.Created}}
		require.NoError(t, r.platform.Altinn2.PutRecord(m))
	}
	worker := r.worker(t, "one")
	r.orderMessages(t)
	r.completed(t, worker)
	if peak, known := worker.peakMemory(); known {
		t.Logf("%d MiB at most while %d files of %d MiB passed", peak>>20, files, size>>20)
		assert.Less(t, peak, int64(most))
	}
	r.proveStages(t, r.proveMessages(t))
}

// TestLiveMessagesSurviveKills lets messages arrive and change while batches bring them over and history is walked, and kills one of two
// workers again and again. In the end everything that happened has been told, once (Invariants 1, 2 and 3).
func TestLiveMessagesSurviveKills(t *testing.T) {
	t.Parallel()
	r := newMessageRig(t, 200)
	random := rand.New(rand.NewPCG(r.seed, 1))
	few := 0.05
	r.platform.fail(t, slow(3*time.Millisecond),
		faults.Rule{Service: "correspondence", Path: "migration/", Probability: &few, Effect: faults.EffectResetAfter})
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.orderMessages(t)
	r.batch(t) // from here on live sync is answerable
	fresh := 0.4
	require.NoError(t, r.platform.Altinn2.Live.Set(altinn2.LiveSettings{Rate: 40, New: &fresh, Seed: r.seed, Recent: 150}))
	const kills = 4
	for range kills {
		r.ring(t, live.ReachBatch)
		r.afterEither(t, 10+random.IntN(60))
		victim := random.IntN(len(workers))
		workers[victim].kill()
		workers[victim] = r.worker(t, workers[victim].name)
	}
	require.NoError(t, r.platform.Altinn2.Live.Set(altinn2.LiveSettings{}))
	r.platform.fail(t)
	r.completed(t, workers...)
	r.batch(t)
	r.tenMinutesLater(t)
	t.Logf("%v happened", r.platform.Altinn2.Live.Report().Done)
	r.messages = r.platform.Altinn2.Len()
	report := r.proveMessages(t)
	assert.Equal(t, r.messages, report.Messages)
	assert.LessOrEqual(t, report.Items-r.count(t, "select count(*) from message where correspondence_id is not null"),
		r.count(t, "select count(*) from quarantine where reason = 'purged_in_doubt'"), "what is stored is on record")
}
