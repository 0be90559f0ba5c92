package message_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// stored brings a page over as the first stage does.
func (r *rig) stored(t *testing.T) []message.Row {
	t.Helper()
	o := newOwner(r)
	rows := r.listed(t)
	_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	given := make([]message.Row, len(rows))
	for i := range rows {
		given[i] = message.GivenRow(rows[i].Number, rows[i].Created)
	}
	return given
}

// A Correspondence that knows none of its items burns none: all stay where the walk of publish finds them (Invariant 8).
func TestItemsThatAreUnknownForAWhileStayToBePublished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 40)
	given := r.stored(t)
	r.faults(func(_ int, request *http.Request) (int, string) {
		switch {
		case strings.HasSuffix(request.URL.Path, "/migration/"+callAvailable):
			statuses := []string{}
			for _, id := range idsOf(t, request) {
				statuses = append(statuses, fmt.Sprintf(`{"correspondenceId":%q,"dialogId":null,"error":"it was not found","ok":false}`, id))
			}
			return http.StatusOK, `{"statuses":[` + strings.Join(statuses, ",") + `]}`
		default:
			return 0, ""
		}
	}, nil)
	p := newOwner(r)
	p.WindowID = window + 1
	ending, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.NotEmpty(t, ending.Waiting)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Equal(t, 40, r.count(t, "message where stage = 'transferred'"))

	r.faults(nil, nil)
	p = newOwner(r)
	p.WindowID = window + 1
	for i := range given {
		given[i] = message.GivenRow(given[i].Number, given[i].Created)
	}
	ending, err = p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	r.clean(t)
}

// An item that Correspondence has lost is migrated again by the second stage, too (17.4); whatever fails of that, the message stays where
// its walk finds it.
func TestPublishMigratesAnewWhatIsLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 12)
	given := r.stored(t)
	r.sim.Correspondence.Reset()
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			return http.StatusBadGateway, ""
		}
		return 0, ""
	}, nil)
	p := newOwner(r)
	p.MaxFailureShare = 1
	_, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Equal(t, 12, r.count(t, "message where stage = 'transferred' and correspondence_id is not null"))

	r.faults(nil, nil)
	ending, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	r.clean(t)
}

// A message that was purged after a page was listed is not brought over from the listing (Invariants 3 and 4).
func TestOlderListingDoesNotBringOverWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	listed, err := r.Source.Message(t.Context(), m.ID)
	require.NoError(t, err)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
	left, err := r.Deliver(t.Context(), m.ID, message.Order{Lane: message.Live})
	require.NoError(t, err)
	require.Equal(t, ledger.Skipped, left.Outcome)

	results, err := r.DeliverAll(t.Context(), []*altinn2.Message{listed}, transferOnly)
	require.NoError(t, err)
	assert.Equal(t, ledger.Skipped, results[0].Outcome)
	assert.Empty(t, r.made())
}

// What was not recorded is not settled, also when the work was told to end meanwhile (Invariant 5).
func TestStoppedPageThatCannotBeRecordedIsNotSettled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 8)
	o := newOwner(r)
	o.Grace = 0
	contexts := make(chan context.Context, 8)
	o.Admit = func(ctx context.Context) (func(), error) {
		contexts <- ctx
		return func() {}, nil
	}
	rows := r.listed(t)
	_, err := o.Bring(t.Context(), rows, transferOnly, func(context.Context, *db.Queries, []*message.Row) error {
		o.halt()
		<-(<-contexts).Done()
		return errors.New("the database is gone")
	})
	require.NoError(t, err)
	assert.Zero(t, r.count(t, "ledger"))
	assert.Empty(t, batch.SettledRows(rows))
}

// Records of which none can be read are the source's fault, and none of them is burned (Invariant 8).
func TestMalformedPageStopsTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	malformed := func(n int) []message.Row {
		rows := make([]message.Row, n)
		for i := range rows {
			rows[i] = message.NewRow(&altinn2.Listed{
				ID: int32(i) + 1, Created: time.Now().Add(-time.Hour), Err: errors.New("read record: no content"),
			})
		}
		return rows
	}
	o := newOwner(r)
	rows := malformed(30)
	ending, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Contains(t, ending.Waiting, message.ReasonMalformed)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Empty(t, batch.SettledRows(rows))

	r.generate(t, 30)
	o = newOwner(r)
	rows = append(malformed(5), r.listed(t)...)
	ending, err = o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, 5, o.accounts.Quarantined, "a few among good ones are bad themselves")

	o = newOwner(r)
	o.MaxFailureShare = 1
	ending, err = o.Bring(t.Context(), malformed(30), transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, ending, "an operator's way past them")
}

// A malformed record without a number is counted once, too, or it would hide a message that is missing.
func TestMalformedRecordWithoutANumberIsCountedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := newOwner(r)
	listed := altinn2.Listed{Created: time.Now().Add(-time.Hour), Raw: []byte(`{"id":"x"}`), Err: errors.New("read record: person 01018012345 is a number")}
	for range 2 {
		rows := []message.Row{message.NewRow(&listed)}
		require.NoError(t, o.Recall(t.Context(), rows))
		_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, o.accounts.Seen)
	assert.Equal(t, 1, r.count(t, "quarantine where attempts = 1"))
	assert.Zero(t, r.count(t, "quarantine where detail like '%01018012345%'"))
}

// A change of a message whose dialog was refused is not used up by a stage that does not ask for the dialog.
func TestTransferLeavesTheChangeOfARefusedMessageToPublish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callAvailable) {
			return http.StatusOK, r.refusal(t, request, everyID)
		}
		return 0, ""
	}, nil)
	_, err := r.Sync(t.Context(), m.ID, history, message.Asked{Operator: "kari", Reason: "test"})
	require.Error(t, err)
	require.Equal(t, 1, r.count(t, "message where reason = 'dialog_refused'"))
	r.faults(nil, nil)
	require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, m.Recipient.PartyUUID))

	record, err := r.Source.Message(t.Context(), m.ID)
	require.NoError(t, err)
	results, err := r.DeliverAll(t.Context(), []*altinn2.Message{record}, transferOnly)
	require.NoError(t, err)
	require.Error(t, results[0].Err)
	assert.Equal(t, 1, r.count(t, "quarantine"), "it is hidden still")
	assert.Zero(t, r.count(t, "message where reason = 'dialog_refused'"), "publish asks again")

	results, err = r.Publish(t.Context(), []int32{m.ID}, history)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	assert.Zero(t, r.count(t, "quarantine"))
}

// A message that Correspondence lost while its dialog is alive gets no second dialog.
func TestLostItemWithADialogIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]message.Order{"news": {}, "redo": {Lane: message.History, Redo: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.one(t, plain)
			first, err := r.Deliver(t.Context(), m.ID, history)
			require.NoError(t, err)
			r.sim.Correspondence.Reset()
			require.NoError(t, r.sim.Altinn2.ChangeArchive(m.ID, m.Recipient.PartyUUID))
			r.faults(nil, nil)
			_, err = r.Deliver(t.Context(), m.ID, order)
			require.Error(t, err)
			assert.Equal(t, message.ReasonDialogOrphaned, message.Describe(err).Reason)
			assert.NotContains(t, r.made(), callMigrate)
			assert.True(t, r.dialogOf(t, first.DialogID))
		})
	}
}

// One item that fails every call that it is part of fails no other, and is taken up by live later.
func TestItemThatFailsItsWholeCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 60)
	given := r.stored(t)
	bad := given[7].Number
	item, found := r.sim.Correspondence.Item(bad)
	require.True(t, found)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callAvailable) && slices.Contains(idsOf(t, request), item.ID) {
			return http.StatusInternalServerError, "{}"
		}
		return 0, ""
	}, nil)
	p := newOwner(r)
	p.WindowID = window + 1
	p.Blame = func(*message.Row) bool { return true }
	ending, err := p.Publish(t.Context(), given, message.Order{Lane: message.History}, p.write)
	require.NoError(t, err)
	assert.Zero(t, ending)
	assert.EqualValues(t, 1, p.accounts.Quarantined)
	assert.EqualValues(t, 59, p.accounts.Created)
	due, err := db.New(r.pool).DueMessages(t.Context(), db.DueMessagesParams{Now: time.Now().Add(time.Hour), MaxRows: 10})
	require.NoError(t, err)
	require.Len(t, due, 1)
	assert.Equal(t, bad, due[0].Altinn2ID)
}
