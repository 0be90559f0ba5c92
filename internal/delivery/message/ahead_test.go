package message_test

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/internal/transport"
)

// readAt gives a message a read.
func readAt(at time.Time) func(*simaltinn2.Record) {
	return func(m *simaltinn2.Record) {
		m.Events = append(m.Events, simaltinn2.Event{Type: simaltinn2.EventRead, At: at, PartyUUID: m.Recipient.PartyUUID, UserUUID: m.Recipient.PartyUUID})
	}
}

// An event that lies ahead, far or near, hides no message until then, in whatever way it comes to be seen.
func TestEventAheadHidesNothing(t *testing.T) {
	t.Parallel()
	far, near := time.Now().AddDate(10, 0, 0), time.Now().Add(8*time.Minute)
	for name, tt := range map[string]struct {
		ahead time.Time
		alter func(*simaltinn2.Record)
	}{
		"read": {far, readAt(far)}, "read soon": {near, readAt(near)},
		"notification": {far, func(m *simaltinn2.Record) {
			m.Notifications = []simaltinn2.Notification{{ID: 1, Channel: "email", SentAt: far, Address: "a@example.no"}}
		}},
	} {
		ahead, alter := tt.ahead, tt.alter
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

// P1: a message that is to be seen later goes all the way at once: stored and hidden until after that, it would be dated by its migration.
func TestP01ToBeSeenLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(m *simaltinn2.Record) {
		m.VisibleFrom = time.Now().Add(time.Hour)
		m.Events = []simaltinn2.Event{{Type: simaltinn2.EventCreated, At: m.Created}}
	})
	result, err := r.Deliver(t.Context(), m.ID, transferOnly)
	require.NoError(t, err)
	assert.Equal(t, db.MessageStagePublished, result.Stage)
	results, err := r.Publish(t.Context(), []int32{m.ID}, history)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	assert.Equal(t, ledger.Unchanged, results[0].Outcome)
}

// 17.4: what a person's sync stored and could not make available is tried again by live, whoever is to blame.
func TestSyncThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status, quarantined int
		body                string
	}{
		"the item": {http.StatusOK, 1, `{"statuses":[{"correspondenceId":"%s","dialogId":null,"error":"boom","ok":false}]}`},
		"a system": {http.StatusServiceUnavailable, 0, `"%s"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.put(t, func(*simaltinn2.Record) {})
			r.faults(func(_ int, request *http.Request) (int, string) {
				if strings.HasSuffix(request.URL.Path, callAvailable) {
					return tt.status, fmt.Sprintf(tt.body, idsOf(t, request)[0])
				}
				return 0, ""
			}, nil)
			asked := message.Asked{Operator: "kari", Reason: "test"}
			_, err := r.Sync(t.Context(), m.ID, message.Order{Lane: message.History, Insist: true, Redo: true}, asked)
			require.Error(t, err)
			assert.Equal(t, tt.quarantined, r.count(t, "quarantine"))
			due, err := db.New(r.pool).DueMessages(t.Context(), db.DueMessagesParams{Now: time.Now().Add(11 * time.Minute), MaxRows: 10})
			require.NoError(t, err)
			require.Len(t, due, 1)
			assert.Equal(t, m.ID, due[0].Altinn2ID)
		})
	}
}

// 9.4, 17.5: what is hidden still when it was to be seen is not sent on silently unless it was published; that is told first, by the only
// call that takes it (5.8, 7.2).
func TestP01HiddenUntilItWasToBeSeen(t *testing.T) {
	t.Parallel()
	deliver := func(t *testing.T, r *rig, number int32) (message.Result, error) {
		t.Helper()
		return r.Deliver(t.Context(), number, history)
	}
	for name, second := range map[string]func(*testing.T, *rig, int32) (message.Result, error){
		"one stage": deliver,
		"first stage": func(t *testing.T, r *rig, number int32) (message.Result, error) {
			t.Helper()
			result, err := r.Deliver(t.Context(), number, transferOnly)
			if err != nil || result.Stage == db.MessageStagePublished {
				return result, err
			}
			results, err := r.Publish(t.Context(), []int32{number}, history)
			require.NoError(t, err)
			return results[0], results[0].Err
		},
		"second stage": func(t *testing.T, r *rig, number int32) (message.Result, error) {
			t.Helper()
			results, err := r.Publish(t.Context(), []int32{number}, history)
			require.NoError(t, err)
			return results[0], results[0].Err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			start := time.Now().Add(-48 * time.Hour).Truncate(time.Millisecond).UTC()
			visible := start.Add(time.Hour)
			m := r.put(t, toBeSeen(visible))
			r.setClock(start)
			refuseAvailable(r)
			_, err := r.Deliver(t.Context(), m.ID, history)
			require.Error(t, err)
			r.setClock(time.Time{})
			r.faults(nil, nil)
			for range 2 {
				_, err = second(t, r, m.ID)
				require.Error(t, err)
				assert.Equal(t, "not_published", message.Describe(err).Reason)
			}
			assert.Empty(t, r.made())

			require.NoError(t, r.sim.Altinn2.Change(m.ID, func(m *simaltinn2.Record) error {
				m.Events = append(m.Events, simaltinn2.Event{Type: simaltinn2.EventPublished, At: visible, PartyUUID: m.Sender.PartyUUID})
				return nil
			}))
			refuseAvailable(r)
			_, err = second(t, r, m.ID)
			require.Error(t, err)
			assert.Equal(t, []string{callMigrate, callAvailable}, r.made())
			r.faults(nil, nil)
			result, err := second(t, r, m.ID)
			require.NoError(t, err)
			assert.Equal(t, []string{callAvailable}, r.made(), "it is told once")
			assert.Equal(t, db.MessageStagePublished, result.Stage)
			assert.Equal(t, visible, r.shown(t, result.DialogID).ContentUpdatedAt.UTC())
			r.only(t)
		})
	}
}

// What live has ordered has its dates from then; only where no dialog came of it they are looked after.
func TestP01OrderedBeforeItWasToBeSeen(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]bool{"its dialog comes": true, "none comes": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			start := time.Now()
			r.setClock(start)
			m := r.put(t, toBeSeen(start.Add(5*time.Minute)))
			if !comes {
				r.sim.Correspondence.Hold()
				defer r.sim.Correspondence.Release()
			}
			_, err := r.Deliver(t.Context(), m.ID, message.Order{})
			require.NoError(t, err)
			if comes {
				r.idle(t)
			}
			r.setClock(start.Add(11 * time.Minute))
			r.faults(nil, nil)
			results, err := r.Publish(t.Context(), []int32{m.ID}, history)
			require.NoError(t, err)
			if comes {
				require.NoError(t, results[0].Err)
				assert.Equal(t, db.MessageStagePublished, results[0].Stage)
				return
			}
			require.Error(t, results[0].Err)
			assert.Equal(t, "not_published", message.Describe(results[0].Err).Reason)
			assert.Empty(t, r.made())
		})
	}
}

// toBeSeen makes a message that is not published yet, and is to be seen from some time on.
func toBeSeen(from time.Time) func(*simaltinn2.Record) {
	return func(m *simaltinn2.Record) {
		m.VisibleFrom = from
		m.Events = []simaltinn2.Event{{Type: simaltinn2.EventCreated, At: m.Created}}
	}
}

// refuseAvailable has nothing made available.
func refuseAvailable(r *rig) {
	r.faults(func(_ int, request *http.Request) (int, string) {
		if strings.HasSuffix(request.URL.Path, callAvailable) {
			return http.StatusBadGateway, ""
		}
		return 0, ""
	}, nil)
}

// 17.4: a worker whose clock is behind leaves the dialog alone that another has ordered.
func TestDialogUnderWayByAnotherClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.put(t, func(*simaltinn2.Record) {})
	_, err := r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	r.setClock(time.Now().Add(-time.Minute))
	r.faults(nil, nil)
	_, err = r.Deliver(t.Context(), m.ID, message.Order{})
	require.NoError(t, err)
	assert.NotContains(t, r.made(), callAvailable)
	r.idle(t)
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

// An answer that was lost does not have the message wait for such an event either.
func TestEventFarAheadHidesNothingInDoubt(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]message.Order{"history": history, "live": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ahead := time.Now().AddDate(10, 0, 0)
			m := r.put(t, readAt(ahead))
			lost := func() {
				r.faults(nil, func(_ int, request *http.Request) bool {
					return strings.HasSuffix(request.URL.Path, "/migration/"+callMigrate)
				})
				_, err := r.Deliver(t.Context(), m.ID, order)
				require.Error(t, err)
			}
			if name == "live" {
				lost()
			}
			refuseMigrate(r)
			_, err := r.Deliver(t.Context(), m.ID, order)
			require.Error(t, err)
			if name == "history" {
				lost()
			}
			r.faults(nil, nil)
			r.setClock(time.Now().Add(11 * time.Minute))
			result, err := r.Deliver(t.Context(), m.ID, message.Order{Lane: order.Lane, Insist: true, Redo: true})
			require.NoError(t, err)
			if result.Stage != db.MessageStagePublished {
				assert.True(t, result.DueAt.Before(time.Now().Add(time.Hour)), "hidden until %v", result.DueAt)
			}
			r.idle(t)
		})
	}
}

// A message given up for what may go away is looked at again ten minutes later, whatever lies ahead of it.
func TestGivenUpMessageWithAnEventFarAhead(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(*simaltinn2.Record){
		"far": readAt(time.Now().AddDate(10, 0, 0)), "none": func(*simaltinn2.Record) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, 30)
			m := r.put(t, alter)
			rows := r.listed(t)
			var bad uuid.UUID
			o := newOwner(r)
			_, err := o.Bring(t.Context(), rows, transferOnly, o.write)
			require.NoError(t, err)
			var given []message.Row
			for i := range rows {
				if rows[i].Number == m.ID {
					bad = rows[i].Result().CorrespondenceID
				}
				given = append(given, message.GivenRow(rows[i].Number, rows[i].Created))
			}
			require.NotEqual(t, uuid.Nil, bad)
			r.faults(func(_ int, request *http.Request) (int, string) {
				if strings.HasSuffix(request.URL.Path, callAvailable) {
					var s []string
					for _, id := range idsOf(t, request) {
						if id == bad {
							s = append(s, `{"correspondenceId":"`+bad.String()+`","dialogId":null,"error":"boom","ok":false}`)
						} else {
							s = append(s, r.availableAt(t, id))
						}
					}
					return http.StatusOK, `{"statuses":[` + strings.Join(s, ",") + `]}`
				}
				return 0, ""
			}, nil)
			o = newOwner(r)
			_, err = o.Publish(t.Context(), given, history, o.write)
			require.NoError(t, err)
			require.Equal(t, 1, r.count(t, "quarantine"))
			assert.Equal(t, 1, r.count(t, "message where stage='transferred' and due_at < now() + interval '1 hour'"))

			r.faults(nil, nil) // mended: a person need not wait until then
			result, err := r.Sync(t.Context(), m.ID, message.Order{Lane: message.History, Insist: true, Redo: true}, message.Asked{Operator: "kari", Reason: "mended"})
			require.NoError(t, err)
			assert.Equal(t, []string{callAvailable}, r.made())
			assert.Equal(t, ledger.Created, result.Outcome)
			item, found := r.sim.Correspondence.Item(m.ID)
			require.True(t, found)
			assert.False(t, item.Hidden)
			assert.Zero(t, r.count(t, "quarantine"))
		})
	}
}
