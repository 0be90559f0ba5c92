package world

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Ranges of party ids. A party's kind follows from its id.
const (
	firstPerson     = 50_000_000
	firstCompany    = 54_000_000
	firstSelfIdent  = 57_000_000
	firstEnterprise = 57_500_000
	firstMissing    = 58_000_000
	endOfPopulation = 59_000_000

	firstUser       = 20_000_000
	firstFormerUser = 1_000_000 // user ids that persons had before
)

// Sizes of the population.
const (
	// Persons is how many different persons there are.
	Persons = birthDays * individuals
	// Companies is how many different companies there are.
	Companies = 800_000
	// SelfIdentified is how many parties there are that identified themselves.
	SelfIdentified = 100_000
	// Enterprise is how many users of enterprises there are: they act and own nothing.
	Enterprise = 100_000
	// Missing is how many parties there are that Register does not know.
	Missing = 1_000_000

	birthDays     = 60 * 365 // from 1940
	individuals   = 50       // 00 to 49: born 1900–1999
	companyPrefix = 3_100_000
)

// firstBirth is the first day on which somebody of the population is born.
func firstBirth() time.Time { return time.Date(1940, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Population is the synthetic people of a seed. The zero value is a valid population.
type Population struct {
	Seed uint64
}

// Person is the id of the nth person; n counts from 0 and wraps around.
func (Population) Person(n uint64) int32 { return firstPerson + int32(n%Persons) }

// Company is the id of the nth company.
func (Population) Company(n uint64) int32 { return firstCompany + int32(n%Companies) }

// SelfIdentified is the id of the nth party that identified itself.
func (Population) SelfIdentified(n uint64) int32 { return firstSelfIdent + int32(n%SelfIdentified) }

// Enterprise is the id of the nth enterprise user.
func (Population) Enterprise(n uint64) int32 { return firstEnterprise + int32(n%Enterprise) }

// Missing is the id of the nth party that Register does not know (yet).
func (Population) Missing(n uint64) int32 { return firstMissing + int32(n%Missing) }

// IsMissing says whether the id is of a party that Register does not know unless it is told.
func IsMissing(id int32) bool { return id >= firstMissing && id < endOfPopulation }

// UserOf is the user id that a person or another user acts with, 0 for parties that have none.
func UserOf(id int32) int64 {
	switch {
	case id >= firstPerson && id < firstPerson+Persons, id >= firstEnterprise && id < firstEnterprise+Enterprise,
		id >= firstSelfIdent && id < firstSelfIdent+SelfIdentified:
		return firstUser + int64(id-firstPerson)
	}
	return 0
}

// ByID computes the party with that id. A missing party is computed as well: whether Register knows it is Register's
// matter.
func (p Population) ByID(id int32) (Party, bool) {
	party := Party{ID: id, UUID: p.uuid(id)}
	h := Mix(p.Seed ^ uint64(uint32(id))) //nolint:gosec // only mixed
	switch {
	case id >= firstPerson && id < firstPerson+Persons:
		n := int(id - firstPerson)
		number, ok := personNumber(firstBirth().AddDate(0, 0, n%birthDays), n/birthDays)
		if !ok {
			return Party{}, false
		}
		party.Type, party.Person, party.DisplayName = TypePerson, number, personName(h)
		party.ExternalURN = URNPerson + number
		party.UserIDs = []int64{UserOf(id)}
		if h%50 == 0 {
			party.UserIDs = append(party.UserIDs, firstFormerUser+int64(n))
		}
	case id >= firstCompany && id < firstCompany+Companies:
		party.Type, party.Organisation = TypeOrganisation, organisationNumber(companyPrefix+int(id-firstCompany))
		party.DisplayName = companyName(h)
		party.ExternalURN = URNOrganisation + party.Organisation
	case id >= firstSelfIdent && id < firstSelfIdent+SelfIdentified:
		party.Type = TypeSelfIdentified
		party.DisplayName = "bruker" + strconv.Itoa(int(id-firstSelfIdent))
		party.Username = party.DisplayName
		party.UserIDs = []int64{UserOf(id)}
		if id%2 == 0 {
			address := party.DisplayName + "@example.no"
			party.Username = "epost:" + address
			party.ExternalURN, party.DisplayName = URNEmail+address, address
		}
	case id >= firstEnterprise && id < firstEnterprise+Enterprise:
		party.Type, party.DisplayName = TypeEnterpriseUser, "VIRKSOMHETSBRUKER "+strconv.Itoa(int(id-firstEnterprise))
		party.UserIDs = []int64{UserOf(id)}
	case IsMissing(id):
		n := int(id - firstMissing)
		party.Type, party.Organisation = TypeOrganisation, organisationNumber(companyPrefix-Missing+n)
		party.DisplayName = companyName(h)
		party.ExternalURN = URNOrganisation + party.Organisation
	default:
		return Party{}, false
	}
	return party, true
}

// ByUserID finds the party that has, or had, the user id.
func (p Population) ByUserID(user int64) (Party, bool) {
	id := user - firstUser + firstPerson
	if user >= firstFormerUser && user < firstFormerUser+Persons {
		id = user - firstFormerUser + firstPerson
	}
	if id < firstPerson || id >= endOfPopulation {
		return Party{}, false
	}
	party, ok := p.ByID(int32(id))
	if !ok || !slices.Contains(party.UserIDs, user) {
		return Party{}, false
	}
	return party, true
}

// ByOrganisation finds the company with that number.
func (p Population) ByOrganisation(number string) (Party, bool) {
	if !ValidOrganisationNumber(number) {
		return Party{}, false
	}
	prefix, err := strconv.Atoi(number[:7])
	n := prefix - companyPrefix
	if err != nil || n < -Missing || n >= Companies {
		return Party{}, false
	}
	id := firstCompany + n
	if n < 0 {
		id = firstMissing + n + Missing
	}
	party, ok := p.ByID(int32(id))
	return party, ok && party.Organisation == number
}

// ByPerson finds the person with that national identity number.
func (p Population) ByPerson(number string) (Party, bool) {
	if !ValidPersonNumber(number) {
		return Party{}, false
	}
	day, errDay := strconv.Atoi(number[:2])
	month, errMonth := strconv.Atoi(number[2:4])
	year, errYear := strconv.Atoi(number[4:6])
	individual, errIndividual := strconv.Atoi(number[6:8])
	if errDay != nil || errMonth != nil || errYear != nil || errIndividual != nil || individual >= individuals {
		return Party{}, false
	}
	born := time.Date(1900+year, time.Month(month-syntheticMonth), day, 0, 0, 0, 0, time.UTC)
	n := int(born.Sub(firstBirth()).Hours() / 24)
	if n < 0 || n >= birthDays {
		return Party{}, false
	}
	party, ok := p.ByID(int32(firstPerson + individual*birthDays + n)) //nolint:gosec // bounded by the population
	return party, ok && party.Person == number
}

// ByUUID finds the party with that uuid.
func (p Population) ByUUID(id uuid.UUID) (Party, bool) {
	partyID := int32(binary.BigEndian.Uint32(id[12:])) //nolint:gosec // compared with the party's uuid below
	party, ok := p.ByID(partyID)
	return party, ok && party.UUID == id
}

// ByUsername finds the party that identified itself by that name.
func (p Population) ByUsername(name string) (Party, bool) {
	var n int
	if _, err := fmt.Sscanf(name, "bruker%d", &n); err != nil {
		if _, err := fmt.Sscanf(name, "epost:bruker%d@", &n); err != nil {
			return Party{}, false
		}
	}
	if n < 0 || n >= SelfIdentified {
		return Party{}, false
	}
	party, ok := p.ByID(int32(firstSelfIdent + n))
	return party, ok && party.Username == name
}

// uuid has the party id in its last four bytes, so that it can be found again.
func (p Population) uuid(id int32) uuid.UUID {
	var u uuid.UUID
	h := Mix(p.Seed ^ 0x5bd1e995 ^ uint64(uint32(id))) //nolint:gosec // only mixed
	binary.BigEndian.PutUint64(u[:8], h)
	binary.BigEndian.PutUint32(u[8:12], uint32(Mix(h)>>32))
	binary.BigEndian.PutUint32(u[12:], uint32(id)) //nolint:gosec // ids are positive
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}
