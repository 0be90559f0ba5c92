package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// tree is JSON that keeps the order of its members. It is an object, a list or a plain value.
type tree struct {
	names []string // of an object's members
	nodes []*tree  // members or elements
	open  byte     // '{', '[' or 0
	plain json.RawMessage
}

func parseTree(raw []byte) (*tree, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return readTree(decoder)
}

func readTree(decoder *json.Decoder) (*tree, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return plainTree(token), nil
	}
	t := &tree{open: byte(delimiter)} //nolint:gosec // one of { and [
	for decoder.More() {
		if t.open == '{' {
			name, err := decoder.Token()
			if err != nil {
				return nil, fmt.Errorf("read JSON: %w", err)
			}
			text, _ := name.(string)
			t.names = append(t.names, text)
		}
		node, err := readTree(decoder)
		if err != nil {
			return nil, err
		}
		t.nodes = append(t.nodes, node)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return t, nil
}

// plainTree is a text, a number, a boolean or null.
func plainTree(value any) *tree {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return &tree{plain: json.RawMessage("null")}
	}
	return &tree{plain: bytes.TrimRight(buffer.Bytes(), "\n")}
}

func (t *tree) append(dst []byte) []byte {
	if t.open == 0 {
		return append(dst, t.plain...)
	}
	dst = append(dst, t.open)
	for i, node := range t.nodes {
		if i > 0 {
			dst = append(dst, ',')
		}
		if t.open == '{' {
			dst = append(plainTree(t.names[i]).append(dst), ':')
		}
		dst = node.append(dst)
	}
	return append(dst, t.open+2) // the closing bracket in ASCII
}

// member is a member of an object, nil when there is none.
func (t *tree) member(name string) *tree {
	if i := slices.Index(t.names, name); i >= 0 {
		return t.nodes[i]
	}
	return nil
}

// set replaces a member that is there.
func (t *tree) set(name string, value *tree) {
	if i := slices.Index(t.names, name); i >= 0 {
		t.nodes[i] = value
	}
}

func (t *tree) remove(name string) {
	if i := slices.Index(t.names, name); i >= 0 {
		t.names, t.nodes = slices.Delete(t.names, i, i+1), slices.Delete(t.nodes, i, i+1)
	}
}

// text is the value of a JSON text, "" for anything else.
func (t *tree) text() string {
	var text string
	if t == nil || t.open != 0 || json.Unmarshal(t.plain, &text) != nil {
		return ""
	}
	return text
}

// each visits all members and elements, the deepest first. alter gives what takes the value's place.
func (t *tree) each(alter func(name string, value *tree) *tree) {
	for i, node := range t.nodes {
		node.each(alter)
		name := ""
		if t.open == '{' {
			name = t.names[i]
		}
		t.nodes[i] = alter(name, node)
	}
}
