package history_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
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
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// post is a history engine between a database of the test's own and a simulated Altinn 2, Correspondence and Dialogporten.
type post struct {
	*engine

	url string
	mu  sync.Mutex
	// before may answer a request instead of the services.
	before func(http.ResponseWriter, *http.Request) (answered bool)
}

// letters makes n messages created on the four days that end yesterday.
func letters(n int, alter ...func(*simaltinn2.Options)) simaltinn2.Options {
	o := simaltinn2.DefaultOptions()
	o.Messages, o.From, o.To, o.End, o.LargestFile, o.Odd, o.Broken = n, oldest, newest, newest, 2_000, 0.1, 0
	for _, change := range alter {
		change(&o)
	}
	return o
}

func newPost(t *testing.T, world simaltinn2.Options, tune ...func(*history.WalkerConfig)) *post {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Seed: 1})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	_, err = sim.Generate(generator.Options{Seed: 1, Messages: &world})
	require.NoError(t, err)
	p := &post{engine: &engine{pool: dbtest.New(t), sim: sim, stopping: make(chan struct{}), enqueued: &counter{}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if look := p.look(); look == nil || !look(w, r) {
			sim.Handler().ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	log := zaptest.NewLogger(t)
	p.walker = p.newWalker(t, "test", log.Named("test"), tune...)
	enqueue := func(_ context.Context, _ pgx.Tx, _ int64, n int) error {
		p.enqueued.add(n)
		return nil
	}
	p.backfills = &history.Backfills{Pool: p.pool, Enqueue: enqueue}
	p.keeper = &history.Keeper{Pool: p.pool, Enqueue: enqueue, Log: log}
	return p
}

func (p *post) look() func(http.ResponseWriter, *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.before
}

// answer lets a function answer requests in the services' place; nil: none.
func (p *post) answer(before func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = before
}

func (p *post) newWalker(t *testing.T, name string, log *zap.Logger, tune ...func(*history.WalkerConfig)) *history.Walker {
	t.Helper()
	var checks []history.HealthCheck
	client := func(service string) *http.Client {
		health := transport.NewHealth(service)
		checks = append(checks, health)
		hc := transport.NewClient(transport.Config{
			Service: service, BaseURL: p.url, Health: health, AttemptTimeout: 20 * time.Second,
			Retry: transport.RetryPolicy{Attempts: 2, Initial: time.Millisecond, MaxWait: 5 * time.Millisecond},
		})
		t.Cleanup(hc.CloseIdleConnections)
		return hc
	}
	config := history.WalkerConfig{
		Worker: name, PageSize: 20, Concurrency: 8, SliceTime: time.Minute, Lease: 5 * time.Second, Rest: 20 * time.Millisecond,
	}
	for _, f := range tune {
		f(&config)
	}
	return &history.Walker{
		Pool: p.pool, Log: log, Config: config, Stopping: p.stopping,
		Messages: &message.Deliverer{
			Source: altinn2.New(p.url, client("altinn2"), nil), Correspondence: correspondence.New(p.url, client("correspondence"), nil),
			Dialogs: dialogporten.New(p.url, client("dialogporten")), Pool: p.pool, Now: time.Now, Concurrency: 8,
		},
		MessageHealth: checks,
	}
}

func lettersOrder(stage string) history.Order {
	order := orderOf(ledger.A2Correspondence)
	order.Stage = stage
	return order
}

// ordered makes the backfills of an order.
func (p *post) ordered(t *testing.T, order history.Order) (ids []int64) {
	t.Helper()
	made, err := p.backfills.Create(t.Context(), order)
	require.NoError(t, err)
	for i := range made {
		ids = append(ids, made[i].ID)
	}
	return ids
}

// walk does slices of backfills, the last one first, until all are over, and looks each time whether publish has run ahead.
func (p *post) walk(t *testing.T, ids ...int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		done := true
		for _, id := range slices.Backward(ids) {
			_, err := p.walker.Slice(t.Context(), id)
			require.NoError(t, err)
			require.NoError(t, p.keeper.Keep(t.Context()))
			p.requireInOrder(t)
			done = done && over(p.progress(t, id))
		}
		return done
	}, patience, time.Millisecond)
}

// requireInOrder looks whether publish has taken up a window that is not transferred.
func (p *post) requireInOrder(t *testing.T) {
	t.Helper()
	var ahead int
	require.NoError(t, p.pool.QueryRow(t.Context(), `
		select count(*) from backfill_window w join backfill b on b.id = w.backfill_id
		where b.stream = 'publish' and w.items is null and w.epoch > 0 and not exists (
			select 1 from coverage c where c.source = b.source and c.stream = 'transfer' and c.closed @> tstzrange(w.from_time, w.to_time))`).Scan(&ahead))
	require.Zero(t, ahead, "publish runs ahead of transfer")
}

// requireClean holds Altinn 2 against what became of it, message by message.
func (p *post) requireClean(t *testing.T) {
	t.Helper()
	require.NoError(t, p.sim.Correspondence.Idle(t.Context()))
	report, err := p.sim.Diff(t.Context())
	require.NoError(t, err)
	require.NotNil(t, report.Messages)
	require.True(t, report.Clean(), "%+v", report.Messages)
}

func (p *post) watermark(t *testing.T, direction string) (time.Time, bool) {
	t.Helper()
	coverage, err := history.ReadCoverage(t.Context(), p.pool, stream.Stream{Source: ledger.A2Correspondence, Direction: direction})
	require.NoError(t, err)
	assert.Empty(t, coverage.Holes(history.WholeSource))
	return coverage.Watermark()
}

// inTheWindows is how many messages lie in the days ordered.
func (p *post) inTheWindows() int64 {
	var n int64
	p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if !m.Created.Before(oldest) && m.Created.Before(newest) {
			n++
		}
		return true
	})
	return n
}

func (p *post) published(t *testing.T) (n int64) {
	t.Helper()
	require.NoError(t, p.pool.QueryRow(t.Context(), "select count(*) from message where stage = 'published'").Scan(&n))
	return n
}

// Both stages over a world with everything that is odd in it, compared with the truth.
func TestMessagesInTwoStages(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(500, func(o *simaltinn2.Options) { o.Odd, o.Broken, o.Deceased, o.Purged = 0.2, 0.05, 0.02, 0.03 }))
	order := lettersOrder("")
	order.MaxFailureShare = 1
	ids := p.ordered(t, order)
	require.Len(t, ids, 2)
	assert.Contains(t, p.progress(t, ids[1]).Line(history.Speed{}), "a2-correspondence publish: ")
	assert.Contains(t, p.progress(t, ids[1]).Line(history.Speed{}), ", waits for transfer")
	p.walk(t, ids...)

	transferred, published := p.progress(t, ids[0]), p.progress(t, ids[1])
	for _, direction := range []string{stream.Transfer, stream.Publish} {
		back, ok := p.watermark(t, direction)
		require.True(t, ok, direction)
		assert.True(t, back.Equal(oldest))
	}
	assert.Equal(t, history.StateComplete, transferred.State)
	assert.Equal(t, history.StateComplete, published.State)
	assert.True(t, transferred.Accounts.Balanced(), "%+v", transferred.Accounts)
	assert.True(t, published.Accounts.Balanced(), "%+v", published.Accounts)
	assert.Equal(t, p.inTheWindows(), transferred.Accounts.Seen)
	assert.Positive(t, transferred.Accounts.Skipped)
	assert.Positive(t, transferred.Accounts.Quarantined+published.Accounts.Quarantined)
	assert.Equal(t, transferred.Accounts.Created, published.Accounts.Seen)
	assert.Equal(t, p.published(t), published.Accounts.Created)
	p.requireClean(t)

	// Ordered apart they are the same, and a second walk finds everything there.
	ids = p.ordered(t, lettersOrder(history.StageTransfer))
	p.walk(t, ids...)
	again := p.progress(t, ids[0])
	assert.Equal(t, p.inTheWindows(), again.Accounts.Seen)
	assert.Zero(t, again.Accounts.Created)
	order.Stage = history.StagePublish
	ids = p.ordered(t, order)
	p.walk(t, ids...)
	assert.Zero(t, p.progress(t, ids[0]).Accounts.Created)
	p.requireClean(t)
}

// What is transferred stays hidden until publish is ordered, and publish alone is refused where nothing is transferred.
func TestStagesOrderedApart(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(120))
	_, err := p.backfills.Create(t.Context(), lettersOrder(history.StagePublish))
	var refused *history.OrderError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Problem, "--stage both")

	transfer := p.ordered(t, lettersOrder(history.StageTransfer))
	publish := p.ordered(t, lettersOrder(history.StagePublish)) // ordered while transfer is under way
	p.walk(t, transfer...)
	assert.Zero(t, p.published(t))
	p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if item, found := p.sim.Correspondence.Item(m.ID); found {
			assert.True(t, item.Hidden)
		}
		return true
	})
	before := p.enqueued.count()
	require.NoError(t, p.keeper.Keep(t.Context()))
	assert.Greater(t, p.enqueued.count(), before, "slices of publish are woken")
	assert.False(t, p.progress(t, publish[0]).AfterTransfer)
	p.walk(t, publish...)
	p.requireClean(t)

	// While days are transferred once more they are not published.
	transfer = p.ordered(t, lettersOrder(history.StageTransfer))
	publish = p.ordered(t, lettersOrder(history.StagePublish))
	_, err = p.walker.Slice(t.Context(), publish[0])
	require.NoError(t, err)
	waits := p.progress(t, publish[0])
	assert.EqualValues(t, 4, waits.Windows.Pending)
	assert.True(t, waits.AfterTransfer)
	require.NoError(t, p.backfills.Cancel(t.Context(), transfer[0], "tester", "test"))
	p.walk(t, publish...)
}

func TestStagesRefused(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(1))
	for name, change := range map[string]func(*history.Order){
		"--org":   func(o *history.Order) { o.Orgs = []string{"skd"} },
		"--stage": func(o *history.Order) { o.Stage = "all" },
		"--item": func(o *history.Order) {
			o.Items, o.Range = []string{"50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"}, history.Range{}
		},
	} {
		order := lettersOrder("")
		change(&order)
		_, err := p.backfills.Create(t.Context(), order)
		var refused *history.OrderError
		require.ErrorAs(t, err, &refused, name)
		assert.Contains(t, refused.Problem, name)
	}
	order := orderOf(ledger.A3AppInstances)
	order.Stage = history.StageBoth
	_, err := p.backfills.Preview(t.Context(), order)
	require.ErrorContains(t, err, "--stage")

	p.ordered(t, lettersOrder(history.StageTransfer))
	_, err = p.backfills.Create(t.Context(), lettersOrder(history.StageBoth))
	var conflict *history.ConflictError
	require.ErrorAs(t, err, &conflict)
}

func TestGivenMessages(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(60))
	var keys []string
	p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if m.Deletion == simaltinn2.DeletionNone && !m.Recipient.Deceased {
			keys = append(keys, message.Key(m.ID))
		}
		return len(keys) < 10
	})
	order := lettersOrder(history.StageTransfer)
	order.Range, order.Items = history.Range{}, append(slices.Clone(keys[:4]), keys[0])
	ids := p.ordered(t, order)
	p.walk(t, ids...)
	assert.EqualValues(t, 4, p.progress(t, ids[0]).Accounts.Created)
	assert.Zero(t, p.published(t))
	order.Stage, order.Items = "", keys
	ids = p.ordered(t, order)
	require.Len(t, ids, 1, "given messages are brought over in one go")
	p.walk(t, ids...)
	assert.EqualValues(t, 10, p.published(t))
	order.Items = []string{"999999999"}
	order.MaxFailureShare = 1
	ids = p.ordered(t, order)
	p.walk(t, ids...)
	detail, err := history.ReadDetail(t.Context(), p.pool, ids[0], 10)
	require.NoError(t, err)
	require.Len(t, detail.Quarantine, 1)
	assert.Equal(t, message.ReasonMessageUnknown, detail.Quarantine[0].Reason)
}

// A message that is not transferred is an exception of transfer, whoever tried last.
func TestGivenMessageThatFailsStaysAnExceptionOfTransfer(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(60, func(o *simaltinn2.Options) { o.Broken = 0.2 }))
	order := lettersOrder(history.StageTransfer)
	order.MaxFailureShare = 1
	p.walk(t, p.ordered(t, order)...)
	of := stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Transfer}
	before, err := db.New(p.pool).QuarantineSince(t.Context(), history.ExceptionsSince(of, &oldest))
	require.NoError(t, err)
	require.Positive(t, before)

	rows, err := p.pool.Query(t.Context(), "select item_key from quarantine")
	require.NoError(t, err)
	order.Stage, order.Range = "", history.Range{}
	order.Items, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	p.walk(t, p.ordered(t, order)...)
	after, err := db.New(p.pool).QuarantineSince(t.Context(), history.ExceptionsSince(of, &oldest))
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Numbers go to 2^31-1: a transferred message of ten digits is publish's exception, as any other.
func TestExceptionOfPublishIsNotTransfersWhateverItsNumber(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(2))
	p.walk(t, p.ordered(t, lettersOrder(history.StageBoth))...)
	var window int64
	require.NoError(t, p.pool.QueryRow(t.Context(),
		"select min(w.id) from backfill_window w join backfill b on b.id = w.backfill_id where b.stream = 'publish'").Scan(&window))
	of := stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Transfer}
	for key, exceptions := range map[string]int64{
		"123456789": 0, "2147483647": 0, "1000000000": 0,
		"2147483648": 1, "9999999999": 1, "99999999999999999999": 1, "malformed:00ff": 1, // nobody's numbers
	} {
		if number, err := message.ParseKey(key); err == nil {
			_, err = p.pool.Exec(t.Context(), `insert into message (created, change_seq, altinn2_id, stage, outcome, mapping_version, sent)
				values ($1, 1, $2, 'transferred', 'failed', 1, '')`, newest, number)
			require.NoError(t, err)
		}
		require.NoError(t, ledger.Quarantine(t.Context(), db.New(p.pool), []ledger.Quarantined{{
			Source: ledger.A2Correspondence, ItemKey: key, Position: newest, Class: "permanent", Reason: "dialog_refused", WindowID: window,
		}}))
		found, err := db.New(p.pool).QuarantineSince(t.Context(), history.ExceptionsSince(of, &oldest))
		require.NoError(t, err)
		assert.Equal(t, exceptions, found, key)
		_, err = ledger.Release(t.Context(), db.New(p.pool), ledger.A2Correspondence, []string{key})
		require.NoError(t, err)
	}
}

// Where the source refuses its own cursor the window begins again, and nothing is counted twice.
func TestCursorRefused(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(300))
	refused := 0
	p.answer(func(w http.ResponseWriter, r *http.Request) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, "/history") || r.URL.Query().Get("cursor") == "" {
			return false
		}
		if refused++; refused%3 != 0 || refused > 20 {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"title":"Bad Request","code":"cursorInvalid"}`))
		return true
	})
	ids := p.ordered(t, lettersOrder(history.StageBoth))
	p.walk(t, ids...)
	assert.Greater(t, refused, 3)
	assert.Equal(t, p.inTheWindows(), p.progress(t, ids[0]).Accounts.Seen)
	p.requireClean(t)
}

// A message that becomes visible behind the walk is found by the source's own count (Invariant 6).
func TestLateMessageIsFoundByTheCount(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(200))
	var late sync.Once
	p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/count") {
			late.Do(func() {
				var copied simaltinn2.Record
				p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
					copied = m
					return m.Deletion != simaltinn2.DeletionNone || len(m.Attachments) > 0 || m.Created.Before(newest.Add(-history.Day))
				})
				copied.ID += 1_000_000
				assert.NoError(t, p.sim.Altinn2.PutRecord(copied))
			})
		}
		return false
	})
	ids := p.ordered(t, lettersOrder(history.StageBoth))
	p.walk(t, ids...)
	assert.EqualValues(t, 201, p.progress(t, ids[0]).Accounts.Seen)
	var rewalks, counted int64
	require.NoError(t, p.pool.QueryRow(t.Context(), "select sum(rewalks), sum(source_count) from backfill_window").Scan(&rewalks, &counted))
	assert.EqualValues(t, 1, rewalks)
	assert.EqualValues(t, 201, counted)
	p.requireClean(t)
}

// A window of which the source counts more than it lists stays open, and says both numbers.
func TestMessagesThatTheSourceDoesNotList(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(40))
	p.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/count") || r.URL.Query().Get("createdTo") != newest.Format(time.RFC3339Nano) {
			return false
		}
		_, _ = w.Write([]byte(`{"count":100000}`))
		return true
	})
	ids := p.ordered(t, lettersOrder(history.StageTransfer))
	p.walk(t, ids...)
	detail, err := history.ReadDetail(t.Context(), p.pool, ids[0], 10)
	require.NoError(t, err)
	assert.Equal(t, history.StateFailed, detail.State)
	require.Len(t, detail.Troubled, 1)
	assert.Contains(t, detail.Troubled[0].Failure, "the source counts 100000 messages")
	assert.EqualValues(t, 3, detail.Windows.Closed)
	p.answer(nil)
	require.NoError(t, p.backfills.Resume(t.Context(), ids[0], "tester", "test", nil))
	p.walk(t, ids...)
	done := p.progress(t, ids[0])
	assert.Equal(t, history.StateComplete, done.State)
	assert.Equal(t, p.inTheWindows(), done.Accounts.Seen, "nothing is counted twice")
}

// A record that cannot be read goes to quarantine and hides no neighbour.
func TestMalformedMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 20} {
		p := newPost(t, letters(30), func(c *history.WalkerConfig) { c.PageSize = size })
		p.answer(p.damage(t))
		order := lettersOrder(history.StageBoth)
		order.MaxFailureShare = 1
		ids := p.ordered(t, order)
		p.walk(t, ids...)
		detail, err := history.ReadDetail(t.Context(), p.pool, ids[0], 10)
		require.NoError(t, err)
		assert.Equal(t, history.StateComplete, detail.State)
		assert.EqualValues(t, 1, detail.Accounts.Quarantined)
		assert.EqualValues(t, 30, detail.Accounts.Seen)
		require.Len(t, detail.Quarantine, 1)
		assert.Equal(t, message.ReasonMalformed, detail.Quarantine[0].Reason)
	}
}

// damage gives answers in which the first message ever listed cannot be read.
func (p *post) damage(t *testing.T) func(http.ResponseWriter, *http.Request) bool {
	t.Helper()
	var bad json.RawMessage
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/history") {
			return false
		}
		recorded := httptest.NewRecorder()
		p.sim.Handler().ServeHTTP(recorded, r)
		var page struct {
			Items      []map[string]json.RawMessage `json:"items"`
			NextCursor *string                      `json:"nextCursor"`
			HasMore    bool                         `json:"hasMore"`
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		assert.NoError(t, json.Unmarshal(recorded.Body.Bytes(), &page))
		for _, item := range page.Items {
			if bad == nil {
				bad = item["altinn2CorrespondenceId"]
			}
			if string(item["altinn2CorrespondenceId"]) == string(bad) {
				item["events"] = json.RawMessage(`"none"`)
			}
		}
		assert.NoError(t, json.NewEncoder(w).Encode(page))
		return true
	}
}

// A pause is felt in the middle of a page, in both stages, and nothing is lost or counted twice.
func TestMessagesPausedMidPage(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(150))
	ids := p.ordered(t, lettersOrder(history.StageBoth))
	for i, direction := range []string{stream.Transfer, stream.Publish} {
		of := stream.Stream{Source: ledger.A2Correspondence, Direction: direction}
		var once sync.Once
		held := make(chan struct{})
		p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/migration/") {
				once.Do(func() {
					//nolint:testifylint // require must not be called beside the test
					assert.NoError(t, stream.Pause(r.Context(), p.pool, of, asked))
					close(held)
				})
			}
			return false
		})
		ended := p.slice(t, ids[i])
		<-held
		select {
		case end := <-ended:
			assert.Equal(t, history.SliceEnd{}, end)
		case <-time.After(patience):
			require.Fail(t, "the slice goes on")
		}
		now := p.progress(t, ids[i])
		assert.True(t, now.StreamPaused)
		assert.Zero(t, now.Windows.Walking)
		assert.True(t, now.Accounts.Balanced())
		require.NotZero(t, now.Windows.Pending)
		p.answer(nil)
		require.NoError(t, stream.Resume(t.Context(), p.pool, of, asked))
		p.walk(t, ids[:i+1]...)
	}
	assert.Equal(t, p.inTheWindows(), p.progress(t, ids[0]).Accounts.Seen)
	p.requireClean(t)
}

// Messages whose lease is lost before they are recorded are brought over again: nothing is skipped (Invariant 1).
func TestMessagesWhoseLeaseIsLost(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(100))
	ids := p.ordered(t, lettersOrder(history.StageBoth))
	posts := 0
	p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/migration/") {
			return false
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if posts++; posts%50 == 0 {
			_, err := p.pool.Exec(r.Context(), "delete from message_lease")
			assert.NoError(t, err)
		}
		return false
	})
	p.walk(t, ids...)
	transferred, published := p.progress(t, ids[0]), p.progress(t, ids[1])
	assert.Greater(t, posts, 50)
	assert.Equal(t, p.inTheWindows(), transferred.Accounts.Seen)
	assert.True(t, transferred.Accounts.Balanced())
	assert.Equal(t, transferred.Accounts.Created, p.published(t))
	assert.LessOrEqual(t, published.Accounts.Seen, transferred.Accounts.Created)
	p.requireClean(t)
}

// What a second transfer finds is hidden until publish comes by again: what publish promised there is taken back (Invariant 6).
func TestLateMessageTakesThePromiseOfPublishBack(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(60))
	p.walk(t, p.ordered(t, lettersOrder(history.StageBoth))...)
	back, ok := p.watermark(t, stream.Publish)
	require.True(t, ok)
	var late simaltinn2.Record
	p.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		late = m
		return m.Deletion != simaltinn2.DeletionNone || !m.Created.After(back.Add(history.Day)) || m.Created.After(newest.Add(-history.Day))
	})
	late.ID += 1_000_000
	require.NoError(t, p.sim.Altinn2.PutRecord(late))

	p.walk(t, p.ordered(t, lettersOrder(history.StageTransfer))...)
	coverage, err := history.ReadCoverage(t.Context(), p.pool, stream.Stream{Source: ledger.A2Correspondence, Direction: stream.Publish})
	require.NoError(t, err)
	held, ok := coverage.Watermark()
	require.True(t, ok)
	assert.True(t, held.After(late.Created), "publish promises no more than it has done")
	assert.Len(t, coverage.Holes(history.WholeSource), 1)

	p.walk(t, p.ordered(t, lettersOrder(history.StagePublish))...)
	again, ok := p.watermark(t, stream.Publish)
	require.True(t, ok)
	assert.Equal(t, back, again)
	p.requireClean(t)
}

// A window whose last message is in live's hands waits for it, and not as for a system that fails.
func TestMessageThatLiveHas(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(30), func(c *history.WalkerConfig) { c.Rest, c.SliceTime = 20*time.Second, 5*time.Second })
	ids := p.ordered(t, lettersOrder(history.StageTransfer))
	var numbers []int32
	p.sim.Altinn2.Each(func(r simaltinn2.Record) bool {
		numbers = append(numbers, r.ID)
		return true
	})
	_, err := p.pool.Exec(t.Context(), `insert into message_lease select n, gen_random_uuid(), now() + interval '1 hour'
		from unnest($1::integer[]) n`, numbers)
	require.NoError(t, err)
	_, err = p.walker.Slice(t.Context(), ids[0])
	require.NoError(t, err)
	var rested, troubled int
	require.NoError(t, p.pool.QueryRow(t.Context(), `select count(*) filter (where retry_at > 'epoch'),
		count(*) filter (where attempts > 0 or failure is not null or retry_at > now() + interval '10 seconds') from backfill_window`).Scan(&rested, &troubled))
	assert.Positive(t, rested)
	assert.Zero(t, troubled)
}

// What a slice does after its window was taken over does not count (Invariant 5).
func TestMessagesTakenOver(t *testing.T) {
	t.Parallel()
	for _, direction := range []string{stream.Transfer, stream.Publish} {
		t.Run(direction, func(t *testing.T) {
			t.Parallel()
			p := newPost(t, letters(100), func(c *history.WalkerConfig) { c.Lease = time.Minute })
			ids := p.ordered(t, lettersOrder(history.StageBoth))
			i := slices.Index([]string{stream.Transfer, stream.Publish}, direction)
			if i > 0 {
				p.walk(t, ids[0])
			}
			var once sync.Once
			p.answer(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/migration/") {
					once.Do(func() {
						_, err := p.pool.Exec(r.Context(), "update backfill_window set epoch = epoch + 1, lease_until = 'epoch' where state = 'walking'")
						assert.NoError(t, err)
					})
				}
				return false
			})
			_, err := p.walker.Slice(t.Context(), ids[i])
			require.NoError(t, err)
			p.walk(t, ids...)
			done := p.progress(t, ids[0])
			assert.Equal(t, p.inTheWindows(), done.Accounts.Seen)
			assert.True(t, p.progress(t, ids[1]).Accounts.Balanced())
			assert.Equal(t, done.Accounts.Created+done.Accounts.Unchanged, p.progress(t, ids[1]).Accounts.Seen)
			p.requireClean(t)
		})
	}
}

// Two processes share the windows of both stages; one that does not know the export leaves them alone.
func TestMessagesByTwoWorkers(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(300))
	ids := p.ordered(t, lettersOrder(history.StageBoth))
	log := zaptest.NewLogger(t)
	stranger := &history.Walker{Pool: p.pool, Log: log, Config: history.WalkerConfig{Worker: "stranger"}}
	end, err := stranger.Slice(t.Context(), ids[0])
	require.NoError(t, err)
	assert.Equal(t, history.SliceEnd{}, end)
	assert.Zero(t, p.progress(t, ids[0]).Windows.Walking)

	var working sync.WaitGroup
	for _, w := range []*history.Walker{p.walker, p.newWalker(t, "other", log)} {
		for _, id := range ids {
			working.Go(func() {
				assert.Eventually(t, func() bool {
					_, err := w.Slice(t.Context(), id)
					return assert.NoError(t, err) && assert.NoError(t, p.keeper.Keep(t.Context())) && over(p.progress(t, id))
				}, patience, 5*time.Millisecond)
			})
		}
	}
	working.Wait()
	p.requireInOrder(t)
	transferred, published := p.progress(t, ids[0]), p.progress(t, ids[1])
	assert.Equal(t, p.inTheWindows(), transferred.Accounts.Seen)
	assert.Equal(t, transferred.Accounts.Created, published.Accounts.Seen)
	p.requireClean(t)
}
