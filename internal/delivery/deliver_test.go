package delivery_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// listed is the instance as a listing holds it now.
func (r *rig) listed(t *testing.T, th thing) *altinn.Instance {
	t.Helper()
	body, found := r.sim.Storage.Instance(th.guid)
	require.True(t, found)
	var instance altinn.Instance
	require.NoError(t, json.Unmarshal(body, &instance))
	return &instance
}

func (r *rig) fromListing(t *testing.T, item delivery.Item, listed *altinn.Instance) delivery.Result {
	t.Helper()
	result, err := r.deliverer.FromListing(t.Context(), item, listed, time.Now())
	require.NoError(t, err)
	return result
}

func TestListingIsGoodForACreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	listedAt := time.Now().Add(-time.Minute)
	item := th.item()
	item.Source, item.Migration = ledger.A3AppInstances, true
	result, err := r.deliverer.FromListing(t.Context(), item, r.listed(t, th), listedAt)
	require.NoError(t, err)

	assert.Equal(t, ledger.Created, result.Outcome)
	assert.Equal(t, ledger.DialogAlive, result.State)
	assert.Equal(t, ledger.A3AppInstances, result.Source)
	assert.True(t, listedAt.Equal(result.ReadAt), "it was read when it was listed")
	assert.Equal(t, th.id(), result.Instance)
	assert.Equal(t, th.dialogID(), result.ItemID)
	assert.Equal(t, th.dialogID(), result.DialogID)
	assert.True(t, r.listed(t, th).LastChanged.Truncate(time.Microsecond).Equal(result.SourceChanged))
	assert.Equal(t, secretTitle+", "+personName+", utgave 1", title(r.dialog(t, th.dialogID())))

	entries := r.since(th, 0)
	assert.Equal(t, []string{"PUT datavalues", "GET events", "POST dialog"}, steps(entries), "neither dialog nor instance is read again")
	assert.Equal(t, "true", entries[2].Query["isSilentUpdate"])
	assert.Equal(t, th.dialogID().String(), r.listed(t, th).DataValues["dialog.id"])
}

func TestListingThatIsOutOfDateIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(t *testing.T, r *rig, th thing)
		outcome   ledger.Outcome
		state     ledger.DialogState
	}{
		"delivered and changed": {func(t *testing.T, r *rig, th thing) {
			t.Helper()
			r.deliver(t, th.item())
			th.text, th.values = "utgave 2", map[string]string{"dialog.id": th.dialogID().String()}
			r.put(t, th)
		}, ledger.Updated, ledger.DialogAlive},
		"delivered": {func(t *testing.T, r *rig, th thing) {
			t.Helper()
			r.deliver(t, th.item())
		}, ledger.Unchanged, ledger.DialogAlive},
		"delivered and soft-deleted": {func(t *testing.T, r *rig, th thing) {
			t.Helper()
			r.deliver(t, th.item())
			require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
		}, ledger.Deleted, ledger.DialogDeleted},
		"delivered and removed": {func(t *testing.T, r *rig, th thing) {
			t.Helper()
			r.deliver(t, th.item())
			require.NoError(t, r.sim.Storage.SetValue(th.guid, "dialog.id", th.dialogID().String()))
			require.NoError(t, r.sim.Storage.HardDelete(th.guid))
		}, ledger.Purged, ledger.DialogAbsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			th := r.put(t, newThing())
			listed := r.listed(t, th)
			tt.meanwhile(t, r, th)
			result := r.fromListing(t, th.item(), listed)
			assert.Equal(t, tt.outcome, result.Outcome)
			assert.Equal(t, tt.state, result.State)
			dialog := r.dialog(t, th.dialogID())
			if assert.Equal(t, tt.state != ledger.DialogAbsent, dialog != nil); dialog != nil && tt.outcome == ledger.Updated {
				assert.Contains(t, title(dialog), "utgave 2")
			}
		})
	}
}

// Invariant 4: what is no plain create goes by reading everything.
func TestListingIsGoodForNothingElse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings []string
		change   func(*thing)
	}{
		"soft-deleted":            {nil, func(th *thing) { th.soft = true }},
		"hard-deleted":            {nil, func(th *thing) { th.hard = true }},
		"carries an id":           {nil, func(th *thing) { th.values = map[string]string{"dialog.id": th.dialogID().String()} }},
		"user-supplied ids":       {[]string{"enableUserSuppliedDialogId"}, func(*thing) {}},
		"synchronising off":       {[]string{"disableSync"}, func(*thing) {}},
		"creation off":            {[]string{"disableCreate"}, func(*thing) {}},
		"its application unknown": {nil, func(th *thing) { th.app = "ttd/unknown" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.settings...)
			th := newThing()
			tt.change(&th)
			r.put(t, th)
			listed := r.listed(t, th)
			result, err := r.deliverer.FromListing(t.Context(), th.item(), listed, time.Now())
			if name == "its application unknown" || name == "user-supplied ids" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			if name == "synchronising off" { // which the cache tells, so that nothing is read
				assert.Equal(t, delivery.ReasonSyncDisabled, result.Reason)
				return
			}
			got := steps(r.since(th, 0))
			require.GreaterOrEqual(t, len(got), 2)
			assert.Equal(t, []string{"GET dialog", "GET instance"}, got[:2])
		})
	}
}

func TestUpdateCarriesTheRevisionRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	before := r.dialog(t, th.dialogID())

	th.text = "utgave 2"
	r.put(t, th)
	mark := r.mark(th)
	result := r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
	assert.Equal(t, ledger.A3AppInstances, result.Source, "told by the app id")
	after := r.dialog(t, th.dialogID())
	assert.Contains(t, title(after), "utgave 2")
	entries := r.since(th, mark)
	last := entries[len(entries)-1]
	assert.Equal(t, "PUT dialog", steps(entries)[len(entries)-1])
	assert.Equal(t, before.Revision.String(), revisionOf(last))
	assert.Equal(t, "false", last.Query["isSilentUpdate"])

	mark = r.mark(th)
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogAlive)
	assert.Empty(t, writes(r.since(th, mark)), "an update that would change nothing is not sent")
	assert.Equal(t, after.Revision, r.dialog(t, th.dialogID()).Revision)
}

func TestSavedTimeIsMovedWithoutAnUpdate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.saved = th.created.Add(2 * time.Hour)
	r.put(t, th)
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)

	th.saved = th.created.Add(3 * time.Hour)
	th.values = map[string]string{"dialog.id": th.dialogID().String()}
	r.put(t, th)
	mark := r.mark(th)
	r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
	entries := r.since(th, mark)
	assert.Equal(t, []string{"POST updateFormSavedActivityTime"}, writes(entries))
	activities := r.dialog(t, th.dialogID()).Activities
	assert.True(t, th.saved.Truncate(time.Microsecond).Equal(activities[len(activities)-1].CreatedAt.Time))

	mark = r.mark(th)
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogAlive)
	assert.Empty(t, writes(r.since(th, mark)))
}

// Invariant 3: the dialog is read before the source, whichever way the item was ordered.
func TestDialogIsReadBeforeItsSource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.deliver(t, th.item())
	whole := th.item()
	unknown := delivery.Item{ID: th.id()} // neither application nor creation time are known

	for name, item := range map[string]delivery.Item{"as live orders it": whole, "by its key alone": unknown} {
		th.text += "+"
		th.values = map[string]string{"dialog.id": th.dialogID().String()}
		r.put(t, th)
		mark := r.mark(th)
		r.expect(t, item, ledger.Updated, ledger.DialogAlive)
		requireDialogFirst(t, steps(r.since(th, mark)), name)
	}
}

// requireDialogFirst looks at what was read last of the dialog and of its source before it was written.
func requireDialogFirst(t *testing.T, got []string, about string) {
	t.Helper()
	dialog, instance, events, write := -1, -1, -1, -1
	for i, step := range got {
		switch step {
		case "GET dialog":
			dialog = i
		case "GET instance":
			instance = i
		case "GET events":
			events = i
		case "PUT dialog":
			write = i
		}
		if write >= 0 {
			break
		}
	}
	require.GreaterOrEqual(t, dialog, 0, "%s: %v", about, got)
	require.Greater(t, instance, dialog, "%s: %v", about, got)
	require.Greater(t, events, dialog, "%s: %v", about, got)
	require.Greater(t, write, events, "%s: %v", about, got)
}

func TestKeyAloneFindsTheCreationTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	result := r.expect(t, delivery.Item{ID: th.id()}, ledger.Created, ledger.DialogAlive)
	assert.Equal(t, th.dialogID(), result.ItemID)
	assert.NotNil(t, r.dialog(t, th.dialogID()))

	// Of one that is gone, the dialog tells.
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	result = r.expect(t, delivery.Item{ID: th.id()}, ledger.Purged, ledger.DialogAbsent)
	assert.Equal(t, th.dialogID(), result.DialogID)

	// And once that is gone as well, nobody.
	_, err := r.deliverer.Deliver(t.Context(), delivery.Item{ID: th.id()})
	var fault *delivery.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, delivery.ReasonCreatedUnknown, fault.Reason)
}

func TestItemOfAnotherSourceIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	item := th.item()
	item.Source = ledger.A2ArchivedForms
	_, err := r.deliverer.Deliver(t.Context(), item)
	var fault *delivery.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, delivery.ReasonOtherSource, fault.Reason)
	assert.Empty(t, writes(r.since(th, 0)))
}

// The platform tells the party of an instance, not whoever asks for it (Storage reference, 4).
func TestWrongPartyInTheKeyIsPutRight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	item := th.item()
	item.ID.PartyID = 1
	result := r.expect(t, item, ledger.Created, ledger.DialogAlive)
	assert.Equal(t, th.id(), result.Instance)

	dialog := r.dialog(t, th.dialogID())
	require.NotNil(t, dialog)
	require.Len(t, dialog.ServiceOwnerContext.ServiceOwnerLabels, 1)
	assert.Equal(t, "urn:altinn:integration:storage:"+th.id().String(), dialog.ServiceOwnerContext.ServiceOwnerLabels[0].Value)
	for _, e := range r.since(th, 0) {
		if e.Method == http.MethodPut {
			assert.Equal(t, storageInstances+th.id().String()+"/datavalues", e.Path)
		}
	}
}

func TestPartyThatRegisterLacksMakesNoDialogForAnybody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.party = 50009999
	r.put(t, th)
	r.sim.Register.Withhold(int32(th.party))
	result, err := r.deliverer.Deliver(t.Context(), th.item())
	requireNoPerson(t, err)
	failure := delivery.Describe(err)
	assert.Equal(t, "party_not_found", failure.Reason)
	assert.True(t, failure.OfItem)
	assert.Equal(t, transport.Transient, failure.Class, "Register may be minutes behind")
	assert.Contains(t, failure.Detail, "50009999")
	assert.Equal(t, ledger.A3AppInstances, result.Source)
	assert.Equal(t, th.id(), result.Instance)
	assert.Nil(t, r.dialog(t, th.dialogID()))
	alive, deleted := r.sim.Dialogporten.Count()
	assert.Zero(t, alive+deleted)

	// Not found is not remembered.
	r.sim.Register.Reveal(int32(th.party))
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	assert.NotEqual(t, "urn:altinn:person:identifier-no:"+personNumber, r.dialog(t, th.dialogID()).Party)
}

func TestApplicationThatStorageLacksStopsACreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.app = "ttd/unknown"
	r.put(t, th)
	_, err := r.deliverer.Deliver(t.Context(), th.item())
	requireNoPerson(t, err)
	assert.Equal(t, "application_missing", delivery.Describe(err).Reason)
}

func TestSwitchedOffApplicationThatIsKnownIsNotAskedAnything(t *testing.T) {
	t.Parallel()
	r := newRig(t, "disableSync")
	th := r.put(t, newThing())
	result := r.skipped(t, th.item(), delivery.ReasonSyncDisabled) // not known yet: stops at step 9, after the id is written (note c)
	assert.False(t, result.Unseen)
	assert.Equal(t, []string{"PUT datavalues"}, writes(r.since(th, 0)))
	assert.Nil(t, r.dialog(t, th.dialogID()))

	before := r.sim.Requests.Count("", "", "")
	result = r.skipped(t, th.item(), delivery.ReasonSyncDisabled)
	assert.True(t, result.Unseen, "what is known of the dialog stays")
	assert.Equal(t, th.dialogID(), result.ItemID)
	assert.Equal(t, ledger.A3AppInstances, result.Source)
	assert.Equal(t, before, r.sim.Requests.Count("", "", ""), "nothing is read")
}

// The item's key is made of its creation time, so a switch alone does not say which item it was.
func TestSwitchedOffItemOfUnknownAgeKeepsItsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, "disableSync")
	th := r.put(t, newThing())
	r.deliver(t, th.item())
	result := r.skipped(t, delivery.Item{ID: th.id(), AppID: app}, delivery.ReasonSyncDisabled)
	assert.Equal(t, th.dialogID(), result.ItemID, "created %s", dialogid.Time(result.ItemID))
}

func TestConflictReadsBothSidesAgain(t *testing.T) {
	t.Parallel()
	conflict := faults.Rule{Service: "dialogporten", Method: http.MethodPut, Effect: faults.EffectStatus, Status: http.StatusConflict, Count: 1}
	overlap := faults.Rule{Method: http.MethodPut, Effect: faults.EffectOverlap, Count: 1}
	for name, rule := range map[string]faults.Rule{"409": conflict, "412": overlap} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			th := r.put(t, newThing())
			r.deliver(t, th.item())
			th.text, th.values = "utgave 2", map[string]string{"dialog.id": th.dialogID().String()}
			r.put(t, th)
			r.fault(t, rule)
			mark := r.mark(th)
			r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
			once := []string{"GET dialog", "GET instance", "GET events", "PUT dialog"}
			assert.Equal(t, append(once, once...), steps(r.since(th, mark)))
			assert.Contains(t, title(r.dialog(t, th.dialogID())), "utgave 2")
		})
	}
}

func TestConflictWithoutEndIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.deliver(t, th.item())
	th.text = "utgave 2"
	r.put(t, th)
	r.fault(t, faults.Rule{Method: http.MethodPut, Effect: faults.EffectOverlap})
	mark := r.mark(th)
	_, err := r.deliverer.Deliver(t.Context(), th.item())
	requireNoPerson(t, err)
	assert.Equal(t, transport.Conflict, delivery.Describe(err).Class)
	puts := 0
	for _, step := range writes(r.since(th, mark)) {
		if step == "PUT dialog" {
			puts++
		}
	}
	assert.Equal(t, 5, puts)

	r.fault(t)
	r.expect(t, th.item(), ledger.Updated, ledger.DialogAlive)
}
