package world

import (
	"slices"
	"strconv"
)

// Organisation is a service owner.
type Organisation struct {
	Code         string // as in instances: lower case
	Number       string // nine digits
	Name         Texts
	Environments []string // default: tt02 and production
}

// Texts is a text in the three languages of the inbox. Empty: not in that language.
type Texts struct {
	NB string `json:"nb,omitempty"`
	NN string `json:"nn,omitempty"`
	EN string `json:"en,omitempty"`
}

// Resource is an entry of the resource registry.
type Resource struct {
	ID        string `json:"id"` // without urn:altinn:resource:
	OrgNumber string `json:"orgNumber"`
	Org       string `json:"org"`
	Type      string `json:"type"` // AltinnApp, MigratedApp, GenericAccessResource, CorrespondenceService
}

// firstServiceOwner begins the organisation numbers of service owners, which are apart from those of companies.
const firstServiceOwner = 3_090_000 + 900_000

type owner struct{ code, nb, nn, en string }

func owners() []owner {
	return []owner{
		{"skd", "Skattedirektoratet", "Skattedirektoratet", "The Norwegian Tax Administration"},
		{"nav", "Arbeids- og velferdsetaten", "Arbeids- og velferdsetaten", "Labour and Welfare Administration"},
		{"brg", "Brønnøysundregistrene", "Brønnøysundregistra", "The Brønnøysund Register Centre"},
		{"ttd", "Testdepartementet", "Testdepartementet", "Test Ministry"},
		{"ssb", "Statistisk sentralbyrå", "Statistisk sentralbyrå", "Statistics Norway"},
		{"dibk", "Direktoratet for byggkvalitet", "Direktoratet for byggkvalitet", "Norwegian Building Authority"},
		{"hdir", "Helsedirektoratet", "Helsedirektoratet", "Directorate of Health"},
		{"mat", "Mattilsynet", "Mattilsynet", "Food Safety Authority"},
		{"sfvt", "Statens vegvesen", "Statens vegvesen", "Public Roads Administration"},
		{"udi", "Utlendingsdirektoratet", "Utlendingsdirektoratet", "Directorate of Immigration"},
		{"krt", "Kredittilsynet", "Kredittilsynet", "Financial Supervision"},
		{"digdir", "Digitaliseringsdirektoratet", "Digitaliseringsdirektoratet", "Digitalisation Agency"},
	}
}

// Organisations are the first n service owners; beyond the known ones they are called org13, org14 and so on.
func Organisations(n int) []Organisation {
	known := owners()
	out := make([]Organisation, 0, n)
	for i := range n {
		number := strconv.Itoa(i + 1)
		o := owner{"org" + number, "Etat " + number, "Etat " + number, "Agency " + number}
		if i < len(known) {
			o = known[i]
		}
		out = append(out, Organisation{
			Code: o.code, Number: organisationNumber(firstServiceOwner + i),
			Name:         Texts{NB: o.nb, NN: o.nn, EN: o.en},
			Environments: slices.Clone([]string{"tt02", "production"}),
		})
	}
	return out
}
