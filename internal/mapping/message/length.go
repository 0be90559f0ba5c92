package message

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// units is the length of a text as the services count it: in UTF-16 units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// head is the longest beginning of s of at most limit UTF-16 units. No surrogate pair is split.
func head(s string, limit int) string {
	n := 0
	for i, r := range s {
		n += max(utf16.RuneLen(r), 1)
		if n > limit {
			return s[:i]
		}
	}
	return s
}

const ellipsis = "..."

// shorten cuts a text that is over 255 UTF-16 units and marks the cut (17.5).
func shorten(s string) (text string, cut bool) {
	if units(s) <= maxText {
		return s, false
	}
	return head(s, maxText-len(ellipsis)) + ellipsis, true
}

// valid is s with what is no UTF-8 replaced, as it would be on the way, and without the NUL that no database over there stores.
func valid(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\x00", "")
}
