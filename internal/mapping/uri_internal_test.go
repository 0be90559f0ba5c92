package mapping

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSameURI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://example.com", "https://example.com/", true},
		{"HTTPS://Example.com:443?a=b", "https://example.com/?a=b", true},
		{"https://example.com/%c3%a5%20b%2D", "https://example.com/å b-", true},
		{"https://example.com/?goto=https%3a%2F", "https://example.com/?goto=https%3A%2f", true},
		{"https://example.com/?goto=https%3A%2F", "https://example.com/?goto=https:/", false},
		{"https://example.com/100%25", "https://example.com/100%", false},
		{"https://example.com/a", "https://example.com/A", false},
		{"https://example.com:8443/", "https://example.com/", false},
		{"https://example.com/%zz%4", "https://example.com/%zz%4", true},
		{"urn:x", "urn:x", true},
		{"urn:x:%41", "urn:x:A", true},
		{"", "https://example.com/", false},
	} {
		assert.Equal(t, c.want, sameURI(c.a, c.b), "%s and %s", c.a, c.b)
	}
}
