package register

import (
	"slices"
	"strconv"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
)

// match finds the record of a URN among those that answer several. Register's answer is in no order and has no link
// back to the question, so only a value can tell (Storage reference, 16.1). ok is false when no record has the value, or
// when it cannot be told which of several has it.
func match(urn string, records []altinn.Party) (party *altinn.Party, ok bool) {
	if user, isUser := numberAfter(urn, UserIDPrefix); isUser {
		return matchUser(user, records)
	}
	id, isParty := numberAfter(urn, PartyIDPrefix)
	return only(records, func(p *altinn.Party) bool {
		switch {
		case isParty:
			return p.PartyID != nil && *p.PartyID == id
		case strings.HasPrefix(urn, organizationPrefix):
			return p.OrganizationIdentifier != nil && organizationPrefix+*p.OrganizationIdentifier == urn
		case strings.HasPrefix(urn, personPrefix):
			return p.PersonIdentifier != nil && personPrefix+*p.PersonIdentifier == urn
		case strings.HasPrefix(urn, partyUUIDPrefix):
			return p.PartyUUID != nil && strings.EqualFold(partyUUIDPrefix+p.PartyUUID.String(), urn)
		default:
			return p.ExternalURN != nil && *p.ExternalURN == urn
		}
	})
}

// matchUser prefers the record whose current user it is; the list has former user ids too.
func matchUser(user int64, records []altinn.Party) (*altinn.Party, bool) {
	current, ok := only(records, func(p *altinn.Party) bool {
		return p.User != nil && p.User.UserID != nil && *p.User.UserID == user
	})
	if ok {
		return current, true
	}
	return only(records, func(p *altinn.Party) bool {
		return p.User != nil && slices.Contains(p.User.UserIDs, user)
	})
}

// only gives the one record that fits; two that fit are as bad as none.
func only(records []altinn.Party, fits func(*altinn.Party) bool) (*altinn.Party, bool) {
	var found *altinn.Party
	for i := range records {
		if !fits(&records[i]) {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = &records[i]
	}
	return found, found != nil
}

func numberAfter(urn, prefix string) (int64, bool) {
	text, found := strings.CutPrefix(urn, prefix)
	if !found {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
