package mapping

import (
	"strconv"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const endUserSystemPrefix = "EUS #"

// UserIDs gives the distinct users of all events, in order of appearance: those to look up in Register before mapping.
func UserIDs(events []altinn.InstanceEvent) []int64 {
	var ids []int64
	seen := make(map[int64]struct{})
	for i := range events {
		user := events[i].User
		if user == nil || user.UserID == nil {
			continue
		}
		if _, repeated := seen[*user.UserID]; !repeated {
			seen[*user.UserID] = struct{}{}
			ids = append(ids, *user.UserID)
		}
	}
	return ids
}

// actor names who caused an event (rule 8.2). An event without any usable actor fails the mapping: the activity would
// stay wrong for ever, and there is no fallback actor (invariant 12).
func (s *subject) actor(event *altinn.InstanceEvent) (dialogporten.Actor, error) {
	user := event.User
	if user == nil {
		return dialogporten.Actor{}, &Error{Reason: ReasonActorUnresolvable, Member: "user", ID: event.ID}
	}
	if user.UserID != nil {
		if urn := s.Actors[*user.UserID]; urn != "" {
			return ActorOfURN(urn), nil
		}
	}
	switch {
	case user.EndUserSystemID != nil:
		return namedActor(endUserSystemPrefix + strconv.FormatInt(*user.EndUserSystemID, 10)), nil
	case !isBlank(user.SystemUserOwnerOrgNo):
		return identifiedActor(organizationURNPrefix + user.SystemUserOwnerOrgNo), nil
	case !isBlank(user.OrgID):
		return dialogporten.Actor{ActorType: dialogporten.ActorServiceOwner}, nil
	}
	return dialogporten.Actor{}, &Error{
		Reason:         ReasonActorUnresolvable,
		ID:             event.ID,
		RegisterMayLag: user.UserID != nil,
	}
}

// ActorOfURN makes an actor of a URN from Register: users without an identifier are named instead.
func ActorOfURN(urn string) dialogporten.Actor {
	if name, found := strings.CutPrefix(urn, displayNameURNPrefix); found {
		return namedActor(name)
	}
	return identifiedActor(urn)
}

func namedActor(name string) dialogporten.Actor {
	return dialogporten.Actor{ActorType: dialogporten.ActorPartyRepresentative, ActorName: &name}
}

func identifiedActor(urn string) dialogporten.Actor {
	return dialogporten.Actor{ActorType: dialogporten.ActorPartyRepresentative, ActorID: &urn}
}

// isSameActor tells whether two saves were made by one actor: by id where either has one, else by name (rule 8.1).
func isSameActor(a, b dialogporten.Actor) bool {
	if a.ActorID != nil || b.ActorID != nil {
		return a.ActorID != nil && b.ActorID != nil && *a.ActorID == *b.ActorID
	}
	return a.ActorName != nil && b.ActorName != nil && !isBlank(*a.ActorName) && *a.ActorName == *b.ActorName
}
