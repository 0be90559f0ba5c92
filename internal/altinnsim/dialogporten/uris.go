package dialogporten

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// uri is a value that .NET holds as System.Uri.
type uri struct {
	given    bool
	original string // as sent
	display  string // as .NET shows it, which is what is stored and echoed (Chapter 2)
	absolute bool
	scheme   string // lower case, of absolute ones
}

const (
	maxURILength = 65_519
	schemeHTTPS  = "https"
	schemeHTTP   = "http"
)

// parseURI reads a URI as Uri.TryCreate does with UriKind.RelativeOrAbsolute.
func parseURI(text string) (uri, bool) {
	u := uri{given: true, original: text, display: text}
	if len(text) > maxURILength {
		return u, false
	}
	if plainURL(text) {
		u.absolute, u.scheme = true, schemeHTTPS
		return u, true
	}
	trimmed := strings.Trim(text, " \t\r\n\v\f")
	scheme, rest, ok := cutScheme(trimmed)
	if !ok {
		return u, true
	}
	u.absolute, u.scheme = true, scheme
	if scheme != schemeHTTPS && scheme != schemeHTTP {
		u.display = scheme + ":" + unescapeForDisplay(rest)
		return u, true
	}
	host, tail, ok := cutAuthority(scheme, rest)
	if !ok {
		return u, false
	}
	u.display = scheme + "://" + host + displayTail(tail)
	return u, true
}

// plainURL is whether .NET shows an https URL just as it was sent.
func plainURL(text string) bool {
	rest, ok := strings.CutPrefix(text, "https://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 1 || rest[0] == '.' {
		return false
	}
	for i := range slash {
		c := rest[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && (c != '.' || rest[i+1] == '.') {
			return false
		}
	}
	tail := rest[slash:]
	return keepsEscapes(tail) && strings.IndexByte(tail, '\\') < 0 && !strings.Contains(tail, "/.") &&
		tail[len(tail)-1] > ' '
}

// keepsEscapes is whether no percent-escape of a text is decoded for display, as far as is known without decoding more
// than single bytes.
func keepsEscapes(text string) bool {
	for {
		at := strings.IndexByte(text, '%')
		if at < 0 {
			return true
		}
		if c, ok := escapedByte(text, at); ok && (c >= utf8.RuneSelf || safeToUnescape(c)) {
			return false
		}
		text = text[at+1:]
	}
}

// cutScheme splits scheme:rest; a text without a scheme is a relative URI.
func cutScheme(text string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(text, ":")
	if !ok || len(scheme) < 2 {
		return "", "", false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return "", "", false
		}
	}
	return strings.ToLower(scheme), rest, true
}

// cutAuthority splits what follows http: or https: into the displayed authority and the rest, which begins at the path.
func cutAuthority(scheme, rest string) (authority, tail string, ok bool) {
	rest = strings.Replace(rest, `\\`, "//", 1)
	if !strings.HasPrefix(rest, "//") {
		return "", "", false
	}
	rest = rest[2:]
	end := strings.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	authority, tail = rest[:end], rest[end:]
	user := ""
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, authority = authority[:at+1], authority[at+1:]
	}
	host, port, hasPort := authority, "", false
	if colon := strings.LastIndexByte(authority, ':'); colon >= 0 && !strings.Contains(authority[colon:], "]") {
		host, port, hasPort = authority[:colon], authority[colon+1:], true
	}
	if !validHost(host) {
		return "", "", false
	}
	authority = user + strings.ToLower(host)
	if hasPort && port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", "", false
		}
		if (scheme != schemeHTTPS || n != 443) && (scheme != schemeHTTP || n != 80) {
			authority += ":" + strconv.FormatUint(n, 10)
		}
	}
	return authority, tail, true
}

func validHost(host string) bool {
	if host == "" || host[0] == '.' || strings.Contains(host, "..") {
		return false
	}
	return !strings.ContainsAny(host, " \t\"<>^`{|}%,;!$&'()*+=")
}

// displayTail is the displayed path, query and fragment.
func displayTail(tail string) string {
	end := strings.IndexAny(tail, "?#")
	if end < 0 {
		end = len(tail)
	}
	path := strings.ReplaceAll(tail[:end], `\`, "/")
	if path == "" {
		path = "/"
	}
	if strings.Contains(path, "/.") {
		path = withoutDotSegments(path)
	}
	return unescapeForDisplay(path + tail[end:])
}

// withoutDotSegments removes . and .. segments of a path (RFC 3986, 5.2.4).
func withoutDotSegments(path string) string {
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case ".":
			if last {
				kept = append(kept, "")
			}
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// unescapeForDisplay decodes the percent-escapes that Uri.ToString decodes: all but those of reserved characters,
// of controls, and of bytes that are no UTF-8.
func unescapeForDisplay(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c, ok := escapedByte(text, i)
		switch {
		case !ok:
			out = append(out, text[i])
			i++
		case c < utf8.RuneSelf && safeToUnescape(c):
			out = append(out, c)
			i += 3
		case c >= utf8.RuneSelf:
			sequence := escapedRune(text, i)
			if sequence == nil {
				out = append(out, text[i:i+3]...)
				i += 3
				continue
			}
			out = append(out, sequence...)
			i += 3 * len(sequence)
		default:
			out = append(out, text[i:i+3]...)
			i += 3
		}
	}
	return string(out)
}

func safeToUnescape(c byte) bool {
	return c > 0x1f && c != 0x7f && strings.IndexByte(";/?:@&=+$,#[]!'()*%\\", c) < 0
}

// escapedByte decodes the %XX at i.
func escapedByte(text string, i int) (byte, bool) {
	if text[i] != '%' || i+3 > len(text) {
		return 0, false
	}
	high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
	return high<<4 | low&15, high < 16 && low < 16
}

// hexDigit is the value of a digit, 16 or more for what is none.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// escapedRune collects the bytes of one escaped UTF-8 sequence at i; nil where there is none.
func escapedRune(text string, i int) []byte {
	var sequence []byte
	for len(sequence) < utf8.UTFMax && i < len(text) {
		c, ok := escapedByte(text, i)
		if !ok {
			break
		}
		sequence = append(sequence, c)
		i += 3
		if r, size := utf8.DecodeRune(sequence); r != utf8.RuneError && size == len(sequence) {
			if r <= 0x9f {
				return nil
			}
			return sequence
		}
	}
	return nil
}

// wellFormedURI is Uri.IsWellFormedUriString with UriKind.RelativeOrAbsolute: nothing in it needs escaping.
func wellFormedURI(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return false
		}
		if c != '%' {
			continue
		}
		if _, ok := escapedByte(text, i); !ok {
			return false
		}
	}
	u, ok := parseURI(text)
	if !ok {
		return false
	}
	return u.absolute || !strings.Contains(firstSegment(text), ":")
}

func firstSegment(text string) string {
	segment, _, _ := strings.Cut(text, "/")
	return segment
}

// httpsURL is whether a text is an absolute https URL.
func httpsURL(text string) bool {
	u, ok := parseURI(text)
	return ok && u.absolute && u.scheme == schemeHTTPS
}
