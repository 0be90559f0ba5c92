package message_test

import (
	"encoding/json"
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
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

var history = message.Order{Lane: message.History}

func TestHistoryTakesTwoCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)

	result, err := r.Deliver(t.Context(), m.ID, history)

	require.NoError(t, err)
	assert.Equal(t, []string{callMigrate, callAvailable}, r.made())
	assert.Equal(t, ledger.Created, result.Outcome)
	assert.Equal(t, db.MessageStagePublished, result.Stage)
	item, found := r.sim.Correspondence.Item(m.ID)
	require.True(t, found)
	assert.Equal(t, item.ID, result.CorrespondenceID)
	assert.False(t, item.Hidden)
	assert.True(t, r.dialogOf(t, result.DialogID))
	entries, err := ledger.Lookup(t.Context(), db.New(r.pool), []uuid.UUID{dialogid.Message(m.ID, m.Created)})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, result.DialogID, entries[result.ItemID].DialogID)
	assert.Equal(t, ledger.DialogAlive, entries[result.ItemID].State)
	assert.Zero(t, r.count(t, "message_lease"))

	r.faults(nil, nil)
	again, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Unchanged, again.Outcome)
	assert.Empty(t, r.made(), "nothing new, no call")
	assert.Equal(t, result.DialogID, again.DialogID)
}

func TestLiveIsVerifiedLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	start := time.Now()
	r.setClock(start)

	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, []string{callMigrate}, r.made())
	assert.Equal(t, db.MessageStageTransferred, result.Stage)
	assert.WithinDuration(t, start.Add(10*time.Minute), result.DueAt, time.Millisecond)
	r.idle(t)

	due, err := db.New(r.pool).DueMessages(t.Context(), db.DueMessagesParams{Now: start.Add(time.Hour), MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, due, 1)
	r.setClock(start.Add(9 * time.Minute))
	_, err = r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, []string{callMigrate}, r.made(), "the question would make the dialog itself, silently")

	r.setClock(start.Add(10 * time.Minute))
	verified, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, []string{callMigrate, callAvailable}, r.made())
	assert.Equal(t, db.MessageStagePublished, verified.Stage)
	assert.Equal(t, result.DialogID, verified.DialogID)
	assert.True(t, verified.DueAt.IsZero())
}

func TestLiveAnswerLostWaitsForItsDialog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	r.sim.Correspondence.Hold() // the service's own job does not come to run
	start := time.Now()
	r.setClock(start)
	r.faults(nil, func(_ int, request *http.Request) bool {
		return strings.HasSuffix(request.URL.Path, "/migration/correspondence")
	})
	_, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.Error(t, err)
	assert.Equal(t, transport.Transient, message.Describe(err).Class)

	r.faults(nil, nil)
	r.setClock(start.Add(time.Minute))
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, []string{callMigrate}, r.made(), "a dialog with events is on its way")
	assert.WithinDuration(t, start.Add(10*time.Minute), result.DueAt, time.Millisecond)
	r.sim.Correspondence.Release()
	r.idle(t)
	assert.True(t, r.dialogOf(t, result.DialogID))
}

// Events after the first load go out by their own calls, and only the new ones (17.9).
func TestNewsGoOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	party := m.Recipient.PartyUUID
	require.NoError(t, r.sim.Altinn2.ChangeArchive(m.ID, party))
	require.NoError(t, r.sim.Altinn2.ChangeNotify(m.ID, simaltinn2.Notification{ID: 7, Channel: "email", SentAt: time.Now().Add(-time.Minute), Address: "kari@example.com"}))
	require.NoError(t, r.sim.Altinn2.ChangeForward(m.ID, simaltinn2.Forwarding{At: time.Now().Add(-time.Minute), ByPartyUUID: party}))

	r.faults(nil, nil)
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, ledger.Updated, result.Outcome)
	assert.Equal(t, []string{callStatus, callNotify, callForward}, r.made())

	r.faults(nil, nil)
	result, err = r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, ledger.Unchanged, result.Outcome)
	assert.Empty(t, r.made())
}

// P15, 17.2: a purge of a message brought over before is sent on; one never brought over is left out.
func TestPurgeIsSentOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	first, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))

	r.faults(nil, nil)
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, []string{callStatus}, r.made())
	assert.Equal(t, ledger.Purged, result.Outcome)
	assert.Equal(t, ledger.DialogDeleted, result.State)
	r.idle(t)
	dialog, found := r.sim.Dialogporten.Dialog(first.DialogID)
	require.True(t, found)
	var shown struct {
		DeletedAt *time.Time `json:"deletedAt"`
	}
	require.NoError(t, json.Unmarshal(dialog, &shown))
	assert.NotNil(t, shown.DeletedAt)

	r.faults(nil, nil)
	result, err = r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.Equal(t, ledger.Unchanged, result.Outcome)
	assert.Empty(t, r.made())
}

func TestPurgedIsLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, true))
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Skipped, result.Outcome)
	assert.Equal(t, "purged", result.Reason)
	assert.Empty(t, r.made())
}

// Chapter 1: operators choose resources, before anything is sent; what is over there goes on.
func TestResourcesThatAreLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	resource := map[string]bool{strings.ToLower(m.ResourceID): true}
	for name, selection := range map[string]mapping.Selection{
		"denied": {Denied: resource, Allowed: resource}, "not allowed": {Allowed: map[string]bool{"another": true}},
	} {
		r.Selection = selection
		result, err := r.Deliver(t.Context(), m.ID, history)
		require.NoError(t, err)
		assert.Equal(t, ledger.Skipped, result.Outcome, name)
		assert.Equal(t, "resource_left_out", result.Reason)
		assert.Empty(t, r.made())
	}
	r.Selection = mapping.Selection{Allowed: resource}
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Created, result.Outcome)
	r.Selection = mapping.Selection{Denied: resource}
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, true))
	result, err = r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Purged, result.Outcome)
}

// P2c: a refusal counts as a failure, and is tried again after a change only.
func TestP02RefusalIsADeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	refuse := func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		item, _ := r.sim.Correspondence.Item(m.ID)
		return http.StatusOK, `{"statuses":[{"correspondenceId":"` + item.ID.String() + `","dialogId":"","error":null,"ok":true}]}`
	}
	r.faults(refuse, nil)
	result, err := r.Sync(t.Context(), m.ID, history, message.Asked{Operator: "kari", Reason: "test"})
	require.Error(t, err)
	assert.Equal(t, message.ReasonDialogRefused, message.Describe(err).Reason)
	assert.Equal(t, transport.Permanent, message.Describe(err).Class)
	assert.Equal(t, ledger.Failed, result.Outcome)
	assert.Equal(t, 1, r.count(t, "quarantine"))

	r.faults(refuse, nil)
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Empty(t, r.made(), "nothing has changed")

	require.NoError(t, r.sim.Altinn2.ChangeArchive(m.ID, m.Recipient.PartyUUID))
	r.faults(nil, nil)
	result, err = r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, []string{callStatus, callAvailable}, r.made())
	assert.Equal(t, ledger.Created, result.Outcome)
	assert.Zero(t, r.count(t, "quarantine"))
}

// P22: Correspondence says that the dialog was refused, because it made it before and lost its id.
func TestP22HalfDoneCreationIsDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		r.sim.Handler().ServeHTTP(discard{http.Header{}}, request)
		item, _ := r.sim.Correspondence.Item(m.ID)
		return http.StatusOK, `{"statuses":[{"correspondenceId":"` + item.ID.String() + `","dialogId":"","error":null,"ok":true}]}`
	}, nil)
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, ledger.Created, result.Outcome)
	assert.Equal(t, message.ReasonHalfDone, result.Reason)
	assert.True(t, r.dialogOf(t, result.DialogID))
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)               {}

// The table of 17.4, as far as it is about answers that are no success.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const item = "019ba6eb-587b-7abc-8def-0123456789ab"
	for name, test := range map[string]struct {
		at, body    string
		status      int
		class       transport.Class
		reason      string
		quarantined bool
		outcome     ledger.Outcome
	}{
		"refused title": {
			at: callMigrate, status: 400, body: `{"title":"Bad Request","status":400,"errorCode":1020}`, class: transport.Permanent,
			reason: "correspondence_1020", quarantined: true,
		},
		"refused by validation": {
			at: callMigrate, status: 400, body: `{"title":"Bad Request","status":400,"errors":{"CorrespondenceData.Correspondence.Content.MessageTitle":["Kari's title"]}}`,
			class: transport.Permanent, reason: "http_400", quarantined: true,
		},
		"no token":         {at: callMigrate, status: 401, body: `{}`, class: transport.Systemic, reason: "http_401"},
		"wrong scope":      {at: callMigrate, status: 403, body: `{"title":"Forbidden","errors":{"x":["y"]}}`, class: transport.Systemic, reason: "http_403"},
		"timeout":          {at: callMigrate, status: 408, class: transport.Transient, reason: "http_408"},
		"too many":         {at: callMigrate, status: 429, class: transport.Transient, reason: "http_429"},
		"broken":           {at: callMigrate, status: 500, class: transport.Transient, reason: "http_500"},
		"down":             {at: callMigrate, status: 503, class: transport.Systemic, reason: "http_503"},
		"no bytes":         {at: callAvailable, status: 500, class: transport.Transient, reason: "http_500"},
		"actor unknown":    {at: callAvailable, status: 200, body: `{"statuses":[{"correspondenceId":"` + item + `","dialogId":null,"error":"System.Exception: Kari","ok":false}]}`, class: transport.Transient, reason: message.ReasonDialogFailed, quarantined: true},
		"is purged there":  {at: callAvailable, status: 200, body: `{"statuses":[{"correspondenceId":"` + item + `","dialogId":null,"error":"Correspondence ` + item + ` is purged and cannot be made available","ok":false}]}`, outcome: ledger.Skipped, reason: "purged"},
		"is unknown there": {at: callAvailable, status: 200, body: `{"statuses":[{"correspondenceId":"` + item + `","dialogId":null,"error":"The requested correspondence was not found","ok":false}]}`, class: transport.Transient, reason: message.ReasonItemLost, quarantined: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.one(t, plain)
			r.faults(func(_ int, request *http.Request) (int, string) {
				switch {
				case strings.HasSuffix(request.URL.Path, "/migration/"+test.at):
					return test.status, test.body
				case strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate):
					return 200, `{"altinn2CorrespondenceId":1,"correspondenceId":"` + item + `","attachmentStatuses":[],"dialogId":null}`
				default:
					return 0, ""
				}
			}, nil)
			result, err := r.Sync(t.Context(), m.ID, history, message.Asked{Operator: "kari", Reason: "test"})
			if test.class == transport.OK {
				require.NoError(t, err)
				assert.Equal(t, test.outcome, result.Outcome)
				assert.Equal(t, test.reason, result.Reason)
				return
			}
			require.Error(t, err)
			failure := message.Describe(err)
			assert.Equal(t, test.class, failure.Class)
			assert.Equal(t, test.reason, failure.Reason)
			assert.NotContains(t, failure.Detail, "Kari")
			assert.Equal(t, test.quarantined, r.count(t, "quarantine") == 1)
			assert.Zero(t, r.count(t, "message_lease"))
		})
	}
}

func TestSharedAttachmentIsSentOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	m.ID += 50_000
	m.Attachments = files("F", m.Created)
	require.NoError(t, r.sim.Altinn2.PutRecord(m))
	other := m
	other.ID += 100_000
	require.NoError(t, r.sim.Altinn2.PutRecord(other))
	read := func(id int32) *altinn2.Message {
		record, err := r.Source.Message(t.Context(), id)
		require.NoError(t, err)
		return record
	}
	results, err := r.DeliverAll(t.Context(), []*altinn2.Message{read(m.ID), read(other.ID)}, history)
	require.NoError(t, err)
	uploads := 0
	for _, path := range r.made() {
		if path == callAttachment {
			uploads++
		}
	}
	assert.Equal(t, len(m.Attachments), uploads)
	for _, result := range results {
		require.NoError(t, result.Err)
		item, found := r.sim.Correspondence.ByID(result.CorrespondenceID)
		require.True(t, found)
		require.Len(t, item.Attachments, len(m.Attachments))
		for i, a := range m.Attachments { // P20: in order
			id, known := r.sim.Correspondence.FileID(a.ID)
			require.True(t, known)
			assert.Equal(t, id, item.Attachments[i])
		}
	}
}

// A message that is purged between its listing and the sending of its files is left out, and burns none of those that share them
// (Invariant 8).
func TestSharedAttachmentOfAPurgedMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.one(t, plain)
	const all, gone = 24, 8
	for i := range int32(all) {
		m := first
		m.ID += 1_000_000 + i
		m.Attachments = files("F", m.Created)
		require.NoError(t, r.sim.Altinn2.PutRecord(m))
	}
	rows := slices.DeleteFunc(r.listed(t), func(row message.Row) bool {
		return len(row.Message.Attachments) == 0 || row.Number < first.ID+1_000_000
	})
	require.Len(t, rows, all)
	for i := range gone {
		require.NoError(t, r.sim.Altinn2.ChangePurge(rows[i].Number, false))
	}
	o := newOwner(r)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Positive(t, o.accounts.Skipped)
	// A purged one whose files were sent for another is stored as it was listed: live tells of the purge.
	assert.LessOrEqual(t, o.accounts.Skipped, int64(gone))
	assert.EqualValues(t, all, o.accounts.Skipped+o.accounts.Created)
}

func TestUnknownNumberIsNotQuarantined(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Sync(t.Context(), 4711, history, message.Asked{Operator: "kari", Reason: "test"})
	require.Error(t, err)
	assert.Equal(t, message.ReasonMessageUnknown, message.Describe(err).Reason)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Zero(t, r.count(t, "message"))
}

// 17.3: live and history may meet on one message.
func TestLanesTakeTurns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	record, err := r.Source.Message(t.Context(), m.ID)
	require.NoError(t, err)
	met := make(chan []message.Result, 1)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			results, err := r.DeliverAll(t.Context(), []*altinn2.Message{record}, history)
			assert.NoError(t, err)
			met <- results
		}
		return 0, ""
	}, nil)
	_, err = r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	require.ErrorIs(t, (<-met)[0].Err, message.ErrBusy)
	assert.Equal(t, []string{callMigrate}, r.made())
}

// A page that was listed before an event came in that is still ahead leaves the time at which that is to be told.
func TestOlderListingKeepsWhatIsAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	older, err := r.Source.Message(t.Context(), m.ID)
	require.NoError(t, err)
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	ahead := time.Now().Add(time.Hour).Truncate(time.Second)
	require.NoError(t, r.sim.Altinn2.ChangeNotify(m.ID, simaltinn2.Notification{ID: 7, Channel: "email", SentAt: ahead, Address: "kari@example.com"}))
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	require.WithinDuration(t, ahead, result.DueAt, time.Second)
	results, err := r.DeliverAll(t.Context(), []*altinn2.Message{older}, history)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	assert.WithinDuration(t, ahead, results[0].DueAt, time.Second)
}

func TestLostLeaseRecordsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			_, err := r.pool.Exec(t.Context(), "update message_lease set holder = gen_random_uuid()")
			assert.NoError(t, err)
		}
		return 0, ""
	}, nil)
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.ErrorIs(t, err, message.ErrLeaseLost)
	assert.Zero(t, r.count(t, "message"))
	assert.Zero(t, r.count(t, "ledger"))
}
