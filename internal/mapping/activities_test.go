package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestActivityTypes(t *testing.T) {
	t.Parallel()
	cases := map[string]dialogporten.ActivityType{
		"created": dialogporten.ActivityDialogCreated, "DELETED": dialogporten.ActivityDialogDeleted,
		"Undeleted": dialogporten.ActivityDialogRestored, "Submited": dialogporten.ActivityFormSubmitted,
		"Signed": dialogporten.ActivitySignatureProvided, "SentToSign": dialogporten.ActivitySentToSigning,
		"SentToPayment": dialogporten.ActivitySentToPayment, "SentToSendIn": dialogporten.ActivitySentToSendIn,
		"SentToFormFill": dialogporten.ActivitySentToFormFill, "MessageArchived": dialogporten.ActivityDialogClosed,
		"MessageRead": dialogporten.ActivityDialogOpened, "Saved": dialogporten.ActivityFormSaved,
		"SubstatusUpdated": "", "InstanceForwarded": "", "InstanceRightRevoked": "", "NotificationSentSms": "",
		"process_StartTask": "", "": "", "Submitted": "",
	}
	for kind, want := range cases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Events = []altinn.InstanceEvent{event(t, 1, kind, "2025-06-18T10:00:00Z")}
			activities := mustCreate(t, in).Body.Activities
			if want == "" {
				assert.Empty(t, activities)
				return
			}
			require.Len(t, activities, 1)
			assert.Equal(t, want, activities[0].Type)
		})
	}
}

func TestEventsOfDataElementsAreNotTheDialogs(t *testing.T) {
	t.Parallel()
	in := draft(t)
	for n, kind := range []string{"Created", "Deleted", "Undeleted"} {
		e := event(t, n, kind, "2025-06-18T10:00:00Z")
		e.DataID = new("da7a0000-0000-4000-b000-000000000001")
		in.Events = append(in.Events, e)
	}
	assert.Empty(t, mustCreate(t, in).Body.Activities)
}

func TestOnlyTheFirstCreation(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Events = []altinn.InstanceEvent{
		event(t, 2, "Created", "2025-06-18T11:00:00Z"),
		event(t, 1, "Created", "2025-06-18T10:00:00.5Z"),
	}
	activities := mustCreate(t, in).Body.Activities
	require.Len(t, activities, 1)
	assert.Equal(t, "2025-06-18T10:00:00.5Z", activities[0].CreatedAt.String(), "events are sorted by time")
}

func TestSavesOfOneActorAreOne(t *testing.T) {
	t.Parallel()
	save := func(n int, minute string, actor *altinn.EventActor) altinn.InstanceEvent {
		e := event(t, n, "Saved", "2025-06-18T12:"+minute+":00Z")
		e.User = actor
		return e
	}
	user, other := &altinn.EventActor{UserID: new(testUser)}, &altinn.EventActor{UserID: new(otherUser)}
	owner := &altinn.EventActor{OrgID: "ttd"}
	system := &altinn.EventActor{EndUserSystemID: new(int64(7))}
	cases := map[string]struct {
		events []altinn.InstanceEvent
		want   []string // times
	}{
		"one user": {
			[]altinn.InstanceEvent{save(1, "00", user), save(2, "01", user)},
			[]string{"12:01"},
		},
		"the owner's saves neither count nor break a run": {
			[]altinn.InstanceEvent{save(1, "00", user), save(2, "01", owner), save(3, "02", user)},
			[]string{"12:02"},
		},
		"two users": {
			[]altinn.InstanceEvent{save(1, "00", user), save(2, "01", other), save(3, "02", user)},
			[]string{"12:00", "12:01", "12:02"},
		},
		"one named actor": {
			[]altinn.InstanceEvent{save(1, "00", system), save(2, "01", system)},
			[]string{"12:01"},
		},
		"a named and an identified actor": {
			[]altinn.InstanceEvent{save(1, "00", system), save(2, "01", user)},
			[]string{"12:00", "12:01"},
		},
		"silent events do not break a run": {
			[]altinn.InstanceEvent{save(1, "00", user), event(t, 2, "SubstatusUpdated", "2025-06-18T12:01:00Z"), save(3, "02", user)},
			[]string{"12:02"},
		},
		"other activities do": {
			[]altinn.InstanceEvent{save(1, "00", user), event(t, 2, "Signed", "2025-06-18T12:01:00Z"), save(3, "02", user)},
			[]string{"12:00", "12:01", "12:02"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Events = c.events
			var times []string
			activities := mustCreate(t, in).Body.Activities
			for _, activity := range activities {
				times = append(times, activity.CreatedAt.Format("15:04"))
			}
			assert.Equal(t, c.want, times)
			first := c.events[0].ID
			assert.Equal(t, first[len(first)-12:], activities[0].ID.String()[24:], "the id stays the first save's")
		})
	}
}

func TestActors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		user  *altinn.EventActor
		actor string // type, id, name
	}{
		"user":            {&altinn.EventActor{UserID: new(testUser), OrgID: "ttd"}, "PartyRepresentative|" + testPerson + "|"},
		"named user":      {&altinn.EventActor{UserID: new(int64(3))}, "PartyRepresentative||VIRKBRUKER"},
		"end-user system": {&altinn.EventActor{EndUserSystemID: new(int64(412)), SystemUserOwnerOrgNo: "9"}, "PartyRepresentative||EUS #412"},
		"system user":     {&altinn.EventActor{SystemUserOwnerOrgNo: "910", OrgID: "ttd"}, "PartyRepresentative|urn:altinn:organization:identifier-no:910|"},
		"service owner":   {&altinn.EventActor{OrgID: "ttd"}, "ServiceOwner||"},
		"unknown user, but a system": {
			&altinn.EventActor{UserID: new(int64(99)), EndUserSystemID: new(int64(1))}, "PartyRepresentative||EUS #1",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Actors[3] = "urn:altinn:displayName:VIRKBRUKER"
			e := event(t, 1, "Signed", "2025-06-18T10:00:00Z")
			e.User = c.user
			in.Events = []altinn.InstanceEvent{e}
			activities := mustCreate(t, in).Body.Activities
			require.Len(t, activities, 1)
			by := activities[0].PerformedBy
			assert.Equal(t, c.actor, string(by.ActorType)+"|"+text(by.ActorID)+"|"+text(by.ActorName))
		})
	}
}

func text(value *string) string {
	if value == nil {
		return ""
	}
	return *value
}

func TestActorUnresolvable(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		user *altinn.EventActor
		lag  bool
	}{
		"no user":      {nil, false},
		"nobody":       {&altinn.EventActor{}, false},
		"unknown user": {&altinn.EventActor{UserID: new(int64(99))}, true},
		"blank owner":  {&altinn.EventActor{OrgID: " "}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			e := event(t, 1, "Submited", "2025-06-18T10:00:00Z")
			e.User = c.user
			in.Events = []altinn.InstanceEvent{e}
			_, err := mapping.Create(in)
			mapped := requireReason(t, err, mapping.ReasonActorUnresolvable)
			assert.Equal(t, c.lag, mapped.RegisterMayLag)
			assert.Equal(t, e.ID, mapped.ID)

			in.Events[0].EventType = "SubstatusUpdated"
			_, err = mapping.Create(in)
			require.NoError(t, err, "an event that gives no activity needs no actor")
		})
	}
}

func TestActorOfACollapsedSaveIsStillNeeded(t *testing.T) {
	t.Parallel()
	in := draft(t)
	nobody := event(t, 2, "Saved", "2025-06-18T10:01:00Z")
	nobody.User = &altinn.EventActor{}
	in.Events = []altinn.InstanceEvent{event(t, 1, "Saved", "2025-06-18T10:00:00Z"), nobody}
	_, err := mapping.Create(in)
	requireReason(t, err, mapping.ReasonActorUnresolvable)
}

func TestIncompleteEvents(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*altinn.InstanceEvent){
		"id":      func(e *altinn.InstanceEvent) { e.ID = "" },
		"created": func(e *altinn.InstanceEvent) { e.Created = nil },
	}
	for member, remove := range cases {
		t.Run(member, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Events = []altinn.InstanceEvent{event(t, 1, "Signed", "2025-06-18T10:00:00Z")}
			remove(&in.Events[0])
			_, err := mapping.Create(in)
			assert.Equal(t, member, requireReason(t, err, mapping.ReasonEventIncomplete).Member)
		})
	}
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	events := []altinn.InstanceEvent{
		{User: &altinn.EventActor{UserID: new(int64(2))}},
		{},
		{User: &altinn.EventActor{OrgID: "ttd"}},
		{User: &altinn.EventActor{UserID: new(int64(1))}},
		{User: &altinn.EventActor{UserID: new(int64(2))}},
	}
	assert.Equal(t, []int64{2, 1}, mapping.UserIDs(events))
	assert.Empty(t, mapping.UserIDs(nil))
}
