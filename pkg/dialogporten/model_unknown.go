package dialogporten

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// UnknownMembers are the members of a JSON object that this package has no field for, as received. An update replaces
// whole objects, so what a GET showed and we do not know must be sent back or it is erased (design, invariant 11).
type UnknownMembers map[string]json.RawMessage

// unknownMembers gives the members of the object in data whose names isKnown does not recognise; nil when there are none.
func unknownMembers(data []byte, isKnown func(name string) bool) (UnknownMembers, error) {
	var members UnknownMembers
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return isKnown(name) })
	if len(members) == 0 {
		return nil, nil //nolint:nilnil // No unknown members is an ordinary answer.
	}
	return members, nil
}

// marshalWithUnknown writes known, which must marshal as an object, followed by the unknown members in order of name.
func marshalWithUnknown(known any, unknown UnknownMembers) ([]byte, error) {
	encoded, err := json.Marshal(known)
	if err != nil {
		return nil, fmt.Errorf("write members: %w", err)
	}
	if len(unknown) == 0 {
		return encoded, nil
	}
	out := bytes.NewBuffer(bytes.TrimSuffix(encoded, []byte("}")))
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		if out.Len() > len("{") {
			out.WriteByte(',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("write member name: %w", err)
		}
		out.Write(quoted)
		out.WriteByte(':')
		out.Write(unknown[name])
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
