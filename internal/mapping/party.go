package mapping

import "github.com/altinn/dialogsync/internal/altinn"

// Prefixes of URNs that records of Register are turned into.
const (
	personURNPrefix         = "urn:altinn:person:identifier-no:"
	organizationURNPrefix   = "urn:altinn:organization:identifier-no:"
	selfIdentifiedURNPrefix = "urn:altinn:person:legacy-selfidentified:"
	displayNameURNPrefix    = "urn:altinn:displayName:"

	partyTypeSelfIdentified = "self-identified-user"
)

// Prefixes of URNs that Register is asked for.
const (
	PartyIDURNPrefix = "urn:altinn:party:id:"
	UserIDURNPrefix  = "urn:altinn:user:id:"
)

// PartyURN is the URN of a record of Register, of a party as of an actor (rule 8.3). An external URN goes first, which is
// how new kinds of parties come through. A record that has nothing to go by gives an *Error.
func PartyURN(record altinn.Party) (string, error) {
	switch {
	case record.ExternalURN != nil:
		return *record.ExternalURN, nil
	case record.PersonIdentifier != nil:
		return personURNPrefix + *record.PersonIdentifier, nil
	case record.OrganizationIdentifier != nil:
		return organizationURNPrefix + *record.OrganizationIdentifier, nil
	case record.DisplayName != nil && record.PartyType == partyTypeSelfIdentified:
		return selfIdentifiedURNPrefix + *record.DisplayName, nil
	case record.DisplayName != nil:
		return displayNameURNPrefix + *record.DisplayName, nil
	}
	return "", &Error{Reason: ReasonPartyUnusable}
}
