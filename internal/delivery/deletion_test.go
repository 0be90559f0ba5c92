package delivery_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/transport"
)

func TestSoftDeleteAndUndelete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)

	require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
	mark := r.mark(th)
	r.expect(t, th.item(), ledger.Deleted, ledger.DialogDeleted)
	entries := r.since(th, mark)
	require.Equal(t, []string{"DELETE dialog"}, writes(entries), "it is not updated as well")
	assert.Equal(t, "false", entries[len(entries)-1].Query["isSilentUpdate"])
	deleted := r.dialog(t, th.dialogID())
	require.True(t, deleted.IsDeleted())

	mark = r.mark(th)
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogDeleted)
	assert.Empty(t, writes(r.since(th, mark)), "what is deleted is not deleted again")

	require.NoError(t, r.sim.Storage.Undelete(th.guid))
	mark = r.mark(th)
	r.expect(t, th.item(), ledger.Restored, ledger.DialogAlive)
	entries = r.since(th, mark)
	assert.Equal(t, []string{"POST restore", "PUT dialog"}, writes(entries))
	restore := slices.IndexFunc(entries, func(e story.Entry) bool { return e.Method == http.MethodPost })
	assert.Equal(t, deleted.Revision.String(), revisionOf(entries[restore]))
	update := entries[len(entries)-1]
	assert.NotEqual(t, deleted.Revision.String(), revisionOf(update), "the update carries what the restore answered")
	assert.NotEmpty(t, revisionOf(update))
	assert.False(t, r.dialog(t, th.dialogID()).IsDeleted())
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogAlive)
}

func TestUndeleteOfAnUnchangedInstanceOnlyRestores(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	dialog := r.dialog(t, th.dialogID())
	require.NoError(t, r.deliverer.Dialogs.Delete(t.Context(), dialog.ID, dialog.Revision, true)) // somebody's mistake
	mark := r.mark(th)
	r.expect(t, th.item(), ledger.Restored, ledger.DialogAlive)
	assert.Equal(t, []string{"POST restore"}, writes(r.since(th, mark)))
}

func TestSoftDeletedInstanceWithoutDialogGetsOneAndLosesIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.soft = true
	r.put(t, th)
	r.expect(t, th.item(), ledger.Created, ledger.DialogDeleted)
	entries := r.since(th, 0)
	require.Equal(t, []string{"PUT datavalues", "POST dialog", "DELETE dialog"}, writes(entries))
	for _, e := range entries {
		if e.Service == "dialogporten" && e.Method != http.MethodGet {
			assert.Equal(t, "true", e.Query["isSilentUpdate"])
		}
	}
	assert.True(t, r.dialog(t, th.dialogID()).IsDeleted())
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogDeleted)
}

// Nobody was told of the dialog, so nobody is to be told that it is gone, also when the answer to its create was lost
// (mapping rules, weakness 21.6).
func TestDialogMadeToBeDeletedIsDeletedSilently(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	th.soft = true
	r.put(t, th)
	r.fault(t, faults.Rule{Service: "dialogporten", Method: http.MethodPost, Effect: faults.EffectResetAfter, Count: 1})
	r.deliver(t, th.item())
	require.True(t, r.dialog(t, th.dialogID()).IsDeleted())
	for _, e := range r.since(th, 0) {
		if e.Method == http.MethodDelete {
			assert.Equal(t, "true", e.Query["isSilentUpdate"])
		}
	}
}

func TestHardDeletePurges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	revision := r.dialog(t, th.dialogID()).Revision
	require.NoError(t, r.sim.Storage.HardDelete(th.guid))
	mark := r.mark(th)
	r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
	entries := r.since(th, mark)
	assert.Equal(t, []string{"POST purge"}, writes(entries))
	assert.Equal(t, revision.String(), revisionOf(entries[len(entries)-1]))
	assert.Nil(t, r.dialog(t, th.dialogID()))

	r.skipped(t, th.item(), delivery.ReasonHardDeleted)
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	r.skipped(t, th.item(), delivery.ReasonGone)
}

func TestSoftDeletedDialogOfAHardDeletedInstanceIsPurged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.deliver(t, th.item())
	require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
	r.expect(t, th.item(), ledger.Deleted, ledger.DialogDeleted)
	require.NoError(t, r.sim.Storage.HardDelete(th.guid))
	r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
}

// Invariant 11: there is one answer that can only mean "gone"; every other 404 may hide an instance that lives.
func TestOnlyTheOneSureAnswerPurges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	guid := th.guid.String()
	text := func(body string) faults.Rule {
		return faults.Rule{Effect: faults.EffectStatus, Status: http.StatusNotFound, Body: body, ContentType: "application/json; charset=utf-8"}
	}
	other := func(status int, contentType, body string) faults.Rule {
		return faults.Rule{Effect: faults.EffectStatus, Status: status, Body: body, ContentType: contentType}
	}
	for name, rule := range map[string]faults.Rule{
		"the read failed":          {Effect: faults.EffectReadFailed},
		"it failed, short route":   text(`"Unable to find instance ` + guid + `: Exception while reading from stream"`),
		"another one is gone":      text(`"Unable to find instance ` + uuid.NewString() + `"`),
		"it is no text":            text(`{"message":"Unable to find instance ` + guid + `"}`),
		"a list":                   text(`["Unable to find instance ` + guid + `"]`),
		"null":                     text(`null`),
		"words around it":          text(`"Sorry. Unable to find instance ` + guid + `"`),
		"not JSON":                 other(http.StatusNotFound, "text/plain", "Unable to find instance "+guid),
		"a gateway's page":         other(http.StatusNotFound, "text/html", "<html><body>404 Not Found</body></html>"),
		"a problem document":       other(http.StatusNotFound, "application/problem+json", `{"title":"Not Found","status":404}`),
		"nothing at all":           other(http.StatusNotFound, "", ""),
		"gone, says a gateway":     other(http.StatusGone, "text/html", "<html><body>410 Gone</body></html>"),
		"no content":               other(http.StatusNoContent, "", ""),
		"an empty object":          other(http.StatusOK, "application/json", "{}"),
		"null as an instance":      other(http.StatusOK, "application/json", "null"),
		"not allowed":              other(http.StatusForbidden, "", ""),
		"another instance":         other(http.StatusOK, "application/json", `{"id":"50001337/`+uuid.NewString()+`"}`),
		"the text, but as success": other(http.StatusOK, "application/json", `"Unable to find instance `+guid+`"`),
		"nobody answers":           {Effect: faults.EffectOutage},
		"half an answer":           {Effect: faults.EffectTruncate},
	} {
		rule.Service, rule.Method, rule.Path = "storage", http.MethodGet, "/instances/[0-9]+/"+guid+"$"
		r.fault(t, rule)
		for _, item := range []delivery.Item{th.item(), {ID: th.id()}} {
			mark := r.mark(th)
			_, err := r.deliverer.Deliver(t.Context(), item)
			requireNoPerson(t, err)
			if strings.Contains(name, "failed") || rule.Status == http.StatusNotFound {
				assert.Equal(t, transport.Transient, delivery.Describe(err).Class, "%s: it is to be tried again", name)
			}
			assert.Empty(t, writes(r.since(th, mark)), name)
		}
		require.NotNil(t, r.dialog(t, th.dialogID()), name)
		assert.False(t, r.dialog(t, th.dialogID()).IsDeleted(), name)
	}
	r.fault(t)
	r.expect(t, th.item(), ledger.Unchanged, ledger.DialogAlive)

	require.NoError(t, r.sim.Storage.Remove(th.guid))
	r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
	assert.Nil(t, r.dialog(t, th.dialogID()))
}

func TestPurgeThatAnotherWasFasterWith(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]faults.Rule{
		"404": {
			Effect: faults.EffectStatusAfter, Status: http.StatusNotFound, Count: 1, ContentType: "application/problem+json",
			Body: `{"status":404,"errors":{"DialogEntity":["it was not found"]}}`,
		},
		"its answer lost": {Effect: faults.EffectResetAfter, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			th := r.put(t, newThing())
			r.deliver(t, th.item())
			require.NoError(t, r.sim.Storage.HardDelete(th.guid))
			rule.Service, rule.Path = "dialogporten", "/actions/purge$"
			r.fault(t, rule)
			result := r.deliver(t, th.item())
			assert.Equal(t, ledger.DialogAbsent, result.State)
			assert.Nil(t, r.dialog(t, th.dialogID()))
			got := steps(r.since(th, 0))
			assert.Equal(t, []string{"GET dialog", "GET instance"}, got[len(got)-2:], "both are read again")
		})
	}
}

// Invariant 11: the application is asked whether its dialogs may be deleted, also when nobody names it.
func TestApplicationThatForbidsDeletionIsAskedForAnInstanceThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "disableDelete")
	th := r.put(t, newThing())
	r.expect(t, th.item(), ledger.Created, ledger.DialogAlive)
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	for name, item := range map[string]delivery.Item{
		"named":        th.item(),
		"not named":    {ID: th.id(), Created: th.created},
		"the key only": {ID: th.id()},
	} {
		result := r.skipped(t, item, delivery.ReasonDeleteDisabled)
		assert.Equal(t, ledger.DialogAlive, result.State, name)
		assert.Equal(t, th.dialogID(), result.ItemID, name)
		assert.NotNil(t, r.dialog(t, th.dialogID()), name)
	}
}

func TestDialogOfNoAppIsNotPurgedUnasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := newThing()
	r.putDialog(t, th.dialogID(), map[string]any{"serviceResource": "urn:altinn:resource:letters"})
	_, err := r.deliverer.Deliver(t.Context(), delivery.Item{ID: th.id(), Created: th.created})
	var fault *delivery.Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, delivery.ReasonAppUnknown, fault.Reason)
	assert.NotNil(t, r.dialog(t, th.dialogID()))
}

// A gateway that cannot find the application says nothing of its settings.
func TestApplicationThatCannotBeReadForbidsAPurge(t *testing.T) {
	t.Parallel()
	r := newRig(t, "disableDelete")
	th := newThing()
	r.putDialog(t, th.dialogID(), nil)
	r.fault(t, faults.Rule{Service: "storage", Path: "/applications/", Effect: faults.EffectStatus, Status: http.StatusNotFound})
	_, err := r.deliverer.Deliver(t.Context(), th.item())
	requireNoPerson(t, err)
	assert.Equal(t, transport.Transient, delivery.Describe(err).Class)
	assert.NotNil(t, r.dialog(t, th.dialogID()))
}

// Dialogporten's own 404 names what it does not have; a gateway's says nothing of the dialog. Taken for an absent dialog it
// would end a deletion for good: the ledger would have a tombstone, and the dialog would stay.
func TestNotFoundOfAGatewayIsNoAbsentDialog(t *testing.T) {
	t.Parallel()
	answers := map[string]faults.Rule{
		"nothing":                 {},
		"a page":                  {ContentType: "text/html", Body: "<html><body>404 Not Found</body></html>"},
		"a gateway's JSON":        {ContentType: "application/json", Body: `{"statusCode":404,"message":"Resource not found"}`},
		"a problem of no entity":  {ContentType: "application/problem+json", Body: `{"title":"Not Found","status":404}`},
		"a problem of other kind": {ContentType: "application/problem+json", Body: `{"title":"Not Found","status":404,"errors":{"Route":["no such route"]}}`},
	}
	for name, remove := range map[string]func(r *rig, th thing) error{
		"hard-deleted": func(r *rig, th thing) error { return r.sim.Storage.HardDelete(th.guid) },
		"gone":         func(r *rig, th thing) error { return r.sim.Storage.Remove(th.guid) },
	} {
		for body, rule := range answers {
			t.Run(name+"/"+body, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				th := r.put(t, newThing())
				r.deliver(t, th.item())
				require.NoError(t, remove(r, th))
				rule.Service, rule.Method, rule.Effect, rule.Status = "dialogporten", http.MethodGet, faults.EffectStatus, http.StatusNotFound
				r.fault(t, rule)
				result, err := r.deliverer.Deliver(t.Context(), th.item())
				require.Error(t, err, "%+v", result)
				assert.Equal(t, transport.Transient, delivery.Describe(err).Class)

				r.fault(t)
				r.expect(t, th.item(), ledger.Purged, ledger.DialogAbsent)
			})
		}
	}
}

func TestDeletionsOfHistoryAreSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	th := r.put(t, newThing())
	item := th.item()
	item.Migration = true
	r.expect(t, item, ledger.Created, ledger.DialogAlive)
	require.NoError(t, r.sim.Storage.SoftDelete(th.guid))
	r.expect(t, item, ledger.Deleted, ledger.DialogDeleted)
	require.NoError(t, r.sim.Storage.Undelete(th.guid))
	r.expect(t, item, ledger.Restored, ledger.DialogAlive)
	require.NoError(t, r.sim.Storage.Remove(th.guid))
	r.expect(t, item, ledger.Purged, ledger.DialogAbsent)
	for _, e := range r.since(th, 0) {
		if e.Service == "dialogporten" && e.Method != http.MethodGet {
			assert.Equal(t, "true", e.Query["isSilentUpdate"], "%s %s", e.Method, e.Path)
		}
	}
}

// Invariant 2: an answer that is lost after its effect leaves no trace, whether the request is repeated at once or the item
// is delivered again later.
func TestLostAnswersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	type scene struct {
		rule   faults.Rule
		before func(t *testing.T, r *rig, th thing) // what is there when the answer gets lost
		state  ledger.DialogState
	}
	again := func(change func(*thing)) func(t *testing.T, r *rig, th thing) {
		return func(t *testing.T, r *rig, th thing) {
			t.Helper()
			r.put(t, th)
			r.deliver(t, th.item())
			change(&th)
			r.put(t, th)
		}
	}
	first := func(change func(*thing)) func(t *testing.T, r *rig, th thing) {
		return func(t *testing.T, r *rig, th thing) {
			t.Helper()
			change(&th)
			r.put(t, th)
		}
	}
	plain := func(*thing) {}
	for name, s := range map[string]scene{
		"id":     {faults.Rule{Service: "storage", Method: http.MethodPut}, first(plain), ledger.DialogAlive},
		"create": {faults.Rule{Method: http.MethodPost, Path: "/dialogs$"}, first(plain), ledger.DialogAlive},
		"create to be deleted": {
			faults.Rule{Method: http.MethodPost, Path: "/dialogs$"}, first(func(th *thing) { th.soft = true }), ledger.DialogDeleted,
		},
		"delete after create": {faults.Rule{Method: http.MethodDelete}, first(func(th *thing) { th.soft = true }), ledger.DialogDeleted},
		"update":              {faults.Rule{Service: "dialogporten", Method: http.MethodPut}, again(func(th *thing) { th.text = "utgave 2" }), ledger.DialogAlive},
		"saved time": {faults.Rule{Path: "/updateFormSavedActivityTime$"}, func(t *testing.T, r *rig, th thing) {
			t.Helper()
			th.saved = th.created.Add(2 * time.Hour)
			again(func(th *thing) { th.saved = th.saved.Add(time.Hour) })(t, r, th)
		}, ledger.DialogAlive},
		"soft delete": {faults.Rule{Method: http.MethodDelete}, again(func(th *thing) { th.soft = true }), ledger.DialogDeleted},
		"restore": {faults.Rule{Path: "/actions/restore$"}, func(t *testing.T, r *rig, th thing) {
			t.Helper()
			again(func(th *thing) { th.soft = true })(t, r, th)
			r.deliver(t, th.item())
			r.put(t, th)
		}, ledger.DialogAlive},
		"purge": {faults.Rule{Path: "/actions/purge$"}, again(func(th *thing) { th.hard = true }), ledger.DialogAbsent},
	} {
		for how, attempts := range map[string]int{"repeated at once": 2, "delivered again": 1} {
			for what, effect := range map[string]faults.Rule{
				"hung up":     {Effect: faults.EffectResetAfter},
				"bad gateway": {Effect: faults.EffectStatusAfter, Status: http.StatusBadGateway},
			} {
				t.Run(name+"/"+what+"/"+how, func(t *testing.T) {
					t.Parallel()
					r := newRig(t)
					th := newThing()
					s.before(t, r, th)
					r.deliverer = r.worker(t, r.url, attempts)
					rule := s.rule
					rule.Effect, rule.Status, rule.Count = effect.Effect, effect.Status, 1
					r.fault(t, rule)
					_, err := r.deliverer.Deliver(t.Context(), th.item())
					if attempts == 1 {
						requireNoPerson(t, err)
						require.Equal(t, transport.Transient, delivery.Describe(err).Class, "%v", err)
						_, err = r.deliverer.Deliver(t.Context(), th.item())
					}
					require.NoError(t, err)
					r.requireState(t, th, s.state)

					mark := r.mark(th)
					result := r.deliver(t, th.item())
					assert.Equal(t, s.state, result.State)
					assert.Empty(t, writes(r.since(th, mark)), "all was done")
				})
			}
		}
	}
}

// requireState looks at a dialog as Dialogporten has it.
func (r *rig) requireState(t *testing.T, th thing, want ledger.DialogState) {
	t.Helper()
	dialog := r.dialog(t, th.dialogID())
	if want == ledger.DialogAbsent {
		require.Nil(t, dialog)
		return
	}
	require.NotNil(t, dialog)
	require.Equal(t, want == ledger.DialogDeleted, dialog.IsDeleted())
}
