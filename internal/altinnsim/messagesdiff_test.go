package altinnsim_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/diff"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// fewMessages is a world of messages that nothing is odd about, newest first.
func fewMessages(t *testing.T, alter func(*altinn2.Options)) (carrier, []altinn2.Record) {
	t.Helper()
	c := carrier{setup(t, altinnsim.Options{Seed: 7, CorrespondencePauses: []time.Duration{}})}
	t.Cleanup(c.Close)
	options := messagesOnly(3)
	m := options.Messages
	m.Odd, m.Broken, m.Purged, m.Deceased, m.Trashed, m.Archived, m.Read, m.Forwarded, m.Attached = 0, 0, 0, 0, 0, 0, 0, 0, 0
	m.Persons, m.SelfIdentified, m.Confirmation = 1, 0, 1
	if alter != nil {
		alter(m)
	}
	_, err := c.Generate(options)
	require.NoError(t, err)
	var all []altinn2.Record
	c.history(t, 500, func(m altinn2.Record) { all = append(all, m) })
	return c, all
}

// bring brings a message over as history does.
func (c carrier) bring(t *testing.T, m altinn2.Record) string {
	t.Helper()
	id, ok := c.migrate(t, m, false)
	require.True(t, ok)
	require.Equal(t, http.StatusOK, c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil))
	return id
}

func (c carrier) now(t *testing.T, id int32) altinn2.Record {
	t.Helper()
	m, found := c.Altinn2.Message(id)
	require.True(t, found)
	return c.Altinn2.Answered(m)
}

func (c carrier) counts(t *testing.T) map[diff.Kind]int {
	t.Helper()
	require.NoError(t, c.Correspondence.Idle(t.Context()))
	report, err := c.Diff(t.Context())
	require.NoError(t, err)
	return report.Messages.Counts
}

// dialogNaming makes a dialog that names an item.
func (c carrier) dialogNaming(t *testing.T, m altinn2.Record, item string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"serviceResource": "urn:altinn:resource:" + m.ResourceID, "party": "urn:altinn:person:identifier-no:" + m.Recipient.PersonNumber,
		"status":              "NotApplicable",
		"content":             map[string]any{"title": map[string]any{"value": []any{map[string]any{"value": "x", "languageCode": "nb"}}}},
		"serviceOwnerContext": map[string]any{"serviceOwnerLabels": []any{map[string]any{"value": "urn:altinn:correspondence-id:" + item}}},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, c.do(t, http.MethodPost, "/api/v1/serviceowner/dialogs", string(body)).status)
}

// Chapter 15: a living dialog that should not be is found whether an item refers to it or not.
func TestDiffFindsLivingDialogs(t *testing.T) {
	t.Parallel()
	c, all := fewMessages(t, nil)
	for _, m := range all[1:] {
		c.bring(t, m)
	}
	half := all[0]
	id, ok := c.migrate(t, half, false)
	require.True(t, ok)
	lost := []faults.Rule{{Service: altinnsim.ServiceCorrespondenceJobs, Path: "keep-reference", Effect: faults.EffectStatus, Status: http.StatusInternalServerError}}
	require.NoError(t, c.Faults.Set(lost))
	c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil)
	require.NoError(t, c.Faults.Set(nil))
	assert.Equal(t, map[diff.Kind]int{diff.Hidden: 1}, c.counts(t))
	require.NoError(t, c.Altinn2.ChangePurge(half.ID, false))
	c.follow(t, c.now(t, half.ID), id)
	assert.Equal(t, map[diff.Kind]int{diff.Undeleted: 1}, c.counts(t), "its item, purged, does not know of it")

	c.dialogNaming(t, half, uuid.NewString())
	assert.Equal(t, map[diff.Kind]int{diff.Undeleted: 1, diff.Orphan: 1}, c.counts(t), "no such item")

	twice := all[1]
	item, found := c.Correspondence.Item(twice.ID)
	require.True(t, found)
	c.dialogNaming(t, twice, item.ID.String())
	assert.Equal(t, 1, c.counts(t)[diff.Doubled])
	require.NoError(t, c.Altinn2.ChangePurge(twice.ID, false))
	c.follow(t, c.now(t, twice.ID), item.ID.String())
	assert.Equal(t, map[diff.Kind]int{diff.Undeleted: 2, diff.Orphan: 1}, c.counts(t), "the second dialog lives on")
}

// What no worker can avoid is no difference.
func TestDiffForgivesWhatNobodyCanAvoid(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		alter func(*altinn2.Options)
		do    func(*testing.T, carrier, altinn2.Record)
	}{
		"two confirmations that come together (7.4)": {do: func(t *testing.T, c carrier, m altinn2.Record) {
			t.Helper()
			id := c.bring(t, m)
			at := m.Created.Add(time.Hour)
			for i, party := range []uuid.UUID{m.Recipient.PartyUUID, m.Sender.PartyUUID} {
				require.NoError(t, c.Altinn2.Change(m.ID, func(r *altinn2.Record) error {
					at := at.Add(time.Duration(i) * time.Minute)
					r.Events = append(r.Events, altinn2.Event{Type: altinn2.EventConfirmed, At: at, PartyUUID: party})
					return nil
				}))
			}
			c.follow(t, c.now(t, m.ID), id)
		}},
		"a confirmation that nobody asked for (7.4)": {
			alter: func(o *altinn2.Options) { o.Confirmation = 0 },
			do: func(t *testing.T, c carrier, m altinn2.Record) {
				t.Helper()
				id := c.bring(t, m)
				require.NoError(t, c.Altinn2.ChangeConfirm(m.ID, m.Recipient.PartyUUID))
				c.follow(t, c.now(t, m.ID), id)
			},
		},
		"an actor whom the register does not know (7.4)": {do: func(t *testing.T, c carrier, m altinn2.Record) {
			t.Helper()
			id := c.bring(t, m)
			require.NoError(t, c.Altinn2.ChangeArchive(m.ID, uuid.New()))
			c.follow(t, c.now(t, m.ID), id)
		}},
		"published after it was brought over (7.2)": {do: func(t *testing.T, c carrier, m altinn2.Record) {
			t.Helper()
			require.NoError(t, c.Altinn2.Change(m.ID, func(r *altinn2.Record) error {
				r.Events, r.VisibleFrom = []altinn2.Event{{Type: altinn2.EventCreated, At: r.Created}}, time.Now().Add(time.Hour)
				return nil
			}))
			var stored struct{ CorrespondenceID string }
			require.Equal(t, http.StatusOK, c.post(t, correspondence.PathMigrate, migrateBody(c.now(t, m.ID), []string{}, false), &stored))
			id := stored.CorrespondenceID
			require.Equal(t, http.StatusOK, c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil))
			require.NoError(t, c.Altinn2.ChangeEvent(m.ID, altinn2.EventPublished, m.Sender.PartyUUID))
			c.follow(t, c.now(t, m.ID), id)
		}},
		"published ahead (9.4)": {do: func(t *testing.T, c carrier, m altinn2.Record) {
			t.Helper()
			require.NoError(t, c.Altinn2.Change(m.ID, func(r *altinn2.Record) error {
				for i := range r.Events {
					if r.Events[i].Type == altinn2.EventPublished {
						r.Events[i].At = time.Now().Add(time.Hour)
					}
				}
				return nil
			}))
			c.bring(t, c.now(t, m.ID))
		}},
		"a creation that was repeated (12)": {
			alter: func(o *altinn2.Options) { o.Read, o.Confirmation = 1, 0 },
			do: func(t *testing.T, c carrier, m altinn2.Record) {
				t.Helper()
				id, ok := c.migrate(t, m, false)
				require.True(t, ok)
				rule := faults.Rule{Service: altinnsim.ServiceCorrespondenceOut, Path: "dialogs$", Effect: faults.EffectStatus, Status: http.StatusServiceUnavailable, Count: 1}
				require.NoError(t, c.Faults.Set([]faults.Rule{rule}))
				for range 2 {
					c.post(t, correspondence.PathAvailable, map[string]any{"correspondenceId": id}, nil)
				}
				require.NoError(t, c.Altinn2.ChangeRead(m.ID, m.Sender.PartyUUID))
				c.follow(t, c.now(t, m.ID), id)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, all := fewMessages(t, tt.alter)
			for _, m := range all[1:] {
				c.bring(t, m)
			}
			tt.do(t, c, all[0])
			assert.Empty(t, c.counts(t))
		})
	}
}

// 9.11: only what becomes a date or an activity keeps a message from being brought over while it lies ahead.
func TestDiffKnowsWhatIsHeld(t *testing.T) {
	t.Parallel()
	ahead := time.Now().Add(time.Hour).UTC()
	for name, tt := range map[string]struct {
		alter func(*altinn2.Record)
		held  bool
	}{
		"archived": {func(r *altinn2.Record) {
			r.Events = append(r.Events, altinn2.Event{Type: altinn2.EventArchived, At: ahead, PartyUUID: r.Recipient.PartyUUID})
		}, false},
		"read": {func(r *altinn2.Record) {
			r.Events = append(r.Events, altinn2.Event{Type: altinn2.EventRead, At: ahead, PartyUUID: r.Recipient.PartyUUID})
		}, true},
		"notified": {func(r *altinn2.Record) {
			r.Notifications = append(r.Notifications, altinn2.Notification{ID: 99, Channel: "email", SentAt: ahead, Address: "a@example.no"})
		}, true},
		"created": {func(r *altinn2.Record) {
			r.Created, r.VisibleFrom, r.Events[0].At, r.Events[1].At = ahead, ahead, ahead, ahead
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, all := fewMessages(t, nil)
			for _, m := range all[1:] {
				c.bring(t, m)
			}
			require.NoError(t, c.Altinn2.Change(all[0].ID, func(r *altinn2.Record) error {
				tt.alter(r)
				return nil
			}))
			report, err := c.Diff(t.Context())
			require.NoError(t, err)
			if tt.held {
				assert.Equal(t, map[string]int{"eventAhead": 1}, report.Messages.Held)
				assert.Empty(t, report.Messages.Counts)
			} else {
				assert.Equal(t, map[diff.Kind]int{diff.Missing: 1}, report.Messages.Counts)
			}
		})
	}
}
