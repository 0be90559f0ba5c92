package dialogporten

import (
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"
)

const upperHex = "0123456789ABCDEF"

// appendText writes a JSON string as System.Text.Json does by default: everything but harmless ASCII as \uXXXX
// (Chapter 2).
func appendText(buf []byte, text string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf && !escaped(c) {
			i++
			continue
		}
		buf = append(buf, text[start:i]...)
		if c < utf8.RuneSelf {
			buf = appendEscapedByte(buf, c)
			i++
		} else {
			r, size := utf8.DecodeRuneInString(text[i:])
			buf = appendEscapedRune(buf, r)
			i += size
		}
		start = i
	}
	buf = append(buf, text[start:]...)
	return append(buf, '"')
}

func escaped(c byte) bool {
	switch c {
	case '"', '&', '\'', '+', '<', '>', '\\', '`', 0x7f:
		return true
	}
	return c < 0x20
}

func appendEscapedByte(buf []byte, c byte) []byte {
	switch c {
	case '\\':
		return append(buf, '\\', '\\')
	case '\b':
		return append(buf, '\\', 'b')
	case '\t':
		return append(buf, '\\', 't')
	case '\n':
		return append(buf, '\\', 'n')
	case '\f':
		return append(buf, '\\', 'f')
	case '\r':
		return append(buf, '\\', 'r')
	}
	return appendUnit(buf, rune(c))
}

func appendEscapedRune(buf []byte, r rune) []byte {
	const supplementary, high, low = 0x10000, 0xD800, 0xDC00
	if r < supplementary {
		return appendUnit(buf, r)
	}
	r -= supplementary
	return appendUnit(appendUnit(buf, high+r>>10), low+r&0x3ff)
}

func appendUnit(buf []byte, r rune) []byte {
	return append(buf, '\\', 'u', upperHex[r>>12&15], upperHex[r>>8&15], upperHex[r>>4&15], upperHex[r&15])
}

// appendID writes a GUID in its 8-4-4-4-12 form, quoted.
func appendID(buf []byte, id uuid.UUID) []byte {
	return append(appendBareID(append(buf, '"'), id), '"')
}

func appendBareID(buf []byte, id uuid.UUID) []byte {
	const lowerHex = "0123456789abcdef"
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			buf = append(buf, '-')
		}
		buf = append(buf, lowerHex[c>>4], lowerHex[c&15])
	}
	return buf
}

// An object writes the members of a JSON object one by one; absent values are left out.
type object struct {
	buf   []byte
	first bool
}

func openObject(buf []byte) object { return object{buf: append(buf, '{'), first: true} }

func (o *object) close() []byte { return append(o.buf, '}') }

// name must be plain ASCII.
func (o *object) name(name string) {
	if !o.first {
		o.buf = append(o.buf, ',')
	}
	o.first = false
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

func (o *object) text(name, text string) {
	o.name(name)
	o.buf = appendText(o.buf, text)
}

func (o *object) optional(name string, text optional) {
	if text.given {
		o.text(name, text.text)
	}
}

func (o *object) uri(name string, u uri) {
	if u.given {
		o.text(name, u.display)
	}
}

func (o *object) id(name string, id uuid.UUID) {
	o.name(name)
	o.buf = appendID(o.buf, id)
}

func (o *object) optionalID(name string, id optionalID) {
	if id.given {
		o.id(name, id.id)
	}
}

func (o *object) instant(name string, t instant) {
	if !t.given() {
		return
	}
	o.name(name)
	o.buf = append(o.buf, '"')
	o.buf = append(appendInstant(o.buf, t), '"')
}

func (o *object) flag(name string, flag bool) {
	o.name(name)
	o.buf = strconv.AppendBool(o.buf, flag)
}

func (o *object) number(name string, n int) {
	o.name(name)
	o.buf = strconv.AppendInt(o.buf, int64(n), 10)
}

func (o *object) enum(name string, names enumeration, n int) { o.text(name, names(n)) }

// appendList writes a JSON array.
func appendList[T any](buf []byte, list []T, write func([]byte, *T) []byte) []byte {
	buf = append(buf, '[')
	for i := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = write(buf, &list[i])
	}
	return append(buf, ']')
}
