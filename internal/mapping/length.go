package mapping

import "unicode/utf8"

// Lengths that Dialogporten accepts, in UTF-16 code units.
const (
	maxText           = 255
	maxAdditionalInfo = 1023
	maxExtendedStatus = 25
)

const ellipsis = "..."

// units gives the length of text in UTF-16 code units.
func units(text string) int {
	n := 0
	for _, r := range text {
		n += unitsOf(r)
	}
	return n
}

func unitsOf(r rune) int {
	if r > 0xFFFF { //nolint:mnd // Above the basic plane a character takes a surrogate pair.
		return 2
	}
	return 1
}

// firstUnits gives the longest start of text that has at most n code units. A character of two units is not split: the
// half would reach Dialogporten as U+FFFD.
func firstUnits(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i, r := range text {
		n -= unitsOf(r)
		if n < 0 {
			return text[:i]
		}
	}
	return text
}

// ellipsize cuts a text that is longer than limit to limit-3 units and three dots.
func ellipsize(text string, limit int) string {
	// Every unit takes at least a byte, so that a short text needs no count.
	if len(text) <= limit || (len(text) <= limit*utf8.UTFMax && units(text) <= limit) {
		return text
	}
	return firstUnits(text, limit-len(ellipsis)) + ellipsis
}
