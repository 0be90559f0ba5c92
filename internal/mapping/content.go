package mapping

import (
	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// additionalInfo is rule 7.3: the application's texts, if any.
func (s *subject) additionalInfo() []dialogporten.Localization {
	return s.conventionTexts(textAdditionalInfo, maxAdditionalInfo)
}

// extendedStatus is rule 7.4: the substatus' label, if any.
func (s *subject) extendedStatus() []dialogporten.Localization {
	label := s.substatus().Label
	if isBlank(label) {
		return nil
	}
	return s.textsByValue(label, maxExtendedStatus)
}

func (s *subject) substatus() altinn.Substatus {
	if s.Instance.Status == nil || s.Instance.Status.Substatus == nil {
		return altinn.Substatus{}
	}
	return *s.Instance.Status.Substatus
}

// isAPIOnly tells whether the application hides the instance from people, always or in its current task (rule 11).
func (s *subject) isAPIOnly() bool {
	config := s.Application.MessageBoxConfig
	if config == nil || config.HideSettings == nil {
		return false
	}
	if config.HideSettings.HideAlways {
		return true
	}
	for _, task := range config.HideSettings.HideOnTask {
		if task != "" && task == s.elementID {
			return true
		}
	}
	return false
}
