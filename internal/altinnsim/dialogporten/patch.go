package dialogporten

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// patchError is a reason why a patch does not fit, worded as it is answered.
type patchError string

func (e patchError) Error() string { return string(e) }

// patchOperation is one of RFC 6902.
type patchOperation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	From  string          `json:"from"`
	Value json.RawMessage `json:"value"`
}

// patchDialog is PATCH dialogs/{id}: the document is the dialog as a PUT body, without activities and transmissions.
func (c *call) patchDialog() *problem {
	operations, err := readPatch(c.body)
	if err != nil {
		p := problemWith(http.StatusBadRequest, "", "The JSON patch document was malformed and could not be parsed.")
		p.errors.add("patchDocument", "The patchDocument field is required.")
		return p
	}
	return c.update(func(state *snapshot, stored *aggregate) (*dialogBody, *problem) {
		document, err := decodeDocument(state.updateDocument(stored))
		if err != nil {
			return nil, serverError()
		}
		for _, operation := range operations {
			if err := operation.apply(document); err != nil {
				return nil, notApplied(err)
			}
		}
		withoutNullLists(document)
		patched, err := json.Marshal(document)
		if err != nil {
			return nil, notApplied(err)
		}
		body := newDialogBody()
		b := newBinder(string(patched))
		if fault := b.bind(func() { b.dialogUpdate(body) }); fault != nil {
			return nil, notApplied(errors.New(fault.message))
		}
		return body, nil
	})
}

// withoutNullLists makes lists that were set to null empty.
func withoutNullLists(document any) {
	object, _ := document.(map[string]any)
	for _, name := range [...]string{"searchTags", "attachments", "transmissions", "guiActions", "apiActions", "activities"} {
		if value, ok := object[name]; ok && value == nil {
			delete(object, name)
		}
	}
}

// notApplied is the plain object that says why a patch does not fit.
func notApplied(err error) *problem {
	o := openObject(nil)
	o.name("UpdateDialogDto")
	o.buf = append(appendText(append(o.buf, '['), err.Error()), ']')
	return &problem{status: http.StatusBadRequest, raw: o.close()}
}

func readPatch(body string) ([]patchOperation, error) {
	var operations []patchOperation
	if err := json.Unmarshal([]byte(body), &operations); err != nil {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	if operations == nil {
		return nil, errors.New("read patch: no list")
	}
	for i := range operations {
		operations[i].Op = strings.ToLower(operations[i].Op)
		if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, operations[i].Op) {
			return nil, fmt.Errorf("read patch: no operation %d", i)
		}
	}
	return operations, nil
}

// decodeDocument keeps numbers as they are written.
func decodeDocument(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("decode document: %w", err)
	}
	return document, nil
}

// updateDocument is the dialog as a PUT body, with empty activities and transmissions. Lists are there, absent scalars
// are not.
func (s *snapshot) updateDocument(a *aggregate) []byte {
	o := openObject(nil)
	if s.progress != noProgress {
		o.number("progress", int(s.progress))
	}
	o.optional("extendedStatus", s.extendedStatus)
	o.optional("externalReference", s.externalReference)
	o.instant("dueAt", s.dueAt)
	o.instant("expiresAt", s.expiresAt)
	o.optional("process", s.process)
	o.optional("precedingProcess", s.precedingProcess)
	o.flag("isApiOnly", s.isAPIOnly)
	o.enum("status", statusNames, int(s.status))
	if a.content.given {
		o.name("content")
		o.buf = appendContent(o.buf, &a.content, dialogContent())
	}
	o.name("searchTags")
	o.buf = appendList(o.buf, a.tags, appendValue)
	o.name("attachments")
	o.buf = appendList(o.buf, a.attachments, appendAttachment)
	o.name("guiActions")
	o.buf = appendList(o.buf, a.guiActions, appendGUIAction)
	o.name("apiActions")
	o.buf = appendList(o.buf, a.apiActions, appendAPIAction)
	for _, name := range [...]string{"activities", "transmissions"} {
		o.name(name)
		o.buf = append(o.buf, '[', ']')
	}
	return o.close()
}

// apply changes the document as the operation says.
func (p *patchOperation) apply(document any) error {
	switch p.Op {
	case "add":
		return p.put(document, p.Path, true)
	case "replace":
		return p.put(document, p.Path, false)
	case "remove":
		return take(document, p.Path)
	case "test":
		return p.test(document)
	}
	value, err := look(document, p.From)
	if err == nil && p.Op == "move" {
		err = take(document, p.From)
	}
	if err != nil {
		return err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("copy %s: %w", p.From, err)
	}
	moved := patchOperation{Value: raw}
	return moved.put(document, p.Path, true)
}

func (p *patchOperation) put(document any, path string, insert bool) error {
	if len(p.Value) == 0 {
		p.Value = json.RawMessage("null")
	}
	value, err := decodeDocument(p.Value)
	if err != nil {
		return err
	}
	parent, last, err := parentOf(document, path)
	if err != nil {
		return err
	}
	switch place := parent.(type) {
	case map[string]any:
		if knownMember(last) == "" {
			return absentSegment(last)
		}
		place[memberName(place, last)] = value
		return nil
	case *listPlace:
		return place.put(last, value, insert)
	}
	return absentSegment(last)
}

func (p *patchOperation) test(document any) error {
	current, err := look(document, p.Path)
	if err != nil {
		return err
	}
	wanted, err := decodeDocument(p.Value)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(current, wanted) {
		return patchError(fmt.Sprintf("The current value '%v' at path '%s' is not equal to the test value '%v'.",
			current, strings.TrimPrefix(p.Path, "/"), wanted))
	}
	return nil
}

func absentSegment(segment string) error {
	return patchError("The target location specified by path segment '" + segment + "' was not found.")
}

// listPlace is a list with the member that holds it, so that it can grow and shrink.
type listPlace struct {
	list []any
	set  func([]any)
}

func (l *listPlace) index(segment string, most int) (int, error) {
	i, err := strconv.Atoi(segment)
	if err != nil || i < 0 || i > most {
		return 0, patchError("The index value provided by path segment '" + segment + "' is out of bounds of the array size.")
	}
	return i, nil
}

func (l *listPlace) put(segment string, value any, insert bool) error {
	if segment == "-" {
		if insert || len(l.list) == 0 {
			l.set(append(l.list, value))
		} else {
			l.list[len(l.list)-1] = value
		}
		return nil
	}
	most := len(l.list) - 1
	if insert {
		most++
	}
	i, err := l.index(segment, most)
	if err != nil {
		return err
	}
	if insert {
		l.set(slices.Insert(l.list, i, value))
		return nil
	}
	l.list[i] = value
	return nil
}

func (l *listPlace) take(segment string) error {
	if segment == "-" {
		segment = strconv.Itoa(len(l.list) - 1)
	}
	i, err := l.index(segment, len(l.list)-1)
	if err != nil {
		return err
	}
	l.set(slices.Delete(slices.Clone(l.list), i, i+1))
	return nil
}

// parentOf walks to the place that the last segment of a path is in.
func parentOf(document any, path string) (parent any, last string, err error) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	parent = document
	for i, segment := range segments {
		segments[i] = strings.ReplaceAll(strings.ReplaceAll(segment, "~1", "/"), "~0", "~")
	}
	last = segments[len(segments)-1]
	for _, segment := range segments[:len(segments)-1] {
		if parent, err = below(parent, segment); err != nil {
			return nil, "", err
		}
	}
	return parent, last, nil
}

// below goes one segment down.
func below(parent any, segment string) (any, error) {
	switch place := parent.(type) {
	case map[string]any:
		name := memberName(place, segment)
		value, ok := place[name]
		if list, isList := value.([]any); isList {
			return &listPlace{list: list, set: func(changed []any) { place[name] = changed }}, nil
		}
		if !ok && knownMember(segment) == "" {
			return nil, absentSegment(segment)
		}
		return value, nil
	case *listPlace:
		i, err := place.index(segment, len(place.list)-1)
		if err != nil {
			return nil, err
		}
		if inner, isList := place.list[i].([]any); isList {
			return &listPlace{list: inner, set: func(changed []any) { place.list[i] = changed }}, nil
		}
		return place.list[i], nil
	}
	return nil, absentSegment(segment)
}

// memberName finds a member in whatever case; one that is not there keeps its known spelling.
func memberName(object map[string]any, segment string) string {
	for name := range object {
		if strings.EqualFold(name, segment) {
			return name
		}
	}
	if known := knownMember(segment); known != "" {
		return known
	}
	return segment
}

func look(document any, path string) (any, error) {
	parent, last, err := parentOf(document, path)
	if err != nil {
		return nil, err
	}
	found, err := below(parent, last)
	if list, ok := found.(*listPlace); ok {
		return list.list, err
	}
	return found, err
}

func take(document any, path string) error {
	parent, last, err := parentOf(document, path)
	if err != nil {
		return err
	}
	switch place := parent.(type) {
	case map[string]any:
		delete(place, memberName(place, last))
		return nil
	case *listPlace:
		return place.take(last)
	}
	return absentSegment(last)
}
