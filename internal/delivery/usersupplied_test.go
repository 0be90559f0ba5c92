package delivery_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

const userSupplied = "enableUserSuppliedDialogId"

// chosen is an instance whose application chose the id of its dialog.
func chosen() (th thing, id uuid.UUID) {
	th = newThing()
	id = dialogid.V7(uuid.New(), th.created.Add(-time.Hour))
	th.values = map[string]string{"dialog.id": id.String()}
	return th, id
}

func TestUserSuppliedIDNamesTheDialog(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	th, id := chosen()
	th.values["dialog.id"] = "{" + strings.ToUpper(id.String()) + "}" // any usual spelling
	r.put(t, th)
	result := r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	assert.Equal(t, id, result.DialogID)
	assert.Equal(t, th.dialogID(), result.ItemID)
	assert.Nil(t, r.dialog(t, th.dialogID()))
	require.NotNil(t, r.dialog(t, id))
	assert.Equal(t, []string{"POST dialog"}, writes(r.since(th, 0)), "the instance is not written")
	assert.Equal(t, dialogid.Time(id), dialogid.Time(r.dialog(t, id).GUIActions[0].ID), "ids of parts come from it")

	// Invariant 3 holds for the dialog that the instance names.
	th.text = "utgave 2"
	r.put(t, th)
	mark := r.mark(th)
	r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
	requireDialogFirst(t, steps(r.since(th, mark)), "user-supplied id")
	assert.Contains(t, title(r.dialog(t, id)), "utgave 2")
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogAlive)

	require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
	r.expect(t, th.item(), ledger.Deleted, ledger.DialogDeleted)
	assert.True(t, r.dialog(t, id).IsDeleted())
	require.NoError(t, r.sim.Storage.Undelete(th.guid))
	r.expect(t, th.item(), ledger.Restored, ledger.DialogAlive)
	require.NoError(t, r.sim.Storage.HardDelete(th.guid))
	r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
	assert.Nil(t, r.dialog(t, id))
}

func TestUserSuppliedIDThatIsMissingIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]string{"no data values": nil, "no such key": {"A2ArchRef": "1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, userSupplied)
			th := newThing()
			th.values = values
			r.put(t, th)
			_, err := r.deliverer.Deliver(t.Context(), th.item())
			requireNoPerson(t, err)
			failure := delivery.Describe(err)
			assert.Equal(t, delivery.ReasonUserSuppliedMissing, failure.Reason)
			assert.Equal(t, transport.Transient, failure.Class)
			assert.True(t, failure.OfItem)
			assert.Empty(t, writes(r.since(th, 0)))
		})
	}
}

func TestUserSuppliedIDThatIsNoneStopsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	now := time.Now()
	valid := dialogid.V7(uuid.New(), now.Add(-time.Hour))
	otherVersion, otherVariant := valid, valid
	otherVersion[6] = otherVersion[6]&0x0f | 0x40
	otherVariant[8] = otherVariant[8]&0x3f | 0xc0
	for name, value := range map[string]string{
		"empty":           "",
		"words":           "my dialog",
		"another version": otherVersion.String(),
		"another variant": otherVariant.String(),
		"of tomorrow":     dialogid.V7(uuid.New(), now.Add(24*time.Hour)).String(),
		"too short":       valid.String()[1:],
		"a URN":           "urn:uuid:" + valid.String(),
	} {
		for _, th := range []thing{newThing(), {guid: uuid.New(), created: now.Add(-time.Hour), app: app, party: partyID, user: userID, soft: true}} {
			th.values = map[string]string{"dialog.id": value}
			r.put(t, th)
			// Not even a dialog that has the derived id is touched.
			r.putDialog(t, th.dialogID(), labels("urn:altinn:integration:storage:"+th.id().String()))
			result := r.skipped(t, th.item(), delivery.ReasonInvalidDialogID)
			assert.Empty(t, writes(r.since(th, 0)), name)
			assert.Equal(t, th.dialogID(), result.DialogID, name)
			assert.Equal(t, ledger.DialogAlive, result.State, name)
		}
	}
}

func TestDialogOfAnotherInstanceIsLeftAlone(t *testing.T) {
	t.Parallel()
	storageLabel := "urn:altinn:integration:storage:"
	for name, tt := range map[string]struct {
		labels func(own string) []string
		ours   bool
	}{
		"another instance's":        {func(string) []string { return []string{storageLabel + "50001337/" + uuid.NewString()} }, false},
		"another's beside ours":     {func(own string) []string { return []string{storageLabel + own, storageLabel + "1/" + uuid.NewString()} }, false},
		"our guid, another party":   {func(own string) []string { return []string{storageLabel + "9" + own} }, false},
		"ours":                      {func(own string) []string { return []string{storageLabel + own} }, true},
		"no storage label":          {func(string) []string { return nil }, true},
		"a label of another kind":   {func(string) []string { return []string{"urn:altinn:integration:other:1"} }, true},
		"ours, and of another kind": {func(own string) []string { return []string{"urn:altinn:integration:other:1", storageLabel + own} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, userSupplied)
			th, id := chosen()
			r.put(t, th)
			r.putDialog(t, id, labels(tt.labels(th.id().String())...))
			if tt.ours {
				result := r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
				assert.Equal(t, id, result.DialogID)
				return
			}
			for _, change := range []func() error{
				func() error { return nil },
				func() error { return r.sim.Storage.SoftDelete(th.guid) },
				func() error { return r.sim.Storage.HardDelete(th.guid) },
			} {
				require.NoError(t, change())
				result := r.skipped(t, th.item(), delivery.ReasonForeignDialog)
				assert.Equal(t, th.dialogID(), result.DialogID, "it is not the item's")
				assert.Equal(t, ledger.DialogAbsent, result.State)
				assert.Equal(t, "old", title(r.dialog(t, id)))
				assert.False(t, r.dialog(t, id).IsDeleted())
			}
			assert.Empty(t, writes(r.since(th, 0)))
		})
	}
}

func TestGoneInstanceOfAUserSuppliedIDIsFoundByItsLabel(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	th, id := chosen()
	r.put(t, th)
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	mark := r.mark(th)
	result := r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
	assert.Equal(t, id, result.DialogID, "purged under its own id (mapping rules, weakness 21.5)")
	assert.Nil(t, r.dialog(t, id))
	assert.Contains(t, steps(r.since(th, mark)), "GET search")
	r.skipped(t, th.item(), delivery.ReasonNoSingleDialog)
}

func TestGoneInstanceWithManyDialogsPurgesNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	th, id := chosen()
	_, second := chosen()
	for _, dialog := range []uuid.UUID{id, second} {
		r.putDialog(t, dialog, labels("urn:altinn:integration:storage:"+th.id().String()))
	}
	result := r.skipped(t, th.item(), delivery.ReasonNoSingleDialog)
	assert.Equal(t, th.dialogID(), result.DialogID)
	assert.Empty(t, writes(r.since(th, 0)))
	assert.NotNil(t, r.dialog(t, id))
	assert.NotNil(t, r.dialog(t, second))
}

// Nobody names the application of an instance that is gone, and its dialog has an id that the application chose: only the
// label leads there. To find nothing under the derived id proves nothing.
func TestGoneInstanceOfAUserSuppliedIDIsNotGivenUpForWantOfAnApplication(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	th, id := chosen()
	r.put(t, th)
	r.deliver(t, th.item())
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	result, err := r.deliverer.Deliver(t.Context(), delivery.Item{ID: th.id(), Created: th.created})
	if err != nil { // somebody is told that it cannot be done like this
		requireNoPerson(t, err)
		return
	}
	assert.NotEqual(t, delivery.ReasonGone, result.Reason, "its dialog is there")
	assert.Nil(t, r.dialog(t, id))
}

func TestUserSuppliedIDThatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, userSupplied)
	th, first := chosen()
	_, second := chosen()
	r.put(t, th)
	changed := false
	url := r.watched(t, func(q *http.Request) {
		if !changed && strings.HasSuffix(q.URL.Path, first.String()) {
			changed = true
			assert.NoError(t, r.sim.Storage.SetValue(th.guid, "dialog.id", second.String()))
		}
	})
	r.deliverer = r.worker(t, url, 1)
	result := r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	assert.Equal(t, second, result.DialogID)
	assert.True(t, changed)
	assert.Nil(t, r.dialog(t, first))
	assert.NotNil(t, r.dialog(t, second))
}
