package dialogporten

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

const (
	// sendResolution is the finest step of a time in a request. Dialogporten itself keeps microseconds.
	sendResolution = 100 * time.Nanosecond
	timeLayout     = "2006-01-02T15:04:05.9999999Z"
)

// Time is a time on Dialogporten's wire: written in UTC with up to seven decimals, read with any offset. The zero time
// means "absent".
type Time struct{ time.Time }

// TimeOf gives t in UTC, cut to 100 ns.
func TimeOf(t time.Time) Time { return Time{t.UTC().Truncate(sendResolution)} }

// String gives the time as it is sent.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalJSON writes the time in UTC with up to seven decimals.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timeLayout + `"`)), nil
}

// UnmarshalJSON reads an RFC 3339 time; null leaves t as it is.
func (t *Time) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	*t = TimeOf(parsed)
	return nil
}
