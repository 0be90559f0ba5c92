package message_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
)

// refuseMigrate has every message refused from here on.
func refuseMigrate(r *rig) {
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			return http.StatusBadRequest, `{"title":"bad","status":400,"errors":{"a":["b"]}}`
		}
		return 0, ""
	}, nil)
}

// Invariant 8: a page that is stopped before its last round is not judged as a whole.
func TestStopBeforeTheLastRoundOfAPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 60)
	rows := r.listed(t)
	for i := range rows {
		if i >= 20 {
			rows[i].Message.Attachments = append(rows[i].Message.Attachments, altinn2.Attachment{ID: "h" + rows[i].Key(), Size: 8 << 20})
		}
	}
	refuseMigrate(r)
	o := newOwner(r)
	r.Concurrency = 64 // one round of light ones, one of heavy ones
	for i := range 50 {
		o.Alike.Note("another "+strconv.Itoa(i), "", false)
	}
	admitted := 0
	o.Pace = func(context.Context) error { return nil }
	o.Admit = func(context.Context) (func(), error) {
		if admitted++; admitted == 21 { // the turn of the second round
			o.halt()
			return nil, errors.New("the turn is over")
		}
		return func() {}, nil
	}
	_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
	require.NoError(t, err)
	assert.Zero(t, r.count(t, "quarantine"), "20 of 60 were tried: nothing may be given up")
}

// Where nobody judges, what failed by its own fault is settled however short the page was cut.
func TestPageThatIsCutWhereNothingIsJudged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 30)
	rows := r.listed(t)
	refuseMigrate(r)
	const capacity = 10
	for range 8 {
		o := newOwner(r)
		o.Alike, o.MaxFailureShare = &batch.Alike{}, 1 // as walkDue has it for what failed before
		o.Patient, o.WindowID, o.WindowTakes = true, 0, false
		begun := 0
		o.MustStop = func(context.Context) bool { return begun >= capacity }
		o.Admit = func(context.Context) (func(), error) { begun++; return func() {}, nil }
		var page []message.Row
		for i := range rows {
			if r.count(t, "quarantine where item_key = '"+rows[i].Key()+"'") == 0 {
				page = append(page, message.GivenRow(rows[i].Number, rows[i].Created))
			}
		}
		_, err := o.Bring(t.Context(), page, message.Order{Lane: message.Live}, o.write)
		require.NoError(t, err)
	}
	assert.Equal(t, len(rows), r.count(t, "quarantine"))
}

// Altinn 2 counts in steps of 100 ns, the database in microseconds: that makes nobody else of who put a failure aside.
func TestFailuresOfMessagesWithFineTimes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 40)
	var last batch.Ending
	for run := range 5 {
		rows := r.listed(t)
		for i := range rows {
			at := rows[i].Message.Created.Add(100 * time.Nanosecond) // Altinn 2 counts in steps of 100 ns
			rows[i].Created, rows[i].Message.Created = at, at
		}
		rows[3].Message.Attachments = append(rows[3].Message.Attachments, altinn2.Attachment{ID: "gone a", Size: 1000})
		rows[7].Message.Attachments = append(rows[7].Message.Attachments, altinn2.Attachment{ID: "gone b", Size: 8 << 20})
		o := newOwner(r)
		o.Blame = func(*message.Row) bool { return run >= 3 }
		require.NoError(t, o.Recall(t.Context(), rows))
		var err error
		last, err = o.Bring(t.Context(), rows, transferOnly, o.write)
		require.NoError(t, err)
	}
	assert.Zero(t, last)
	assert.Equal(t, 2, r.count(t, "quarantine"))
}

// A message that is refused in a part of a page is tried once.
func TestRefusalInAPartIsOneTry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 8)
	rows := r.listed(t)
	_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
	require.NoError(t, err)
	bad := map[uuid.UUID]bool{rows[1].Result().CorrespondenceID: true}
	_, err = r.pool.Exec(t.Context(), "truncate message, ledger")
	require.NoError(t, err)
	calls := 0
	r.faults(func(_ int, request *http.Request) (int, string) {
		if !strings.HasSuffix(request.URL.Path, callAvailable) {
			return 0, ""
		}
		for _, id := range idsOf(t, request) {
			if bad[id] {
				calls++
			}
		}
		return http.StatusOK, r.refusal(t, request, func(id uuid.UUID) bool { return bad[id] })
	}, nil)
	o := newOwner(r)
	o.Patient = true
	parts(o, 4)
	rows = r.listed(t)
	rows[6].Message.Attachments = append(rows[6].Message.Attachments, altinn2.Attachment{ID: "gone b", Size: 8 << 20})
	_, err = o.Bring(t.Context(), rows, message.Order{Lane: message.Live}, o.write)
	require.NoError(t, err)
	assert.Equal(t, 1, calls, "tried once is enough for a refusal")
	assert.Equal(t, 2, r.count(t, "quarantine"))
}

// A message that the second stage sent anew, and that was not recorded, is in doubt like any other (Invariant 1).
func TestMessageThatWasSentAnewIsInDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	_, err := r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "update message set correspondence_id = $1", uuid.New())
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "alter table ledger rename to ledger_elsewhere")
	require.NoError(t, err)
	r.faults(nil, nil) // the calls so far do not count
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Contains(t, r.made(), callMigrate)
	assert.Equal(t, 1, r.count(t, "message_lease"), "it was sent")
	_, err = r.pool.Exec(t.Context(), "alter table ledger_elsewhere rename to ledger")
	require.NoError(t, err)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
	_, err = r.Deliver(t.Context(), m.ID, history)
	assert.Equal(t, message.ReasonPurgedInDoubt, message.Describe(err).Reason)
}

// A doubt on record outlives a refusal (Invariant 1).
func TestDoubtOutlivesARefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	r.faults(nil, func(_ int, request *http.Request) bool {
		return strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate)
	})
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	require.Equal(t, 1, r.count(t, "message where reason = 'answer_lost'"))
	_, stored := r.sim.Correspondence.Item(m.ID)
	require.True(t, stored)
	refuseMigrate(r)
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	r.faults(nil, nil)
	require.NoError(t, r.sim.Altinn2.ChangePurge(m.ID, false))
	_, err = r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Equal(t, message.ReasonPurgedInDoubt, message.Describe(err).Reason)
}

// What is due stays due where the first stage meets it lost over there.
func TestDueMessageThatTheFirstStageBringsAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.one(t, plain)
	_, err := r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	_, err = r.pool.Exec(t.Context(), "update message set due_at = now() - interval '1 minute', correspondence_id = $1", uuid.New())
	require.NoError(t, err)
	require.NoError(t, r.sim.Altinn2.ChangeRead(m.ID, m.Recipient.PartyUUID))
	_, err = r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	assert.Equal(t, 1, r.count(t, "message where stage = 'transferred' and due_at <= now()"))
}

// What is due stays due where a system refuses everything.
func TestDueMessagesThatASystemRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.generate(t, 6)
	rows := r.listed(t)
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			return http.StatusBadGateway, "{}"
		}
		return 0, ""
	}, nil)
	for i := range rows { // an operator's sync, say, that leaves no other trace
		_, err := r.Deliver(t.Context(), rows[i].Number, message.Order{Lane: message.Live})
		require.Error(t, err)
	}
	require.Equal(t, 6, r.count(t, "message where due_at is not null"))
	_, err := r.pool.Exec(t.Context(), "update message set due_at = now() - interval '1 minute'")
	require.NoError(t, err)
	refuseMigrate(r)
	o := newOwner(r)
	o.Patient, o.WindowID, o.WindowTakes = true, 0, false
	page := make([]message.Row, len(rows))
	for i := range rows {
		page[i] = message.GivenRow(rows[i].Number, rows[i].Created)
	}
	ending, err := o.Bring(t.Context(), page, message.Order{Lane: message.Live}, o.write)
	require.NoError(t, err)
	assert.NotEmpty(t, ending.Waiting)
	assert.Zero(t, r.count(t, "quarantine"))
	assert.Equal(t, 6, r.count(t, "message where due_at is not null"))
}
