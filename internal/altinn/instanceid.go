package altinn

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// InstanceID names an instance: the party id of its owner and its own GUID.
type InstanceID struct {
	PartyID int64
	GUID    uuid.UUID
}

// InstanceIDError tells why a text is not an instance id. It does not repeat the text.
type InstanceIDError struct {
	Problem string
}

func (e *InstanceIDError) Error() string { return "malformed instance id: " + e.Problem }

// ParseInstanceID reads `{partyId}/{guid}`: the text is split at its first `/`, the first part is a positive 32-bit
// number in plain digits, the second a GUID in 8-4-4-4-12 form, in any letter case (Storage reference 11.1). The error
// is an *InstanceIDError.
func ParseInstanceID(text string) (InstanceID, error) {
	party, guid, found := strings.Cut(text, "/")
	if !found {
		return InstanceID{}, &InstanceIDError{Problem: "no slash"}
	}
	partyID, err := strconv.ParseUint(party, 10, 31)
	if err != nil || partyID == 0 {
		return InstanceID{}, &InstanceIDError{Problem: "the party id is not a positive 32-bit number"}
	}
	id, ok := parseDashedGUID(guid)
	if !ok {
		return InstanceID{}, &InstanceIDError{Problem: "the second part is not a GUID in 8-4-4-4-12 form"}
	}
	return InstanceID{PartyID: int64(partyID), GUID: id}, nil
}

// parseDashedGUID accepts the 8-4-4-4-12 form only; uuid.Parse alone would also take braces, URNs and bare digits.
func parseDashedGUID(text string) (uuid.UUID, bool) {
	const dashedLength = 36
	if len(text) != dashedLength {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// String gives `{partyId}/{guid}` with the GUID in lower case, as Storage writes it.
func (id InstanceID) String() string {
	return strconv.FormatInt(id.PartyID, 10) + "/" + id.GUID.String()
}

// IsZero tells whether the id names nothing.
func (id InstanceID) IsZero() bool { return id == InstanceID{} }
