package altinnsim

import (
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
// orgs, and parties as names by URN; other members are ignored.
type worldBody struct {
	Organisations orgList           `json:"organisations"`
	Orgs          orgList           `json:"orgs"`
	Resources     resourceList      `json:"resources"`
	Parties       []json.RawMessage `json:"parties"`
	PartyNames    map[string]string `json:"partyNames"`
}

// orgBody is an organisation, alone or under its code as in the list of service owners.
type orgBody struct {
	Code         string   `json:"code"`
	Org          string   `json:"org"`
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
	if out.Code == "" {
		out.Code = o.Org
	}
	if out.Number == "" {
		out.Number = o.ListNumber
	}
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

// resourceList is a list of resources, or resources by their id.
type resourceList []world.Resource

// UnmarshalJSON reads a list or an object by id.
func (l *resourceList) UnmarshalJSON(raw []byte) error {
	var list []world.Resource
	if json.Unmarshal(raw, &list) != nil {
		var byID map[string]world.Resource
		if err := json.Unmarshal(raw, &byID); err != nil {
			return err //nolint:wrapcheck // encoding/json adds where it was
		}
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			resource := byID[id]
			resource.ID = id
			list = append(list, resource)
		}
	}
	for i := range list {
		list[i].ID = strings.TrimPrefix(list[i].ID, "urn:altinn:resource:")
	}
	*l = list
	return nil
}

// owned fills in the owners' numbers of resources that name their owner by code alone.
func (l resourceList) owned(numbers map[string]string) resourceList {
	for i := range l {
		if l[i].OrgNumber == "" {
			l[i].OrgNumber = numbers[l[i].Org]
		}
	}
	return l
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
	organisations := slices.Concat(in.Organisations, in.Orgs)
	numbers := map[string]string{}
	for _, o := range organisations {
		numbers[o.Code] = o.Number
	}
	s.Orgs.Put(organisations...)
	s.Orgs.PutResources(in.Resources.owned(numbers)...)
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
