package altinnsim

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// worldBody is what PUT /_sim/world takes: organisations, resources and parties at once. Organisations may come under
// orgs, and parties as names by URN; of tokens' claims, which tests keep beside them, those count that give an
// organisation's code and number. Other members are ignored.
type worldBody struct {
	Organisations orgList           `json:"organisations"`
	Orgs          orgList           `json:"orgs"`
	Resources     resourceList      `json:"resources"`
	Parties       []json.RawMessage `json:"parties"`
	PartyNames    map[string]string `json:"partyNames"`
	Tokens        map[string]struct {
		Org      string `json:"urn:altinn:org"`
		Consumer struct {
			ID string `json:"ID"`
		} `json:"consumer"`
	} `json:"tokens"`
}

// orgBody is an organisation, alone or under its code as in the list of service owners.
type orgBody struct {
	Code         string   `json:"code"`
	Org          string   `json:"org"`
	ShortName    string   `json:"shortName"`
	Number       string   `json:"orgNumber"`
	ListNumber   string   `json:"orgnr"`
	Name         orgName  `json:"name"`
	Environments []string `json:"environments"`
}

// orgName is a name in each language or one for all.
type orgName world.Texts

// UnmarshalJSON reads a text or an object by language.
func (n *orgName) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*n = orgName{NB: one, NN: one, EN: one}
		return nil
	}
	return json.Unmarshal(raw, (*world.Texts)(n)) //nolint:wrapcheck // encoding/json adds where it was
}

func (o orgBody) organisation() world.Organisation {
	out := world.Organisation{Code: o.Code, Number: o.Number, Name: world.Texts(o.Name), Environments: o.Environments}
	out.Code = cmp.Or(out.Code, o.Org, o.ShortName)
	out.Number = cmp.Or(out.Number, o.ListNumber)
	return out
}

// orgList is a list of organisations, or organisations by their code, or only their numbers by code.
type orgList []world.Organisation

// UnmarshalJSON reads a list or an object by code.
func (l *orgList) UnmarshalJSON(raw []byte) error {
	var list []orgBody
	if json.Unmarshal(raw, &list) != nil {
		var byCode map[string]json.RawMessage
		if err := json.Unmarshal(raw, &byCode); err != nil {
			return err //nolint:wrapcheck // encoding/json adds where it was
		}
		for _, code := range slices.Sorted(maps.Keys(byCode)) {
			o := orgBody{}
			if json.Unmarshal(byCode[code], &o.Number) != nil {
				if err := json.Unmarshal(byCode[code], &o); err != nil {
					return err //nolint:wrapcheck // encoding/json adds where it was
				}
			}
			o.Code = code
			list = append(list, o)
		}
	}
	for _, o := range list {
		*l = append(*l, o.organisation())
	}
	return nil
}

// resourceBody is a resource, alone or under its id.
type resourceBody struct {
	world.Resource

	URN   string `json:"urn"`
	Owner string `json:"owner"` // a code or a number
}

// resource is the resource, without what is to be looked up of its owner.
func (b resourceBody) resource() world.Resource {
	out := b.Resource
	out.ID = strings.TrimPrefix(cmp.Or(out.ID, b.URN), "urn:altinn:resource:")
	if world.ValidOrganisationNumber(b.Owner) {
		out.OrgNumber = cmp.Or(out.OrgNumber, b.Owner)
	} else {
		out.Org = cmp.Or(out.Org, b.Owner)
	}
	return out
}

// resourceList is a list of resources, or resources by their id.
type resourceList []world.Resource

// UnmarshalJSON reads a list or an object by id.
func (l *resourceList) UnmarshalJSON(raw []byte) error {
	var list []resourceBody
	if json.Unmarshal(raw, &list) != nil {
		var byID map[string]resourceBody
		if err := json.Unmarshal(raw, &byID); err != nil {
			return err //nolint:wrapcheck // encoding/json adds where it was
		}
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			resource := byID[id]
			resource.ID = id
			list = append(list, resource)
		}
	}
	for _, resource := range list {
		*l = append(*l, resource.resource())
	}
	return nil
}

// owned fills in what resources do not tell of their owners. codes are by number, numbers by code.
func (l resourceList) owned(codes, numbers map[string]string) resourceList {
	for i := range l {
		l[i].OrgNumber = cmp.Or(l[i].OrgNumber, numbers[l[i].Org])
		l[i].Org = cmp.Or(l[i].Org, codes[l[i].OrgNumber])
	}
	return l
}

// owners are the codes of organisations by number and the numbers by code: those of the body before those that are known.
func (b worldBody) owners(known func(code string) (string, bool)) (codes, numbers map[string]string) {
	codes, numbers = map[string]string{}, map[string]string{}
	put := func(code, number string) {
		if code != "" && number != "" && numbers[code] == "" {
			numbers[code] = number
			codes[number] = cmp.Or(codes[number], code)
		}
	}
	for _, o := range slices.Concat(b.Organisations, b.Orgs) {
		put(o.Code, o.Number)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Tokens)) {
		put(b.Tokens[name].Org, strings.TrimPrefix(b.Tokens[name].Consumer.ID, "0192:"))
	}
	for _, resource := range b.Resources {
		number, _ := known(resource.Org)
		put(resource.Org, number)
	}
	return codes, numbers
}

func (s *Sim) putWorld(r *http.Request) (any, error) {
	var in worldBody
	if err := readBody(r, &in); err != nil {
		return nil, err
	}
	parties := in.Parties
	for _, urn := range slices.Sorted(maps.Keys(in.PartyNames)) {
		parties = append(parties, namedParty(urn, in.PartyNames[urn]))
	}
	if err := s.Register.Put(parties); err != nil {
		return nil, badInput(err)
	}
	codes, numbers := in.owners(s.Orgs.NumberOf)
	s.Orgs.Put(slices.Concat(in.Organisations, in.Orgs)...)
	s.Orgs.PutResources(in.Resources.owned(codes, numbers)...)
	return nothing{}, nil
}

// namedParty is a party of which only a URN and a name are told.
func namedParty(urn, name string) json.RawMessage {
	record := map[string]any{
		"partyUuid": uuid.NewSHA1(uuid.NameSpaceURL, []byte(urn)).String(), "partyType": world.TypeOrganisation,
		"displayName": name, "externalUrn": urn,
	}
	switch {
	case strings.HasPrefix(urn, world.URNPerson):
		record["partyType"], record["personIdentifier"] = world.TypePerson, strings.TrimPrefix(urn, world.URNPerson)
	case strings.HasPrefix(urn, world.URNOrganisation):
		record["organizationIdentifier"] = strings.TrimPrefix(urn, world.URNOrganisation)
	case strings.HasPrefix(urn, "urn:altinn:person:"):
		record["partyType"] = world.TypeSelfIdentified
	}
	return answer.Marshal(record)
}
