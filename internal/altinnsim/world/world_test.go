package world_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

func TestNumbersOfTheReferenceAreValid(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"57915600745", "14886498226"} {
		assert.True(t, world.ValidPersonNumber(number), number)
	}
	for _, number := range []string{"310702641", "974760673", "974761076"} {
		assert.True(t, world.ValidOrganisationNumber(number), number)
	}
	for _, number := range []string{"", "13897197124", "1389719712", "1389719712x", "31070264a"} {
		assert.False(t, world.ValidPersonNumber(number), number)
		assert.False(t, world.ValidOrganisationNumber(number), number)
	}
}

// Every party of the population has valid numbers, and is found again by each of its identifiers.
func TestPopulationIsFoundByAnyIdentifier(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		people := world.Population{Seed: rapid.Uint64().Draw(t, "seed")}
		n := rapid.Uint64().Draw(t, "n")
		id := map[string]func(uint64) int32{
			"person": people.Person, "company": people.Company, "self": people.SelfIdentified,
			"enterprise": people.Enterprise, "missing": people.Missing,
		}[rapid.SampledFrom([]string{
			"person", "company", "self", "enterprise",
			"missing",
		}).Draw(t, "kind")](n)
		party, ok := people.ByID(id)
		require.True(t, ok)
		require.NotEmpty(t, party.URN())
		again, ok := people.ByUUID(party.UUID)
		require.True(t, ok)
		require.Equal(t, party, again)
		if party.Person != "" {
			require.True(t, world.ValidPersonNumber(party.Person), party.Person)
			month, err := strconv.Atoi(party.Person[2:4])
			require.NoError(t, err)
			require.Greater(t, month, 80, "marked as synthetic")
			again, ok = people.ByPerson(party.Person)
			require.True(t, ok)
			require.Equal(t, party, again)
		}
		if party.Organisation != "" {
			require.True(t, world.ValidOrganisationNumber(party.Organisation), party.Organisation)
			again, ok = people.ByOrganisation(party.Organisation)
			require.True(t, ok)
			require.Equal(t, party, again)
		}
		if party.Username != "" {
			again, ok = people.ByUsername(party.Username)
			require.True(t, ok)
			require.Equal(t, party, again)
		}
		for _, user := range party.UserIDs {
			again, ok = people.ByUserID(user)
			require.True(t, ok)
			require.Equal(t, party, again)
		}
	})
}

func TestEveryPersonHasANumber(t *testing.T) {
	t.Parallel()
	people := world.Population{}
	seen := map[string]bool{}
	for n := uint64(0); n < world.Persons; n += 7 {
		party, ok := people.ByID(people.Person(n))
		require.True(t, ok, n)
		require.False(t, seen[party.Person], n)
		seen[party.Person] = true
	}
}

func TestOrganisationsAreDifferent(t *testing.T) {
	t.Parallel()
	codes, numbers := map[string]bool{}, map[string]bool{}
	for _, o := range world.Organisations(100) {
		assert.True(t, world.ValidOrganisationNumber(o.Number))
		assert.False(t, codes[o.Code] || numbers[o.Number], o.Code)
		codes[o.Code], numbers[o.Number] = true, true
	}
}
