package altinn

import (
	"encoding/json"
	"fmt"
)

// List is a JSON list whose null entries are dropped on reading: migrated data has them (Storage reference 11.2), and
// no rule gives them a meaning. JSON null reads as an empty list.
type List[T any] []T

// UnmarshalJSON reads the list without its null entries.
func (l *List[T]) UnmarshalJSON(data []byte) error {
	var entries []*T
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	kept := make(List[T], 0, len(entries))
	for _, entry := range entries {
		if entry != nil {
			kept = append(kept, *entry)
		}
	}
	*l = kept
	return nil
}
