package message

import (
	"strconv"
	"strings"
)

// Addresses are checked as .NET's System.Uri would, which Dialogporten holds them in: net/url takes other ones.

// isWellFormed tells whether a text is a URI, absolute or not, in which nothing needs to be escaped.
func isWellFormed(text string) bool {
	if text == "" {
		return false
	}
	for i := range len(text) {
		const del = 0x7f
		switch c := text[i]; {
		case c <= ' ' || c == del || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		case c == '%' && !isEscape(text[i:]):
			return false
		}
	}
	switch scheme, rest := cutScheme(text); scheme {
	case "":
		segment, _, _ := strings.Cut(text, "/")
		return !strings.Contains(segment, ":")
	case "http", "https":
		return hasHost(rest)
	default:
		return true
	}
}

// isHTTPS tells whether a text is an absolute address of https.
func isHTTPS(text string) bool {
	scheme, rest := cutScheme(text)
	return scheme == "https" && hasHost(rest)
}

func isEscape(text string) bool {
	const length = len("%XX")
	if len(text) < length {
		return false
	}
	_, err := strconv.ParseUint(text[1:length], 16, 8)
	return err == nil && text[1] != '+'
}

// cutScheme gives the scheme in lower case; empty: there is none. One letter is a drive, not a scheme.
func cutScheme(text string) (scheme, rest string) {
	scheme, rest, found := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	const letters, others = "abcdefghijklmnopqrstuvwxyz", "0123456789+-."
	if !found || len(scheme) < 2 || strings.Trim(scheme[:1], letters) != "" || strings.Trim(scheme, letters+others) != "" {
		return "", text
	}
	return scheme, rest
}

// hasHost tells whether what follows http: or https: begins with a host and, if any, a port.
func hasHost(rest string) bool {
	rest, found := strings.CutPrefix(strings.Replace(rest, `\\`, "//", 1), "//")
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.Contains(host[colon:], "]") {
		if _, err := strconv.ParseUint(host[colon+1:], 10, 16); err != nil && host[colon+1:] != "" {
			return false
		}
		host = host[:colon]
	}
	return found && host != "" && host[0] != '.' && !strings.Contains(host, "..") && !strings.ContainsAny(host, " \t\"<>^`{|}%,;!$&'()*+=")
}
