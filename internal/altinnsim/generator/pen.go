package generator

import (
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// pen writes JSON by appending: lists hold thousands of instances, and reflection would take most of a page's time.
type pen struct {
	out   []byte
	comma bool
}

func (p *pen) raw(text string) { p.out = append(p.out, text...) }

func (p *pen) separate() {
	if p.comma {
		p.out = append(p.out, ',')
	}
	p.comma = true
}

// name begins a member. Names are written as they stand.
func (p *pen) name(name string) {
	p.separate()
	p.out = append(p.out, '"')
	p.out = append(p.out, name...)
	p.out = append(p.out, '"', ':')
}

// object writes a member that is an object.
func (p *pen) object(name string, members func()) {
	p.name(name)
	p.open('{')
	members()
	p.close('}')
}

// list writes a member that is a list.
func (p *pen) list(name string, elements func()) {
	p.name(name)
	p.open('[')
	elements()
	p.close(']')
}

// element writes an object in a list.
func (p *pen) element(members func()) {
	p.separate()
	p.open('{')
	members()
	p.close('}')
}

func (p *pen) open(b byte) {
	p.out = append(p.out, b)
	p.comma = false
}

func (p *pen) close(b byte) {
	p.out = append(p.out, b)
	p.comma = true
}

func (p *pen) text(name, value string) {
	p.name(name)
	p.out = appendText(p.out, value)
}

func (p *pen) integer(name string, value int64) {
	p.name(name)
	p.out = strconv.AppendInt(p.out, value, 10)
}

func (p *pen) boolean(name string, value bool) {
	p.name(name)
	p.out = strconv.AppendBool(p.out, value)
}

func (p *pen) null(name string) {
	p.name(name)
	p.raw("null")
}

func (p *pen) time(name string, micros int64) {
	p.name(name)
	p.out = append(p.out, '"')
	p.out = storage.AppendTime(p.out, micros)
	p.out = append(p.out, '"')
}

func (p *pen) uuid(name string, id uuid.UUID) {
	p.name(name)
	p.out = append(p.out, '"')
	p.out = storage.AppendUUID(p.out, id)
	p.out = append(p.out, '"')
}

// decimal writes a number as text.
func (p *pen) decimal(name string, value int64) {
	p.name(name)
	p.out = append(p.out, '"')
	p.out = strconv.AppendInt(p.out, value, 10)
	p.out = append(p.out, '"')
}

// appendText appends a JSON string.
func appendText(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return append(dst, '"')
}
