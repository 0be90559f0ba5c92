package dialogporten

import (
	"net/url"
	"strings"
	"unicode"
)

// Prefixes of the party URNs that are known (Chapter 11). They are compared in their case.
const (
	prefixOrganization   = "urn:altinn:organization:identifier-no:"
	prefixPerson         = "urn:altinn:person:identifier-no:"
	prefixSelfIdentified = "urn:altinn:person:legacy-selfidentified:"
	prefixEmail          = "urn:altinn:person:idporten-email:"
	prefixSystemUser     = "urn:altinn:systemuser:uuid:"
)

// validParty checks a party URN: of an organisation, a person, a self-identified user or an e-mail user.
func validParty(urn string) bool {
	if number, ok := strings.CutPrefix(urn, prefixOrganization); ok {
		return validOrganizationNumber(number)
	}
	if number, ok := strings.CutPrefix(urn, prefixPerson); ok {
		return validPersonNumber(number)
	}
	if name, ok := strings.CutPrefix(urn, prefixSelfIdentified); ok {
		unescaped, err := url.PathUnescape(name)
		return err == nil && strings.TrimSpace(unescaped) != "" && wellFormedURI(urn)
	}
	if mail, ok := strings.CutPrefix(urn, prefixEmail); ok {
		return validMail(mail)
	}
	return false
}

// validOrganizationNumber checks nine digits, the last by modulus 11.
func validOrganizationNumber(number string) bool {
	if len(number) != 9 || !allDigits(number) {
		return false
	}
	check, ok := modulus11(number[:8], 3, 2, 7, 6, 5, 4, 3, 2)
	return ok && int(number[8]-'0') == check
}

// validPersonNumber checks eleven digits, the last two by modulus 11. The date is not looked at, so D-numbers and
// synthetic numbers pass.
func validPersonNumber(number string) bool {
	if len(number) != 11 || !allDigits(number) {
		return false
	}
	first, ok := modulus11(number[:9], 3, 7, 6, 1, 8, 9, 4, 5, 2)
	if !ok || int(number[9]-'0') != first {
		return false
	}
	second, ok := modulus11(number[:10], 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
	return ok && int(number[10]-'0') == second
}

// modulus11 gives the check digit; there is none where it would be 10.
func modulus11(number string, weights ...int) (digit int, ok bool) {
	sum := 0
	for i, weight := range weights {
		sum += int(number[i]-'0') * weight
	}
	digit = (11 - sum%11) % 11
	return digit, digit != 10
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// validMail is ^[^@\s]+@[^@\s]+\.[^@\s]+$.
func validMail(mail string) bool {
	local, domain, ok := strings.Cut(mail, "@")
	if !ok || local == "" || strings.Contains(domain, "@") || strings.IndexFunc(mail, unicode.IsSpace) >= 0 {
		return false
	}
	dot := strings.LastIndexByte(domain, '.')
	for dot > 0 {
		if dot < len(domain)-1 {
			return true
		}
		dot = strings.LastIndexByte(domain[:dot], '.')
	}
	return false
}

// actorName is the name that is kept for an actor id: of persons with the last name first, of users without a register
// entry the id itself (Chapter 7, Actor).
func (s *Service) actorName(urn string) (string, bool) {
	if id, ok := strings.CutPrefix(urn, prefixSelfIdentified); ok {
		return id, true
	}
	if id, ok := strings.CutPrefix(urn, prefixEmail); ok {
		return id, true
	}
	name, ok := s.config.Names.Name(urn)
	if !ok || strings.TrimSpace(name) == "" {
		return "", false
	}
	if strings.HasPrefix(urn, prefixPerson) {
		name = lastNameFirst(name)
	}
	return name, true
}

func lastNameFirst(name string) string {
	words := strings.Fields(name)
	if len(words) < 2 {
		return name
	}
	last := len(words) - 1
	return words[last] + " " + strings.Join(words[:last], " ")
}
