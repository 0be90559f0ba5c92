package config

// preset is what an environment implies (Storage reference, 1; Dialogporten reference, 1). Environment local implies
// nothing but what lies under the platform URL.
type preset struct {
	platformURL, dialogportenURL, altinnHost, maskinportenURL string
}

const (
	maskinportenProd = "https://maskinporten.no"
	maskinportenTest = "https://test.maskinporten.no"

	// orgsURL is one file for all environments.
	orgsURL = "https://altinncdn.no/orgs/altinn-orgs.json"
	// orgsPath is where a simulated platform serves the list.
	orgsPath = "/orgs/altinn-orgs.json"
	// adapterPath is where the adapter lies under the platform.
	adapterPath = "/storage/dialogporten"
)

func presetOf(environment Environment) preset {
	switch environment {
	case Prod:
		return preset{
			platformURL: "https://platform.altinn.no", dialogportenURL: "https://platform.altinn.no/dialogporten",
			altinnHost: "altinn.no", maskinportenURL: maskinportenProd,
		}
	case TT02:
		return preset{
			platformURL: "https://platform.tt02.altinn.no", dialogportenURL: "https://platform.tt02.altinn.no/dialogporten",
			altinnHost: "tt02.altinn.no", maskinportenURL: maskinportenTest,
		}
	case YT01:
		return preset{
			platformURL:     "https://platform.yt01.altinn.cloud",
			dialogportenURL: "https://platform.yt01.altinn.cloud/dialogporten",
			altinnHost:      "yt01.altinn.cloud", maskinportenURL: maskinportenTest,
		}
	case Local:
	}
	return preset{}
}

// defaultScopes are asked for when no others are configured: what listing, reading, delivery, search, and the migration
// of messages take (Storage reference, 2.3; Dialogporten reference, 1). The two of Storage belong together: without the
// first a token has no organisation and listing fails.
func defaultScopes() []string {
	return []string{
		"altinn:serviceowner/instances.read",
		"altinn:storage/instances.syncadapter",
		"altinn:register/partylookup.admin",
		"altinn:correspondence.migrate",
		"digdir:dialogporten.serviceprovider",
		"digdir:dialogporten.serviceprovider.search",
		"digdir:dialogporten.serviceprovider.admin",
		"digdir:dialogporten.serviceprovider.legacyhtml",
	}
}
