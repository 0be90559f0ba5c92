package message_test

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
)

// readAt gives a message a read.
func readAt(at time.Time) func(*simaltinn2.Record) {
	return func(m *simaltinn2.Record) {
		m.Events = append(m.Events, simaltinn2.Event{Type: simaltinn2.EventRead, At: at, PartyUUID: m.Recipient.PartyUUID, UserUUID: m.Recipient.PartyUUID})
	}
}

// An event that lies ahead hides no message until then, in whatever way it comes to be seen.
func TestEventFarAheadHidesNothing(t *testing.T) {
	t.Parallel()
	ahead := time.Now().AddDate(10, 0, 0)
	for name, alter := range map[string]func(*simaltinn2.Record){
		"read": readAt(ahead),
		"notification": func(m *simaltinn2.Record) {
			m.Notifications = []simaltinn2.Notification{{ID: 1, Channel: "email", SentAt: ahead, Address: "a@example.no"}}
		},
	} {
		t.Run(name+", in two stages", func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.put(t, alter)
			_, err := r.Deliver(t.Context(), m.ID, transferOnly)
			require.NoError(t, err)
			results, err := r.Publish(t.Context(), []int32{m.ID}, history)
			require.NoError(t, err)
			require.NoError(t, results[0].Err)
			assert.Equal(t, db.MessageStagePublished, results[0].Stage)
		})
		t.Run(name+", at the second try", func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.put(t, alter)
			r.faults(func(_ int, request *http.Request) (int, string) {
				if strings.HasSuffix(request.URL.Path, callAvailable) {
					return http.StatusServiceUnavailable, ""
				}
				return 0, ""
			}, nil)
			_, err := r.Deliver(t.Context(), m.ID, history)
			require.Error(t, err)
			r.faults(nil, nil)
			result, err := r.Deliver(t.Context(), m.ID, history)
			require.NoError(t, err)
			assert.Equal(t, db.MessageStagePublished, result.Stage)
			assert.WithinDuration(t, ahead, result.DueAt, time.Second, "the event is still to be told")
		})
	}
}

// An event that was ahead at the first stage is told although the second comes after it.
func TestEventHeldBackOutlivesTheSecondStage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	past := time.Now().Add(-2 * time.Hour)
	m := r.put(t, readAt(past.Add(time.Hour)))
	r.setClock(past)
	_, err := r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	r.setClock(time.Time{})
	results, err := r.Publish(t.Context(), []int32{m.ID}, history)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.False(t, results[0].DueAt.IsZero(), "nobody would look again")
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.True(t, result.DueAt.IsZero())
	r.idle(t)
	assert.Len(t, r.shown(t, result.DialogID).of("CorrespondenceOpened"), 1)
}

// P1: a message that was stored before it was published is not made available with today's date; a person has it migrated again.
func TestP01StoredBeforeItWasPublished(t *testing.T) {
	t.Parallel()
	past := time.Now().Add(-72 * time.Hour).Truncate(time.Second)
	visible := past.Add(time.Hour)
	for name, again := range map[string]func(*rig, int32) error{
		"publish": func(r *rig, id int32) error {
			results, err := r.Publish(t.Context(), []int32{id}, history)
			if err != nil {
				return err
			}
			return results[0].Err
		},
		"live": func(r *rig, id int32) error {
			_, err := r.Deliver(t.Context(), id, message.Order{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.put(t, func(m *simaltinn2.Record) {
				m.Created, m.VisibleFrom = past.Add(-time.Hour), visible
				m.Events = []simaltinn2.Event{{Type: simaltinn2.EventCreated, At: m.Created}}
			})
			r.setClock(past)
			_, err := r.Deliver(t.Context(), m.ID, transferOnly)
			require.NoError(t, err)
			r.setClock(time.Time{})
			published := simaltinn2.Event{Type: simaltinn2.EventPublished, At: visible, PartyUUID: m.Sender.PartyUUID}
			m.Events = append(slices.Clone(m.Events), published)
			m.ChangeSeq, m.ChangedAt = 0, time.Time{}
			require.NoError(t, r.sim.Altinn2.PutRecord(m))

			err = again(r, m.ID)
			require.Error(t, err)
			assert.Equal(t, mapping.ReasonNotPublished, message.Describe(err).Reason)
			assert.Equal(t, transport.Permanent, message.Describe(err).Class)

			result, err := r.Deliver(t.Context(), m.ID, message.Order{Lane: message.History, Insist: true})
			require.NoError(t, err)
			assert.Equal(t, db.MessageStagePublished, result.Stage)
			assert.WithinDuration(t, visible, r.shown(t, result.DialogID).ContentUpdatedAt, time.Second)
		})
	}
	t.Run("still to be seen", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		m := r.put(t, func(m *simaltinn2.Record) {
			m.VisibleFrom = time.Now().Add(time.Hour)
			m.Events = []simaltinn2.Event{{Type: simaltinn2.EventCreated, At: m.Created}}
		})
		_, err := r.Deliver(t.Context(), m.ID, transferOnly)
		require.NoError(t, err)
		results, err := r.Publish(t.Context(), []int32{m.ID}, history)
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
		assert.Equal(t, db.MessageStagePublished, results[0].Stage)
	})
}

// 17.4: ten minutes from the call, however long the files took before it.
func TestVerificationIsCountedFromTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(m *simaltinn2.Record) { m.Attachments = files("SLOW", m.Created)[:1] })
	start := time.Now()
	r.setClock(start)
	const upload = 15 * time.Minute
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callAttachment) {
			r.setClock(start.Add(upload))
		}
		return 0, ""
	}, nil)
	result, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.WithinDuration(t, start.Add(upload+mapping.VerifyAfter), result.DueAt, time.Second)
	r.idle(t)
}

// A refused dialog whose id is there, deleted, is no dialog (chapter 15).
func TestRefusedDialogThatIsDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(*simaltinn2.Record) {})
	r.faults(func(_ int, request *http.Request) (int, string) {
		switch {
		case strings.HasSuffix(request.URL.Path, callAvailable):
			return http.StatusOK, r.refusal(t, request, everyID)
		case strings.Contains(request.URL.Path, "/serviceowner/dialogs/"):
			return http.StatusOK, fmt.Sprintf(`{"id":%q,"deletedAt":"2026-01-01T00:00:00Z"}`, path.Base(request.URL.Path))
		}
		return 0, ""
	}, nil)
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Equal(t, message.ReasonDialogRefused, message.Describe(err).Reason)
}

// 9.11: what was created later than now waits until then, and is not given up meanwhile.
func TestMessageCreatedAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	m := r.put(t, func(m *simaltinn2.Record) {
		m.Created, m.VisibleFrom = now, now
		m.Events = []simaltinn2.Event{
			{Type: simaltinn2.EventCreated, At: now}, {Type: simaltinn2.EventPublished, At: now, PartyUUID: m.Sender.PartyUUID},
		}
	})
	r.setClock(now.Add(-3 * time.Second))
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	assert.Equal(t, message.ReasonCreatedAhead, message.Describe(err).Reason)
	assert.Equal(t, transport.Transient, message.Describe(err).Class)
	assert.Empty(t, r.made())
	r.setClock(time.Time{})
	result, err := r.Deliver(t.Context(), m.ID, history)
	require.NoError(t, err)
	assert.Equal(t, db.MessageStagePublished, result.Stage)
}

// 17.4: the dead letter has the validation's texts, and nothing that was sent.
func TestDeadLetterHasTheTexts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(*simaltinn2.Record) {})
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate) {
			return http.StatusBadRequest, `{"status":400,"errors":{"CorrespondenceData.Correspondence.Content.MessageTitle":[` +
				`"The field MessageTitle must be a string with a maximum length of 255.","The value 'Kari' is not valid for MessageTitle.",` +
				`"Kari Nordmann is not a title.","The field MessageTitle must be Kari Nordmann's."]}}`
		}
		return 0, ""
	}, nil)
	_, err := r.Deliver(t.Context(), m.ID, history)
	require.Error(t, err)
	detail := message.Describe(err).Detail
	assert.Contains(t, detail, "The field MessageTitle must be a string with a maximum length of 255.")
	assert.Contains(t, detail, "The value … is not valid for MessageTitle.")
	assert.NotContains(t, strings.ToLower(detail), "kari")
}
