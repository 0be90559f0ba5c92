package reconcile_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// explain explains the rig's item by clients that send nothing.
func (r *rig) explain(t *testing.T) *reconcile.Explanation {
	t.Helper()
	return r.explainID(t, r.item.ID)
}

func (r *rig) explainID(t *testing.T, id altinn.InstanceID) *reconcile.Explanation {
	t.Helper()
	server := httptest.NewServer(r.sim.Handler())
	t.Cleanup(server.Close)
	x := reconcile.Explainer{Pool: r.pool, Instances: deliverer(t, r.pool, server.URL, &transport.Rehearsal{}), Now: time.Now}
	writes := r.writes()
	e, err := x.Instance(t.Context(), id, "", time.Time{})
	require.NoError(t, err)
	assert.Equal(t, writes, r.writes(), "it reads only")
	return e
}

// writes are the requests that changed something so far.
func (r *rig) writes() (n uint64) {
	for _, service := range []string{"dialogporten", "storage"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			n += uint64(r.sim.Requests.Count(service, method, ""))
		}
	}
	return n
}

func (r *rig) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := r.pool.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

func TestExplainInstance(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.explain(t)
	assert.Equal(t, reconcile.OriginExists, e.Origin.State)
	assert.Equal(t, ledger.A3AppInstances, e.Source)
	assert.Equal(t, r.item.AppID, e.Origin.AppID)
	assert.Equal(t, 3, e.Origin.MainVersion)
	assert.Equal(t, r.itemID(), e.ItemID)
	assert.Nil(t, e.Ledger)
	assert.False(t, e.Dialog.Exists)
	require.NotNil(t, e.Delivery)
	assert.Equal(t, ledger.Created, e.Delivery.Outcome)
	assert.Equal(t, reconcile.VerdictNotOrdered, e.Verdict.Code, e.Verdict.Text)

	r.exec(t, `insert into coverage (source, org, closed) values ('a3-app-instances', $1, '{[2000-01-01,2100-01-01)}')`, e.Origin.Org)
	e = r.explain(t)
	assert.True(t, e.History[0].Closed)
	assert.Equal(t, reconcile.VerdictGap, e.Verdict.Code, e.Verdict.Text)

	_, err := r.sync(t, r.item)
	require.NoError(t, err)
	e = r.explain(t)
	require.NotNil(t, e.Ledger)
	assert.Equal(t, "live", e.Ledger.By)
	assert.True(t, e.Dialog.Visible)
	assert.NotEqual(t, uuid.Nil, e.Dialog.Revision)
	assert.Equal(t, reconcile.VerdictWell, e.Verdict.Code, e.Verdict.Text)
	assert.Empty(t, e.Verdict.Next)

	require.NoError(t, r.sim.Storage.SoftDelete(r.item.ID.GUID))
	e = r.explain(t)
	assert.Equal(t, reconcile.OriginSoftDeleted, e.Origin.State)
	assert.Equal(t, ledger.Deleted, e.Delivery.Outcome)
	assert.Contains(t, e.Verdict.Text, "should be deleted")
}

func TestExplainWhereItLies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	org := r.explain(t).Origin.Org
	r.exec(t, `insert into backfill (source, oldest, newest, orgs, all_orgs, parallel, reason, operator)
		values ('a3-app-instances', '2000-01-01', '2100-01-01', array[$1], false, 1, 'x', 'kari')`, org)
	r.exec(t, `insert into backfill_window (backfill_id, org, from_time, to_time, reached) values
		(1, $1, '2000-01-01', '2001-01-01', '2001-01-01'), (1, $1, '2001-01-01', '2099-01-01', '2099-01-01'), (1, $1, '2099-01-01', '2100-01-01', '2100-01-01')`, org)
	e := r.explain(t)
	require.Len(t, e.History[0].Windows, 1)
	assert.Equal(t, 2001, e.History[0].Windows[0].From.Year())
	assert.Equal(t, reconcile.VerdictNotReached, e.Verdict.Code, e.Verdict.Text)
	assert.Equal(t, "dialogsync backfill watch 1", e.Verdict.Next)
	r.exec(t, `update stream set paused = true, reason = 'rest', operator = 'ola', changed_at = now() where stream = 'history' and source = 'a3-app-instances'`)
	e = r.explain(t)
	assert.Equal(t, reconcile.VerdictStopped, e.Verdict.Code)
	assert.Contains(t, e.Verdict.Text, "paused by ola: rest")

	r.exec(t, `insert into poll (source, reach, since) values ('a3-app-instances', 'catch-up', '2000-01-01')`)
	r.exec(t, `insert into poll_org (source, reach, org, epoch, position) values ('a3-app-instances', 'catch-up', $1, 1, '2100-01-01')`, org)
	e = r.explain(t)
	assert.True(t, e.Live.Passed)
	assert.Equal(t, reconcile.VerdictGap, e.Verdict.Code)
	r.exec(t, `insert into inbox (instance_guid, party_id, source, migration, intake, app_id) values ($1, $2, 'a3-app-instances', false, 'bus', '')`,
		r.item.ID.GUID, r.item.ID.PartyID)
	e = r.explain(t)
	require.NotNil(t, e.Inbox)
	assert.Equal(t, reconcile.VerdictWaiting, e.Verdict.Code)
}

// What Storage has lost is found by what is left of it.
func TestExplainWhatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.sync(t, r.item)
	require.NoError(t, err)
	require.NoError(t, r.sim.Storage.Remove(r.item.ID.GUID))
	e := r.explain(t)
	assert.Equal(t, reconcile.OriginGone, e.Origin.State)
	assert.Equal(t, r.itemID(), e.ItemID, "by the dialog's label")
	require.NotNil(t, e.Ledger)
	assert.True(t, e.Known())
	assert.Equal(t, ledger.Purged, e.Delivery.Outcome)
	assert.Contains(t, e.Verdict.Text, "should be purged")

	e = r.explainID(t, altinn.InstanceID{PartyID: 50001337, GUID: uuid.New()})
	assert.False(t, e.Known())
	assert.True(t, e.Complete())
	assert.Equal(t, reconcile.VerdictUnknown, e.Verdict.Code)
}

func TestExplainQuarantined(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sim.Register.Withhold(int32(r.item.ID.PartyID))
	_, err := r.sync(t, r.item)
	require.Error(t, err)
	e := r.explain(t)
	require.Len(t, e.Quarantine, 1)
	assert.Equal(t, "party_not_found", e.Quarantine[0].Reason)
	assert.NotEmpty(t, e.Quarantine[0].Do)
	assert.Equal(t, reconcile.VerdictQuarantined, e.Verdict.Code)
	assert.Contains(t, e.Verdict.Text, "look the party up")
	r.sim.Register.Reveal(int32(r.item.ID.PartyID))
	assert.Contains(t, r.explain(t).Verdict.Text, "would succeed")
}

func TestExplainWhileSystemsAreDown(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"storage", "dialogporten", "register"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, err := r.sync(t, r.item)
			require.NoError(t, err)
			r.fault(t, faults.Rule{Service: service, Effect: faults.EffectStatus, Status: http.StatusServiceUnavailable})
			e := r.explain(t)
			assert.True(t, e.Known())
			if service == "register" {
				assert.Equal(t, reconcile.VerdictWouldFail, e.Verdict.Code, e.Verdict.Text)
				assert.Contains(t, e.Verdict.Text, "a service is down")
				return
			}
			assert.False(t, e.Complete())
			assert.Equal(t, reconcile.VerdictUnreadable, e.Verdict.Code, e.Verdict.Text)
		})
	}
}

// messages is what messages are explained with.
type messages struct {
	pool      *pgxpool.Pool
	sim       *altinnsim.Sim
	deliverer *message.Deliverer
	explainer *reconcile.Explainer
	one       simaltinn2.Record
}

func newMessages(t *testing.T) *messages {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	options := simaltinn2.DefaultOptions()
	options.Messages, options.Odd, options.Broken, options.Deceased, options.Purged = 20, 0, 0, 0, 0
	options.To = time.Now().Add(-24 * time.Hour)
	options.End = options.To
	_, err = sim.Generate(generator.Options{Seed: 1, Messages: &options})
	require.NoError(t, err)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	m := &messages{sim: sim, pool: dbtest.New(t)}
	source, dialogs := altinn2.New(server.URL, client, nil), dialogporten.New(server.URL, client)
	m.deliverer = &message.Deliverer{
		Source: source, Correspondence: correspondence.New(server.URL, client, nil), Dialogs: dialogs, Pool: m.pool, Now: time.Now,
	}
	m.explainer = &reconcile.Explainer{Pool: m.pool, Messages: source, Dialogs: dialogs, Now: time.Now}
	sim.Altinn2.Each(func(record simaltinn2.Record) bool {
		m.one = record
		return record.Deletion != simaltinn2.DeletionNone || len(record.Attachments) > 0
	})
	return m
}

func (m *messages) explain(t *testing.T, number int32) *reconcile.Explanation {
	t.Helper()
	e, err := m.explainer.Message(t.Context(), number)
	require.NoError(t, err)
	_, err = json.Marshal(e)
	require.NoError(t, err)
	return e
}

func TestExplainMessage(t *testing.T) {
	t.Parallel()
	m := newMessages(t)
	e := m.explain(t, m.one.ID)
	assert.Equal(t, reconcile.OriginExists, e.Origin.State)
	assert.NotEmpty(t, e.Origin.ResourceID)
	assert.Nil(t, e.Message)
	assert.Equal(t, reconcile.VerdictNotOrdered, e.Verdict.Code, e.Verdict.Text)
	require.Len(t, e.History, 2)

	order := message.Order{Lane: message.History, TransferOnly: true}
	_, err := m.deliverer.Deliver(t.Context(), m.one.ID, order)
	require.NoError(t, err)
	e = m.explain(t, m.one.ID)
	require.NotNil(t, e.Message)
	assert.Equal(t, db.MessageStageTransferred, e.Message.Stage)
	assert.NotEqual(t, uuid.Nil, e.Message.CorrespondenceID)
	assert.Equal(t, reconcile.VerdictNotOrdered, e.Verdict.Code)
	assert.Contains(t, e.Verdict.Text, "stored hidden")

	order.TransferOnly = false
	_, err = m.deliverer.Deliver(t.Context(), m.one.ID, order)
	require.NoError(t, err)
	e = m.explain(t, m.one.ID)
	assert.Equal(t, reconcile.VerdictWell, e.Verdict.Code, e.Verdict.Text)
	assert.True(t, e.Dialog.Visible)

	m.sim.Dialogporten.Reset()
	e = m.explain(t, m.one.ID)
	assert.Equal(t, reconcile.VerdictDialogLost, e.Verdict.Code, e.Verdict.Text)

	e = m.explain(t, 4711)
	assert.False(t, e.Known())
	assert.Equal(t, reconcile.VerdictUnknown, e.Verdict.Code)
}

func TestExplainMessageWithNews(t *testing.T) {
	t.Parallel()
	m := newMessages(t)
	_, err := m.deliverer.Deliver(t.Context(), m.one.ID, message.Order{Lane: message.History})
	require.NoError(t, err)
	require.NoError(t, m.sim.Altinn2.ChangePurge(m.one.ID, true))
	e := m.explain(t, m.one.ID)
	assert.Equal(t, reconcile.OriginPurged, e.Origin.State)
	assert.Equal(t, ledger.Purged, e.Delivery.Outcome)
	assert.Contains(t, e.Verdict.Text, "should be purged")
	_, err = m.deliverer.Deliver(t.Context(), m.one.ID, message.Order{Lane: message.History})
	require.NoError(t, err)
	require.NoError(t, m.sim.Correspondence.Idle(t.Context()))
	e = m.explain(t, m.one.ID)
	assert.Equal(t, reconcile.VerdictWell, e.Verdict.Code, e.Verdict.Text)
}

func TestQuarantinePages(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	q := db.New(pool)
	var items []ledger.Quarantined
	for i := range 7 {
		items = append(items, ledger.Quarantined{
			Source: []ledger.Source{ledger.A3AppInstances, ledger.A2Correspondence}[i%2], ItemKey: string(rune('a' + i)), Class: "permanent",
			Reason: []string{"http_400", "purged_in_doubt", "party_not_found"}[i%3], Detail: "x", Attempts: 1,
		})
	}
	require.NoError(t, ledger.Quarantine(t.Context(), q, items))
	_, err := pool.Exec(t.Context(), "update quarantine set last_failed_at = '2026-01-01'") // many share an instant
	require.NoError(t, err)
	list := func(query reconcile.QuarantineQuery) (keys []string) {
		for {
			page, err := reconcile.ListQuarantine(t.Context(), pool, query)
			require.NoError(t, err)
			for i := range page.Items {
				assert.NotEmpty(t, page.Items[i].Do)
				keys = append(keys, page.Items[i].Item)
			}
			if query.After = page.Next; page.Next == "" {
				return keys
			}
			require.Len(t, page.Items, query.Limit)
		}
	}
	for limit := 1; limit <= 8; limit++ {
		assert.ElementsMatch(t, []string{"a", "b", "c", "d", "e", "f", "g"}, list(reconcile.QuarantineQuery{Limit: limit}))
		assert.ElementsMatch(t, []string{"b", "d", "f"}, list(reconcile.QuarantineQuery{Limit: limit, Source: ledger.A2Correspondence}))
		assert.ElementsMatch(t, []string{"a", "d", "g"}, list(reconcile.QuarantineQuery{Limit: limit, Reason: "http_400"}))
		assert.ElementsMatch(t, []string{"d"}, list(reconcile.QuarantineQuery{Limit: limit, Reason: "http_400", Source: ledger.A2Correspondence}))
	}
	for _, place := range []string{"x", "2026-01-01T00:00:00Z/nothing/a", "yesterday/a3-app-instances/a", "2026-01-01T00:00:00Z/a3-app-instances"} {
		_, err := reconcile.ListQuarantine(t.Context(), pool, reconcile.QuarantineQuery{Limit: 1, After: place})
		require.ErrorIs(t, err, reconcile.ErrPage)
	}
}
