package live_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/live"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	callMigrate   = "correspondence"
	callAvailable = "makemigratedcorrespondenceavailable"
	callStatus    = "correspondence/syncStatusEvent"
	callNotify    = "correspondence/syncNotificationEvent"
	callForward   = "correspondence/syncForwardingEvent"
)

func TestMessagesAreKeptCurrent(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	m.batch(t)
	assert.Equal(t, []string{callMigrate}, m.told())
	m.idle(t)
	item, found := m.sim.Correspondence.Item(id)
	require.True(t, found)
	assert.False(t, item.Hidden, "Correspondence makes the dialog itself, with events")
	m.watch(nil)
	m.due(t)
	assert.Equal(t, []string{callAvailable}, m.told(), "ten minutes later it is seen to")

	m.watch(nil)
	record, _ := m.sim.Altinn2.Message(id)
	person := record.Recipient.PartyUUID
	for _, news := range []struct {
		happens func() error
		call    string
	}{
		{func() error { return m.sim.Altinn2.ChangeRead(id, person) }, callStatus},
		{func() error { return m.sim.Altinn2.ChangeConfirm(id, person) }, callStatus},
		{func() error { return m.sim.Altinn2.ChangeArchive(id, person) }, callStatus},
		{func() error { return m.sim.Altinn2.ChangeTrash(id, person) }, callStatus},
		{func() error { return m.sim.Altinn2.ChangeRestore(id, person) }, callStatus},
		{func() error {
			return m.sim.Altinn2.ChangeNotify(id, simaltinn2.Notification{ID: 7, Channel: "email", Address: "post@example.no"})
		}, callNotify},
		{func() error {
			return m.sim.Altinn2.ChangeForward(id, simaltinn2.Forwarding{ByPartyUUID: person, ByUserUUID: person, ToEmail: new("post@example.no")})
		}, callForward},
		{func() error { return m.sim.Altinn2.ChangePurge(id, false) }, callStatus},
	} {
		m.watch(nil)
		m.pass(time.Second)
		require.NoError(t, news.happens())
		m.batch(t)
		assert.Equal(t, []string{news.call}, m.told())
		m.watch(nil)
		m.batch(t)
		m.poll(t, "due")
		assert.Empty(t, m.told(), "nothing new, no call")
		m.clean(t)
	}
	item, _ = m.sim.Correspondence.Item(id)
	assert.True(t, item.Purged())
	l := m.live(t)
	require.NotNil(t, l.Watermark)
	assert.WithinDuration(t, time.Now(), *l.Watermark, time.Minute)
	assert.Empty(t, m.quarantine(t))
}

// A message that is to be older first comes when it is, although nothing happens to it then.
func TestMessagesOfAMinimumAge(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	record, _ := m.sim.Altinn2.Message(id)
	m.poller.Messages.Selection = mapping.Selection{MinAge: map[string]time.Duration{strings.ToLower(record.ResourceID): 48 * time.Hour}}
	m.batch(t)
	assert.Empty(t, m.told())
	assert.Equal(t, 1, m.count(t, "ledger where outcome = 'skipped' and reason = 'too_young'"))
	m.pass(47 * time.Hour)
	m.poll(t, live.ReachDue)
	assert.Empty(t, m.told())
	m.pass(61 * time.Minute)
	m.poll(t, live.ReachDue)
	assert.Equal(t, []string{callMigrate}, m.told())
	m.due(t)
	item, found := m.sim.Correspondence.Item(id)
	require.True(t, found)
	assert.False(t, item.Hidden)
	assert.Empty(t, m.quarantine(t))
}

// Invariant 10: what was there before live began, and nobody brought over, comes without events.
func TestOldMessagesComeSilently(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t, func(r *simaltinn2.Record) {
		r.Created = r.Created.AddDate(-1, 0, 0)
		r.VisibleFrom = r.Created
		for i := range r.Events {
			r.Events[i].At = r.Created
		}
	})
	m.batch(t)
	assert.Equal(t, []string{callMigrate, callAvailable}, m.told())
	var created any
	for _, e := range m.sim.Story(strconv.Itoa(int(id))) {
		if e.Method == http.MethodPost && strings.HasSuffix(e.Path, "/dialogs") {
			created = e.Query["IsSilentUpdate"]
		}
	}
	assert.Equal(t, "true", created)
	m.watch(nil)
	record, _ := m.sim.Altinn2.Message(id)
	require.NoError(t, m.sim.Altinn2.ChangeRead(id, record.Recipient.PartyUUID))
	m.batch(t)
	assert.Equal(t, []string{callStatus}, m.told(), "its news come like any other's")
	m.clean(t)
}

func TestPurgedBeforeItEverCameIsLeftOut(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	require.NoError(t, m.sim.Altinn2.ChangePurge(id, true))
	m.batch(t)
	assert.Empty(t, m.told())
	assert.Equal(t, 1, m.count(t, "message where altinn2_id = $1 and outcome = 'skipped' and reason = 'purged'", id))
	m.clean(t)
}

func TestWalkGoesOnFromItsCursor(t *testing.T) {
	t.Parallel()
	m := begun(t, func(c *live.PollConfig) { c.PageSize = 3 })
	asked := func() (queries []string) {
		m.watch(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/changes") {
				queries = append(queries, r.URL.RawQuery)
			}
			return false
		})
		m.poller = m.another(t) // of a process that has just started
		m.batch(t)
		return queries
	}
	for range 7 {
		m.arrive(t)
	}
	queries := asked()
	assert.Len(t, queries, 3)
	assert.Len(t, m.told(), 7)
	for _, q := range queries {
		assert.Contains(t, q, "cursor=")
		assert.NotContains(t, q, "since=")
	}
	queries = asked()
	assert.Len(t, queries, 1)
	assert.Empty(t, m.told())

	m.arrive(t)
	_, err := m.pool.Exec(t.Context(), "update poll_org set cursor = 'damaged' where source = 'a2-correspondence'")
	require.NoError(t, err)
	queries = asked()
	assert.Contains(t, queries[0], "cursor=damaged")
	assert.Contains(t, queries[1], "since=")
	assert.Equal(t, []string{callMigrate}, m.told(), "what is met again is told nothing")
	assert.Empty(t, m.waiting(t))
	assert.Len(t, asked(), 1, "the new cursor is on record")
	m.due(t)
	m.clean(t)
}

func TestCursorThatLeadsNowhereStopsTheStream(t *testing.T) {
	t.Parallel()
	m := begun(t)
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/changes") {
			return false
		}
		cursor, _ := json.Marshal(r.URL.Query().Get("cursor"))
		_, _ = fmt.Fprintf(w, `{"items": [], "nextCursor": %s, "hasMore": true, "asOf": "2026-01-01T00:00:00Z"}`, cursor)
		return true
	})
	end := m.poll(t, live.ReachBatch)
	assert.Positive(t, end.Rest)
	assert.Contains(t, m.waiting(t), "leads nowhere")
}

// Invariant 8.
func TestBadMessageIsNoBadStream(t *testing.T) {
	t.Parallel()
	m := begun(t)
	good := m.arrive(t)
	bad := m.arrive(t, func(r *simaltinn2.Record) { r.Events = r.Events[:1] }) // never published
	m.arrive(t)
	m.batch(t)
	assert.Len(t, m.told(), 2)
	q := m.quarantine(t)
	require.Len(t, q, 1)
	assert.Equal(t, strconv.Itoa(int(bad)), q[0].ItemKey)
	assert.Zero(t, m.count(t, "message_retry"), "it stays bad")
	assert.Empty(t, m.waiting(t))
	m.watch(nil)
	m.batch(t)
	m.due(t)
	assert.EqualValues(t, 1, m.quarantine(t)[0].Attempts, "it is not tried again")

	require.NoError(t, m.sim.Altinn2.ChangeEvent(bad, simaltinn2.EventPublished, uuid.Nil))
	m.batch(t)
	assert.Empty(t, m.quarantine(t), "its next change brings it over")
	_, found := m.sim.Correspondence.Item(good)
	assert.True(t, found)
	m.due(t)
	m.clean(t)
}

func TestRecordThatCannotBeReadIsQuarantined(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	spoiled := false
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if spoiled || !strings.HasSuffix(r.URL.Path, "/changes") {
			return false
		}
		spoiled = true
		answer := httptest.NewRecorder()
		m.sim.Handler().ServeHTTP(answer, r)
		text := strings.Replace(answer.Body.String(), `"items":[`, `"items":[{"altinn2CorrespondenceId":4711,"created":"2026-01-01T00:00:00Z","events":7},`, 1)
		_, _ = w.Write([]byte(text))
		return true
	})
	m.batch(t)
	q := m.quarantine(t)
	require.Len(t, q, 1)
	assert.Equal(t, "4711", q[0].ItemKey)
	_, found := m.sim.Correspondence.Item(id)
	assert.True(t, found)
}

func TestSystemThatIsDownStopsTheStreamOnly(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"Correspondence": "/correspondence/", "the export": "/a2/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := begun(t)
			for range 5 {
				m.arrive(t)
			}
			before := m.live(t)
			m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				down := strings.HasPrefix(r.URL.Path, path)
				if down {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return down
			})
			end := m.poll(t, live.ReachBatch)
			assert.Equal(t, live.PollEnd{Rest: m.config.Rest}, end)
			assert.NotEmpty(t, m.waiting(t))
			assert.Empty(t, m.quarantine(t))
			assert.Zero(t, m.count(t, "message_retry"))
			assert.Equal(t, before.Watermark, m.live(t).Watermark)
			m.poll(t, live.ReachDue)
			assert.NotEmpty(t, m.waiting(t), "a run without work says nothing of the system")

			m.watch(nil)
			m.pass(time.Minute)
			require.Eventually(t, func() bool { m.batch(t); return m.waiting(t) == "" }, time.Minute, 20*time.Millisecond)
			m.due(t)
			m.clean(t)
			assert.True(t, m.live(t).Watermark.After(*before.Watermark))
		})
	}
}

// failing answers the migrate calls of messages with an error.
func (m *mailing) failing(t *testing.T, ids ...int32) {
	t.Helper()
	m.refusing(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, ids...)
}

// refusing has what migrates messages answered so.
func (m *mailing) refusing(t *testing.T, answer func(http.ResponseWriter), ids ...int32) {
	t.Helper()
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/migration/correspondence") {
			return false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		mine := slices.ContainsFunc(ids, func(id int32) bool {
			return bytes.Contains(body, fmt.Appendf(nil, `"altinn2CorrespondenceId":%d`, id))
		})
		if mine {
			answer(w)
		}
		return mine
	})
}

func TestWhatFailsForAMomentHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	m := begun(t)
	for range 12 {
		m.arrive(t)
	}
	bad := m.arrive(t)
	record, _ := m.sim.Altinn2.Message(bad)
	m.failing(t, bad)
	m.batch(t)
	assert.Empty(t, m.waiting(t))
	assert.Equal(t, 1, m.count(t, "message_retry where altinn2_id = $1 and attempt = 1 and not quarantined", bad))
	assert.Empty(t, m.quarantine(t))
	assert.False(t, m.live(t).Watermark.After(record.ChangedAt), "it holds the watermark as long as nobody sees it")
	_, err := m.pool.Exec(t.Context(), `insert into quarantine (source, item_key, class, reason, detail, attempts)
		values ('a2-correspondence', $1, 'permanent', 'test', 'history met it too', 1)`, strconv.Itoa(int(bad)))
	require.NoError(t, err)
	m.batch(t)
	assert.True(t, m.live(t).Watermark.After(record.ChangedAt), "somebody sees it")
	_, err = m.pool.Exec(t.Context(), "delete from quarantine")
	require.NoError(t, err)

	later := m.arrive(t)
	m.batch(t)
	_, found := m.sim.Correspondence.Item(later)
	assert.True(t, found)
	m.poll(t, live.ReachDue)
	assert.Equal(t, 1, m.count(t, "message_retry where attempt = 1"), "not yet")

	m.pass(16 * time.Second)
	m.poll(t, live.ReachDue)
	m.pass(46 * time.Second)
	m.poll(t, live.ReachDue)
	assert.Equal(t, 1, m.count(t, "message_retry where altinn2_id = $1 and attempt = 3 and quarantined", bad))
	require.Len(t, m.quarantine(t), 1)
	m.batch(t)
	assert.True(t, m.live(t).Watermark.After(record.ChangedAt), "it stands beside the watermark")

	m.watch(nil)
	m.pass(2 * time.Minute)
	m.poll(t, live.ReachDue)
	assert.Zero(t, m.count(t, "message_retry"))
	assert.Empty(t, m.quarantine(t))
	m.due(t)
	m.clean(t)
}

// 17.4: a wait that is asked for is kept, on the page and after it, but for an hour at most.
func TestWaitThatIsAskedForIsKept(t *testing.T) {
	t.Parallel()
	for asked, wait := range map[string]time.Duration{"600": 10 * time.Minute, "86400": time.Hour} {
		t.Run(asked, func(t *testing.T) {
			t.Parallel()
			m := begun(t)
			for range 12 {
				m.arrive(t)
			}
			bad := m.arrive(t)
			var calls atomic.Int32
			m.refusing(t, func(w http.ResponseWriter) {
				calls.Add(1)
				w.Header().Set("Retry-After", asked)
				w.WriteHeader(http.StatusTooManyRequests)
			}, bad)
			m.batch(t)
			assert.Empty(t, m.waiting(t))
			assert.EqualValues(t, 1, calls.Load())
			assert.Equal(t, 1, m.count(t, "message_retry"))
			assert.Equal(t, 1, m.count(t, "message_retry where altinn2_id = $1 and attempt = 1 and quarantined", bad), "it is put off for long")

			m.pass(wait - 10*time.Second)
			m.poll(t, live.ReachDue)
			assert.EqualValues(t, 1, calls.Load())
			m.pass(30 * time.Second)
			m.poll(t, live.ReachDue)
			assert.EqualValues(t, 2, calls.Load())

			m.watch(nil)
			m.pass(wait + time.Minute)
			m.poll(t, live.ReachDue)
			assert.Zero(t, m.count(t, "message_retry"))
			assert.Empty(t, m.quarantine(t))
		})
	}
}

// Correspondence may lack an actor that the register will know tomorrow.
func TestDialogThatCannotBeMadeYetIsTriedAgain(t *testing.T) {
	t.Parallel()
	m := begun(t)
	m.arrive(t)
	m.batch(t)
	m.idle(t)
	m.watch(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, callAvailable) {
			return false
		}
		var asked struct {
			ID uuid.UUID `json:"correspondenceId"`
		}
		if json.NewDecoder(r.Body).Decode(&asked) == nil {
			_, _ = fmt.Fprintf(w, `{"statuses": [{"correspondenceId": %q, "ok": false, "error": "no such actor"}]}`, asked.ID)
		}
		return true
	})
	m.due(t)
	m.arrive(t)
	m.batch(t)
	assert.Empty(t, m.waiting(t))
	for range 2 {
		m.pass(2 * time.Minute)
		m.poll(t, live.ReachDue)
	}
	q := m.quarantine(t)
	require.Len(t, q, 1)
	assert.Equal(t, message.ReasonDialogFailed, q[0].Reason)
	assert.Equal(t, 1, m.count(t, "message_retry where attempt = 3 and quarantined"))

	m.watch(nil)
	m.due(t)
	assert.Empty(t, m.quarantine(t))
	assert.Zero(t, m.count(t, "message_retry"))
	m.due(t)
	m.clean(t)
}

func TestPutOffMessagesAreGivenUpInTheEnd(t *testing.T) {
	t.Parallel()
	m := begun(t)
	for range 12 {
		m.arrive(t)
	}
	bad := []int32{m.arrive(t), m.arrive(t), m.arrive(t), m.arrive(t)}
	m.failing(t, bad...)
	m.batch(t)
	require.Equal(t, len(bad), m.count(t, "message_retry"))
	for range 30 {
		m.poller = m.another(t) // that knows of nothing that went well
		m.pass(37 * time.Hour)
		m.poll(t, live.ReachDue)
		require.Empty(t, m.waiting(t), "what failed before says nothing of the systems")
	}
	assert.Zero(t, m.count(t, "message_retry"))
	assert.Zero(t, m.count(t, "message where due_at is not null"))
	require.Len(t, m.quarantine(t), len(bad))
}

func TestMessageThatOthersHoldIsPutOff(t *testing.T) {
	t.Parallel()
	m := begun(t)
	id := m.arrive(t)
	record, _ := m.sim.Altinn2.Message(id)
	_, err := m.pool.Exec(t.Context(), "insert into message_lease values ($1, gen_random_uuid(), now() + interval '1 hour')", id)
	require.NoError(t, err)
	m.batch(t)
	assert.Empty(t, m.told())
	assert.Empty(t, m.waiting(t))
	assert.Empty(t, m.quarantine(t))
	assert.Equal(t, 1, m.count(t, "message_retry where attempt = 0"))
	assert.False(t, m.live(t).Watermark.After(record.ChangedAt))
	for range 3 {
		m.pass(time.Minute)
		m.poll(t, live.ReachDue)
	}
	assert.Equal(t, 1, m.count(t, "message_retry where attempt = 0 and not quarantined"), "nobody failed")
	_, err = m.pool.Exec(t.Context(), "delete from message_lease")
	require.NoError(t, err)
	m.pass(time.Minute)
	m.poll(t, live.ReachDue)
	assert.Zero(t, m.count(t, "message_retry"))
	m.batch(t)
	assert.True(t, m.live(t).Watermark.After(record.ChangedAt))
	m.due(t)
	m.clean(t)
}

func TestRunsAreMeasuredAndLogged(t *testing.T) {
	t.Parallel()
	m := begun(t)
	metrics, err := telemetry.NewMetrics()
	require.NoError(t, err)
	m.poller.Metrics, err = live.NewPollMetrics(metrics.Meter("dialogsync"))
	require.NoError(t, err)
	require.NoError(t, live.RegisterMessageBacklog(metrics.Meter("dialogsync"), m.pool))
	core, logged := observer.New(zap.InfoLevel)
	m.poller.Log = zap.New(core)
	for range 11 {
		m.arrive(t)
	}
	bad := m.arrive(t)
	m.failing(t, bad)
	m.batch(t)
	line := logged.FilterMessage("poll brought items over").All()
	require.Len(t, line, 1)
	fields := line[0].ContextMap()
	assert.EqualValues(t, 11, fields[telemetry.LogKeySeen])
	assert.EqualValues(t, 11, fields[telemetry.LogKeyCreated])
	assert.EqualValues(t, 1, fields[telemetry.LogKeyPutOff])
	m.due(t)
	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`dialogsync_items_total{outcome="created",source="a2-correspondence",stream="live"} 11`,
		`dialogsync_items_total{outcome="unchanged",source="a2-correspondence",stream="live"} 11`, // seen to: counted once as new
		`dialogsync_messages_backlog 1`, `dialogsync_messages_put_off 1`,
	} {
		assert.Contains(t, recorder.Body.String(), line)
	}
}
