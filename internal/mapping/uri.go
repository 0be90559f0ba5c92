package mapping

import (
	"strings"
)

// sameURI tells whether two addresses are one to Dialogporten, which echoes them in .NET's display form: scheme and host
// in lower case, a slash for an empty path, no default port, and escapes decoded where that does not change the meaning.
func sameURI(a, b string) bool { return a == b || canonicalURI(a) == canonicalURI(b) }

func canonicalURI(uri string) string {
	scheme, rest, found := strings.Cut(uri, schemeSeparator)
	if !found {
		return decodeHarmless(uri)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	scheme = strings.ToLower(scheme)
	authority, path := strings.ToLower(rest[:end]), rest[end:]
	if scheme == defaultScheme {
		authority = strings.TrimSuffix(authority, ":443")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + schemeSeparator + authority + decodeHarmless(path)
}

// decodeHarmless decodes the percent-escapes of bytes that are neither reserved nor a control character nor the percent
// sign; the digits of the remaining ones become upper case.
func decodeHarmless(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	for i := 0; i < len(text); i++ {
		decoded, ok := decodeEscape(text[i:])
		switch {
		case !ok:
			out.WriteByte(text[i])
			continue
		case isHarmless(decoded):
			out.WriteByte(decoded)
		default:
			out.WriteString(strings.ToUpper(text[i : i+escapeLength]))
		}
		i += escapeLength - 1
	}
	return out.String()
}

const escapeLength = len("%XX")

// decodeEscape reads the percent-escape that text begins with.
func decodeEscape(text string) (decoded byte, ok bool) {
	if len(text) < escapeLength || text[0] != '%' {
		return 0, false
	}
	high, highOK := hexDigit(text[1])
	low, lowOK := hexDigit(text[2])
	return high<<4 | low, highOK && lowOK
}

func hexDigit(c byte) (value byte, ok bool) {
	const ten = 10
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + ten, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + ten, true
	}
	return 0, false
}

// isHarmless tells whether a byte means the same escaped and plain: all but control characters, the percent sign and
// what RFC 3986 reserves.
func isHarmless(c byte) bool {
	const (
		firstPrintable = 0x20
		del            = 0x7F
	)
	return c >= firstPrintable && c != del && strings.IndexByte("%:/?#[]@!$&'()*+,;=", c) < 0
}
