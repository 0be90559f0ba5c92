package dialogporten

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"
)

// bindingFault is a body that does not fit its type (Chapter 3, JSON binding): found before any rule runs.
type bindingFault struct {
	path    string // JSON path without $., "" for a body that can't be read at all
	message string
}

const (
	maxDepth          = 64
	messageUnreadable = "The JSON value could not be read."
)

// binder reads a JSON text straight into the types of model.go, as System.Text.Json with the service's settings does:
// members in any case, unknown ones ignored, the last of several wins, null only where the model has room for it.
// Strings are parts of the text where they hold no escapes: keep them no longer than the request.
type binder struct {
	src  string
	pos  int
	path []step
	// stored reads what this package wrote: values are taken as they are.
	stored bool
	fault  *bindingFault
	// hollow tells that a list has a null among its objects, which the real service falls over.
	hollow bool
	// controls tells that there are control characters somewhere, so that strings must be looked through for them.
	controls bool
	// texts is where localisations are kept: one piece of memory for many short lists.
	texts []localization
}

// step is a member or, where name is "", an index.
type step struct {
	name  string
	index int
}

func newBinder(body string) *binder {
	return &binder{src: body, path: make([]step, 0, 8)}
}

// bind reads a whole body; no body is a fault.
func (b *binder) bind(read func()) *bindingFault {
	if !utf8.ValidString(b.src) {
		b.unreadable()
		return b.fault
	}
	b.src = strings.TrimPrefix(b.src, "\ufeff")
	b.controls = hasControls(b.src)
	b.space()
	read()
	b.space()
	if b.fault == nil && b.pos != len(b.src) {
		b.unreadable()
	}
	return b.fault
}

// hasControls looks at eight bytes at a time.
func hasControls(text string) bool {
	const highs, blanks = 0x8080808080808080, ' ' * 0x0101010101010101
	i := 0
	for ; i+8 <= len(text); i += 8 {
		word := uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24 |
			uint64(text[i+4])<<32 | uint64(text[i+5])<<40 | uint64(text[i+6])<<48 | uint64(text[i+7])<<56
		if (word-blanks)&^word&highs != 0 {
			return true
		}
	}
	for ; i < len(text); i++ {
		if text[i] < ' ' {
			return true
		}
	}
	return false
}

func (b *binder) unreadable() {
	if b.fault == nil {
		b.fault = &bindingFault{message: messageUnreadable}
	}
}

// misfit is a value of a wrong type, at the current path.
func (b *binder) misfit(wanted string) {
	b.fail("The JSON value could not be converted to " + wanted + ".")
}

func (b *binder) fail(message string) {
	if b.fault != nil {
		return
	}
	b.fault = &bindingFault{path: b.pathText(), message: message}
}

func (b *binder) pathText() string {
	var text strings.Builder
	for _, s := range b.path {
		if s.name == "" {
			text.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		if text.Len() > 0 {
			text.WriteByte('.')
		}
		text.WriteString(s.name)
	}
	return text.String()
}

func (b *binder) space() {
	for b.pos < len(b.src) {
		switch b.src[b.pos] {
		case ' ', '\t', '\n', '\r':
			b.pos++
		default:
			return
		}
	}
}

// peek is the first byte of the next value; 0 at the end.
func (b *binder) peek() byte {
	if b.pos < len(b.src) && b.fault == nil {
		return b.src[b.pos]
	}
	return 0
}

// null takes a null.
func (b *binder) null() bool {
	if strings.HasPrefix(b.src[b.pos:], "null") && b.fault == nil {
		b.pos += len("null")
		return true
	}
	return false
}

// object reads the members of an object; bind tells whether it took a member.
func (b *binder) object(bind func(name string) bool) {
	if b.peek() != '{' {
		b.misfitOrUnreadable("object")
		return
	}
	if len(b.path) >= maxDepth {
		b.unreadable()
		return
	}
	b.pos++
	b.path = append(b.path, step{})
	here := len(b.path) - 1
	for first := true; b.fault == nil; first = false {
		b.space()
		if b.peek() == '}' && first {
			b.pos++
			break
		}
		name := b.string()
		b.space()
		if b.peek() != ':' {
			b.unreadable()
			return
		}
		b.pos++
		b.space()
		b.path[here].name = name
		if b.stored && b.null() {
			// What is stored may tell an absent value.
		} else if !bind(name) && b.fault == nil && !bindFolded(name, bind) && b.fault == nil {
			b.skip()
		}
		if !b.more('}') {
			break
		}
	}
	b.path = b.path[:here]
}

// bindFolded tries a member whose name is spelled in another case.
func bindFolded(name string, bind func(string) bool) bool {
	known := knownMember(name)
	return known != "" && known != name && bind(known)
}

// list reads the elements of an array.
func (b *binder) list(each func()) {
	if b.peek() != '[' {
		b.misfitOrUnreadable("array")
		return
	}
	if len(b.path) >= maxDepth {
		b.unreadable()
		return
	}
	b.pos++
	b.path = append(b.path, step{})
	here := len(b.path) - 1
	for i := 0; b.fault == nil; i++ {
		b.space()
		if b.peek() == ']' && i == 0 {
			b.pos++
			break
		}
		b.path[here].index = i
		each()
		if !b.more(']') {
			break
		}
	}
	b.path = b.path[:here]
}

// more takes a comma or the closing bracket.
func (b *binder) more(closing byte) bool {
	if b.fault != nil {
		return false
	}
	b.space()
	switch b.peek() {
	case ',':
		b.pos++
		return true
	case closing:
		b.pos++
	default:
		b.unreadable()
	}
	return false
}

// misfitOrUnreadable tells a value of another type from no value at all.
func (b *binder) misfitOrUnreadable(wanted string) {
	switch c := b.peek(); {
	case c == '"', c == '{', c == '[', c == '-', c >= '0' && c <= '9', c == 't', c == 'f', c == 'n':
		b.misfit(wanted)
	default:
		b.unreadable()
	}
}

// string reads a JSON string, which must be next.
func (b *binder) string() string {
	if b.peek() != '"' {
		b.unreadable()
		return ""
	}
	b.pos++
	start := b.pos
	length := strings.IndexByte(b.src[start:], '"')
	if length < 0 {
		b.unreadable()
		return ""
	}
	text := b.src[start : start+length]
	if escape := strings.IndexByte(text, '\\'); escape >= 0 {
		return b.escapedString(start, start+escape)
	}
	if b.controls && hasControls(text) {
		b.unreadable()
		return ""
	}
	b.pos = start + length + 1
	return text
}

// escapedString goes on with a string whose first escape is at i.
func (b *binder) escapedString(start, i int) string {
	if b.controls && hasControls(b.src[start:i]) {
		b.unreadable()
		return ""
	}
	out := make([]byte, 0, 2*(i-start)+16)
	out = append(out, b.src[start:i]...)
	for i < len(b.src) {
		c := b.src[i]
		switch {
		case c == '"':
			b.pos = i + 1
			return string(out)
		case c < ' ':
			b.unreadable()
			return ""
		case c != '\\':
			out = append(out, c)
			i++
		default:
			next, ok := appendUnescaped(&out, b.src, i+1)
			if !ok {
				b.unreadable()
				return ""
			}
			i = next
		}
	}
	b.unreadable()
	return ""
}

// appendUnescaped decodes the escape whose letter is at i and gives the position behind it.
func appendUnescaped(out *[]byte, src string, i int) (next int, ok bool) {
	if i >= len(src) {
		return 0, false
	}
	switch c := src[i]; c {
	case '"', '\\', '/':
		*out = append(*out, c)
	case 'b':
		*out = append(*out, '\b')
	case 'f':
		*out = append(*out, '\f')
	case 'n':
		*out = append(*out, '\n')
	case 'r':
		*out = append(*out, '\r')
	case 't':
		*out = append(*out, '\t')
	case 'u':
		return appendUnescapedUnit(out, src, i+1)
	default:
		return 0, false
	}
	return i + 1, true
}

func appendUnescapedUnit(out *[]byte, src string, i int) (next int, ok bool) {
	unit, ok := hexUnit(src, i)
	if !ok {
		return 0, false
	}
	if !utf16.IsSurrogate(unit) {
		*out = utf8.AppendRune(*out, unit)
		return i + 4, true
	}
	if i+6 > len(src) || src[i+4] != '\\' || src[i+5] != 'u' {
		return 0, false
	}
	low, ok := hexUnit(src, i+6)
	r := utf16.DecodeRune(unit, low)
	*out = utf8.AppendRune(*out, r)
	return i + 10, ok && r != utf8.RuneError
}

func hexUnit(src string, i int) (rune, bool) {
	if i+4 > len(src) {
		return 0, false
	}
	n, err := strconv.ParseUint(src[i:i+4], 16, 16)
	return rune(n), err == nil
}

// number takes the text of a JSON number, which must be next.
func (b *binder) number() string {
	start := b.pos
	for b.pos < len(b.src) && strings.IndexByte("+-.0123456789eE", b.src[b.pos]) >= 0 {
		b.pos++
	}
	text := b.src[start:b.pos]
	if !validNumber(text) {
		b.unreadable()
	}
	return text
}

func validNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	integer := countDigits(text)
	if integer == 0 || integer > 1 && text[0] == '0' {
		return false
	}
	text = text[integer:]
	if fraction, ok := strings.CutPrefix(text, "."); ok {
		n := countDigits(fraction)
		if n == 0 {
			return false
		}
		text = fraction[n:]
	}
	if text == "" {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text[1:], "+"), "-")
	return text != "" && countDigits(text) == len(text)
}

func countDigits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// skip passes over a value of any type.
func (b *binder) skip() {
	switch c := b.peek(); {
	case c == '{':
		b.object(func(string) bool { b.skip(); return true })
	case c == '[':
		b.list(b.skip)
	case c == '"':
		b.string()
	case c == '-' || c >= '0' && c <= '9':
		b.number()
	default:
		b.literal()
	}
}

func (b *binder) literal() {
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(b.src[b.pos:], word) {
			b.pos += len(word)
			return
		}
	}
	b.unreadable()
}

// element reads an object of a list. A null among them is noted, not refused; there is tells that it was an object.
func (b *binder) element(bind func(name string) bool) (there bool) {
	if b.null() {
		b.hollow = true
		return false
	}
	b.object(bind)
	return true
}

// text reads a string that must not be null.
func (b *binder) text(dst *optional) {
	if b.peek() != '"' {
		b.misfitOrUnreadable("System.String")
		return
	}
	*dst = some(b.string())
}

// optionalText reads a string or null.
func (b *binder) optionalText(dst *optional) {
	if b.null() {
		*dst = optional{}
		return
	}
	b.text(dst)
}

func (b *binder) plainText(dst *string) {
	var text optional
	b.text(&text)
	*dst = text.text
}

// optionalID reads a GUID in its 8-4-4-4-12 form, or null.
func (b *binder) optionalID(dst *optionalID) {
	if b.null() {
		*dst = optionalID{}
		return
	}
	*dst = someID(b.id())
}

func (b *binder) id() uuid.UUID {
	const wanted = "System.Guid"
	if b.peek() != '"' {
		b.misfitOrUnreadable(wanted)
		return uuid.UUID{}
	}
	id, ok := parsePlainGUID(b.string())
	if !ok {
		b.misfit(wanted)
	}
	return id
}

// optionalInstant reads a time or null.
func (b *binder) optionalInstant(dst *instant) {
	if b.null() {
		*dst = noInstant
		return
	}
	b.instant(dst)
}

func (b *binder) instant(dst *instant) {
	const wanted = "System.DateTimeOffset"
	if b.peek() != '"' {
		b.misfitOrUnreadable(wanted)
		return
	}
	text := b.string()
	t, fault := parseInstant(text)
	switch fault {
	case instantFine:
		*dst = t
	case instantMalformed:
		b.misfit(wanted)
	case instantWithoutOffset:
		b.fail("The JSON value could not be converted to " + wanted + ". Expected explicit offset postfix. " +
			"For example '+00:00', '-05:00', 'Z'. Got '" + text + "'.")
	}
}

// enum reads a name in any case or a number; whether the number is known is for the rules to say.
func (b *binder) enum(names enumeration, dst *int) {
	const wanted = "an enumeration value"
	switch c := b.peek(); {
	case c == '"':
		n, ok := names.number(b.string())
		if !ok {
			b.misfit(wanted)
		}
		*dst = n
	case c == '-' || c >= '0' && c <= '9':
		n, err := strconv.ParseInt(b.number(), 10, 32)
		if err != nil {
			b.misfit(wanted)
		}
		*dst = int(n)
	default:
		b.misfitOrUnreadable(wanted)
	}
}

// optionalEnum reads an enum or null; given tells which.
func (b *binder) optionalEnum(names enumeration, dst *int) (given bool) {
	if b.null() {
		*dst = 0
		return false
	}
	b.enum(names, dst)
	return true
}

func (b *binder) flag(dst *bool) {
	switch {
	case strings.HasPrefix(b.src[b.pos:], "true"):
		*dst = true
		b.pos += len("true")
	case strings.HasPrefix(b.src[b.pos:], "false"):
		*dst = false
		b.pos += len("false")
	default:
		b.misfitOrUnreadable("System.Boolean")
	}
}

// optionalInt reads an integer of 32 bits, also as a string, or null.
func (b *binder) optionalInt(dst *optionalInt) {
	if b.null() {
		*dst = optionalInt{}
		return
	}
	var text string
	switch c := b.peek(); {
	case c == '"':
		text = b.string()
	case c == '-' || c >= '0' && c <= '9':
		text = b.number()
	default:
		b.misfitOrUnreadable("System.Int32")
		return
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		b.misfit("System.Int32")
		return
	}
	*dst = optionalInt{n: int(n), given: true}
}

// uri reads a URI that must not be null.
func (b *binder) uri(dst *uri) {
	const wanted = "System.Uri"
	if b.peek() != '"' {
		b.misfitOrUnreadable(wanted)
		return
	}
	text := b.string()
	if b.stored {
		*dst = uri{given: true, original: text, display: text}
		return
	}
	u, ok := parseURI(text)
	if !ok {
		b.misfit(wanted)
	}
	*dst = u
}

func (b *binder) optionalURI(dst *uri) {
	if b.null() {
		*dst = uri{}
		return
	}
	b.uri(dst)
}

// bindList reads a list into a slice; an earlier value of the member is replaced. room is how many are usual.
func bindList[T any](b *binder, dst *[]T, room int, each func(*T)) {
	list := (*dst)[:0]
	b.list(func() {
		if list == nil {
			list = make([]T, 0, room)
		}
		var zero T
		list = append(list, zero)
		each(&list[len(list)-1])
	})
	*dst = list
}
