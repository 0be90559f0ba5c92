package storage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// told is a service whose announcements are remembered.
type told struct {
	*storage.Service

	now     time.Time
	changes []outbox.Change
}

// written is when the instance of these tests was changed before.
const written = "2026-03-01T08:00:00Z"

func listen(t *testing.T) *told {
	t.Helper()
	b := &told{now: time.Date(2026, 3, 10, 12, 0, 0, 123456000, time.UTC)}
	b.Service = storage.New(storage.Config{
		Now:      func() time.Time { return b.now },
		UserOf:   func(int32) int64 { return 20001337 },
		NumberOf: func(org string) string { return map[string]string{"ttd": "405003309"}[org] },
		Announce: func(c outbox.Change) bool { b.changes = append(b.changes, c); return true },
	})
	require.NoError(t, b.PutInstance(fmt.Appendf(nil, `{"id":"%s/%s","instanceOwner":{"partyId":"%s"},"appId":"ttd/demo","org":"ttd",
		"process":{"started":"2026-01-01T00:00:00Z","startEvent":"StartEvent_1","currentTask":{"flow":2,"started":"2026-01-01T00:00:00Z",
		"elementId":"Task_1","name":"Utfylling","altinnTaskType":"data"}},
		"status":{"isArchived":false,"isSoftDeleted":false,"isHardDeleted":false,"readStatus":"Read"},
		"data":[{"id":"%s","dataType":"model","created":"2026-01-01T00:00:00Z","size":1}],
		"created":"2026-01-01T00:00:00Z","lastChanged":"%s"}`, party, guid(1), party, guid(9), written)))
	return b
}

type stored struct {
	Process struct {
		Ended       string `json:"ended"`
		CurrentTask *struct {
			Flow      int    `json:"flow"`
			ElementID string `json:"elementId"`
		} `json:"currentTask"`
	} `json:"process"`
	Status struct {
		IsArchived    bool   `json:"isArchived"`
		Archived      string `json:"archived"`
		IsSoftDeleted bool   `json:"isSoftDeleted"`
		IsHardDeleted bool   `json:"isHardDeleted"`
		ReadStatus    string `json:"readStatus"`
		Substatus     *struct {
			Label string `json:"label"`
		} `json:"substatus"`
	} `json:"status"`
	CompleteConfirmations []struct {
		StakeholderID string `json:"stakeholderId"`
	} `json:"completeConfirmations"`
	Data []struct {
		LastChanged   string `json:"lastChanged"`
		LastChangedBy string `json:"lastChangedBy"`
		Size          int64  `json:"size"`
		DeleteStatus  *struct {
			IsHardDeleted bool `json:"isHardDeleted"`
		} `json:"deleteStatus"`
	} `json:"data"`
	PresentationTexts map[string]string `json:"presentationTexts"`
	LastChanged       string            `json:"lastChanged"`
	LastChangedBy     string            `json:"lastChangedBy"`
}

func (b *told) read(t *testing.T, id uuid.UUID) stored {
	t.Helper()
	raw, ok := b.Instance(id)
	require.True(t, ok)
	var s stored
	require.NoError(t, json.Unmarshal(raw, &s))
	return s
}

// TestWhatChangesTell is the table of 3.11.
func TestWhatChangesTell(t *testing.T) {
	t.Parallel()
	id, element := uuid.MustParse(guid(1)), uuid.MustParse(guid(9))
	sign := storage.Task{ElementID: "Task_2", Name: "Signering", Type: "signing"}
	confirm := storage.Task{ElementID: "Task_2", Name: "Bekreftelse", Type: "confirmation"}
	ended := []storage.StepEvent{{Type: "process_EndTask", Task: &confirm}, {Type: "process_EndEvent"}, {Type: "Submited"}}
	for name, test := range map[string]struct {
		act    func(b *told) error
		moves  bool
		events []string
		told   string // event type of the outbox row; "" none
		data   bool
		check  func(t *testing.T, s stored)
	}{
		"process step with events": {
			act:   func(b *told) error { return b.ProcessStep(id, storage.Step{Events: ended}) },
			moves: true, events: []string{"process_EndTask", "process_EndEvent", "Submited"}, told: "process_EndTask",
			check: func(t *testing.T, s stored) {
				t.Helper()
				assert.True(t, s.Status.IsArchived)
				assert.Equal(t, s.LastChanged, s.Status.Archived)
				assert.Equal(t, s.LastChanged, s.Process.Ended)
				assert.Nil(t, s.Process.CurrentTask)
			},
		},
		"process step without events to signing": {
			act:   func(b *told) error { return b.ProcessStep(id, storage.Step{To: &sign}) },
			moves: true, events: []string{"SentToSign"}, told: "SentToSign",
			check: func(t *testing.T, s stored) {
				t.Helper()
				assert.Equal(t, 3, s.Process.CurrentTask.Flow)
				assert.Equal(t, "Task_2", s.Process.CurrentTask.ElementID)
			},
		},
		"process step without events": {
			act: func(b *told) error { return b.ProcessStep(id, storage.Step{To: &confirm}) }, moves: true,
		},
		"data element created": {
			act: func(b *told) error {
				return b.AddElement(id, storage.Element{ID: uuid.MustParse(guid(10)), DataType: "vedlegg", ContentType: "application/pdf"})
			},
			moves: true, events: []string{"Created"}, told: "Created", data: true,
			check: func(t *testing.T, s stored) {
				t.Helper()
				require.Len(t, s.Data, 2)
				assert.Equal(t, s.LastChanged, s.Data[1].LastChanged)
				assert.Equal(t, "20001337", s.Data[1].LastChangedBy)
			},
		},
		"data element updated": {
			act:   func(b *told) error { return b.UpdateElement(id, element, 77, storage.ByServiceOwner()) },
			moves: true, events: []string{"Saved"}, told: "Saved", data: true,
			check: func(t *testing.T, s stored) {
				t.Helper()
				assert.Equal(t, int64(77), s.Data[0].Size)
				assert.Equal(t, "405003309", s.LastChangedBy)
			},
		},
		"data element deleted": {
			act:   func(b *told) error { return b.DeleteElement(id, element, false) },
			moves: true, events: []string{"Deleted"}, told: "Deleted", data: true,
			check: func(t *testing.T, s stored) { t.Helper(); assert.Empty(t, s.Data) },
		},
		"data element deleted later": {
			act:   func(b *told) error { return b.DeleteElement(id, element, true) },
			moves: true, events: []string{"Deleted"}, told: "Deleted", data: true,
			check: func(t *testing.T, s stored) { t.Helper(); assert.True(t, s.Data[0].DeleteStatus.IsHardDeleted) },
		},
		"soft delete": {
			act: func(b *told) error { return b.SoftDelete(id) }, moves: true, events: []string{"Deleted"}, told: "Deleted",
			check: func(t *testing.T, s stored) { t.Helper(); assert.True(t, s.Status.IsSoftDeleted) },
		},
		"hard delete": {
			act: func(b *told) error { return b.HardDelete(id) }, moves: true, events: []string{"Deleted"}, told: "Deleted",
			check: func(t *testing.T, s stored) { t.Helper(); assert.True(t, s.Status.IsHardDeleted) },
		},
		"undelete of nothing": {act: func(b *told) error { return b.Undelete(id) }},
		"complete confirmation": {
			act: func(b *told) error { return b.Confirm(id) }, moves: true, events: []string{"ConfirmedComplete"}, told: "ConfirmedComplete",
			check: func(t *testing.T, s stored) {
				t.Helper()
				require.Len(t, s.CompleteConfirmations, 1)
				assert.Equal(t, "ttd", s.CompleteConfirmations[0].StakeholderID)
				assert.Equal(t, "405003309", s.LastChangedBy)
			},
		},
		"substatus": {
			act:   func(b *told) error { return b.SetSubstatus(id, "mottatt", "") },
			moves: true, events: []string{"SubstatusUpdated"}, told: "SubstatusUpdated",
			check: func(t *testing.T, s stored) { t.Helper(); assert.Equal(t, "mottatt", s.Status.Substatus.Label) },
		},
		"signature":   {act: func(b *told) error { return b.Sign(id) }, events: []string{"Signed"}, told: "Signed"},
		"app's event": {act: func(b *told) error { return b.PostEvent(id, "app.own") }, events: []string{"app.own"}, told: "app.own"},
		"read status": {
			act:   func(b *told) error { return b.SetReadStatus(id, "Unread") },
			check: func(t *testing.T, s stored) { t.Helper(); assert.Equal(t, "Unread", s.Status.ReadStatus) },
		},
		"presentation text": {
			act:   func(b *told) error { return b.SetPresentationText(id, "navn", "Kari") },
			check: func(t *testing.T, s stored) { t.Helper(); assert.Equal(t, "Kari", s.PresentationTexts["navn"]) },
		},
		"data value": {act: func(b *told) error { return b.SetValue(id, "dialog.id", guid(3)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := listen(t)
			require.NoError(t, test.act(b))
			s := b.read(t, id)
			want := written
			if test.moves {
				want = "2026-03-10T12:00:00.123456Z"
			}
			assert.Equal(t, want, s.LastChanged)
			row, _, _ := b.Row(id)
			assert.Equal(t, want, storage.FormatTime(row.LastChanged), "lists are ordered by it")
			var kinds []string
			for _, event := range b.Events(id) {
				kinds = append(kinds, event.Type)
				assert.Equal(t, test.data, json.Valid(event.JSON) && containsMember(t, event.JSON, "dataId"))
			}
			assert.Equal(t, test.events, kinds)
			if test.told == "" {
				assert.Empty(t, b.changes)
			} else {
				require.Len(t, b.changes, 1)
				assert.Equal(t, outbox.Change{
					Instance: id, AppID: "ttd/demo", PartyID: 50001337, Created: b.changes[0].Created, EventType: test.told, Data: test.data,
				}, b.changes[0])
				assert.Equal(t, "2026-01-01T00:00:00Z", b.changes[0].Created.UTC().Format(time.RFC3339))
			}
			if test.check != nil {
				test.check(t, s)
			}
		})
	}
}

func containsMember(t *testing.T, raw []byte, name string) bool {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &members))
	_, ok := members[name]
	return ok
}

func TestRepeatsAndRemovals(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse(guid(1))
	b := listen(t)
	require.NoError(t, b.Confirm(id))
	b.now = b.now.Add(time.Minute)
	require.NoError(t, b.Confirm(id))
	assert.Len(t, b.changes, 1, "a repeated confirmation is nothing at all")
	require.NoError(t, b.SoftDelete(id))
	require.NoError(t, b.Undelete(id))
	require.NoError(t, b.HardDelete(id))
	require.ErrorIs(t, b.Undelete(id), storage.ErrNotFound)
	assert.Len(t, b.changes, 4)
	require.NoError(t, b.Remove(id))
	assert.Len(t, b.changes, 4, "nothing tells of a physical removal")
	removal, ok := b.Removed(id)
	assert.True(t, ok && removal.Told && !removal.Replaced)
	for _, err := range []error{b.Confirm(id), b.Sign(id), b.ProcessStep(id, storage.Step{}), b.UpdateElement(id, id, 1), b.Remove(id)} {
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
}

// A change that is made late at an earlier time appears behind whoever has passed that time.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse(guid(1))
	b := listen(t)
	earlier := b.now.Add(-time.Minute)
	require.NoError(t, b.SoftDelete(id, storage.At(earlier)))
	assert.Equal(t, "2026-03-10T11:59:00.123456Z", b.read(t, id).LastChanged)
	assert.Equal(t, "2026-03-10T11:59:00.123456Z", b.Events(id)[0].Created)
	assert.Len(t, b.changes, 1)
}

func TestCreate(t *testing.T) {
	t.Parallel()
	b := listen(t)
	raw := fmt.Appendf(nil, `{"id":"%s/%s","appId":"ttd/demo","created":"2026-03-10T12:00:00Z","lastChanged":"2026-03-10T12:00:00Z"}`, party, guid(2))
	require.NoError(t, b.Create(raw))
	require.ErrorIs(t, b.Create(raw), storage.ErrTaken)
	id := uuid.MustParse(guid(2))
	require.Len(t, b.Events(id), 1)
	assert.Equal(t, "Created", b.Events(id)[0].Type)
	require.Len(t, b.changes, 1)
	assert.Zero(t, b.changes[0].Delay())
}

// Deletion over HTTP writes the same rows; an undelete of nothing writes none.
func TestChangesOverHTTPTell(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var changes []string
	b.Service = storage.New(storage.Config{
		Now:      func() time.Time { return b.now },
		Announce: func(c outbox.Change) bool { changes = append(changes, c.EventType); return true },
	})
	b.put(1, "2026-02-02T00:00:00Z", nil)
	ask := func(method, path string) {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		require.Equal(t, http.StatusOK, w.Code, path)
	}
	ask(http.MethodDelete, "/storage/api/v1/sbl/instances/"+party+"/"+guid(1)+"?hard=false")
	ask(http.MethodPut, "/storage/api/v1/sbl/instances/"+party+"/"+guid(1)+"/undelete")
	ask(http.MethodPut, "/storage/api/v1/sbl/instances/"+party+"/"+guid(1)+"/undelete")
	ask(http.MethodDelete, "/storage/api/v1/instances/"+party+"/"+guid(1)+"?hard=true")
	assert.Equal(t, []string{"Deleted", "Undeleted", "Deleted"}, changes)
}

// A form is to be seen before it is complete, takes the time of the element that was stored last, and is announced when
// its events are there.
func TestMigration(t *testing.T) {
	t.Parallel()
	b := listen(t)
	form := func(n int, reference string) storage.Form {
		element := func(m int, changed string) string {
			return fmt.Sprintf(`{"id":%q,"dataType":"skjema-xml","created":"2019-11-04T11:40:02Z","lastChanged":%q}`, guid(m), changed)
		}
		return storage.Form{
			Instance: fmt.Appendf(nil, `{"id":"%s/%s","appId":"skd/a2-1051-181125","dataValues":{"A2ArchRef":%q},"data":[%s,%s],
				"status":{"isArchived":true},"created":"2019-11-04T11:40:02Z","lastChanged":"2019-11-04T11:40:02Z"}`, party, guid(n), reference,
				element(100+n, "2019-11-04T12:01:17Z"), element(200+n, "2019-11-04T11:00:00Z")),
			Events: []json.RawMessage{[]byte(`{"id":"` + guid(300+n) + `","created":"2019-11-04T11:40:02Z","eventType":"Created"}`), []byte(`{"id":"` + guid(400+n) + `"}`)},
		}
	}
	state, elements, err := b.MigrateInstance(form(2, "303147258").Instance)
	require.NoError(t, err)
	assert.Empty(t, b.read(t, state.Instance).Data)
	assert.Equal(t, "2019-11-04T11:40:02Z", b.read(t, state.Instance).LastChanged)
	require.NoError(t, b.MigrateElement(state.Instance, elements[0]))
	assert.Equal(t, "2019-11-04T12:01:17Z", b.read(t, state.Instance).LastChanged)
	assert.Len(t, b.Migrations(true), 1)
	assert.Empty(t, b.changes)
	state, err = b.CompleteForm(state.Instance, elements[1:], form(2, "").Events)
	require.NoError(t, err)
	assert.Equal(t, "2019-11-04T11:00:00Z", b.read(t, state.Instance).LastChanged, "the one stored last, older than created")
	assert.Len(t, b.Events(state.Instance), 1, "events without a type are not stored")
	assert.Empty(t, b.Migrations(true))
	assert.Equal(t, b.now, state.Completed)
	require.Len(t, b.changes, 1)
	assert.True(t, b.changes[0].Migration)
	assert.Equal(t, "Created", b.changes[0].EventType)
	assert.Zero(t, b.changes[0].Delay())
	row, _, _ := b.Row(state.Instance)
	assert.Equal(t, uint8(2), row.Version)

	again, err := b.Migrate(form(3, "303147258"))
	require.NoError(t, err)
	assert.Equal(t, state.Instance, again.Replaced)
	require.Len(t, b.changes, 2, "the old one had no dialog: nothing tells of its end")
	_, there := b.Instance(state.Instance)
	assert.False(t, there)
	assert.Empty(t, b.Events(state.Instance))
	removal, _ := b.Removed(state.Instance)
	assert.Equal(t, storage.Removal{AppID: "skd/a2-1051-181125", Created: removal.Created, Replaced: true}, removal)

	require.NoError(t, b.SetValue(again.Instance, "dialog.id", guid(77)))
	_, err = b.Migrate(form(4, "303147258"))
	require.NoError(t, err)
	require.Len(t, b.changes, 4)
	assert.Equal(t, outbox.Change{
		Instance: again.Instance, AppID: "skd/a2-1051-181125", PartyID: 50001337, Created: b.changes[2].Created, EventType: "Deleted", Migration: true,
	}, b.changes[2])
	_, err = b.Migrate(form(5, "303147259"))
	require.NoError(t, err)
	assert.Len(t, b.changes, 5, "another reference is another form")
	require.NoError(t, b.MigrateDelete(uuid.MustParse(guid(5))))
	assert.Len(t, b.changes, 5)
	_, err = b.Migrate(form(5, "303147259"))
	require.NoError(t, err, "and may come again")

	require.ErrorIs(t, b.MigrateDelete(uuid.MustParse(guid(1))), storage.ErrNotFound, "no form")
	_, err = b.Migrate(storage.Form{Instance: fmt.Appendf(nil, `{"id":"%s/%s","appId":"ttd/x","created":"2019-11-04T11:40:02Z"}`, party, guid(6))})
	require.ErrorContains(t, err, "A2ArchRef")
	_, err = b.Migrate(form(1, "303147260"))
	require.ErrorIs(t, err, storage.ErrTaken)
	assert.Error(t, b.MigrateElement(uuid.MustParse(guid(4)), []byte(`{"lastChanged":"never"}`)))
}
