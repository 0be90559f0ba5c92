package altinn

import "github.com/google/uuid"

// Party is one record of Register's answer (Storage reference 16.1). It holds personal data: it goes into dialogs and
// never into logs or errors. Pointers are nil where the member is absent or null.
type Party struct {
	PartyID *int64 `json:"partyId,omitempty"`
	// PartyType is `person`, `organization`, `self-identified-user`, `system-user`, `enterprise-user` or a newer one.
	PartyType              string     `json:"partyType,omitempty"`
	PartyUUID              *uuid.UUID `json:"partyUuid,omitempty"`
	ExternalURN            *string    `json:"externalUrn,omitempty"`
	PersonIdentifier       *string    `json:"personIdentifier,omitempty"`
	OrganizationIdentifier *string    `json:"organizationIdentifier,omitempty"`
	DisplayName            *string    `json:"displayName,omitempty"`
	User                   *PartyUser `json:"user,omitempty"`
}

// PartyUser lists the user ids of a party, former ones included.
type PartyUser struct {
	UserID  *int64  `json:"userId,omitempty"`
	UserIDs []int64 `json:"userIds,omitempty"`
}

// PartyList is Register's answer to a query. Data is nil when the member is missing, which is a fault of the answer.
type PartyList struct {
	Data *List[Party] `json:"data"`
}
