package altinn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotTextObject tells that a member that must be a JSON object of texts is something else.
var ErrNotTextObject = errors.New("not a JSON object of texts")

// KeyValue is one member of an OrderedTexts.
type KeyValue struct {
	Key   string
	Value string // empty for JSON null
}

// OrderedTexts is a JSON object from text to text whose member order counts: an application's title, an instance's
// presentation texts (mapping rules 7.1). A repeated key keeps its first place and takes the last value, as the
// reference's dictionary does. JSON null reads as empty.
type OrderedTexts []KeyValue

// UnmarshalJSON reads the object in document order.
func (o *OrderedTexts) UnmarshalJSON(data []byte) error {
	*o = nil
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	start, err := decoder.Token()
	if err != nil || start != json.Delim('{') {
		return ErrNotTextObject
	}
	var texts OrderedTexts
	for decoder.More() {
		var entry KeyValue
		key, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("read ordered texts: %w", err)
		}
		entry.Key, _ = key.(string)
		value, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("read ordered texts: %w", err)
		}
		switch value := value.(type) {
		case string:
			entry.Value = value
		case nil:
		default:
			return ErrNotTextObject
		}
		texts = texts.put(entry)
	}
	*o = texts
	return nil
}

func (o OrderedTexts) put(entry KeyValue) OrderedTexts {
	for i := range o {
		if o[i].Key == entry.Key {
			o[i].Value = entry.Value
			return o
		}
	}
	return append(o, entry)
}

// MarshalJSON writes an object with its members in order.
func (o OrderedTexts) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for i, entry := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		for j, text := range [...]string{entry.Key, entry.Value} {
			if j > 0 {
				out.WriteByte(':')
			}
			quoted, err := json.Marshal(text)
			if err != nil {
				return nil, fmt.Errorf("write ordered texts: %w", err)
			}
			out.Write(quoted)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
