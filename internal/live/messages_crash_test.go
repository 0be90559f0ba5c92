package live_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/live"
)

// isMigrate tells whether a request brings a message over.
func isMigrate(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/migration/correspondence")
}

func TestPauseInThePage(t *testing.T) {
	t.Parallel()
	m := begun(t)
	for range 20 {
		m.arrive(t)
	}
	before := m.live(t)
	var once sync.Once
	// Those under way wait until the run has heard of the pause, or was long enough on its way to have.
	stopped := make(chan struct{})
	m.watch(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if isMigrate(r) {
			once.Do(func() { //nolint:contextcheck // the pause is not the request's
				m.pause(context.WithoutCancel(t.Context()), t, true)
				close(stopped)
			})
			<-stopped
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not hear of the client's end
			<-r.Context().Done()               // let go by the run alone
			return true
		}
		return false
	})
	end := m.poll(t, live.ReachBatch)
	assert.Positive(t, end.Rest)
	assert.Less(t, len(m.told()), 20)
	assert.Equal(t, before.Watermark, m.live(t).Watermark)
	assert.Empty(t, m.waiting(t))
	assert.Empty(t, m.quarantine(t))
	assert.Zero(t, m.count(t, "message_retry"))

	m.watch(nil)
	m.batch(t)
	m.poll(t, live.ReachDue)
	assert.Empty(t, m.told(), "nothing is touched")
	m.mu.Lock()
	assert.Empty(t, m.calls)
	m.mu.Unlock()

	m.pause(t.Context(), t, false)
	m.batch(t)
	m.due(t)
	m.batch(t)
	m.clean(t)
}

// Invariant 5: a run whose epoch is gone writes nothing, and nothing that it left undone is passed over.
func TestRunThatWasTakenOverWritesNothing(t *testing.T) {
	t.Parallel()
	m := begun(t)
	for range 5 {
		m.arrive(t)
	}
	var once sync.Once
	cursor := func() (c string) {
		require.NoError(t, m.pool.QueryRow(t.Context(),
			"select cursor from poll_org where source = 'a2-correspondence' and reach = 'batch'").Scan(&c))
		return c
	}
	before, recorded := cursor(), m.count(t, "ledger")
	m.watch(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if isMigrate(r) {
			once.Do(func() {
				_, err := m.pool.Exec(context.WithoutCancel(t.Context()), `with p as (update poll set epoch = epoch + 1, lease_until = null
					where source = 'a2-correspondence' and reach = 'batch' returning epoch)
					update poll_org set epoch = p.epoch from p where source = 'a2-correspondence' and reach = 'batch'`)
				assert.NoError(t, err)
			})
		}
		return false
	})
	m.poll(t, live.ReachBatch)
	assert.Equal(t, before, cursor())
	assert.Equal(t, recorded, m.count(t, "ledger"))
	m.watch(nil)
	m.pass(time.Minute)
	m.batch(t)
	assert.Equal(t, recorded+5, m.count(t, "ledger"))
	m.due(t)
	m.due(t)
	m.clean(t)
}

var numberOf = regexp.MustCompile(`"altinn2CorrespondenceId":(\d+)`)

func TestProcessesTakeTurnsWithMessages(t *testing.T) {
	t.Parallel()
	m := begun(t, func(c *live.PollConfig) { c.PageSize = 4 })
	var mu sync.Mutex
	migrated := map[string]int{}
	m.watch(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if !isMigrate(r) {
			return false
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		mu.Lock()
		defer mu.Unlock()
		if found := numberOf.FindSubmatch(body); err == nil && found != nil {
			migrated[string(found[1])]++
		}
		return false
	})
	var stop atomic.Bool
	var running sync.WaitGroup
	for range 3 {
		poller := m.another(t)
		for _, name := range []string{live.ReachBatch, live.ReachDue} {
			reach := m.reach(t, name)
			running.Go(func() {
				for !stop.Load() {
					_, err := poller.Run(t.Context(), reach)
					assert.NoError(t, err)
				}
			})
		}
	}
	for range 40 {
		_, _ = m.sim.Altinn2.Live.Step() // what cannot happen to a message does not
	}
	arrived := 0
	m.sim.Altinn2.Each(func(simaltinn2.Record) bool { arrived++; return true })
	require.Eventually(t, func() bool { return m.count(t, "message") == arrived }, time.Minute, 20*time.Millisecond)
	stop.Store(true)
	running.Wait()
	for id, n := range migrated {
		assert.Equal(t, 1, n, id)
	}
	m.pass(time.Hour) // past all leases and pauses
	m.batch(t)
	m.due(t)
	m.batch(t)
	m.clean(t)
}

// Whatever happens between a run and the platform, at any request, in the end everything is as Altinn 2 has it (Invariants 1 and 2).
func TestMessagesSurviveEverything(t *testing.T) {
	t.Parallel()
	m := begun(t, func(c *live.PollConfig) { c.PageSize = 5; c.Lease = time.Second })
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 3).Draw(r, "rounds") {
			for range rapid.IntRange(0, 12).Draw(r, "changes") {
				_, _ = m.sim.Altinn2.Live.Step() // what cannot happen to a message does not
			}
			m.disturbed(t, rapid.SampledFrom([]string{live.ReachBatch, live.ReachBatch, live.ReachDue}).Draw(r, "reach"),
				rapid.SampledFrom([]string{"stopped", "answer lost", "refused", "nothing"}).Draw(r, "trouble"), rapid.IntRange(1, 40).Draw(r, "at"))
			m.pass(time.Duration(rapid.IntRange(0, 12).Draw(r, "minutes")) * time.Minute)
		}
		m.settle(t)
		m.clean(t)
	})
	assert.Equal(t, m.count(t, "message where correspondence_id is not null"), m.sim.Correspondence.Len())
}

// disturbed runs a reach in a process that dies, or whose platform misbehaves, at the nth request.
func (m *mailing) disturbed(t *testing.T, name, trouble string, at int) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var met atomic.Bool
	m.watch(func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n < at || !met.CompareAndSwap(false, true) {
			return false
		}
		switch trouble {
		case "stopped":
			kill()
		case "answer lost":
			m.sim.Handler().ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case "refused":
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	defer m.watch(nil)
	_, _ = m.another(t).Run(ctx, m.reach(t, name)) // a process that dies tells nothing
	_, err := m.pool.Exec(t.Context(), "update poll set lease_until = null; update message_lease set until = now()")
	require.NoError(t, err) // its leases run out
}

// settle does what is left to do.
func (m *mailing) settle(t *testing.T) {
	t.Helper()
	for range 4 {
		m.idle(t)
		m.pass(time.Hour)
		for _, name := range []string{live.ReachBatch, live.ReachDue} {
			require.Eventually(t, func() bool { return m.poll(t, name) == live.PollEnd{} }, time.Minute, 5*time.Millisecond)
		}
	}
	require.Zero(t, m.count(t, "message_retry"))
	require.Zero(t, m.count(t, "message where due_at is not null"))
	m.sim.Correspondence.Each(func(i correspondence.Item) bool {
		require.False(t, i.Hidden && !i.Purged())
		return true
	})
}
