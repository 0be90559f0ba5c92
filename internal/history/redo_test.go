package history_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

func dialogOf(item storage.Listed) uuid.UUID {
	return dialogid.V7(item.ID.GUID, item.Instance.Created.Time)
}

// retitle changes a dialog behind everybody's back.
func (e *engine) retitle(t *testing.T, id uuid.UUID) {
	t.Helper()
	raw, found := e.sim.Dialogporten.Dialog(id)
	require.True(t, found)
	var dialog map[string]any
	require.NoError(t, json.Unmarshal(raw, &dialog))
	title := dialog["content"].(map[string]any)["title"].(map[string]any)["value"].([]any)[0].(map[string]any)
	title["value"] = "something else"
	raw, err := json.Marshal(dialog)
	require.NoError(t, err)
	require.NoError(t, e.sim.Dialogporten.Put([]json.RawMessage{raw}))
}

// corrected is what a redo lists, by its outcomes.
func (e *engine) corrected(t *testing.T, id int64) map[string]ledger.Outcome {
	t.Helper()
	listed := map[string]ledger.Outcome{}
	after := ""
	for {
		page, err := history.ReadCorrections(t.Context(), e.pool, id, after, 2)
		require.NoError(t, err)
		for _, c := range page.Items {
			assert.NotContains(t, listed, c.Item)
			listed[c.Item] = c.Outcome
		}
		if after = page.Next; after == "" {
			break
		}
	}
	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	counts := map[ledger.Outcome]int64{}
	for _, outcome := range listed {
		counts[outcome]++
	}
	assert.Equal(t, counts, detail.Corrected)
	return listed
}

func redoOf(source ledger.Source) history.Order {
	order := orderOf(source)
	order.Redo = true
	return order
}

// spoiled makes some dialogs wrong, and gives what a redo is to find.
func (e *engine) spoiled(t *testing.T, items []storage.Listed) map[string]ledger.Outcome {
	t.Helper()
	want := map[string]ledger.Outcome{}
	for i, item := range items[:9] {
		id := dialogOf(item)
		switch i % 3 {
		case 0:
			e.retitle(t, id)
			want[item.ID.String()] = ledger.Updated
		case 1:
			require.NoError(t, e.deliverer.Dialogs.Delete(t.Context(), id, uuid.Nil, true))
			want[item.ID.String()] = ledger.Restored
		default:
			require.NoError(t, e.deliverer.Dialogs.Purge(t.Context(), id, uuid.Nil, true))
			want[item.ID.String()] = ledger.Created
		}
	}
	return want
}

func TestRedoCorrectsWhatIsWrongAndNothingElse(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(200))
	e.work(t, e.order(t, orderOf(ledger.A3AppInstances)))
	e.requireEqual(t)
	want := e.spoiled(t, e.alive(t))

	// An ordinary walk believes the ledger.
	id := e.order(t, orderOf(ledger.A3AppInstances))
	e.work(t, id)
	detail, err := history.ReadDetail(t.Context(), e.pool, id, 10)
	require.NoError(t, err)
	assert.Nil(t, detail.Corrected)
	page, err := history.ReadCorrections(t.Context(), e.pool, id, "", 10)
	require.NoError(t, err)
	assert.Empty(t, page.Items)

	id = e.order(t, redoOf(ledger.A3AppInstances))
	_, err = e.backfills.Create(t.Context(), redoOf(ledger.A3AppInstances))
	require.ErrorAs(t, err, new(*history.ConflictError), "one at a time")
	e.work(t, id)
	p := e.progress(t, id)
	assert.Equal(t, history.StateComplete, p.State)
	assert.True(t, p.Redo)
	assert.True(t, p.Accounts.Balanced())
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	assert.Equal(t, want, e.corrected(t, id))
	e.requireEqual(t)

	writes := e.writes()
	id = e.order(t, redoOf(ledger.A3AppInstances))
	e.work(t, id)
	assert.Empty(t, e.corrected(t, id))
	assert.Equal(t, writes, e.writes(), "what is equal is not written")
}

// writes are the requests that would change a dialog.
func (e *engine) writes() (n int) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		n += e.sim.Requests.Count(altinnsim.ServiceDialogporten, method, "")
	}
	return n
}

func TestRedoOfWhatAnOlderMappingMade(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(120))
	e.work(t, e.order(t, orderOf(ledger.A3AppInstances)))
	items := e.alive(t)
	want := e.spoiled(t, items)
	// The mapping was raised since some were brought over.
	older := items[:4]
	for _, item := range older {
		_, err := e.pool.Exec(t.Context(), "update ledger set mapping_version = mapping_version - 1 where item_id = $1", dialogOf(item))
		require.NoError(t, err)
	}
	reads := e.sim.Requests.Count(altinnsim.ServiceDialogporten, "GET", "")
	order := redoOf(ledger.A3AppInstances)
	order.OlderThanMapping = mapping.Version
	id := e.order(t, order)
	e.work(t, id)
	listed := e.corrected(t, id)
	require.Len(t, listed, len(older))
	for _, item := range older {
		assert.Equal(t, want[item.ID.String()], listed[item.ID.String()])
	}
	p := e.progress(t, id)
	assert.True(t, p.Accounts.Balanced())
	assert.EqualValues(t, len(e.listed(t, ledger.A3AppInstances)), p.Accounts.Seen)
	skippedBefore := p.Accounts.Skipped // those are tried again by any walk
	assert.LessOrEqual(t, int64(e.sim.Requests.Count(altinnsim.ServiceDialogporten, "GET", "")-reads), skippedBefore+3*int64(len(older)),
		"the dialogs of others are not read")
	var left int
	require.NoError(t, e.pool.QueryRow(t.Context(), "select count(*) from ledger where mapping_version < $1", mapping.Version).Scan(&left))
	assert.Zero(t, left)
	e.work(t, e.order(t, redoOf(ledger.A3AppInstances)))
	e.requireEqual(t)
}

func TestRedoOfGivenItems(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(60))
	e.work(t, e.order(t, orderOf(ledger.A3AppInstances)))
	items := e.alive(t)
	want := e.spoiled(t, items)
	order := redoOf(ledger.A3AppInstances)
	order.Range = history.Range{}
	order.Items = []string{items[0].ID.String(), items[1].ID.String(), items[20].ID.String()}
	id := e.order(t, order)
	e.work(t, id)
	assert.Equal(t, map[string]ledger.Outcome{
		order.Items[0]: want[order.Items[0]], order.Items[1]: want[order.Items[1]],
	}, e.corrected(t, id))
}

// What a slice corrected before it lost its window is listed once it is recorded, and only then (Invariant 5).
func TestCorrectionsMoveWithTheCheckpoint(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(80))
	e.work(t, e.order(t, orderOf(ledger.A3AppInstances)))
	e.spoiled(t, e.alive(t))
	id := e.order(t, redoOf(ledger.A3AppInstances))
	_, err := e.pool.Exec(t.Context(), `create function fence() returns trigger language plpgsql as $$
		begin update backfill_window set epoch = epoch + 1 where id = old.id; return null; end $$`)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), "update backfill_window set retry_at = 'epoch' where backfill_id = $1", id)
	require.NoError(t, err)
	_, err = e.pool.Exec(t.Context(), `create trigger fence after update on backfill_window for each row
		when (old.state = 'pending' and new.state = 'walking') execute function fence()`)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = e.walker.Slice(ctx, id)
	require.NoError(t, err)
	assert.Empty(t, e.corrected(t, id), "nothing counts under another slice's epoch")
	_, err = e.pool.Exec(t.Context(), "drop trigger fence on backfill_window; update backfill_window set state = 'pending', lease_until = null where state = 'walking'")
	require.NoError(t, err)
	e.work(t, id)
	e.requireEqual(t)
}

func TestRedoOrders(t *testing.T) {
	t.Parallel()
	e := newEngine(t, generated(20))
	for name, alter := range map[string]func(*history.Order){
		"older without redo":     func(o *history.Order) { o.Redo, o.OlderThanMapping = false, 1 },
		"older than what is not": func(o *history.Order) { o.OlderThanMapping = mapping.Version + 1 },
		"negative":               func(o *history.Order) { o.OlderThanMapping = -1 },
		"older, of given items": func(o *history.Order) {
			o.Range, o.Items, o.OlderThanMapping = history.Range{}, []string{"1/" + uuid.NewString()}, 1
		},
		"one stage of messages":             func(o *history.Order) { o.Source, o.Stage = ledger.A2Correspondence, history.StageTransfer },
		"messages that are not transferred": func(o *history.Order) { o.Source = ledger.A2Correspondence },
	} {
		order := redoOf(ledger.A3AppInstances)
		alter(&order)
		_, err := e.backfills.Create(t.Context(), order)
		require.ErrorAs(t, err, new(*history.OrderError), name)
	}
	order := redoOf(ledger.A3AppInstances)
	order.OlderThanMapping = 1
	preview, err := e.backfills.Preview(t.Context(), order)
	require.NoError(t, err)
	assert.True(t, preview.Redo)
	assert.Equal(t, 1, preview.OlderThanMapping)
	assert.Positive(t, preview.Windows)
	_, err = history.ReadCorrections(t.Context(), e.pool, 99, "", 1)
	require.ErrorIs(t, err, history.ErrNoBackfill)
}

// dialogs are the messages that have one, in the order of their numbers.
func (p *post) dialogs(t *testing.T) (numbers []int32, dialogs map[int32]uuid.UUID) {
	t.Helper()
	rows, err := p.pool.Query(t.Context(), `select m.altinn2_id, coalesce(l.dialog_id, l.item_id) from message m
		join ledger l on l.source = 'a2-correspondence' and l.source_changed is not null and substring(l.item_id::text, 29) = lpad(to_hex(m.altinn2_id), 8, '0')
		where m.stage = 'published' order by 1`)
	require.NoError(t, err)
	dialogs = map[int32]uuid.UUID{}
	var number int32
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&number, &id}, func() error {
		numbers, dialogs[number] = append(numbers, number), id
		return nil
	})
	require.NoError(t, err)
	return numbers, dialogs
}

// forget has Correspondence know nothing of a message's dialog.
func (p *post) forget(t *testing.T, number int32) {
	t.Helper()
	item, found := p.sim.Correspondence.Item(number)
	require.True(t, found)
	encoded, err := json.Marshal(p.sim.Correspondence.Show(item))
	require.NoError(t, err)
	var shown map[string]any
	require.NoError(t, json.Unmarshal(encoded, &shown))
	shown["isMigrating"], shown["externalReferences"] = true, []any{}
	encoded, err = json.Marshal(shown)
	require.NoError(t, err)
	require.NoError(t, p.sim.Correspondence.Put([]json.RawMessage{encoded}))
}

func TestRedoOfMessages(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(120, func(o *simaltinn2.Options) { o.Odd, o.Deceased, o.Purged = 0, 0.02, 0.03 }))
	p.walk(t, p.ordered(t, lettersOrder(""))...)
	p.requireClean(t)
	numbers, dialogs := p.dialogs(t)
	require.Greater(t, len(numbers), 50)
	service := p.walker.Messages.Dialogs

	want := map[string]ledger.Outcome{}
	for _, number := range numbers[:3] { // hidden, without a dialog
		require.NoError(t, service.Purge(t.Context(), dialogs[number], uuid.Nil, true))
		p.forget(t, number)
		want[message.Key(number)] = ledger.Created
	}
	lost := numbers[5]
	require.NoError(t, service.Purge(t.Context(), dialogs[lost], uuid.Nil, true))
	read := numbers[6]
	m, _ := p.sim.Altinn2.Message(read)
	require.NoError(t, p.sim.Altinn2.ChangeRead(read, m.Recipient.PartyUUID))
	want[message.Key(read)] = ledger.Updated

	order := redoOf(ledger.A2Correspondence)
	ids := p.ordered(t, order)
	require.Len(t, ids, 1)
	p.walk(t, ids...)
	progress := p.progress(t, ids[0])
	assert.Equal(t, history.StateComplete, progress.State)
	assert.Equal(t, "publish", progress.Stream)
	assert.True(t, progress.Accounts.Balanced())
	assert.Equal(t, p.inTheWindows(), progress.Accounts.Seen)
	assert.Equal(t, want, p.corrected(t, ids[0]))
	detail, err := history.ReadDetail(t.Context(), p.pool, ids[0], 10)
	require.NoError(t, err)
	require.Len(t, detail.Quarantine, 1)
	assert.Equal(t, message.Key(lost), detail.Quarantine[0].ItemKey)
	assert.Equal(t, message.ReasonDialogLost, detail.Quarantine[0].Reason)

	p.forget(t, lost)
	ids = p.ordered(t, order)
	p.walk(t, ids...)
	assert.Equal(t, map[string]ledger.Outcome{message.Key(lost): ledger.Created}, p.corrected(t, ids[0]))
	ids = p.ordered(t, order)
	p.walk(t, ids...)
	assert.Empty(t, p.corrected(t, ids[0]))
}

func TestRedoOfMessagesOfAnOlderMapping(t *testing.T) {
	t.Parallel()
	p := newPost(t, letters(80, func(o *simaltinn2.Options) { o.Odd, o.Deceased, o.Purged = 0, 0, 0 }))
	p.walk(t, p.ordered(t, lettersOrder(""))...)
	numbers, dialogs := p.dialogs(t)
	for _, number := range numbers[:2] {
		require.NoError(t, p.walker.Messages.Dialogs.Purge(t.Context(), dialogs[number], uuid.Nil, true))
		p.forget(t, number)
	}
	_, err := p.pool.Exec(t.Context(), "update ledger set mapping_version = 0 where coalesce(dialog_id, item_id) = any ($1)",
		[]uuid.UUID{dialogs[numbers[0]], dialogs[numbers[4]]})
	require.NoError(t, err)
	asked := p.sim.Requests.Count(altinnsim.ServiceCorrespondence, "POST", "")
	order := redoOf(ledger.A2Correspondence)
	order.OlderThanMapping = 1
	// Every day is walked from its top again, once: what was met is not counted twice.
	var again sync.Map
	p.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/count") {
			return false
		}
		if _, before := again.LoadOrStore(r.URL.RawQuery, true); before {
			return false
		}
		_, _ = w.Write([]byte(`{"count":100000}`))
		return true
	})
	ids := p.ordered(t, order)
	p.walk(t, ids...)
	p.answer(nil)
	assert.Equal(t, map[string]ledger.Outcome{message.Key(numbers[0]): ledger.Created}, p.corrected(t, ids[0]))
	assert.LessOrEqual(t, p.sim.Requests.Count(altinnsim.ServiceCorrespondence, "POST", "")-asked, 2, "nobody is asked about the others")
	progress := p.progress(t, ids[0])
	assert.True(t, progress.Accounts.Balanced())
	assert.Equal(t, p.inTheWindows(), progress.Accounts.Seen)

	// Given ones are done again in any case.
	order = redoOf(ledger.A2Correspondence)
	order.Range, order.Items = history.Range{}, []string{message.Key(numbers[1]), message.Key(numbers[7])}
	ids = p.ordered(t, order)
	p.walk(t, ids...)
	assert.Equal(t, map[string]ledger.Outcome{message.Key(numbers[1]): ledger.Created}, p.corrected(t, ids[0]))
	p.requireClean(t)
}
