package register

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// oldParty is a party in the shape of 16.2.
type oldParty struct {
	PartyID      int32      `json:"partyId"`
	PartyUUID    *uuid.UUID `json:"partyUuid"`
	PartyType    int        `json:"partyTypeName"`
	Organisation *string    `json:"orgNumber"`
	Person       *string    `json:"ssn"`
	Name         string     `json:"name"`
	Deleted      bool       `json:"isDeleted"`
}

// lookup finds a party by one of its numbers.
func (s *Service) lookup(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	var question struct {
		Organisation string `json:"orgNo"`
		Person       string `json:"ssn"`
	}
	if !answer.ReadJSON(w, r, &question) {
		return
	}
	urn := world.URNOrganisation + question.Organisation
	switch {
	case (question.Organisation == "") == (question.Person == ""):
		refuse(w, "", "Either orgNo or ssn must be given, and not both.")
		return
	case question.Person != "":
		urn = world.URNPerson + question.Person
	}
	normal, ok := normalURN(urn)
	if !ok {
		refuse(w, "", "The number is not valid.")
		return
	}
	s.answerOld(w, normal)
}

// getParty finds a party by its party id.
func (s *Service) getParty(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	id := r.PathValue("partyId")
	if _, ok := parseID(id); !ok {
		refuse(w, "partyId", "The value '"+id+"' is not valid.")
		return
	}
	s.answerOld(w, world.URNPartyID+id)
}

func refuse(w http.ResponseWriter, member, text string) {
	answer.WriteProblem(w, answer.Problem{
		Status: http.StatusBadRequest, Title: "One or more validation errors occurred.", Errors: map[string][]string{member: {text}},
	})
}

func (s *Service) answerOld(w http.ResponseWriter, urn string) {
	f, ok := s.find(urn)
	if !ok {
		answer.Empty(w, http.StatusNotFound)
		return
	}
	answer.JSON(w, http.StatusOK, f.old())
}

func (f found) old() oldParty {
	p := f.party
	out := oldParty{PartyID: p.ID, PartyType: oldType(p.Type), Name: p.DisplayName, Deleted: p.Deleted}
	if p.UUID != uuid.Nil {
		out.PartyUUID = &p.UUID
	}
	if p.Organisation != "" {
		out.Organisation = &p.Organisation
	}
	if p.Person != "" {
		out.Person = &p.Person
	}
	return out
}

// oldType is the number of a party type: the reference tells 2, the others are those of the public documentation.
func oldType(kind world.PartyType) int {
	switch kind {
	case world.TypePerson:
		return 1
	case world.TypeOrganisation:
		return 2
	case world.TypeSelfIdentified, world.TypeSystemUser, world.TypeEnterpriseUser:
		return 3
	}
	return 0
}
