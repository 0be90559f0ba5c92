package live_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// mailing is live sync of messages before a simulated platform. Its clock runs with the test's, some time ahead if the test wants.
type mailing struct {
	pool   *pgxpool.Pool
	sim    *altinnsim.Sim
	url    string
	config live.PollConfig
	poller *live.Poller
	log    *zap.Logger

	mu     sync.Mutex
	ahead  time.Duration
	calls  []string
	before func(n int, w http.ResponseWriter, r *http.Request) (answered bool)
}

func newMailing(t testing.TB, tune ...func(*live.PollConfig)) *mailing {
	t.Helper()
	m := &mailing{pool: dbtest.New(t), log: zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel))}
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	m.sim = sim
	server := httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(server.Close)
	m.url = server.URL
	m.config = live.PollConfig{
		Worker: "test", PageSize: 20, Rest: 20 * time.Millisecond, Messages: true, DueEvery: time.Nanosecond, MaxFailureShare: 0.5,
	}
	for _, f := range tune {
		f(&m.config)
	}
	m.poller = m.another(t)
	return m
}

// another is the poller of another process.
func (m *mailing) another(t testing.TB) *live.Poller {
	t.Helper()
	hop := &http.Transport{DisableKeepAlives: true} // else net/http repeats reads by itself
	if _, benchmark := t.(*testing.B); benchmark {
		hop = &http.Transport{MaxIdleConnsPerHost: 100}
		t.Cleanup(hop.CloseIdleConnections)
	}
	client := &http.Client{Transport: hop}
	gate := stream.NewGate(stream.GateConfig{Pool: m.pool, Worker: "worker", Log: m.log})
	require.NoError(t, gate.Refresh(t.Context()))
	return &live.Poller{
		Pool: m.pool, Gate: gate, Log: m.log, Config: m.config, Now: m.clock, Stopping: make(chan struct{}),
		Messages: &message.Deliverer{
			Source: altinn2.New(m.url, client, nil), Correspondence: correspondence.New(m.url, client, nil),
			Dialogs: dialogporten.New(m.url, client), Pool: m.pool, Now: m.clock,
		},
	}
}

func (m *mailing) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.calls = append(m.calls, r.Method+" "+r.URL.Path)
	n, before := len(m.calls), m.before
	m.mu.Unlock()
	if before == nil || !before(n, w, r) {
		m.sim.Handler().ServeHTTP(w, r)
	}
}

// watch has something done before each request, counted from here on, which may answer it; nil ends it.
func (m *mailing) watch(before func(n int, w http.ResponseWriter, r *http.Request) (answered bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls, m.before = nil, before
}

// told are the calls to the migration API since the last watch, without its prefix, in order.
func (m *mailing) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := []string{}
	for _, c := range m.calls {
		if _, name, ok := strings.Cut(c, "/correspondence/api/v1/migration/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func (m *mailing) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead).UTC()
}

func (m *mailing) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
}

func (m *mailing) reach(t testing.TB, name string) live.Reach {
	t.Helper()
	reach, found := m.config.ReachOf(ledger.A2Correspondence, name)
	require.True(t, found)
	return reach
}

// poll runs a reach once, as its job would.
func (m *mailing) poll(t testing.TB, name string) live.PollEnd {
	t.Helper()
	end, err := m.poller.Run(t.Context(), m.reach(t, name))
	require.NoError(t, err)
	return end
}

// batch brings over what changed; due what is to be delivered again, ten minutes on.
func (m *mailing) batch(t testing.TB) { t.Helper(); m.poll(t, live.ReachBatch) }

func (m *mailing) due(t testing.TB) {
	t.Helper()
	m.idle(t)
	m.pass(11 * time.Minute)
	m.poll(t, live.ReachDue)
}

func (m *mailing) idle(t testing.TB) {
	t.Helper()
	require.NoError(t, m.sim.Correspondence.Idle(t.Context()))
}

// generate makes messages of the last minutes, all of them before live began.
func (m *mailing) generate(t testing.TB, messages int, tune ...func(*simaltinn2.Options)) {
	t.Helper()
	o := simaltinn2.DefaultOptions()
	o.Messages, o.LargestFile, o.Orgs, o.Services = messages, 5000, 2, 2
	o.To = time.Now()
	o.From, o.End = o.To.Add(-50*time.Minute), o.To
	o.Odd, o.Broken, o.Deceased, o.Purged = 0, 0, 0, 0
	for _, f := range tune {
		f(&o)
	}
	_, err := m.sim.Generate(generator.Options{Seed: 1, Messages: &o})
	require.NoError(t, err)
}

// begun is a world with a few old messages in which live has begun.
func begun(t testing.TB, tune ...func(*live.PollConfig)) *mailing {
	t.Helper()
	m := newMailing(t, tune...)
	m.generate(t, 12)
	m.batch(t)
	m.watch(nil)
	return m
}

// arrive adds a message that comes now.
func (m *mailing) arrive(t testing.TB, alter ...func(*simaltinn2.Record)) int32 {
	t.Helper()
	var found *simaltinn2.Record
	m.sim.Altinn2.Each(func(r simaltinn2.Record) bool {
		if r.Deletion == simaltinn2.DeletionNone && !r.Recipient.Deceased && r.Recipient.Kind == simaltinn2.KindPerson {
			found = &r
		}
		return found == nil
	})
	require.NotNil(t, found)
	r := *found
	now := time.Now().UTC().Truncate(time.Millisecond)
	party := r.Sender.PartyUUID
	r.ID, r.Created, r.VisibleFrom, r.ChangedAt, r.ChangeSeq = 0, now, now, now, 0
	r.Events = []simaltinn2.Event{
		{Type: simaltinn2.EventCreated, At: now}, {Type: simaltinn2.EventPublished, At: now, PartyUUID: party, UserUUID: party},
	}
	r.Attachments, r.Notifications, r.Forwardings, r.DueAt = nil, nil, nil, nil
	r.ConfirmationRequired = true
	for _, f := range alter {
		f(&r)
	}
	id, err := m.sim.Altinn2.Add(r)
	require.NoError(t, err)
	return id
}

// clean fails with the first differences between Altinn 2 and what became of it.
func (m *mailing) clean(t testing.TB) {
	t.Helper()
	m.idle(t)
	report, err := m.sim.Diff(t.Context())
	require.NoError(t, err)
	require.NotNil(t, report.Messages)
	require.True(t, report.Clean(), "%+v", report.Messages)
}

func (m *mailing) count(t testing.TB, what string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, m.pool.QueryRow(t.Context(), "select count(*) from "+what, args...).Scan(&n))
	return n
}

func (m *mailing) quarantine(t testing.TB) []db.QuarantineListRow {
	t.Helper()
	rows, err := db.New(m.pool).QuarantineList(t.Context(), db.QuarantineListParams{MaxRows: 100})
	require.NoError(t, err)
	return rows
}

func (m *mailing) live(t testing.TB) live.Live {
	t.Helper()
	l, err := live.ReadLive(t.Context(), m.pool, ledger.A2Correspondence, m.clock())
	require.NoError(t, err)
	return l
}

func (m *mailing) waiting(t testing.TB) string {
	t.Helper()
	states, err := stream.Read(t.Context(), m.pool)
	require.NoError(t, err)
	state := stream.Of(states, stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Live})
	return state.Waiting
}

func (m *mailing) pause(ctx context.Context, t testing.TB, paused bool) {
	t.Helper()
	change := stream.Resume
	if paused {
		change = stream.Pause
	}
	s := stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Live}
	require.NoError(t, change(ctx, m.pool, s, stream.Order{Operator: "kari", Reason: "test"}))
	require.NoError(t, m.poller.Gate.Refresh(ctx))
}
