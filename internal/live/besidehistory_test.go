package live_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/live"
)

// walkHistory walks a stretch of a source to its end.
func (p *plant) walkHistory(t testing.TB, source ledger.Source, from, to time.Time) {
	t.Helper()
	enqueue := func(context.Context, pgx.Tx, int64, int) error { return nil }
	backfills := &history.Backfills{Pool: p.pool, Orgs: p.deliverer.Storage, Enqueue: enqueue}
	keeper := &history.Keeper{Pool: p.pool, Orgs: p.deliverer.Storage, Enqueue: enqueue, Log: p.log}
	walker := &history.Walker{
		Pool: p.pool, Storage: p.deliverer.Storage, Delivery: p.deliverer, Log: p.log,
		Config: history.WalkerConfig{Worker: "history", Rest: time.Millisecond},
	}
	made, err := backfills.Create(t.Context(), history.Order{
		Source: source, Range: history.Range{From: from, To: to}, Parallel: 2, MaxFailureShare: 1, Reason: "test", Operator: "tester",
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := walker.Slice(t.Context(), made[0].ID)
		require.NoError(t, err)
		require.NoError(t, keeper.Keep(t.Context()))
		found, err := history.ReadProgress(t.Context(), p.pool, &made[0].ID)
		require.NoError(t, err)
		return found[0].State == history.StateComplete
	}, 30*time.Second, time.Millisecond)
}

// brought is an instance that history has brought over. walk has history meet it again.
func (p *plant) brought(t testing.TB) (th thing, walk func()) {
	t.Helper()
	th = newThing()
	key, user, changed := th.id().String(), strconv.FormatInt(userID, 10), th.created.Add(time.Hour)
	require.NoError(t, p.sim.Storage.PutInstance(raw(t, map[string]any{
		"id": key, "instanceOwner": map[string]any{"partyId": strconv.FormatInt(th.party, 10)},
		"appId": th.app, "org": "ttd", "status": map[string]any{"isArchived": false, "readStatus": "Read"}, "data": []any{},
		"process": map[string]any{
			"started":     stamp(th.created),
			"currentTask": map[string]any{"elementId": "Task_1", "altinnTaskType": "data", "started": stamp(th.created)},
		},
		"created": stamp(th.created), "createdBy": user, "lastChanged": stamp(changed), "lastChangedBy": user,
	})))
	p.happened(t, th, "Created")
	from := changed.UTC().Truncate(24 * time.Hour)
	walk = func() { p.walkHistory(t, ledger.A3AppInstances, from, from.Add(24*time.Hour)) }
	walk()
	entry, _ := p.ledger(t, th)
	require.Equal(t, ledger.Created, entry.Outcome)
	return th, walk
}

// happened stores events that an app posts: lastChanged stays as it is (Storage reference 3.11).
func (p *plant) happened(t testing.TB, th thing, kinds ...string) {
	t.Helper()
	events := make([]json.RawMessage, len(kinds))
	for n, kind := range kinds {
		events[n] = raw(t, map[string]any{
			"id": uuid.NewSHA1(th.guid, []byte{byte(n)}), "instanceId": th.id().String(), "eventType": kind,
			"created": stamp(th.created.Add(time.Duration(n) * time.Minute)), "instanceOwnerPartyId": strconv.FormatInt(th.party, 10),
			"user": map[string]any{"userId": userID, "authenticationLevel": 3},
		})
	}
	require.NoError(t, p.sim.Storage.PutEvents(th.guid, events))
}

// An event that waits is not made needless by a walk that met the instance and had no reason to read it.
func TestWhatHistoryLeftAsItStandsIsReadForAnEvent(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th, walk := p.brought(t)
	p.happened(t, th, "Created", "Submited")
	p.accept(t, th.command())
	walk()
	p.finish(t)
	entry, _ := p.ledger(t, th)
	assert.Equal(t, ledger.Updated, entry.Outcome)
}

// An item whose event failed is read by a walk that meets it, and leaves quarantine only when that went well.
func TestHistoryReadsWhatIsInQuarantine(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	th, walk := p.brought(t)
	p.happened(t, th, "Created", "Submited")
	refuse := faults.Rule{
		Service: altinnsim.ServiceDialogporten, Method: http.MethodPut, Effect: faults.EffectStatus, Status: http.StatusBadRequest,
		ContentType: "application/problem+json", Body: `{"errors":{"dto.party":["no"]}}`,
	}
	p.fault(t, refuse)
	for range 12 { // others that go well
		other := newThing()
		p.put(t, other)
		p.accept(t, other.command())
	}
	p.accept(t, th.command())
	require.Eventually(t, func() bool {
		p.deliver(t)
		return len(p.rows(t)) == 0
	}, 30*time.Second, time.Millisecond)
	require.Len(t, p.quarantine(t), 1)
	p.fault(t)
	walk()
	assert.Empty(t, p.quarantine(t))
	entry, _ := p.ledger(t, th)
	assert.Equal(t, ledger.Updated, entry.Outcome)
}

// An old form that Storage cannot read holds up neither the page of the new one nor what follows.
func TestOldFormThatCannotBeReadHoldsNoPoll(t *testing.T) {
	t.Parallel()
	p := newPolling(t)
	p.poll(t, live.ReachBatch)
	p.pass(20 * time.Second)
	old := p.form(t, 15*time.Second, 4711)
	p.poll(t, live.ReachBatch)
	require.True(t, p.has(old))
	p.pass(20 * time.Second)
	anew := p.form(t, 15*time.Second, 4711) // removes the old one
	p.fault(t, faults.Rule{
		Service: altinnsim.ServiceStorage, Method: http.MethodGet, Path: old.guid.String(), Effect: faults.EffectStatus,
		Status: http.StatusInternalServerError,
	})
	before := *p.live(t, ledger.A2ArchivedForms).Watermark
	p.pass(5 * time.Minute)
	p.poll(t, live.ReachBatch)
	assert.True(t, p.has(anew))
	p.pass(5 * time.Minute)
	other := p.form(t, 15*time.Second, 4712)
	p.poll(t, live.ReachBatch)
	assert.True(t, p.has(other))
	assert.True(t, p.live(t, ledger.A2ArchivedForms).Watermark.After(before))
	require.True(t, p.has(old))
	require.NotEmpty(t, p.rows(t), "it is looked at apart, until that succeeds")
	p.fault(t)
	p.finish(t)
	assert.False(t, p.has(old))
}
