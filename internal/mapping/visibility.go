package mapping

import (
	"slices"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const appOwned = "app:owned"

// consumer tells whether a data element is for people or for systems only (rule 9.5). Ids of data types are compared
// without regard to letter case here.
func (s *subject) consumer(element *altinn.DataElement) dialogporten.ConsumerType {
	if isBlank(element.DataType) || strings.EqualFold(element.DataType, altinn.DataTypePDF) {
		return dialogporten.ConsumerGUI
	}
	grouping := ""
	for i := range s.Application.DataTypes {
		dataType := &s.Application.DataTypes[i]
		if !strings.EqualFold(dataType.ID, element.DataType) {
			continue
		}
		if dataType.AppLogic != nil || isAppOwned(dataType) {
			return dialogporten.ConsumerAPI
		}
		grouping = dataType.Grouping // the last of ids that differ in case only
	}
	if isTechnical(grouping) {
		return dialogporten.ConsumerAPI
	}
	return dialogporten.ConsumerGUI
}

func isAppOwned(dataType *altinn.DataType) bool {
	return slices.Contains(dataType.AllowedContributors, appOwned) || slices.Contains(dataType.AllowedContributersOld, appOwned)
}

// isTechnical tells whether a grouping is one of those that the receipt page hides.
func isTechnical(grouping string) bool {
	switch grouping {
	case "group.formdatahtml", "group.formdatasource", "group.signaturesource", "group.paymentsource", "group.activities":
		return true
	}
	return false
}
