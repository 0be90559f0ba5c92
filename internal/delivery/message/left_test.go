package message_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// die leaves a lease as a process does that is killed in the middle.
func (r *rig) die(t *testing.T, number int32, ranOut time.Time) {
	t.Helper()
	_, err := r.pool.Exec(t.Context(), "insert into message_lease (altinn2_id, holder, until) values ($1, $2, $3)", number, uuid.New(), ranOut)
	require.NoError(t, err)
}

// A message that somebody may have stored who died, and that was purged before the next came by, is a person's to look at (Invariant 1).
func TestPurgedAfterADeathIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		died    time.Duration // ago; 0: nobody did
		inDoubt bool
	}{
		"nobody had it":                    {},
		"somebody died with it":            {died: time.Second, inDoubt: true},
		"somebody died with it since long": {died: 48 * time.Hour, inDoubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.one(t, plain)
			if tt.died > 0 {
				r.die(t, m.ID, time.Now().Add(-tt.died))
			}
			require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
			for range 2 { // the doubt stays
				result, err := r.Deliver(t.Context(), m.ID, history)
				if !tt.inDoubt {
					require.NoError(t, err)
					assert.Equal(t, ledger.Skipped, result.Outcome)
					continue
				}
				require.Error(t, err)
				assert.Equal(t, message.ReasonPurgedInDoubt, message.Describe(err).Reason)
			}
			assert.Empty(t, r.made())
			assert.Zero(t, r.count(t, "message_lease"))
		})
	}
}

// What was purged long before somebody died was never sent.
func TestPurgedLongBeforeADeathIsLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, func(m simaltinn2.Record) bool { return plain(m) && time.Since(m.Created) > 48*time.Hour })
	m.ID += 100_000
	m.Deletion = simaltinn2.DeletionPurged
	m.Events = append(m.Events, simaltinn2.Event{Type: simaltinn2.EventPurged, At: time.Now().Add(-2 * time.Hour), PartyUUID: m.Recipient.PartyUUID})
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	r.die(t, m.ID, time.Now().Add(-time.Minute))
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Skipped, result.Outcome)
}

// A page whose record failed leaves a trace, and can be had by the next at once.
func TestLeaseOfAFailedPageIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := r.pool.Exec(t.Context(), "alter table ledger rename to ledger_elsewhere")
	require.NoError(t, err)
	_, err = r.Deliver(ctx, m.ID, history)
	require.Error(t, err)
	assert.Equal(t, 1, r.count(t, "message_lease"))
	_, err = r.pool.Exec(t.Context(), "alter table ledger_elsewhere rename to ledger")
	require.NoError(t, err)
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.NotEqual(t, uuid.Nil, result.CorrespondenceID)
	assert.Zero(t, r.count(t, "message_lease"))
	r.idle(t)
}

// A message of a failed page that was never sent leaves none.
func TestLeaseOfAMessageThatWasNotSentIsReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	_, err := r.pool.Exec(t.Context(), "alter table message rename to message_elsewhere")
	require.NoError(t, err)
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Empty(t, r.made())
	assert.Zero(t, r.count(t, "message_lease"))
}

// Whoever takes over from somebody who died and cannot get on leaves the message as it was left (Invariant 1).
func TestDoubtOutlivesATryThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	died := time.Now().Add(-48 * time.Hour).Truncate(time.Microsecond)
	r.die(t, m.ID, died)
	r.faults(func(int, *http.Request) (int, string) { return http.StatusBadGateway, "{}" }, nil)
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	var until time.Time
	require.NoError(t, r.pool.QueryRow(t.Context(), "select until from message_lease").Scan(&until))
	assert.True(t, until.Equal(died), until)
	r.faults(nil, nil)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Equal(t, message.ReasonPurgedInDoubt, message.Describe(err).Reason)
	assert.Zero(t, r.count(t, "message_lease"))
}

// A purge is not lost though the recipient died between it and a call of which no answer is on record (17.2).
func TestDoubtOutlivesADeceasedRecipient(t *testing.T) {
	t.Parallel()
	die := func(m *simaltinn2.Record) error {
		m.Recipient.Deceased = true
		return nil
	}
	purged := func(t *testing.T, r *rig, m simaltinn2.Record, order message.Order) {
		t.Helper()
		require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
		r.setClock(time.Now().Add(time.Hour))
		_, err := r.Deliver(t.Context(), m.ID, order)
		require.Error(t, err)
		assert.Equal(t, message.ReasonPurgedInDoubt, message.Describe(err).Reason)
		assert.Empty(t, r.made())
	}
	for name, order := range map[string]message.Order{"live": {}, "history": history} {
		t.Run("answer lost, "+name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.one(t, plain)
			r.faults(nil, func(_ int, request *http.Request) bool {
				return strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate)
			})
			_, err := r.Deliver(t.Context(), m.ID, order)
			require.Error(t, err)
			r.faults(nil, nil)
			r.idle(t)
			require.NoError(t, r.sim.Altinn2.Change(m.ID, die))
			for range 2 { // the doubt stays
				_, err = r.Sync(t.Context(), m.ID, order, message.Asked{Operator: "kari", Reason: "test"})
				require.Error(t, err)
				assert.Equal(t, message.ReasonDeceasedInDoubt, message.Describe(err).Reason)
			}
			assert.Equal(t, 1, r.count(t, "quarantine"))
			purged(t, r, m, order)
		})
	}
	t.Run("lease left", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		m := r.one(t, plain)
		r.die(t, m.ID, time.Now().Add(-time.Second))
		require.NoError(t, r.sim.Altinn2.Change(m.ID, die))
		for range 2 { // the doubt stays, and bothers nobody
			result, err := r.Deliver(t.Context(), m.ID, history)
			require.NoError(t, err)
			assert.Equal(t, "recipient_deceased", result.Reason)
		}
		assert.Zero(t, r.count(t, "message_lease"))
		purged(t, r, m, history)
	})
}
