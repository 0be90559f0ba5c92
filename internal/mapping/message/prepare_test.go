package message_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// 17.5: repeats are dropped without regard to case; what only begins alike is none. 9.11: one search tag in two cases would have the dialog
// refused.
func TestPropertiesAreDroppedAsRepeatsOnly(t *testing.T) {
	t.Parallel()
	tag := strings.Repeat("x", 63)
	for name, tt := range map[string]struct {
		first, second string
		both          bool
	}{
		"different":                           {"one", "two", true},
		"the same":                            {"one", "one", false},
		"the same but for case":               {"one", "ONE", false},
		"the same but for blanks":             {"one", " one ", false},
		"tags alike, values not":              {tag + " one", tag + " two", true},
		"tags alike but for case, values not": {tag + " one", strings.ToUpper(tag) + " two", false},
		"both blank":                          {"", " ", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, warnings := make1(t, plain(func(m *altinn2.Message) {
				m.ArchiveUnitReference = ""
				m.Properties = altinn2.Properties{{Key: "a", Value: tt.first}, {Key: "b", Value: tt.second}}
			}))
			want := correspondence.Properties{{Key: "a", Value: tt.first}}
			if tt.both {
				want = append(want, correspondence.Property{Key: "b", Value: tt.second})
			}
			assert.Equal(t, want, body.CorrespondenceData.Correspondence.PropertyList)
			assert.Equal(t, !tt.both, len(warnings) > 0)
		})
	}
}

// 17.5 cuts summaries over 255 units only, and 9.11 those that become too long for Dialogporten; tags vanish (9.5).
func TestSummariesThatBecomeShortAreNotCut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("a<br>", 51), strings.Repeat("<p>Sak</p>", 25), strings.Repeat("&amp;", 51), strings.Repeat(`<a href="/x">1</a>`, 14),
		strings.Repeat("&#38;", 51),
	} {
		body, warnings := make1(t, plain(func(m *altinn2.Message) { m.Content.Summary = text }))
		assert.Equal(t, text, body.CorrespondenceData.Correspondence.Content.MessageSummary)
		assert.Empty(t, warnings)
	}
	for _, text := range []string{strings.Repeat("&", 250), strings.Repeat("< ", 125), strings.Repeat(`"`, 200)} {
		body, warnings := make1(t, plain(func(m *altinn2.Message) { m.Content.Summary = text }))
		assert.Less(t, len(body.CorrespondenceData.Correspondence.Content.MessageSummary), len(text))
		assert.Equal(t, []message.Warning{message.WarnSummaryCut}, warnings)
	}
}

// 9.11: a process is a well-formed URI, a reply address one of https.
func TestAddressesAreThoseThatDialogportenTakes(t *testing.T) {
	t.Parallel()
	for value, taken := range map[string]bool{
		"urn:sak:12": true, "https://a.no/%7Bx%7D": true, "sak/12": true, "sak-12": true, "urn:sak:{12}": false, "urn:sak:a|b": false,
		`urn:sak:"x"`: false, "urn:%zz": false, `urn:a\b`: false, "": false, "urn:a b": false,
	} {
		body, warnings := make1(t, plain(func(m *altinn2.Message) {
			m.ExternalReferences = []altinn2.ExternalReference{{Type: int(correspondence.ReferenceProcess), Value: value}}
		}))
		assert.Len(t, body.CorrespondenceData.Correspondence.ExternalReferences, map[bool]int{true: 1}[taken], value)
		assert.Equal(t, !taken, len(warnings) > 0, value)
	}
	for value, taken := range map[string]bool{
		"https://a.no/x": true, "HTTPS://A.no": true, "https://a.no/a b": true, "https://a.no/%zz": true, "https://æ.no/å": true,
		"http://a.no/": false, "https://a.no:99999/": false, "https://:443/x": false, "https://a<b.no/": false, "https://a..no/": false,
		"/x": false, "": false, "https://a.no/" + strings.Repeat("x", 1011): false,
	} {
		body, warnings := make1(t, plain(func(m *altinn2.Message) { m.ReplyOptions = []altinn2.ReplyOption{{URL: value, Text: "Svar"}} }))
		assert.Len(t, body.CorrespondenceData.Correspondence.ReplyOptions, map[bool]int{true: 1}[taken], value)
		assert.Equal(t, !taken, len(warnings) > 0, value)
	}
}
