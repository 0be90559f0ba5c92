package correspondence

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode"

	"github.com/google/uuid"
)

// URN prefixes of parties (9.3).
const (
	urnOrganisation   = "urn:altinn:organization:identifier-no:"
	urnPerson         = "urn:altinn:person:identifier-no:"
	urnEmail          = "urn:altinn:person:idporten-email:"
	urnSelfIdentified = "urn:altinn:person:legacy-selfidentified:"
	urnParty          = "urn:altinn:party:uuid:"
	countryCode       = "0192:"

	organisationDigits = 9
	personDigits       = 11
)

// party is what the register says of somebody.
type party struct {
	name     string
	username string
	urn      string // "": none that counts
}

// lookUp asks the register about one party. ok is false when it does not know them.
func (s *Service) lookUp(ctx context.Context, item Item, urn string) (found party, ok bool, err error) {
	const path = "/register/api/v1/correspondence/parties/query"
	r, err := s.send(ctx, item, http.MethodPost, path, "fields=identifiers&fields=display-name&fields=user",
		map[string]any{"data": []string{urn}}, typeJSON)
	if err != nil {
		return party{}, false, fmt.Errorf("look up party: %w", err)
	}
	if !r.ok() {
		return party{}, false, fmt.Errorf("look up party: %w", refusal{http.MethodPost, path, r})
	}
	var parties struct {
		Data []struct {
			Type        string  `json:"partyType"`
			DisplayName string  `json:"displayName"`
			ExternalURN *string `json:"externalUrn"`
			User        *struct {
				Username string `json:"username"`
			} `json:"user"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.body, &parties); err != nil {
		return party{}, false, fmt.Errorf("look up party: read answer: %w", err)
	}
	if len(parties.Data) == 0 {
		return party{}, false, nil
	}
	p := parties.Data[0]
	found.name = p.DisplayName
	if p.User != nil {
		found.username = p.User.Username
	}
	switch p.Type {
	case "person", "organization", "self-identified-user":
		found.urn = deref(p.ExternalURN)
	}
	return found, true, nil
}

// actor is the URN of a party that acted; "" when the register does not know it or it has none that counts.
func (s *Service) actor(ctx context.Context, item Item, id uuid.UUID) (string, error) {
	p, ok, err := s.lookUp(ctx, item, urnParty+id.String())
	if err != nil || !ok {
		return "", err
	}
	return p.urn, nil
}

// dialogParty is whose inbox an item's dialog lies in (9.3).
func (s *Service) dialogParty(ctx context.Context, item Item) (string, error) {
	recipient := item.Recipient
	digits := strings.TrimPrefix(recipient, countryCode)
	switch {
	case strings.HasPrefix(recipient, urnParty):
		p, ok, err := s.lookUp(ctx, item, recipient)
		if err != nil {
			return "", err
		}
		if !ok || p.username == "" {
			return "", fmt.Errorf("the recipient of correspondence %s has no user name in the register", item.ID)
		}
		return urnSelfIdentified + escape(strings.ToLower(p.username)), nil
	case strings.Trim(digits, "0123456789") == "" && len(digits) == organisationDigits:
		return urnOrganisation + digits, nil
	case strings.Trim(recipient, "0123456789") == "" && len(recipient) == personDigits:
		return urnPerson + recipient, nil
	}
	return recipient, nil
}

// escape percent-encodes all but the unreserved characters of RFC 3986.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// titled is a name in lower case with each word capitalised.
func titled(name string) string {
	begins := true
	return strings.Map(func(r rune) rune {
		capital := begins
		begins = !unicode.IsLetter(r) && r != '\'' && r != '’' && !unicode.IsMark(r) && !unicode.IsDigit(r)
		if capital {
			return unicode.ToTitle(r)
		}
		return r
	}, strings.ToLower(name))
}

// set is a set that many may use at once.
type set[K comparable] struct {
	mu      sync.Mutex
	members map[K]bool
}

func (s *set[K]) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = nil
}

// add adds a member; false when it was there.
func (s *set[K]) add(member K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[member] {
		return false
	}
	if s.members == nil {
		s.members = map[K]bool{}
	}
	s.members[member] = true
	return true
}

func (s *set[K]) has(member K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[member]
}

// Reserve notes that the person with this national identity number wants no digital communication (5.7).
func (s *Service) Reserve(person string) { s.reserved.add(person) }
