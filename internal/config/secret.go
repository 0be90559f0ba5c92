package config

import (
	"fmt"
	"io"
)

const masked = "***"

// Secret is a text that formatting, JSON and logs show as `***`. Reveal gives the text itself.
//
// The text is behind a pointer: given a verb that does not fit, fmt prints the members of a struct by reflection and asks
// nobody.
type Secret struct{ text *string }

// NewSecret wraps a text; an empty one is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal gives the text; it must not be logged or put into an error.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet tells whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// String gives `***`, or nothing when there is no secret.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return masked
}

// GoString gives what String gives, for %#v.
func (s Secret) GoString() string { return s.String() }

// Format writes what String gives, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText gives what String gives: JSON, YAML and zap's reflection take it from here.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON gives what String gives, as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
