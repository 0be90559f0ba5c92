package mapping

import (
	"slices"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Language codes of built-in texts. The order of the three is the order of every built-in list.
const (
	bokmal  = "nb"
	nynorsk = "nn"
	english = "en"
)

// TextLanguages gives the languages to load an application's texts in, in the order that NewTexts wants them.
func TextLanguages() []string { return []string{bokmal, nynorsk, english} }

// Texts are an application's text resources. They are immutable and may be shared by many mappings.
type Texts struct {
	translations []translation
}

type translation struct {
	language string
	values   map[string]string
}

// NewTexts indexes text resources in the order given; a language that the application lacks is left out. Resources
// without an id are skipped, and of a repeated id the first one counts, also when its value is blank (rule 6.1).
func NewTexts(resources ...altinn.TextResource) Texts {
	texts := Texts{translations: make([]translation, 0, len(resources))}
	for _, resource := range resources {
		values := make(map[string]string, len(resource.Resources))
		for _, element := range resource.Resources {
			if element.ID == nil || *element.ID == "" {
				continue
			}
			if _, taken := values[*element.ID]; !taken {
				values[*element.ID] = element.Value
			}
		}
		texts.translations = append(texts.translations, translation{language: resource.Language, values: values})
	}
	return texts
}

// Content types that an application may have texts for by convention.
const (
	textTitle              = "title"
	textSummary            = "summary"
	textAdditionalInfo     = "additionalinfo"
	textPrimaryActionLabel = "primaryactionlabel"
	textDeleteActionLabel  = "deleteactionlabel"
	textCopyActionLabel    = "copyactionlabel"
)

// conventionTexts gives the application's own texts for a content type, cut to limit: in each language the first key
// with a value that is not blank. A language without any is left out; languages with an unknown code are skipped
// (rule 6.2).
func (s *subject) conventionTexts(contentType string, limit int) []dialogporten.Localization {
	keys := conventionKeys(contentType, s.elementID, s.status)
	var found []dialogporten.Localization
	for _, t := range s.Texts.translations {
		if !isLanguageCode(t.language) {
			continue
		}
		if value := t.firstOf(keys); value != "" {
			found = append(found, dialogporten.Localization{LanguageCode: t.language, Value: ellipsize(value, limit)})
		}
	}
	return found
}

// conventionKeys gives the keys of a content type, most specific first.
func conventionKeys(contentType, elementID string, status derivedStatus) []string {
	base := "dp." + contentType
	keys := make([]string, 0, 4)
	if elementID != "" {
		keys = append(keys, base+"."+elementID+"."+string(status), base+"."+elementID)
	}
	return append(keys, base+"._any_."+string(status), base)
}

// firstOf gives the first value that is not blank, empty when there is none.
func (t translation) firstOf(keys []string) string {
	for _, key := range keys {
		if value := t.values[key]; !isBlank(value) {
			return value
		}
	}
	return ""
}

// textsByValue takes value for the key of a text, cut to limit in every language that has it; with none, value itself
// is the text, in bokmål (rule 6.3).
func (s *subject) textsByValue(value string, limit int) []dialogporten.Localization {
	var found []dialogporten.Localization
	for _, t := range s.Texts.translations {
		if text := t.values[value]; !isBlank(text) {
			found = append(found, dialogporten.Localization{LanguageCode: t.language, Value: ellipsize(text, limit)})
		}
	}
	if found == nil {
		found = []dialogporten.Localization{{LanguageCode: bokmal, Value: ellipsize(value, limit)}}
	}
	return found
}

// builtIn gives a text that this program brings itself.
func builtIn(nb, nn, en string) []dialogporten.Localization {
	return []dialogporten.Localization{
		{LanguageCode: bokmal, Value: nb},
		{LanguageCode: nynorsk, Value: nn},
		{LanguageCode: english, Value: en},
	}
}

// conventionOr gives the application's texts for a content type, or else the built-in ones: a text in one language
// replaces the built-in text of all.
func (s *subject) conventionOr(contentType string, fallback []dialogporten.Localization) []dialogporten.Localization {
	if own := s.conventionTexts(contentType, maxText); len(own) > 0 {
		return own
	}
	return fallback
}

// plainText makes a content value of texts; nil when there are none.
func plainText(texts []dialogporten.Localization) *dialogporten.ContentValue {
	if len(texts) == 0 {
		return nil
	}
	return &dialogporten.ContentValue{Value: slices.Clip(texts), MediaType: dialogporten.MediaTypePlain}
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }
