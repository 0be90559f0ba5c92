package register

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// prefixes are the URN prefixes that the look-up accepts, with the one form that each is brought into
// (Storage reference, 16.1).
func prefixes() [][2]string {
	return [][2]string{
		{world.URNPartyID, world.URNPartyID},
		{"urn:altinn:partyid:", world.URNPartyID},
		{world.URNPartyUUID, world.URNPartyUUID},
		{"urn:altinn:person:uuid:", world.URNPartyUUID},
		{"urn:altinn:organization:uuid:", world.URNPartyUUID},
		{"urn:altinn:systemuser:uuid:", world.URNPartyUUID},
		{"urn:altinn:user:uuid:", world.URNPartyUUID},
		{world.URNOrganisation, world.URNOrganisation},
		{world.URNPerson, world.URNPerson},
		{world.URNUserID, world.URNUserID},
		{"urn:altinn:userid:", world.URNUserID},
		{world.URNUsername, world.URNUsername},
		{"urn:altinn:username:", world.URNUsername},
		{world.URNSelfIdent, world.URNUsername},
		{world.URNEmail, world.URNEmail},
	}
}

// normalURN brings a URN into its one form. ok is false for what the look-up refuses.
func normalURN(urn string) (normal string, ok bool) {
	for _, p := range prefixes() {
		value, found := strings.CutPrefix(urn, p[0])
		if !found {
			continue
		}
		if decoded, err := url.PathUnescape(value); err == nil && (p[1] == world.URNUsername || p[1] == world.URNEmail) {
			value = decoded
		}
		return p[1] + value, validValue(p[1], value)
	}
	return "", false
}

func validValue(prefix, value string) bool {
	switch prefix {
	case world.URNPartyID, world.URNUserID:
		_, ok := parseID(value)
		return ok
	case world.URNPartyUUID:
		_, err := uuid.Parse(value)
		return err == nil
	case world.URNOrganisation:
		return onlyDigits(value, 9)
	case world.URNPerson:
		return onlyDigits(value, 11)
	}
	return value != ""
}

func onlyDigits(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789") == ""
}

func parseID(text string) (int64, bool) {
	id, err := strconv.ParseInt(text, 10, 32)
	return id, err == nil && id > 0
}

// splitURN is a normal URN's prefix and value.
func splitURN(urn string) (prefix, value string) {
	for _, p := range prefixes() {
		if value, ok := strings.CutPrefix(urn, p[1]); ok {
			return p[1], value
		}
	}
	return "", urn
}

// keys are the normal URNs that a party is found by.
func keys(p world.Party) []string {
	var out []string
	add := func(prefix, value string) {
		if value != "" {
			out = append(out, prefix+value)
		}
	}
	if p.ID != 0 {
		add(world.URNPartyID, strconv.FormatInt(int64(p.ID), 10))
	}
	if p.UUID != uuid.Nil {
		add(world.URNPartyUUID, p.UUID.String())
	}
	add(world.URNOrganisation, p.Organisation)
	add(world.URNPerson, p.Person)
	add(world.URNUsername, p.Username)
	add(world.URNEmail, p.Email())
	for _, user := range p.UserIDs {
		add(world.URNUserID, strconv.FormatInt(user, 10))
	}
	if p.Type == world.TypeSelfIdentified {
		add(world.URNUsername, p.DisplayName)
	}
	if normal, ok := normalURN(p.ExternalURN); ok {
		out = append(out, normal)
	}
	return out
}
