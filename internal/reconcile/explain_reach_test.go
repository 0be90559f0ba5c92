package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/reconcile"
)

// A source's first reach tells how far live is, whichever of them a worker happened to begin before the others.
func TestExplainLooksAtTheFirstReach(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	org := r.explain(t).Origin.Org
	r.exec(t, `insert into poll (source, reach, since) values ('a3-app-instances', 'second-look', '2000-01-01'),
		('a3-app-instances', 'catch-up', '2000-01-02')`)
	r.exec(t, `insert into poll_org (source, reach, org, epoch, position, failure, failing_since)
		values ('a3-app-instances', 'catch-up', $1, 1, '2000-01-03', 'storage answered 500', now())`, org)
	e := r.explain(t)
	assert.Equal(t, time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC), e.Live.Position)
	assert.Equal(t, "storage answered 500", e.Live.HeldBy)

	m := newMessages(t)
	for _, statement := range []string{
		`insert into poll (source, reach, since) values ('a2-correspondence', 'due', '2000-01-01'), ('a2-correspondence', 'batch', '2000-01-02')`,
		`insert into poll_org (source, reach, org, epoch, position) values ('a2-correspondence', 'due', '', 1, '2000-01-01'),
			('a2-correspondence', 'batch', '', 1, '2100-01-01')`,
	} {
		_, err := m.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	told := m.explain(t, m.one.ID)
	assert.True(t, told.Live.Passed)
	assert.Equal(t, reconcile.VerdictGap, told.Verdict.Code, told.Verdict.Text)
}

// Nobody over there is asked what became of a failure, so nothing is promised of it.
func TestVerdictPromisesNothingOfMessagesThatOthersRefused(t *testing.T) {
	t.Parallel()
	for reason, code := range map[string]string{"dialog_failed": "look the item's id up", "not_published": "is gone"} {
		e := knownMessage(never, func(e *reconcile.Explanation) {
			e.Quarantine = []reconcile.QuarantinedItem{{
				Source: e.Source, Reason: reason, Remedy: reconcile.RemedyFor(e.Source, reason), FirstFailedAt: e.At,
			}}
		})
		assert.Contains(t, reconcile.Judge(e).Text, code)
	}
}

// A message that is older than live, and changed since, is brought over by that change.
func TestVerdictOnOldMessagesThatChanged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alter func(*reconcile.Explanation)
		code  reconcile.VerdictCode
	}{
		"passed": {func(e *reconcile.Explanation) { e.Live.Passed = true }, reconcile.VerdictGap},
		"paused": {func(e *reconcile.Explanation) { e.Live.Passed, e.Live.Stopped = false, "paused by kari: rest" }, reconcile.VerdictStopped},
		"behind": {func(e *reconcile.Explanation) { e.Live.Passed = false }, reconcile.VerdictNotReached},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := knownMessage(never, window("cancelled", "pending"), func(e *reconcile.Explanation) {
				e.Message, e.Ledger = nil, nil
				e.Origin.Changed = e.Live.Since.Add(time.Hour)
			}, test.alter)
			v := reconcile.Judge(e)
			assert.Equal(t, test.code, v.Code, v.Text)
			if test.code == reconcile.VerdictGap {
				assert.Contains(t, v.Next, "--migration", "it was created before live began")
			}
		})
	}
}

// A message that lies hidden would be made available.
func TestExplainForeseesTheSecondStage(t *testing.T) {
	t.Parallel()
	m := newMessages(t)
	_, err := m.deliverer.Deliver(t.Context(), m.one.ID, message.Order{Lane: message.History, TransferOnly: true})
	require.NoError(t, err)
	e := m.explain(t, m.one.ID)
	assert.Equal(t, db.MessageStageTransferred, e.Message.Stage)
	assert.Equal(t, ledger.Created, e.Delivery.Outcome)
}
