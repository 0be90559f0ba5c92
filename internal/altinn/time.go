package altinn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Resolution is the finest step of a time in Storage and on every wire this program writes to: 100 nanoseconds.
const Resolution = 100 * time.Nanosecond

// wireLayout writes a time in UTC with up to seven decimals, trailing zeros dropped.
const wireLayout = "2006-01-02T15:04:05.9999999Z"

// ErrTime tells that a text is not a time Storage could have written.
var ErrTime = errors.New("malformed time")

// Time is a time as Storage writes it: ISO 8601 with 0–7 decimals and any offset; a time without a zone is UTC
// (migrated data, Storage reference 11). It is kept in UTC with 100 ns resolution. JSON null leaves the zero time.
type Time struct{ time.Time }

// TimeOf gives t in UTC, cut to 100 ns.
func TimeOf(t time.Time) Time {
	return Time{t.UTC().Truncate(Resolution)}
}

// ParseTime reads a time as Storage writes it. The error wraps ErrTime and does not repeat the text.
func ParseTime(text string) (Time, error) {
	for _, layout := range [...]string{
		time.RFC3339Nano,
		"2006-01-02T15:04:05", // no zone; Go accepts decimals after the seconds of any layout
		"2006-01-02T15:04:05Z0700",
		"2006-01-02T15:04:05Z07",
		"2006-01-02T15:04Z07:00",
		"2006-01-02T15:04",
		"2006-01-02",
	} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return TimeOf(t), nil
		}
	}
	return Time{}, fmt.Errorf("%w of %d characters", ErrTime, len(text))
}

// String gives the time in UTC with up to seven decimals, the form Storage uses.
func (t Time) String() string { return t.UTC().Format(wireLayout) }

// UnmarshalJSON reads a JSON string with ParseTime; null leaves t as it is.
func (t *Time) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%w: not a JSON string", ErrTime)
	}
	parsed, err := ParseTime(strings.TrimSpace(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// MarshalJSON writes the time in UTC with up to seven decimals.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + wireLayout + `"`)), nil
}
