package telemetry

import (
	"regexp"
	"strings"
)

// What stands in the place of what was masked.
const (
	maskedNumber = "***********"
	maskedEmail  = "***@***"
	maskedSecret = "***"
)

// national identity numbers have eleven digits.
const identityDigits = 11

// patterns are compiled once and never change.
var (
	// numbers finds what can hold eleven digits: GUIDs and trace ids first, so that a run inside of them is left alone;
	// then any run of digits.
	numbers = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}` +
		`|[0-9a-fA-F]{32}|\d+`)
	// spelled finds the usual spelling with a blank after the birth date.
	spelled = regexp.MustCompile(`(^|\D)\d{6}[ \x{00A0}]\d{5}(\D|$)`)
	// emails takes the at sign in its percent-encoded form too.
	emails = regexp.MustCompile(`[\pL\pN._%+'\-]+(?:@|%40)[\pL\pN\-]+(?:\.[\pL\pN\-]+)+`)
	// jwts also finds tokens that were cut off after the first dot.
	jwts = regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*){1,4}`)
	// bearers finds whatever follows the word.
	bearers = regexp.MustCompile(`(?i)\b(bearer)[ +]+[A-Za-z0-9\-._~+/]+=*`)
	// secrets finds named secrets of the services in use, in headers, JSON and connection strings.
	secrets = regexp.MustCompile(
		`(?i)(ocp-apim-subscription-key|subscription-key|sharedaccesskey|access_token|assertion|client_secret|password)` +
			`(["']?\s*[:=]\s*["'\[]*)([^\s"'&;,\]}]+)`)
	// userinfo finds the password of a URL.
	userinfo = regexp.MustCompile(`(://[^/\s:@"]*:)[^/\s@"]+@`)
)

// Redact masks what must not be told (Invariant 12): national identity numbers, e-mail addresses, bearer tokens and
// other tokens, keys and passwords. Instance GUIDs, party ids, org numbers and times stay. It cannot know names and
// titles: those must not be put into a text at all.
func Redact(text string) string {
	if !isSuspicious(text) {
		return text
	}
	text = userinfo.ReplaceAllString(text, "${1}"+maskedSecret+"@")
	text = jwts.ReplaceAllString(text, maskedSecret)
	text = bearers.ReplaceAllString(text, "${1} "+maskedSecret)
	text = secrets.ReplaceAllString(text, "${1}${2}"+maskedSecret)
	text = emails.ReplaceAllString(text, maskedEmail)
	return maskNumbers(text)
}

func maskNumbers(text string) string {
	text = spelled.ReplaceAllString(text, "${1}"+maskedNumber+"${2}")
	var out strings.Builder
	end := 0
	for _, at := range numbers.FindAllStringIndex(text, -1) {
		out.WriteString(text[end:at[0]])
		out.WriteString(maskNumber(text[at[0]:at[1]], at[0] > 0 && text[at[0]-1] == '%'))
		end = at[1]
	}
	out.WriteString(text[end:])
	return out.String()
}

// maskNumber masks a run of exactly eleven digits. After a percent sign the first two may be an escape, as in
// `%2012345678901`.
func maskNumber(found string, afterPercent bool) string {
	const escape = 2
	switch {
	case strings.Trim(found, "0123456789") != "":
		return found // a GUID or a trace id
	case len(found) == identityDigits:
		return maskedNumber
	case afterPercent && len(found) == identityDigits+escape:
		return found[:escape] + maskedNumber
	default:
		return found
	}
}

// A no-break space in UTF-8.
const (
	nbspLead = 0xC2
	nbspTail = 0xA0
)

// isSuspicious spares most texts the expressions: it may say yes too often, never no too often.
func isSuspicious(text string) bool {
	digits := 0
	for i := range len(text) {
		switch b := text[i]; {
		case b >= '0' && b <= '9':
			if digits++; digits >= identityDigits {
				return true
			}
			continue
		case b == ' ', b == nbspLead, b == nbspTail: // blanks do not end a number here
			continue
		case b == '@':
			return true
		}
		digits = 0
	}
	if strings.Contains(text, "%40") || strings.Contains(text, "eyJ") {
		return true
	}
	lower := strings.ToLower(text)
	for _, word := range [...]string{"bearer", "key", "access_token", "assertion", "secret", "password"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}
