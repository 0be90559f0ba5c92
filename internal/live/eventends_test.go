package live_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// A pause is felt within seconds, by what is under way too: it ends, is nobody's fault, and is done again on resume.
func TestAPauseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th := p.put(t, newThing())
	p.accept(t, th.command())
	var hang atomic.Bool
	hang.Store(true)
	hanging, release := make(chan struct{}, 10), make(chan struct{})
	defer close(release)
	p.watch(func(r *http.Request) {
		if hang.Load() && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs") {
			hanging <- struct{}{}
			<-release
		}
	})
	r, ended := p.rows(t)[0], make(chan live.End, 1)
	go func() {
		end, err := p.events.Deliver(t.Context(), r.ID, r.Job)
		assert.NoError(t, err)
		ended <- end
	}()
	<-hanging
	p.pause(t, true)
	select {
	case end := <-ended:
		assert.Equal(t, live.End{}, end)
	case <-time.After(30 * time.Second): // half of what a delivery may take
		t.Fatal("it goes on")
	}
	rows := p.rows(t)
	require.Len(t, rows, 1)
	assert.Zero(t, rows[0].Job, "parked")
	assert.Zero(t, rows[0].Attempt, "nobody is to blame")
	assert.Contains(t, rows[0].Failure, "paused by kari")
	_, waiting := p.waiting(t)
	assert.False(t, waiting)

	hang.Store(false)
	p.pause(t, false)
	p.finish(t)
	assert.Contains(t, p.title(t, th), "utgave 1")
	assert.Empty(t, p.quarantine(t))
}

// What PostgreSQL never takes is an exception with its code, and stops nobody.
func TestARecordThatPostgreSQLRefusesIsQuarantined(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.wellness(t)
	bad := p.put(t, newThing())
	_, err := p.pool.Exec(t.Context(), "alter table ledger add constraint odd check (item_id <> '"+bad.dialogID().String()+"')")
	require.NoError(t, err)
	p.accept(t, bad.command())
	for range 4 {
		require.True(t, p.deliver(t).Again, "a mend of the schema may be on its way")
	}
	good := p.put(t, newThing())
	p.accept(t, good.command())
	p.finish(t)
	assert.Contains(t, p.title(t, good), "utgave 1")
	quarantined := p.quarantine(t)
	require.Len(t, quarantined, 1)
	assert.Equal(t, bad.id().String(), quarantined[0].ItemKey)
	assert.Equal(t, "record_refused_23514", quarantined[0].Reason)
	assert.Contains(t, quarantined[0].Detail, "constraint odd")
	assert.NotContains(t, quarantined[0].Detail, bad.dialogID().String(), "not the row")
	_, waiting := p.waiting(t)
	assert.False(t, waiting)
}

// The only item of a silent stream fails, and nothing else tells whether it is the item or the system. It holds the stream up for an
// hour of tries, and then stands among the exceptions; it is tried on, and takes no harm if it was the system after all.
func TestALoneItemDoesNotHoldItsStreamForEver(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.fault(t, faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusInternalServerError})
	p.events = live.NewEvents(live.EventsConfig{
		Pool: p.pool, Deliverer: p.deliverer, Gate: p.gate, Log: p.log, Rest: time.Millisecond, Jitter: func() float64 { return 1 },
	})
	th := p.put(t, newThing())
	p.accept(t, th.command())
	try := func() live.End {
		require.Eventually(t, func() bool { require.NoError(t, p.keeper.Keep(t.Context())); return p.withJob(t) == 1 }, time.Minute, time.Millisecond)
		return p.deliver(t)
	}
	age := func() {
		_, err := p.pool.Exec(t.Context(), `update inbox set alone_since = alone_since - interval '61 minutes',
			due_at = due_at - interval '61 minutes'`)
		require.NoError(t, err)
	}
	for range 9 {
		assert.Equal(t, live.End{}, try())
	}
	_, waiting := p.waiting(t)
	assert.True(t, waiting)
	age()
	try()
	assert.Empty(t, p.quarantine(t), "nine tries")
	try()
	quarantined := p.quarantine(t)
	require.Len(t, quarantined, 1)
	assert.Equal(t, "http_500", quarantined[0].Reason)
	_, waiting = p.waiting(t)
	assert.False(t, waiting, "the stream goes on")
	rows := p.rows(t)
	require.Len(t, rows, 1, "it is not given up")
	assert.NotZero(t, rows[0].Job)
	assert.Zero(t, rows[0].Attempt, "no attempt counts")
	age()
	assert.True(t, p.deliver(t).Again, "nor does it stop the stream again")
	_, waiting = p.waiting(t)
	assert.False(t, waiting)

	p.fault(t)
	age()
	p.finish(t)
	assert.Contains(t, p.title(t, th), "utgave 1")
	assert.Empty(t, p.quarantine(t))
}

// So with polls, where the item holds the watermark too.
func TestALoneItemDoesNotHoldAPollForEver(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachCatchUp)
	post := faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusInternalServerError}
	p.fault(t, post)
	th := p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	tries := func(n int) {
		for range n {
			before := len(p.sim.Story(th.guid.String()))
			require.Eventually(t, func() bool { // after a rest
				p.poll(t, live.ReachCatchUp)
				return len(p.sim.Story(th.guid.String())) > before
			}, time.Minute, time.Millisecond)
		}
	}
	tries(9)
	_, waiting := p.waiting(t)
	assert.True(t, waiting)
	p.pass(61 * time.Minute)
	tries(1)
	assert.Empty(t, p.quarantine(t), "nine tries")
	tries(1)
	quarantined := p.quarantine(t)
	require.Len(t, quarantined, 1)
	assert.Equal(t, "http_500", quarantined[0].Reason)
	assert.Less(t, p.live(t, source).LagS, time.Minute.Seconds(), "the watermark goes on beside it")

	// The next one is not blamed with it.
	other := p.instance(t, -time.Second)
	p.pass(10 * time.Second)
	for range 8 {
		before := len(p.sim.Story(other.guid.String()))
		require.Eventually(t, func() bool {
			p.poll(t, live.ReachCatchUp)
			return len(p.sim.Story(other.guid.String())) > before
		}, time.Minute, time.Millisecond)
	}
	assert.Len(t, p.quarantine(t), 1)
	p.fault(t)
	require.Eventually(t, func() bool { p.poll(t, live.ReachCatchUp); return p.has(other) }, time.Minute, time.Millisecond)
	p.poll(t, live.ReachDay) // what lists it again takes it up
	assert.Contains(t, p.title(t, th), "utgave 1")
	assert.Empty(t, p.quarantine(t))
}

// While the only item fails with its system, the time does not count.
func TestAnOutageIsNoTimeAlone(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.fault(t, faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusInternalServerError})
	p.accept(t, p.put(t, newThing()).command())
	p.deliver(t)
	_, err := p.pool.Exec(t.Context(), "update inbox set alone_since = alone_since - interval '61 minutes', alone_tries = 100")
	require.NoError(t, err)
	p.fault(t, faults.Rule{Service: "dialogporten", Effect: faults.EffectStatus, Status: http.StatusUnauthorized}) // it refuses us
	try := func() {
		require.Eventually(t, func() bool { require.NoError(t, p.keeper.Keep(t.Context())); return p.withJob(t) == 1 }, time.Minute, time.Millisecond)
		p.deliver(t)
	}
	try()
	p.fault(t, faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectStatus, Status: http.StatusInternalServerError})
	try()
	assert.Empty(t, p.quarantine(t))
	_, waiting := p.waiting(t)
	assert.True(t, waiting)
}

// A form was migrated anew, and the event on the new instance is all that tells: its dialog replaces the old one's within seconds.
func TestAFormMigratedAnewIsFoundWhenItIsRecorded(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	const reference = 4711
	forms := []thing{p.form(t, 50*time.Second, reference)}
	p.accept(t, forms[0].command())
	p.finish(t)
	require.True(t, p.has(forms[0]))
	forms = append(forms, p.form(t, 20*time.Second, reference))
	p.accept(t, forms[1].command())
	p.finish(t)
	assert.False(t, p.has(forms[0]), "one form has one dialog")
	assert.True(t, p.has(forms[1]))
	entry, found := p.ledger(t, forms[0])
	require.True(t, found)
	assert.Equal(t, ledger.Purged, entry.Outcome)
}

// Two instances of one reference that both live do not keep each other busy.
func TestInstancesOfOneReferenceAreToldOfOnce(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	one, other := p.form(t, 50*time.Second, 1), p.form(t, 20*time.Second, 2)
	p.accept(t, one.command())
	p.finish(t)
	require.NoError(t, p.sim.Storage.SetValue(other.guid, "A2ArchRef", "1"))
	p.accept(t, other.command())
	p.deliver(t)
	require.Len(t, p.rows(t), 1, "one event on the other")
	require.NoError(t, p.keeper.Keep(t.Context()))
	p.deliver(t)
	assert.Empty(t, p.rows(t))
	assert.True(t, p.has(one))
	assert.True(t, p.has(other))
}
