package mapping_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/register"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/altinnsim"
	simstorage "github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// simulated is a generated world of apps and instances, and the clients to read it and to write dialogs with.
type simulated struct {
	sim      *altinnsim.Sim
	storage  *storage.Client
	catalog  *storage.Catalog
	register *register.Client
	dialogs  *dialogporten.Client
	now      time.Time
}

func simulate(t *testing.T, seed uint64, instances int) *simulated {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{Seed: seed})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	now := at(t, "2026-06-12T10:00:00Z").Time
	sim.Freeze(now)
	options := altinnsim.DefaultOptions()
	options.Seed, options.Instances, options.Days = seed, instances, 900
	options.MissingParties, options.SoftDeleted, options.HardDeleted = 0, 0.1, 0
	_, err = sim.Generate(options)
	require.NoError(t, err)
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	client := storage.New(server.URL, http.DefaultClient)
	return &simulated{
		sim: sim, storage: client, catalog: storage.NewCatalog(client), register: register.New(server.URL, http.DefaultClient),
		dialogs: dialogporten.New(server.URL, http.DefaultClient), now: now,
	}
}

// instances are the ids of all instances, in the order of their GUIDs.
func (s *simulated) instances(t *testing.T) []altinn.InstanceID {
	t.Helper()
	var ids []altinn.InstanceID
	s.sim.Storage.Each(s.now.UnixMicro(), func(item simstorage.Item) bool {
		ids = append(ids, altinn.InstanceID{PartyID: int64(item.Row.Party), GUID: item.Row.GUID})
		return true
	})
	slices.SortFunc(ids, func(a, b altinn.InstanceID) int { return cmp.Compare(a.GUID.String(), b.GUID.String()) })
	return ids
}

// input reads what the dialog of an instance is made from.
func (s *simulated) input(t *testing.T, id altinn.InstanceID) mapping.Input {
	t.Helper()
	ctx := t.Context()
	instance, err := s.storage.GetInstance(ctx, id)
	require.NoError(t, err)
	events, err := s.storage.Events(ctx, id)
	require.NoError(t, err)
	application, err := s.catalog.Application(ctx, instance.AppID)
	require.NoError(t, err)
	resources, err := s.catalog.Texts(ctx, application.ID, application)
	require.NoError(t, err)
	in := mapping.Input{
		DialogID: dialogid.V7(id.GUID, instance.Created.Time), Instance: instance, Events: events, Application: application,
		Texts: mapping.NewTexts(resources...), Actors: map[int64]string{}, Settings: draft(t).Settings,
		DeleteAfterCreate: instance.IsSoftDeleted(), Attempt: 1, Now: s.now,
	}
	if application.SyncSettings().EnableUserSuppliedDialogID {
		supplied, valid := mapping.UserSuppliedDialogID(instance.DataValues["dialog.id"], s.now)
		if !valid {
			return mapping.Input{}
		}
		in.DialogID = supplied
	}
	owner := mapping.PartyIDURNPrefix + instance.InstanceOwner.PartyID
	urns := []string{owner}
	for _, user := range mapping.UserIDs(events) {
		urns = append(urns, userURN(user))
	}
	records, err := s.register.Lookup(ctx, urns)
	require.NoError(t, err)
	in.Party, err = mapping.PartyURN(records[owner])
	require.NoError(t, err)
	for _, user := range mapping.UserIDs(events) {
		if record, found := records[userURN(user)]; found {
			in.Actors[user], err = mapping.PartyURN(record)
			require.NoError(t, err)
		}
	}
	return in
}

// What the generator makes up, with all that production has seen, gives dialogs that Dialogporten accepts, in history as in
// live: made at once, or made early and updated. Either way the same instance gives the same bytes, and the dialog that
// Dialogporten then shows leaves nothing to change.
func TestGeneratedWorldIsAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seed             uint64
		migration, early bool
	}{
		"history":         {seed: 11, migration: true},
		"live":            {seed: 12},
		"live, updated":   {seed: 13, early: true},
		"history, update": {seed: 14, migration: true, early: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, c.seed, 150)
			mapped := 0
			for _, id := range s.instances(t) {
				in := s.input(t, id)
				if in.Instance == nil || (c.early && in.DeleteAfterCreate) {
					continue // no usable dialog id, or a dialog that is never updated
				}
				in.Migration = c.migration
				if c.early {
					s.createEarly(t, in)
					s.update(t, &in)
				} else {
					s.create(t, in, id)
				}
				in.Existing = s.dialog(t, in)
				assert.True(t, mustUpdate(t, in).Unchanged, id)
				mapped++
			}
			assert.Greater(t, mapped, 100)
		})
	}
}

func (s *simulated) create(t *testing.T, in mapping.Input, id altinn.InstanceID) {
	t.Helper()
	body := mustCreate(t, in).Body
	again := s.input(t, id)
	again.Migration = in.Migration
	require.Equal(t, encode(t, body), encode(t, mustCreate(t, again).Body), id)
	_, err := s.dialogs.Create(t.Context(), body, in.MigrationOrForced())
	require.NoError(t, err, id)
}

// createEarly makes the dialog as it was when half had happened.
func (s *simulated) createEarly(t *testing.T, in mapping.Input) {
	t.Helper()
	early := *in.Instance
	early.Status, early.CompleteConfirmations = &altinn.InstanceStatus{}, nil
	early.Data = early.Data[:len(early.Data)/2]
	in.Instance, in.Events = &early, in.Events[:len(in.Events)/2]
	_, err := s.dialogs.Create(t.Context(), mustCreate(t, in).Body, in.Migration)
	require.NoError(t, err, early.ID)
}

// update brings the dialog to where its instance is now.
func (s *simulated) update(t *testing.T, in *mapping.Input) {
	t.Helper()
	in.Existing = s.dialog(t, *in)
	change, revision := mustUpdate(t, *in), in.Existing.Revision
	require.Equal(t, encode(t, change.Body), encode(t, mustUpdate(t, *in).Body), in.Instance.ID)
	var err error
	if !change.BodyUnchanged {
		revision, err = s.dialogs.Update(t.Context(), in.DialogID, revision, change.Body, in.Migration)
		require.NoError(t, err, in.Instance.ID)
	}
	for _, move := range change.Moves {
		revision, err = s.dialogs.UpdateFormSavedTime(t.Context(), in.DialogID, move.ActivityID, move.At, revision)
		require.NoError(t, err, in.Instance.ID)
	}
}

func (s *simulated) dialog(t *testing.T, in mapping.Input) *dialogporten.Dialog {
	t.Helper()
	dialog, err := s.dialogs.Get(t.Context(), in.DialogID)
	require.NoError(t, err)
	require.NotNil(t, dialog)
	return dialog
}

func encode(t *testing.T, body any) []byte {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	return encoded
}
