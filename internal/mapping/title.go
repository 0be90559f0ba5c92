package mapping

import (
	"strings"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const titleSeparator = ", "

// title is rule 7.1: the application's convention texts, else its title, each joined with the presentation texts of the
// instance in document order and cut.
func (s *subject) title() []dialogporten.Localization {
	titles := s.conventionTexts(textTitle, maxText)
	if len(titles) == 0 {
		titles = s.applicationTitle()
	}
	details := s.presentationTexts()
	for i := range titles {
		titles[i].Value = ellipsize(titles[i].Value+details, maxText)
	}
	return titles
}

func (s *subject) applicationTitle() []dialogporten.Localization {
	var titles []dialogporten.Localization
	for _, entry := range s.Application.Title {
		if isLanguageCode(entry.Key) && !isBlank(entry.Value) {
			titles = append(titles, dialogporten.Localization{LanguageCode: entry.Key, Value: entry.Value})
		}
	}
	return titles
}

// presentationTexts gives what is appended to every title, separators included.
func (s *subject) presentationTexts() string {
	var details strings.Builder
	for _, entry := range s.Instance.PresentationTexts {
		if !isBlank(entry.Value) {
			details.WriteString(titleSeparator)
			details.WriteString(entry.Value)
		}
	}
	return details.String()
}
