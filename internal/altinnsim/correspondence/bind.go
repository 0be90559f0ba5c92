package correspondence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// Bodies are read in two passes, as the real service does (3.2, 3.3). Parsing ends at the first fault, whose key is a path
// that begins with "$". Validation comes after it and tells all faults, under the server's own property names.

// maxBody is how much of a JSON body is read.
const maxBody = 64 << 20

// parseFault ends parsing.
type parseFault struct{ path, text string }

// binder collects the faults of a body.
type binder struct {
	invalid modelFaults
}

// modelFaults are faults by key, in the order in which they were found.
type modelFaults struct {
	keys  []string
	texts map[string][]string
}

func (f *modelFaults) add(key, text string) {
	if f.texts == nil {
		f.texts = map[string][]string{}
	}
	if len(f.texts[key]) == 0 {
		f.keys = append(f.keys, key)
	}
	f.texts[key] = append(f.texts[key], text)
}

func (f *modelFaults) any() bool { return len(f.keys) > 0 }

// bindBody parses a JSON body and validates it. The error is an answer.
func bindBody(r *http.Request, read func(object)) (err error) {
	if !answer.IsJSON(r) {
		return statusError(http.StatusUnsupportedMediaType)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	b := &binder{}
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case parseFault:
			var faults modelFaults
			faults.add(fault.path, fault.text)
			err = invalidModel(faults)
		default:
			panic(fault)
		}
	}()
	b.parse(raw, read)
	if b.invalid.any() {
		return invalidModel(b.invalid)
	}
	return nil
}

func (b *binder) parse(raw []byte, read func(object)) {
	if len(bytes.TrimSpace(raw)) == 0 {
		panic(parseFault{"", "A non-empty request body is required."})
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		panic(parseFault{"$", "The body is not JSON: " + err.Error()})
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		panic(parseFault{"$", "The body goes on after its JSON value."})
	}
	if value == nil {
		panic(parseFault{"", "A non-empty request body is required."})
	}
	read(b.object("$", "", value, "request"))
}

// object is a JSON object that is being read.
type object struct {
	binder  *binder
	path    string // "$.correspondenceData"
	server  string // "CorrespondenceData."
	members map[string]any
}

func (b *binder) object(path, server string, value any, kind string) object {
	members, ok := value.(map[string]any)
	if !ok {
		panic(wrongType(path, kind))
	}
	o := object{binder: b, path: path, server: server, members: make(map[string]any, len(members))}
	for name, member := range members {
		o.members[strings.ToLower(name)] = member
	}
	return o
}

func wrongType(path, kind string) parseFault {
	text := "The JSON value could not be converted to " + kind + ". Path: " + path + " | LineNumber: 0 | BytePositionInLine: 0."
	return parseFault{path, text}
}

// serverName is the name of a property on the server.
func serverName(name string) string { return string(unicode.ToUpper(rune(name[0]))) + name[1:] }

// must refuses an object without these members.
func (o object) must(names ...string) {
	var missing []string
	for _, name := range names {
		if _, ok := o.members[strings.ToLower(name)]; !ok {
			missing = append(missing, "'"+name+"'")
		}
	}
	if len(missing) > 0 {
		panic(parseFault{o.path, "JSON deserialization was missing required properties including: " + strings.Join(missing, ", ") + "."})
	}
}

// value is a member; ok is false when it is missing or null.
func (o object) value(name string) (value any, path string, ok bool) {
	value = o.members[strings.ToLower(name)]
	return value, o.path + "." + name, value != nil
}

// isNull says whether a member is there and null.
func (o object) isNull(name string) bool {
	value, there := o.members[strings.ToLower(name)]
	return there && value == nil
}

// fail notes a fault of validation.
func (o object) fail(name, text string) { o.binder.invalid.add(o.server+serverName(name), text) }

// notNull refuses an explicit null of a member that must be something when it is there.
func (o object) notNull(names ...string) {
	for _, name := range names {
		if o.isNull(name) {
			o.fail(name, "The "+serverName(name)+" field is required.")
		}
	}
}

// text is a string, nil when it is missing or null.
func (o object) text(name string) *string {
	value, path, ok := o.value(name)
	if !ok {
		return nil
	}
	text, ok := value.(string)
	if !ok {
		panic(wrongType(path, "System.String"))
	}
	return &text
}

// required is a string that must be there: null is a fault of validation.
func (o object) required(name string) string {
	o.notNull(name)
	return deref(o.text(name))
}

// optional is a string whose default is "", and that may not be null.
func (o object) optional(name string) string { return o.required(name) }

func deref[T any](value *T) T {
	if value == nil {
		var zero T
		return zero
	}
	return *value
}

// length holds a text to a number of UTF-16 units.
func (o object) length(name, text string, low, high int) {
	n := units(text)
	if n >= low && n <= high {
		return
	}
	sentence := "The field " + serverName(name) + " must be a string with a maximum length of " + strconv.Itoa(high) + "."
	if low > 0 {
		sentence = "The field " + serverName(name) + " must be a string with a minimum length of " + strconv.Itoa(low) +
			" and a maximum length of " + strconv.Itoa(high) + "."
	}
	o.fail(name, sentence)
}

// units is the length of a text in UTF-16 units.
func units(text string) int { return len(utf16.Encode([]rune(text))) }

// number is a whole number of 32 bits, as a number or a text. A null is a fault of parsing.
func (o object) number(name string) int32 {
	if o.isNull(name) {
		panic(wrongType(o.path+"."+name, "System.Int32"))
	}
	return deref(o.optionalNumber(name))
}

func (o object) optionalNumber(name string) *int32 {
	value, path, ok := o.value(name)
	if !ok {
		return nil
	}
	number, err := strconv.ParseInt(scalarText(value), 10, 32)
	if err != nil {
		panic(wrongType(path, "System.Int32"))
	}
	small := int32(number)
	return &small
}

// scalarText is a number or a string as text, "" for anything else.
func scalarText(value any) string {
	switch v := value.(type) {
	case json.Number:
		return v.String()
	case string:
		return v
	}
	return ""
}

func (o object) flag(name string) bool {
	if o.isNull(name) {
		panic(wrongType(o.path+"."+name, "System.Boolean"))
	}
	return deref(o.optionalFlag(name))
}

func (o object) optionalFlag(name string) *bool {
	value, path, ok := o.value(name)
	if !ok {
		return nil
	}
	flag, ok := value.(bool)
	if !ok {
		panic(wrongType(path, "System.Boolean"))
	}
	return &flag
}

// instant is a time, the zero time when it is missing: year 1, as on the server.
func (o object) instant(name string) time.Time {
	if o.isNull(name) {
		panic(wrongType(o.path+"."+name, "System.DateTimeOffset"))
	}
	return deref(o.optionalInstant(name))
}

func (o object) optionalInstant(name string) *time.Time {
	value, path, ok := o.value(name)
	if !ok {
		return nil
	}
	text, _ := value.(string)
	t, ok := parseInstant(text)
	if !ok {
		panic(wrongType(path, "System.DateTimeOffset"))
	}
	return &t
}

// parseInstant reads ISO 8601; without an offset it is UTC.
func parseInstant(text string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			// The database keeps microseconds.
			return t.UTC().Truncate(time.Microsecond), true
		}
	}
	return time.Time{}, false
}

func (o object) id(name string) uuid.UUID {
	if o.isNull(name) {
		panic(wrongType(o.path+"."+name, "System.Guid"))
	}
	return deref(o.optionalID(name))
}

func (o object) optionalID(name string) *uuid.UUID {
	value, path, ok := o.value(name)
	if !ok {
		return nil
	}
	id, ok := parseID(value)
	if !ok {
		panic(wrongType(path, "System.Guid"))
	}
	return &id
}

// parseID reads a uuid with dashes; no other form is taken.
func parseID(value any) (uuid.UUID, bool) {
	const dashed = 36
	text, _ := value.(string)
	if len(text) != dashed {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// enum is a number or a name.
func (o object) enum(name string, names []string, kind string) int {
	path := o.path + "." + name
	if o.isNull(name) {
		panic(wrongType(path, kind))
	}
	value, _, ok := o.value(name)
	if !ok {
		return 0
	}
	number, ok := enumNumber(names, scalarText(value))
	if !ok {
		panic(wrongType(path, kind))
	}
	return number
}

// list goes through the elements of a list; a null element is a fault.
func (o object) list(name, server string, each func(path, server string, value any)) {
	value, path, ok := o.value(name)
	if !ok {
		return
	}
	elements, ok := value.([]any)
	if !ok {
		panic(wrongType(path, "a list"))
	}
	for i, element := range elements {
		index := "[" + strconv.Itoa(i) + "]"
		each(path+index, o.server+server+index, element)
	}
}

// objects goes through a list of objects. The real service trips over a null among them: it ends as 500.
func (o object) objects(name, server string, each func(object)) {
	o.list(name, server, func(path, server string, value any) {
		if value == nil {
			panic(parseFault{path, "The JSON value could not be converted to an object."})
		}
		each(o.binder.object(path, server+".", value, "an object"))
	})
}

// dictionary is a member that is an object of any names, which keep their case.
func (o object) dictionary(name string) (map[string]any, bool) {
	value, path, ok := o.value(name)
	if !ok {
		return nil, false
	}
	members, ok := value.(map[string]any)
	if !ok {
		panic(wrongType(path, "a map"))
	}
	return members, true
}

// child is a member that is an object; ok is false when it is missing or null.
func (o object) child(name string) (object, bool) {
	value, path, ok := o.value(name)
	if !ok {
		return object{}, false
	}
	return o.binder.object(path, o.server+serverName(name)+".", value, "an object"), true
}
