package message_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// redo looks again at what history brought over.
var redo = message.Order{Lane: message.History, Redo: true}

// broughtOver gives a message with its dialog.
func (r *rig) broughtOver(t *testing.T) (simaltinn2.Record, message.Result) {
	t.Helper()
	m := r.one(t, plain)
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	require.Equal(t, ledger.Created, result.Outcome)
	r.faults(nil, nil)
	return m, result
}

// purgeDialog removes a dialog behind everybody's back.
func (r *rig) purgeDialog(t *testing.T, id uuid.UUID) {
	t.Helper()
	require.NoError(t, r.Dialogs.Purge(t.Context(), id, uuid.Nil, true))
}

// alter changes an item in Correspondence behind everybody's back.
func (r *rig) alter(t *testing.T, altinn2ID int32, change func(map[string]any)) {
	t.Helper()
	item, found := r.sim.Correspondence.Item(altinn2ID)
	require.True(t, found)
	encoded, err := json.Marshal(r.sim.Correspondence.Show(item))
	require.NoError(t, err)
	var shown map[string]any
	require.NoError(t, json.Unmarshal(encoded, &shown))
	change(shown)
	encoded, err = json.Marshal(shown)
	require.NoError(t, err)
	require.NoError(t, r.sim.Correspondence.Put([]json.RawMessage{encoded}))
}

func neverMade(item map[string]any) { item["isMigrating"], item["externalReferences"] = true, []any{} }

func TestRedoOfWhatIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, first := r.broughtOver(t)
	for range 2 {
		r.faults(nil, nil)
		result, err := r.Deliver(t.Context(), m.ID, redo)
		require.NoError(t, err)
		assert.Equal(t, ledger.Unchanged, result.Outcome)
		assert.Equal(t, first.DialogID, result.DialogID)
		assert.Equal(t, []string{callAvailable}, r.made(), "it is asked about, and nothing is told")
	}
	assert.Equal(t, 1, r.sim.Correspondence.Len())
}

func TestRedoPutsRight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, r *rig, m simaltinn2.Record, first message.Result)
		want  ledger.Outcome
	}{
		"hidden, no dialog": {func(t *testing.T, r *rig, m simaltinn2.Record, first message.Result) {
			t.Helper()
			r.purgeDialog(t, first.DialogID)
			r.alter(t, m.ID, neverMade)
		}, ledger.Created},
		"unknown over there": {func(t *testing.T, r *rig, _ simaltinn2.Record, first message.Result) {
			t.Helper()
			r.purgeDialog(t, first.DialogID)
			r.sim.Correspondence.Reset()
		}, ledger.Created},
		"an event was never told": {func(t *testing.T, r *rig, m simaltinn2.Record, _ message.Result) {
			t.Helper()
			require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, m.Recipient.PartyUUID))
		}, ledger.Updated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m, first := r.broughtOver(t)
			test.spoil(t, r, m, first)
			result, err := r.Deliver(t.Context(), m.ID, redo)
			require.NoError(t, err)
			assert.Equal(t, test.want, result.Outcome)
			assert.Equal(t, db.MessageStagePublished, result.Stage)
			r.idle(t)
			item, found := r.sim.Correspondence.Item(m.ID)
			require.True(t, found)
			assert.False(t, item.Hidden)
			assert.True(t, r.dialogOf(t, result.DialogID))
			r.only(t)
			result, err = r.Deliver(t.Context(), m.ID, redo)
			require.NoError(t, err)
			assert.Equal(t, ledger.Unchanged, result.Outcome, "once is enough")
		})
	}
}

// What cannot be mended from here is a person's: Correspondence makes no second dialog as long as it keeps its reference (6.1).
func TestRedoFindsWhatAPersonMustMend(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil, mend func(t *testing.T, r *rig, m simaltinn2.Record, first message.Result)
		reason      string
		mended      ledger.Outcome
	}{
		"dialog is gone": {
			func(t *testing.T, r *rig, _ simaltinn2.Record, first message.Result) {
				t.Helper()
				r.purgeDialog(t, first.DialogID)
			},
			func(t *testing.T, r *rig, m simaltinn2.Record, _ message.Result) {
				t.Helper()
				r.alter(t, m.ID, neverMade)
			}, message.ReasonDialogLost, ledger.Created,
		},
		"dialog is deleted": {
			func(t *testing.T, r *rig, _ simaltinn2.Record, first message.Result) {
				t.Helper()
				require.NoError(t, r.Dialogs.Delete(t.Context(), first.DialogID, uuid.Nil, true))
			},
			func(t *testing.T, r *rig, _ simaltinn2.Record, first message.Result) {
				t.Helper()
				_, err := r.Dialogs.Restore(t.Context(), first.DialogID, uuid.Nil, true)
				require.NoError(t, err)
			}, message.ReasonDialogDeleted, ledger.Unchanged,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m, first := r.broughtOver(t)
			test.spoil(t, r, m, first)
			asked := message.Asked{Operator: "kari", Reason: "x"}
			result, err := r.Sync(t.Context(), m.ID, redo, asked)
			require.Error(t, err)
			failure := message.Describe(err)
			assert.Equal(t, test.reason, failure.Reason)
			assert.True(t, failure.OfItem)
			assert.Equal(t, ledger.Failed, result.Outcome)
			assert.Equal(t, 1, r.count(t, "quarantine"))
			assert.Equal(t, 1, r.count(t, "message where reason = '"+test.reason+"' and stage = 'published'"))

			// Events are told on all the same.
			require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, m.Recipient.PartyUUID))
			result, err = r.Deliver(t.Context(), m.ID, history)
			require.NoError(t, err)
			assert.Equal(t, ledger.Updated, result.Outcome)

			test.mend(t, r, m, first)
			person := message.Order{Lane: message.History, Insist: true} // looks at what it was told is missing
			result, err = r.Sync(t.Context(), m.ID, person, asked)
			require.NoError(t, err)
			assert.Equal(t, test.mended, result.Outcome)
			assert.Zero(t, r.count(t, "quarantine"))
			assert.Zero(t, r.count(t, "message where reason is not null"))
			assert.True(t, r.dialogOf(t, first.DialogID), "the id is deterministic")
		})
	}
}

// A redo insists: what was refused is tried again although nothing changed.
func TestRedoTriesARefusedOneAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, _ := r.broughtOver(t)
	_, err := r.pool.Exec(t.Context(), "update message set stage = 'transferred', outcome = 'failed', reason = 'dialog_refused'")
	require.NoError(t, err)
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	result, err := r.Deliver(t.Context(), m.ID, redo)
	require.NoError(t, err)
	assert.Equal(t, db.MessageStagePublished, result.Stage)
}

// What a recipient purged in Altinn 3 stays purged.
func TestRedoLeavesPurgedOnes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, _ := r.broughtOver(t)
	r.alter(t, m.ID, func(item map[string]any) {
		item["externalReferences"] = []any{}
		item["statuses"] = append(item["statuses"].([]any), map[string]any{
			"status": correspondence.PurgedByRecipient.String(), "at": m.Created, "partyUuid": m.Recipient.PartyUUID, "statusText": "x",
		})
	})
	result, err := r.Deliver(t.Context(), m.ID, redo)
	require.NoError(t, err)
	assert.Equal(t, ledger.Skipped, result.Outcome)
	assert.Equal(t, "purged", result.Reason)
	assert.Equal(t, db.MessageStagePurged, result.Stage)
}
