package live_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

const source = ledger.A3AppInstances

// finish does jobs as River would until the inbox is empty.
func (p *plant) finish(t testing.TB) {
	t.Helper()
	for len(p.rows(t)) > 0 {
		for _, r := range p.rows(t) {
			if r.Job == 0 {
				require.NoError(t, p.keeper.Keep(t.Context()))
				continue
			}
			_, err := p.events.Deliver(t.Context(), r.ID, r.Job)
			require.NoError(t, err)
		}
	}
}

// wellness delivers as many items as it takes for a single bad one to be blamed.
func (p *plant) wellness(t testing.TB) {
	t.Helper()
	for range 10 {
		p.accept(t, p.put(t, newThing()).command())
	}
	p.finish(t)
}

func TestOneDeliveryEndsAllEventsThatCameInBeforeItsReading(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(thing) live.Command{"bus": thing.command, "webhook": thing.webhook} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			th, other := p.put(t, newThing()), p.put(t, newThing())
			for range 10 {
				p.accept(t, command(th))
			}
			p.accept(t, other.command())
			assert.Equal(t, live.End{}, p.deliver(t))
			assert.Len(t, p.rows(t), 1, "another instance's event stays")
			assert.Equal(t, 1, p.writes(th))
			assert.Contains(t, p.title(t, th), "utgave 1")
			entry, found := p.ledger(t, th)
			require.True(t, found)
			assert.Equal(t, ledger.Created, entry.Outcome)
		})
	}
}

func TestAnEventThatComesInDuringADeliveryIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	var once sync.Once
	p.watch(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs") {
			once.Do(func() { // all was read: the change and its event come too late for this reading
				th.text = "utgave 2"
				p.put(t, th)
				p.accept(t, th.command())
			})
		}
	})
	p.deliver(t)
	require.Len(t, p.rows(t), 1)
	assert.Contains(t, p.title(t, th), "utgave 1")
	p.deliver(t)
	assert.Empty(t, p.rows(t))
	assert.Contains(t, p.title(t, th), "utgave 2")
}

func TestAnEventOlderThanTheLedgersReadingIsNeedless(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	first := p.rows(t)[0]
	_, err := p.pool.Exec(t.Context(), "update inbox set instance_guid = $1", uuid.New()) // as if others had delivered it
	require.NoError(t, err)
	p.accept(t, th.command())
	second := p.rows(t)[1]
	_, err = p.events.Deliver(t.Context(), second.ID, second.Job)
	require.NoError(t, err)
	_, err = p.pool.Exec(t.Context(), "update inbox set instance_guid = $1", th.guid)
	require.NoError(t, err)
	require.Len(t, p.rows(t), 1)

	requests := len(p.sim.Story(th.guid.String()))
	_, err = p.events.Deliver(t.Context(), first.ID, first.Job)
	require.NoError(t, err)
	assert.Empty(t, p.rows(t))
	assert.Len(t, p.sim.Story(th.guid.String()), requests, "nothing was asked")

	// A failure recorded later is no reading that delivered anything.
	_, err = p.pool.Exec(t.Context(), "update ledger set outcome = 'failed', read_at = clock_timestamp() + interval '1 hour', recorded_at = 'epoch'")
	require.NoError(t, err)
	p.accept(t, th.command())
	p.deliver(t)
	entry, _ := p.ledger(t, th)
	assert.NotEqual(t, ledger.Failed, entry.Outcome)
}

func TestAJobWhoseRowHasAnotherHasNothingToDo(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	r := p.rows(t)[0]
	for _, job := range []int64{r.Job + 1, 0} {
		end, err := p.events.Deliver(t.Context(), r.ID, job)
		require.NoError(t, err)
		assert.Equal(t, live.End{}, end)
	}
	end, err := p.events.Deliver(t.Context(), r.ID+100, r.Job)
	require.NoError(t, err)
	assert.Equal(t, live.End{}, end)
	assert.Len(t, p.rows(t), 1)
	assert.Equal(t, "none", p.title(t, th))
}

func TestASubmissionWaitsForItsPDFAndNoLongerThanThreeTries(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.putApp(t, app, map[string]any{"id": "model", "taskId": "Task_1", "appLogic": map[string]any{"classRef": "x"}})
	th := newThing()
	th.submitted = true
	p.put(t, th)
	p.accept(t, th.command(), th.webhook())
	for held := 1; held <= 3; held++ {
		end := p.deliver(t)
		require.True(t, end.Again, "held %d", held)
		rows := p.rows(t)
		require.Len(t, rows, 1, "the event stays, the other went with it")
		assert.Equal(t, held, rows[0].Held)
		assert.Zero(t, rows[0].Attempt, "no failure")
	}
	before := p.writes(th)
	assert.False(t, p.deliver(t).Again)
	assert.Empty(t, p.rows(t))
	assert.Equal(t, before+1, p.writes(th), "the fourth delivery writes the transmission without the PDF")
}

func TestAnEventMeanwhileTakesOverHowOftenAPDFWasWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.putApp(t, app, map[string]any{"id": "model", "taskId": "Task_1", "appLogic": map[string]any{"classRef": "x"}})
	th := newThing()
	th.submitted = true
	p.put(t, th)
	p.accept(t, th.command())
	p.deliver(t)
	p.deliver(t)
	p.accept(t, th.command())
	later := p.rows(t)[1]
	_, err := p.events.Deliver(t.Context(), later.ID, later.Job)
	require.NoError(t, err)
	rows := p.rows(t)
	require.Len(t, rows, 1)
	assert.Equal(t, later.ID, rows[0].ID)
	assert.Equal(t, 3, rows[0].Held)
}

func TestAPartyThatRegisterDoesNotKnowIsWaitedForAndThenQuarantined(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := newThing()
	th.party = 77
	p.put(t, th)
	p.accept(t, th.webhook())
	for attempt := 1; attempt <= 6; attempt++ {
		require.True(t, p.deliver(t).Again)
		r := p.rows(t)[0]
		assert.Equal(t, attempt, r.Attempt)
		assert.Contains(t, r.Failure, "Register")
	}
	assert.False(t, p.deliver(t).Again)
	assert.Empty(t, p.rows(t))
	rows := p.quarantine(t)
	require.Len(t, rows, 1)
	assert.Equal(t, "party_not_found", rows[0].Reason)
	assert.Equal(t, th.id().String(), rows[0].ItemKey)
	assert.EqualValues(t, 7, rows[0].Attempts)
	assert.Equal(t, "none", p.title(t, th))

	p.putParty(t, th.party)
	p.accept(t, th.webhook())
	p.deliver(t)
	assert.Empty(t, p.quarantine(t), "a later event delivers it after all")
}

func TestARetryIsNotEarlierThanItsPause(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Jitter: func() float64 { return 3600 },
	})
	th := newThing()
	th.party = 77
	p.put(t, th)
	p.accept(t, th.webhook())
	assert.Equal(t, live.End{Again: true, Pause: time.Hour}, p.deliver(t))
	requests := len(p.sim.Story(th.guid.String()))
	end := p.deliver(t)
	assert.True(t, end.Again)
	assert.Greater(t, end.Pause, 50*time.Minute)
	assert.Len(t, p.sim.Story(th.guid.String()), requests)
	assert.Equal(t, 1, p.rows(t)[0].Attempt)
}

func TestARetryIsNotEarlierThanTheServiceAsks(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.wellness(t)
	th := p.put(t, newThing())
	p.fault(t, faults.Rule{Service: "storage", Path: th.guid.String(), Effect: faults.EffectThrottle, RetryAfter: faults.Duration(10 * time.Minute)})
	p.accept(t, th.webhook())
	end := p.deliver(t)
	assert.True(t, end.Again)
	assert.GreaterOrEqual(t, end.Pause, 10*time.Minute)
	assert.LessOrEqual(t, end.Pause, 10*time.Minute+15*time.Second)
}

func TestOnePoisonousItemStopsNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.wellness(t)
	bad, good := p.put(t, newThing()), p.put(t, newThing())
	p.fault(t, faults.Rule{Service: "storage", Path: bad.guid.String(), Effect: faults.EffectStatus, Status: http.StatusBadRequest})
	p.accept(t, bad.command(), good.command())
	p.finish(t)
	assert.Contains(t, p.title(t, good), "utgave 1")
	rows := p.quarantine(t)
	require.Len(t, rows, 1)
	assert.Equal(t, bad.id().String(), rows[0].ItemKey)
	assert.Equal(t, "http_400", rows[0].Reason)
	_, waiting := p.waiting(t)
	assert.False(t, waiting)
}

func (p *plant) waiting(t testing.TB) (string, bool) {
	t.Helper()
	require.NoError(t, p.gate.Refresh(t.Context()))
	reason, _, waiting := p.gate.Waiting(source, stream.Live)
	return reason, waiting
}

func TestAFailingDestinationStopsTheStreamAndBurnsNoItem(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"down": http.StatusServiceUnavailable, "refuses us": http.StatusUnauthorized} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			p.fault(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectStatus, Status: status})
			things := make([]thing, 30)
			for i := range things {
				things[i] = p.put(t, newThing())
				p.accept(t, things[i].command())
			}
			for _, r := range p.rows(t) {
				end, err := p.events.Deliver(t.Context(), r.ID, r.Job)
				require.NoError(t, err)
				assert.Equal(t, live.End{}, end, "jobs end, they do not spin")
			}
			reason, waiting := p.waiting(t)
			assert.True(t, waiting)
			assert.Contains(t, reason, "dialogporten")
			for _, r := range p.rows(t) {
				assert.Zero(t, r.Attempt)
				assert.Zero(t, r.Job, "parked")
				assert.NotEmpty(t, r.Failure)
			}
			p.accept(t, p.put(t, newThing()).command())
			assert.Zero(t, p.rows(t)[30].Job, "what comes in meanwhile is kept without a job")

			require.Eventually(t, func() bool { // a rest of a millisecond
				require.NoError(t, p.keeper.Keep(t.Context()))
				return p.withJob(t) == 3
			}, time.Minute, time.Millisecond, "a stream that waits is tried with a few")
			for _, r := range p.rows(t) {
				if r.Job != 0 {
					_, err := p.events.Deliver(t.Context(), r.ID, r.Job)
					require.NoError(t, err)
				}
			}
			assert.Zero(t, p.withJob(t))

			p.fault(t)
			require.Eventually(t, func() bool { require.NoError(t, p.keeper.Keep(t.Context())); return p.withJob(t) > 0 }, time.Minute, time.Millisecond)
			p.finish(t)
			_, waiting = p.waiting(t)
			assert.False(t, waiting, "a success lets it go on")
			assert.Empty(t, p.quarantine(t))
			for _, th := range things {
				assert.Contains(t, p.title(t, th), "utgave 1")
			}
		})
	}
}

func (p *plant) withJob(t testing.TB) int {
	t.Helper()
	n := 0
	for _, r := range p.rows(t) {
		if r.Job != 0 {
			n++
		}
	}
	return n
}

func TestTooManyFailuresAlikeStopTheStreamToo(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.wellness(t)
	p.fault(t, faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusBadRequest})
	for range 30 {
		p.accept(t, p.put(t, newThing()).command())
	}
	for _, r := range p.rows(t) {
		_, err := p.events.Deliver(t.Context(), r.ID, r.Job)
		require.NoError(t, err)
	}
	reason, waiting := p.waiting(t)
	assert.True(t, waiting)
	assert.Contains(t, reason, "failed alike: http_400")
	assert.LessOrEqual(t, len(p.quarantine(t)), 10, "those before it showed")
	p.fault(t)
	require.Eventually(t, func() bool {
		require.NoError(t, p.keeper.Keep(t.Context()))
		return p.withJob(t) > 0
	}, time.Minute, time.Millisecond)
	p.finish(t)
	_, waiting = p.waiting(t)
	assert.False(t, waiting)
}

func TestAPausedStreamAcceptsAndDeliversNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	before, after := p.put(t, newThing()), p.put(t, newThing())
	form := newThing()
	form.app, form.archive = a2App, true
	p.put(t, form)
	p.accept(t, before.command())
	p.pause(t, true)
	p.accept(t, after.webhook(), form.command())

	assert.Equal(t, live.End{}, p.deliver(t), "a job that was there ends")
	rows := p.rows(t)
	require.Len(t, rows, 3)
	assert.Zero(t, rows[0].Job)
	assert.Contains(t, rows[0].Failure, "paused by kari")
	assert.Zero(t, rows[1].Job)
	_, err := p.events.Deliver(t.Context(), rows[2].ID, rows[2].Job)
	require.NoError(t, err, "another source's stream goes on")
	require.NoError(t, p.keeper.Keep(t.Context()))
	assert.Zero(t, p.withJob(t))
	assert.Equal(t, "none", p.title(t, before))

	p.pause(t, false)
	require.NoError(t, p.keeper.Keep(t.Context()))
	assert.Equal(t, 2, p.withJob(t))
	p.finish(t)
	assert.Contains(t, p.title(t, before), "utgave 1")
	assert.Contains(t, p.title(t, after), "utgave 1")
	assert.Contains(t, p.title(t, form), "utgave 1")
}

func TestAFormThatIsNotArchivedIsSkipped(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	form := newThing()
	form.app = a2App
	p.put(t, form)
	p.accept(t, form.command())
	p.deliver(t)
	assert.Empty(t, p.rows(t))
	entry, found := p.ledger(t, form)
	require.True(t, found)
	assert.Equal(t, ledger.Skipped, entry.Outcome)
	assert.Equal(t, "not_archived", entry.Reason)
	assert.Equal(t, "none", p.title(t, form))
}

func TestLostJobsAreReplaced(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	things := make([]thing, 6)
	for i := range things {
		things[i] = p.put(t, newThing())
		p.accept(t, things[i].command())
	}
	for i, loss := range []string{
		"delete from river_job where id = $1",
		"update river_job set state = 'discarded', finalized_at = now() where id = $1",
		"update river_job set state = 'cancelled', finalized_at = now() where id = $1",
		"update river_job set state = 'completed', finalized_at = now() where id = $1",
		"update river_job set state = 'running', attempted_at = now() - interval '10 minutes' where id = $1",
		"update river_job set state = 'running', attempted_at = now() where id = $1", // at work
	} {
		_, err := p.pool.Exec(t.Context(), loss, p.rows(t)[i].Job)
		require.NoError(t, err)
	}
	before := p.rows(t)
	require.NoError(t, p.keeper.Keep(t.Context()))
	after := p.rows(t)
	for i := range 5 {
		assert.NotEqual(t, before[i].Job, after[i].Job)
		assert.NotZero(t, after[i].Job)
	}
	assert.Equal(t, before[5].Job, after[5].Job)
	require.NoError(t, p.keeper.Keep(t.Context())) // the sweep's end
	require.NoError(t, p.keeper.Keep(t.Context()))
	assert.Equal(t, after, p.rows(t), "once is enough")
	p.finish(t)
	for _, th := range things {
		assert.Contains(t, p.title(t, th), "utgave 1")
	}
}

func TestADeliveryInterruptedAnywhereIsRepeated(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	requests := 0
	p.watch(func(*http.Request) { requests++ })
	var turn sync.Mutex
	for stopAt := 1; ; stopAt++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		p.watch(func(*http.Request) {
			turn.Lock()
			defer turn.Unlock()
			if n++; n == stopAt {
				cancel() // the process dies; the request may still be applied
			}
		})
		r := p.rows(t)[0]
		end, err := p.events.Deliver(ctx, r.ID, r.Job)
		interrupted := ctx.Err() != nil
		cancel()
		if !interrupted {
			require.NoError(t, err)
			break
		}
		if err == nil && !end.Again {
			break // it was over just before
		}
		require.Len(t, p.rows(t), 1, "stopped at request %d", stopAt)
		assert.Zero(t, p.rows(t)[0].Attempt, "nobody is to blame")
	}
	p.watch(nil)
	assert.Empty(t, p.rows(t))
	assert.Contains(t, p.title(t, th), "utgave 1")
	assert.Empty(t, p.quarantine(t))
	report, err := p.sim.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%+v", report)
}

func TestADatabaseThatFailsBetweenEffectAndRecordLosesNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	_, err := p.pool.Exec(t.Context(), "alter table ledger rename column reason to reason_gone")
	require.NoError(t, err)
	r := p.rows(t)[0]
	_, err = p.events.Deliver(t.Context(), r.ID, r.Job)
	require.Error(t, err, "needless and record alike need the ledger")
	_, err = p.pool.Exec(t.Context(), "alter table ledger rename column reason_gone to reason")
	require.NoError(t, err)

	_, err = p.pool.Exec(t.Context(), `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
		create trigger refuse before delete on inbox for each statement execute function refuse()`)
	require.NoError(t, err)
	_, err = p.events.Deliver(t.Context(), r.ID, r.Job)
	require.Error(t, err)
	assert.Contains(t, p.title(t, th), "utgave 1", "the effect is there")
	_, recorded := p.ledger(t, th)
	assert.False(t, recorded, "the record and the row go together")
	assert.Zero(t, p.rows(t)[0].Attempt)
	assert.Empty(t, p.quarantine(t))
	_, err = p.pool.Exec(t.Context(), "drop trigger refuse on inbox")
	require.NoError(t, err)
	p.deliver(t)
	assert.Empty(t, p.rows(t))
	entry, _ := p.ledger(t, th)
	assert.Equal(t, ledger.Unchanged, entry.Outcome)
	assert.Equal(t, 1, p.writes(th))
}

// Two workers deliver one instance. The one that fails must not put it in quarantine after the other brought it over: nothing would
// ever take it out again.
func TestAFailureThatWasOvertakenBlamesNobody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ status, attempt int }{
		"for good":              {http.StatusBadRequest, 0},
		"to be tried long from": {http.StatusUnprocessableEntity, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			config := live.EventsConfig{Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Jitter: func() float64 { return 1 }}
			slow, quick := live.NewEvents(config), live.NewEvents(config)
			deliver := func(events *live.Events, n int) live.End {
				r := p.rows(t)[n]
				end, err := events.Deliver(t.Context(), r.ID, r.Job)
				require.NoError(t, err)
				return end
			}
			p.accept(t, p.put(t, newThing()).command())
			deliver(slow, 0) // one that went well: no system is to blame

			th := p.put(t, newThing())
			p.accept(t, th.command())
			_, err := p.pool.Exec(t.Context(), "update inbox set attempt = $1", tt.attempt)
			require.NoError(t, err)
			p.accept(t, th.command())
			var met atomic.Bool
			p.watch(func(r *http.Request) {
				if !strings.Contains(r.URL.Path, th.guid.String()) || !met.CompareAndSwap(false, true) {
					return
				}
				deliver(quick, 1) // while the first waits for its answer
				p.fault(t, faults.Rule{Service: "storage", Path: th.guid.String(), Effect: faults.EffectStatus, Status: tt.status})
			})
			assert.Zero(t, deliver(slow, 0))
			require.True(t, met.Load())
			assert.Contains(t, p.title(t, th), "utgave 1")
			assert.Empty(t, p.rows(t))
			assert.Empty(t, p.quarantine(t), "it was brought over")
		})
	}
}

// An event whose item is in quarantine has no other trace. A delivery that read the item before the event came in, and is recorded
// afterwards, knows nothing of it (Invariant 1).
func TestAnOlderReadingReleasesNobody(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	config := live.EventsConfig{Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log}
	slow, quick := live.NewEvents(config), live.NewEvents(config)
	deliver := func(events *live.Events, n int) {
		r := p.rows(t)[n]
		_, err := events.Deliver(t.Context(), r.ID, r.Job)
		require.NoError(t, err)
	}
	p.accept(t, p.put(t, newThing()).command())
	deliver(quick, 0) // one that went well: no system is to blame

	th := p.put(t, newThing())
	p.accept(t, th.command())
	var met atomic.Bool
	p.watch(func(r *http.Request) {
		if !strings.Contains(r.URL.Path, th.dialogID().String()) || !met.CompareAndSwap(false, true) {
			return
		}
		p.accept(t, th.command()) // while the first waits for its answer
		p.fault(t, faults.Rule{Service: "storage", Path: th.guid.String(), Effect: faults.EffectStatus, Status: http.StatusBadRequest})
		deliver(quick, 1)
		p.fault(t)
	})
	deliver(slow, 0)
	require.True(t, met.Load())
	assert.Empty(t, p.rows(t))
	assert.Contains(t, p.title(t, th), "utgave 1")
	assert.Len(t, p.quarantine(t), 1, "what the second event told was never read")

	p.accept(t, th.command())
	deliver(slow, 0)
	assert.Empty(t, p.quarantine(t))
}

// Altinn 2 may send a backlog of forms at once: instances, which people wait for, do not stand in line behind it.
func TestInstancesGoBeforeABacklogOfForms(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	form := newThing()
	form.app = a2App
	for range 20 {
		form.guid = uuid.New()
		p.accept(t, form.command())
	}
	p.accept(t, newThing().command())
	ahead := func() (n int) {
		require.NoError(t, p.pool.QueryRow(t.Context(), `select count(*) from river_job j join inbox i on j.id = i.job_id
			where j.queue = (select o.queue from river_job o join inbox i on o.id = i.job_id where i.source = 'a3-app-instances')
				and i.source = 'a2-archived-forms'`).Scan(&n))
		return n
	}
	assert.Zero(t, ahead())
	_, err := p.pool.Exec(t.Context(), "delete from river_job")
	require.NoError(t, err)
	require.NoError(t, p.keeper.Keep(t.Context()))
	assert.Zero(t, ahead(), "nor when jobs are made anew")
}

// A rate that operators have set makes a source's events wait; the other's have slots of their own.
func TestAThrottledSourceHoldsNoSlotOfTheOther(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	slow := 0.001
	order := stream.Order{Operator: "kari", Reason: "gently"}
	require.NoError(t, stream.Throttle(t.Context(), p.pool, stream.Stream{Source: source, Direction: stream.Live}, &slow, order))
	require.NoError(t, p.gate.Refresh(t.Context()))
	for range 200 {
		p.accept(t, p.put(t, newThing()).command())
	}
	form := newThing()
	form.app, form.archive = a2App, true
	p.put(t, form)
	p.accept(t, form.command())
	p.work(t, 2)
	require.Eventually(t, func() bool { return p.title(t, form) != "none" }, 30*time.Second, 5*time.Millisecond)
	assert.Greater(t, len(p.rows(t)), 190, "the throttled ones wait")
}

// TestOrderDoesNotMatter changes instances and sends their events late, doubled and in any order, while workers deliver: in
// the end each dialog is what its instance is.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Jitter: func() float64 { return .01 },
	})
	p.work(t, 8)
	const enough = 15 // sequences; shrinking takes as many more as it needs
	runs, failing := 0, false
	rapid.Check(t, func(r *rapid.T) {
		if runs++; runs > enough && !failing {
			return
		}
		failing = true
		things := make([]thing, rapid.IntRange(1, 4).Draw(r, "instances"))
		for i := range things {
			things[i] = p.put(t, newThing())
		}
		var late []live.Command
		for range rapid.IntRange(1, 10).Draw(r, "changes") {
			th := &things[rapid.IntRange(0, len(things)-1).Draw(r, "instance")]
			switch rapid.SampledFrom([]string{"text", "delete", "undelete", "purge"}).Draw(r, "change") {
			case "text":
				th.text = "utgave " + rapid.StringMatching("[1-9]{3}").Draw(r, "text")
			case "delete":
				th.soft = true
			case "undelete":
				th.soft = false
			case "purge":
				th.hard = true // for ever
			}
			p.put(t, *th)
			event := rapid.SampledFrom([]live.Command{th.command(), th.webhook()}).Draw(r, "event")
			if rapid.Bool().Draw(r, "now") {
				p.accept(t, event)
				continue
			}
			late = append(late, event)
		}
		for _, th := range things {
			late = append(late, th.command(), th.webhook()) // doubled
		}
		for _, event := range rapid.Permutation(late).Draw(r, "order") {
			p.accept(t, event)
		}
		require.Eventually(r, func() bool { return len(p.rows(t)) == 0 }, time.Minute, 5*time.Millisecond)
		for _, th := range things {
			want := th.text
			switch {
			case th.hard:
				want = "none"
			case th.soft:
				want = "deleted"
			}
			require.Contains(r, p.title(t, th), want)
		}
		failing = false
	})
	assert.Empty(t, p.quarantine(t))
	report, err := p.sim.Diff(t.Context())
	require.NoError(t, err)
	assert.True(t, report.Clean(), "%+v", report)
}

func TestTheOldestEventIsTheWatermarksLimit(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	oldest, err := db.New(p.pool).OldestInInbox(t.Context())
	require.NoError(t, err)
	assert.Empty(t, oldest)
	p.accept(t, newThing().command())
	p.accept(t, newThing().command())
	var want time.Time
	require.NoError(t, p.pool.QueryRow(t.Context(), "select min(received_at) from inbox").Scan(&want))
	oldest, err = db.New(p.pool).OldestInInbox(t.Context())
	require.NoError(t, err)
	require.Len(t, oldest, 1)
	assert.Equal(t, source, oldest[0].Source)
	assert.True(t, want.Equal(oldest[0].ReceivedAt))
}
