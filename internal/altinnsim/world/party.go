package world

import (
	"net/url"

	"github.com/google/uuid"
)

// URN prefixes of parties (Storage reference, 16.1).
const (
	URNPartyID      = "urn:altinn:party:id:"
	URNPartyUUID    = "urn:altinn:party:uuid:"
	URNUserID       = "urn:altinn:user:id:"
	URNOrganisation = "urn:altinn:organization:identifier-no:"
	URNPerson       = "urn:altinn:person:identifier-no:"
	URNSelfIdent    = "urn:altinn:person:legacy-selfidentified:"
	URNEmail        = "urn:altinn:person:idporten-email:"
	URNDisplayName  = "urn:altinn:displayName:"
	URNUsername     = "urn:altinn:party:username:"
)

// PartyType is Register's word for what a party is.
type PartyType string

// The party types that the reference lists (16.1); more may come.
const (
	TypePerson         PartyType = "person"
	TypeOrganisation   PartyType = "organization"
	TypeSelfIdentified PartyType = "self-identified-user"
	TypeSystemUser     PartyType = "system-user"
	TypeEnterpriseUser PartyType = "enterprise-user"
)

// Party is somebody that can own an instance or act on one. Empty members are those that the party does not have.
type Party struct {
	ID           int32 // 0: none
	UUID         uuid.UUID
	Type         PartyType
	Person       string // national identity number
	Organisation string // organisation number
	Username     string
	ExternalURN  string
	DisplayName  string
	UserIDs      []int64 // the current user id first, then former ones
	Deleted      bool
}

// URN is what Dialogporten knows the party by, "" when there is nothing to know it by (Storage reference, 16.1).
func (p Party) URN() string {
	switch {
	case p.ExternalURN != "":
		return p.ExternalURN
	case p.Person != "":
		return URNPerson + p.Person
	case p.Organisation != "":
		return URNOrganisation + p.Organisation
	case p.DisplayName != "" && p.Type == TypeSelfIdentified:
		return URNSelfIdent + p.DisplayName
	case p.DisplayName != "":
		return URNDisplayName + p.DisplayName
	}
	return ""
}

// Email is the address of a party whose external URN is of the e-mail kind, "" for others.
func (p Party) Email() string {
	if len(p.ExternalURN) > len(URNEmail) && p.ExternalURN[:len(URNEmail)] == URNEmail {
		if address, err := url.PathUnescape(p.ExternalURN[len(URNEmail):]); err == nil {
			return address
		}
	}
	return ""
}
