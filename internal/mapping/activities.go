package mapping

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// activities are rule 8.1: the events that mean something to people, in order of time. Consecutive saves by one actor are
// one activity with the id of the first and the time of the last.
func (s *subject) activities() ([]dialogporten.Activity, error) {
	var (
		activities []dialogporten.Activity
		created    bool
	)
	for _, event := range sortedEvents(s.Events) {
		kind := activityType(event)
		if kind == "" || (kind == dialogporten.ActivityDialogCreated && created) {
			continue
		}
		created = created || kind == dialogporten.ActivityDialogCreated
		activity, err := s.activity(event, kind)
		if err != nil {
			return nil, err
		}
		if last := len(activities) - 1; last >= 0 && isRepeatedSave(activities[last], activity) {
			activities[last].CreatedAt = activity.CreatedAt
			continue
		}
		activities = append(activities, activity)
	}
	return activities, nil
}

// sortedEvents orders events by time, stably: Storage sorts times as texts (rule 21.18). Events without a time go first.
func sortedEvents(events []altinn.InstanceEvent) []*altinn.InstanceEvent {
	sorted := make([]*altinn.InstanceEvent, len(events))
	for i := range events {
		sorted[i] = &events[i]
	}
	slices.SortStableFunc(sorted, func(a, b *altinn.InstanceEvent) int { return compareTimes(a.Created, b.Created) })
	return sorted
}

// compareTimes orders times, an absent one first.
func compareTimes(a, b *altinn.Time) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	return a.Compare(b.Time)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// activityType tells what an event means, empty when nothing. Created and Deleted also come for data elements, and saves
// by the service owner are noise.
func activityType(event *altinn.InstanceEvent) dialogporten.ActivityType {
	aboutInstance := event.DataID == nil
	switch strings.ToLower(event.EventType) {
	case "created":
		return when(aboutInstance, dialogporten.ActivityDialogCreated)
	case "deleted":
		return when(aboutInstance, dialogporten.ActivityDialogDeleted)
	case "undeleted":
		return when(aboutInstance, dialogporten.ActivityDialogRestored)
	case "saved":
		return when(event.User == nil || isBlank(event.User.OrgID), dialogporten.ActivityFormSaved)
	case "submited": // so spelt by Storage
		return dialogporten.ActivityFormSubmitted
	case "signed":
		return dialogporten.ActivitySignatureProvided
	case "senttosign":
		return dialogporten.ActivitySentToSigning
	case "senttopayment":
		return dialogporten.ActivitySentToPayment
	case "senttosendin":
		return dialogporten.ActivitySentToSendIn
	case "senttoformfill":
		return dialogporten.ActivitySentToFormFill
	case "messagearchived":
		return dialogporten.ActivityDialogClosed
	case "messageread":
		return dialogporten.ActivityDialogOpened
	}
	return ""
}

func when(holds bool, kind dialogporten.ActivityType) dialogporten.ActivityType {
	if holds {
		return kind
	}
	return ""
}

func (s *subject) activity(event *altinn.InstanceEvent, kind dialogporten.ActivityType) (dialogporten.Activity, error) {
	guid, err := uuid.Parse(event.ID)
	if err != nil {
		return dialogporten.Activity{}, &Error{Reason: ReasonEventIncomplete, Member: "id"}
	}
	if event.Created == nil {
		return dialogporten.Activity{}, &Error{Reason: ReasonEventIncomplete, Member: "created", ID: guid.String()}
	}
	actor, err := s.actor(event)
	if err != nil {
		return dialogporten.Activity{}, err
	}
	return dialogporten.Activity{
		ID:          dialogid.V7(guid, event.Created.Time),
		CreatedAt:   dialogTime(*event.Created),
		Type:        kind,
		PerformedBy: actor,
	}, nil
}

func isRepeatedSave(last, next dialogporten.Activity) bool {
	return last.Type == dialogporten.ActivityFormSaved && next.Type == dialogporten.ActivityFormSaved &&
		isSameActor(last.PerformedBy, next.PerformedBy)
}

// submissions picks the FormSubmitted activities, in order of time.
func submissions(activities []dialogporten.Activity) []dialogporten.Activity {
	var found []dialogporten.Activity
	for i := range activities {
		if activities[i].Type == dialogporten.ActivityFormSubmitted {
			found = append(found, activities[i])
		}
	}
	return found
}

func hasFormSubmitted(activities []dialogporten.Activity) bool {
	return len(submissions(activities)) > 0
}
