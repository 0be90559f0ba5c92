package message_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// The pitfalls of chapter 14 that show in the dialog alone. Those of single requests are tested in package mapping/message.

// shownDialog is what of a dialog the pitfalls are about.
type shownDialog struct {
	CreatedAt        time.Time  `json:"createdAt"`
	UpdatedAt        time.Time  `json:"updatedAt"`
	ContentUpdatedAt time.Time  `json:"contentUpdatedAt"`
	DeletedAt        *time.Time `json:"deletedAt"`
	ExpiresAt        *time.Time `json:"expiresAt"`
	EndUserContext   struct {
		SystemLabels []string `json:"systemLabels"`
	} `json:"endUserContext"`
	GUIActions []struct {
		Priority string `json:"priority"`
		URL      string `json:"url"`
	} `json:"guiActions"`
	Activities []shownActivity `json:"activities"`
}

type shownActivity struct {
	Type        string    `json:"type"`
	CreatedAt   time.Time `json:"createdAt"`
	PerformedBy struct {
		ActorID *string `json:"actorId"`
	} `json:"performedBy"`
}

func (d shownDialog) of(kind string) []shownActivity {
	return slices.DeleteFunc(slices.Clone(d.Activities), func(a shownActivity) bool { return a.Type != kind })
}

func (r *rig) shown(t *testing.T, id uuid.UUID) shownDialog {
	t.Helper()
	r.idle(t)
	document, found := r.sim.Dialogporten.Dialog(id)
	require.True(t, found)
	var d shownDialog
	require.NoError(t, json.Unmarshal(document, &d))
	return d
}

// put makes a plain message of the test's own.
func (r *rig) put(t *testing.T, alter func(*simaltinn2.Record)) simaltinn2.Record {
	t.Helper()
	m := r.oneOf(t, 40, plain)
	m.ID += 200_000
	m.Events = slices.Clone(m.Events)
	alter(&m)
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	return m
}

func (r *rig) bring(t *testing.T, m simaltinn2.Record, order message.Order) message.Result {
	t.Helper()
	result, err := r.Deliver(t.Context(), m.ID, order)
	require.NoError(t, err)
	return result
}

func at(m simaltinn2.Record, after time.Duration) time.Time { return m.Created.Add(after) }

func event(m simaltinn2.Record, kind string, after time.Duration) simaltinn2.Event {
	return simaltinn2.Event{Type: kind, At: at(m, after), PartyUUID: m.Recipient.PartyUUID}
}

// The dates in the inbox are those of the earliest publishing, whatever happened since and in whatever order it is listed.
func TestP01DatesInTheInbox(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var published time.Time
	m := r.put(t, func(m *simaltinn2.Record) {
		for _, e := range m.Events {
			if e.Type == simaltinn2.EventPublished {
				published = e.At
			}
		}
		m.Events = append([]simaltinn2.Event{event(*m, simaltinn2.EventRead, 40*time.Hour), event(*m, simaltinn2.EventPublished, 30*time.Hour)}, m.Events...)
	})
	d := r.shown(t, r.bring(t, m, history).DialogID)
	assert.WithinDuration(t, published, d.ContentUpdatedAt, 0)
	assert.WithinDuration(t, published, d.UpdatedAt, 0)
	assert.False(t, d.CreatedAt.After(published))
}

// An empty page is the end, and a page as long as asked for is not.
func TestP04PagesOfAnyLength(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page, err := r.Source.History(t.Context(), altinn2.HistoryQuery{CreatedBefore: time.Now(), Limit: 10})
	require.NoError(t, err)
	assert.Empty(t, page.Items)
	assert.Empty(t, page.NextCursor)
	results, err := r.DeliverAll(t.Context(), nil, transferOnly)
	require.NoError(t, err)
	assert.Empty(t, results)
	published, err := r.Publish(t.Context(), nil, history)
	require.NoError(t, err)
	assert.Empty(t, published)

	r.generate(t, 20)
	query := altinn2.HistoryQuery{CreatedBefore: time.Now(), Limit: 10}
	met := map[int32]bool{}
	for {
		page, err := r.Source.History(t.Context(), query)
		require.NoError(t, err)
		for _, item := range page.Items {
			assert.False(t, met[item.ID])
			met[item.ID] = true
		}
		if query.Cursor = page.NextCursor; query.Cursor == "" {
			break
		}
	}
	assert.Len(t, met, 20)
}

// However often a creation is tried, and whoever reads, one opened activity stands in the dialog.
func TestP06OneOpenedActivity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(m *simaltinn2.Record) { m.Events = append(m.Events, event(*m, simaltinn2.EventRead, time.Hour)) })
	failed := 0
	r.faults(nil, func(_ int, request *http.Request) bool {
		if failed < 2 && strings.HasSuffix(request.URL.Path, callAvailable) {
			failed++
			return true
		}
		return false
	})
	for range 2 {
		_, err := r.Deliver(t.Context(), m.ID, history)
		require.Error(t, err)
	}
	result := r.bring(t, m, history)
	require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, m.Recipient.PartyUUID))
	r.bring(t, m, message.Order{})
	assert.Len(t, r.shown(t, result.DialogID).of("CorrespondenceOpened"), 1)
}

// What was confirmed is not asked to be confirmed again.
func TestP07NoConfirmButtonOnTheConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	buttons := func(d shownDialog) (n int) {
		for _, action := range d.GUIActions {
			if strings.HasSuffix(action.URL, "/confirm") {
				n++
			}
		}
		return n
	}
	open := r.put(t, func(m *simaltinn2.Record) { m.ConfirmationRequired = true })
	result := r.bring(t, open, history)
	require.Equal(t, 1, buttons(r.shown(t, result.DialogID)))
	require.NoError(t, r.sim.Altinn2.ChangeConfirm(open.ID, open.Recipient.PartyUUID))
	r.bring(t, open, message.Order{})
	d := r.shown(t, result.DialogID)
	assert.Zero(t, buttons(d))
	assert.Len(t, d.of("CorrespondenceConfirmed"), 1)

	confirmed := open
	confirmed.ID++
	confirmed.Events = append(slices.Clone(open.Events), event(open, simaltinn2.EventRead, time.Hour), event(open, simaltinn2.EventConfirmed, 2*time.Hour))
	require.NoError(t, r.sim.Altinn2.PutRecord(confirmed))
	assert.Zero(t, buttons(r.shown(t, r.bring(t, confirmed, history).DialogID)))
}

// Archive, trash and restore decide the label by their times, on the first load and afterwards.
func TestP09Labels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first []string
		later []func(*simaltinn2.Service, int32, uuid.UUID) error
		label string
	}{
		"archived":                  {[]string{simaltinn2.EventArchived}, nil, "Archive"},
		"trashed":                   {[]string{simaltinn2.EventSoftDeleted}, nil, "Bin"},
		"archived, trashed":         {[]string{simaltinn2.EventArchived, simaltinn2.EventSoftDeleted}, nil, "Bin"},
		"archived, trashed, back":   {[]string{simaltinn2.EventArchived, simaltinn2.EventSoftDeleted, simaltinn2.EventRestored}, nil, "Archive"},
		"trashed, back":             {[]string{simaltinn2.EventSoftDeleted, simaltinn2.EventRestored}, nil, "Default"},
		"trashed, then back later":  {[]string{simaltinn2.EventSoftDeleted}, changes((*simaltinn2.Service).ChangeRestore), "Default"},
		"archived later":            {nil, changes((*simaltinn2.Service).ChangeArchive), "Archive"},
		"trashed later":             {nil, changes((*simaltinn2.Service).ChangeTrash), "Bin"},
		"archived, trashed, later":  {[]string{simaltinn2.EventArchived}, changes((*simaltinn2.Service).ChangeTrash), "Bin"},
		"archived, there and back":  {[]string{simaltinn2.EventArchived}, changes((*simaltinn2.Service).ChangeTrash, (*simaltinn2.Service).ChangeRestore), "Archive"},
		"there and back after that": {nil, changes((*simaltinn2.Service).ChangeTrash, (*simaltinn2.Service).ChangeRestore), "Default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.put(t, func(m *simaltinn2.Record) {
				for i, kind := range test.first {
					m.Events = append(m.Events, event(*m, kind, time.Duration(i+1)*time.Hour))
				}
				if n := len(test.first); n > 0 && test.first[n-1] == simaltinn2.EventSoftDeleted {
					m.Deletion = simaltinn2.DeletionSoft
				}
			})
			result := r.bring(t, m, history)
			for _, change := range test.later {
				require.NoError(t, change(r.sim.Altinn2, m.ID, m.Recipient.PartyUUID))
				r.bring(t, m, message.Order{})
				r.idle(t)
			}
			assert.Equal(t, []string{test.label}, r.shown(t, result.DialogID).EndUserContext.SystemLabels)
		})
	}
}

func changes(all ...func(*simaltinn2.Service, int32, uuid.UUID) error) []func(*simaltinn2.Service, int32, uuid.UUID) error {
	return all
}

// Nothing that happens to a message afterwards moves it in the inbox.
func TestP11NewsMoveNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(m *simaltinn2.Record) { m.ConfirmationRequired = true })
	result := r.bring(t, m, history)
	before := r.shown(t, result.DialogID)
	party := m.Recipient.PartyUUID
	require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, party))
	require.NoError(t, r.sim.Altinn2.ChangeConfirm(m.ID, party))
	require.NoError(t, r.sim.Altinn2.ChangeNotify(m.ID, simaltinn2.Notification{ID: 7, Channel: "sms", SentAt: time.Now().Add(-time.Minute), Address: "+4799999999"}))
	require.NoError(t, r.sim.Altinn2.ChangeForward(m.ID, simaltinn2.Forwarding{At: time.Now().Add(-time.Minute), ByPartyUUID: party, ToEmail: new("kari@example.com")}))
	r.bring(t, m, message.Order{})
	after := r.shown(t, result.DialogID)
	assert.Len(t, after.Activities, len(before.Activities)+4)
	assert.Equal(t, before.ContentUpdatedAt, after.ContentUpdatedAt)
	assert.Equal(t, before.CreatedAt, after.CreatedAt)
	for _, entry := range r.sim.Story(message.Key(m.ID)) {
		if strings.Contains(entry.Path, "/serviceowner/dialogs") && entry.Method != http.MethodGet {
			assert.Contains(t, strings.ToLower(fmt.Sprint(entry.Query)), "issilentupdate:true", "%s %s", entry.Method, entry.Path)
		}
	}
}

// What happened is told in the order of time, in whatever order the source lists it.
func TestP12EventsInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(*simaltinn2.Record) {})
	result := r.bring(t, m, history)
	require.NoError(t, r.sim.Altinn2.Change(m.ID, func(m *simaltinn2.Record) error {
		m.Events = append([]simaltinn2.Event{
			event(*m, simaltinn2.EventRestored, 3*time.Hour), event(*m, simaltinn2.EventSoftDeleted, 2*time.Hour), event(*m, simaltinn2.EventArchived, time.Hour),
		}, m.Events...)
		return nil
	}))
	r.bring(t, m, message.Order{})
	assert.Equal(t, []string{"Archive"}, r.shown(t, result.DialogID).EndUserContext.SystemLabels)
	item, found := r.sim.Correspondence.Item(m.ID)
	require.True(t, found)
	for i := range item.DeleteEvents[1:] {
		assert.False(t, item.DeleteEvents[i+1].At.Before(item.DeleteEvents[i].At))
	}
}

// News of a message whose dialog is on its way are told of it too, once it is there.
func TestP14And19NewsBeforeTheDialog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hidden := r.put(t, func(*simaltinn2.Record) {})
	r.bring(t, hidden, transferOnly)
	require.NoError(t, r.sim.Altinn2.ChangeRead(hidden.ID, hidden.Recipient.PartyUUID))
	result := r.bring(t, hidden, transferOnly)
	r.idle(t)
	assert.Equal(t, ledger.Updated, result.Outcome)
	assert.Empty(t, r.sim.Correspondence.DeadLetters(), "no activity is written to a dialog that is not there")
	published, err := r.Publish(t.Context(), []int32{hidden.ID}, history)
	require.NoError(t, err)
	require.NoError(t, published[0].Err)
	assert.Len(t, r.shown(t, published[0].DialogID).of("CorrespondenceOpened"), 1)

	live := hidden
	live.ID++
	require.NoError(t, r.sim.Altinn2.PutRecord(live))
	r.sim.Correspondence.Hold()
	first := r.bring(t, live, message.Order{})
	require.NoError(t, r.sim.Altinn2.ChangeRead(live.ID, live.Recipient.PartyUUID))
	r.bring(t, live, message.Order{})
	r.sim.Correspondence.Release()
	assert.Len(t, r.shown(t, first.DialogID).of("CorrespondenceOpened"), 1)
}

// A purge ends in a deleted dialog that says so, whether the message was brought over before or is hidden still.
func TestP15And21Purge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(*simaltinn2.Record) {})
	result := r.bring(t, m, history)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, true))
	assert.Equal(t, ledger.Purged, r.bring(t, m, message.Order{}).Outcome)
	d := r.shown(t, result.DialogID)
	assert.NotNil(t, d.DeletedAt)
	assert.Len(t, d.of("DialogDeleted"), 1)

	hidden := m
	hidden.ID, hidden.Deletion = m.ID+1, simaltinn2.DeletionNone
	require.NoError(t, r.sim.Altinn2.PutRecord(hidden))
	r.bring(t, hidden, transferOnly)
	require.NoError(t, r.sim.Altinn2.ChangePurge(hidden.ID, false))
	assert.Equal(t, ledger.Purged, r.bring(t, hidden, transferOnly).Outcome)
	published, err := r.Publish(t.Context(), []int32{hidden.ID}, history)
	require.NoError(t, err)
	require.NoError(t, published[0].Err)
	assert.Equal(t, ledger.Unchanged, published[0].Outcome)
	r.idle(t)
	assert.False(t, r.dialogOf(t, published[0].DialogID), "what was purged is not made available")
}

// No dialog of a message perishes, and none makes Altinn 3 notify anybody.
func TestP16And18NothingPerishesAndNobodyIsNotified(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	due := time.Now().Add(48 * time.Hour)
	m := r.put(t, func(m *simaltinn2.Record) { m.DueAt = &due })
	for i, order := range []message.Order{history, {}} {
		m.ID += int32(i)
		require.NoError(t, r.sim.Altinn2.PutRecord(m))
		assert.Nil(t, r.shown(t, r.bring(t, m, order).DialogID).ExpiresAt)
		for _, entry := range r.sim.Story(message.Key(m.ID)) {
			assert.NotContains(t, entry.Path, "notification/order")
			assert.NotContains(t, entry.Path, "notifications/api")
		}
	}
}

// A file's id in Altinn 2 leads to one file over there, and files of different messages keep apart.
func TestP20AttachmentsDoNotCollide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(m *simaltinn2.Record) { m.Attachments = files("X", m.Created) })
	r.bring(t, m, history)
	other := m
	other.ID++
	other.Attachments = []simaltinn2.Attachment{m.Attachments[1], {ID: "Xc", Size: 10, Created: m.Created}}
	require.NoError(t, r.sim.Altinn2.PutRecord(other))
	r.bring(t, other, history)
	one, _ := r.sim.Correspondence.Item(m.ID)
	two, _ := r.sim.Correspondence.Item(other.ID)
	require.Len(t, one.Attachments, 2)
	require.Len(t, two.Attachments, 2)
	assert.Equal(t, one.Attachments[1], two.Attachments[0], "the same file")
	assert.NotContains(t, one.Attachments, two.Attachments[1])
}
