package mapping

import (
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Create gives the dialog of an instance that has none (rule 11). The error is an *Error.
func Create(in Input) (Creation, error) {
	s, err := newSubject(in)
	if err != nil {
		return Creation{}, err
	}
	p, err := s.parts()
	if err != nil {
		return Creation{}, err
	}
	title := s.title()
	if len(title) == 0 {
		return Creation{}, &Error{Reason: ReasonTitleMissing}
	}
	body := dialogporten.CreateDialog{
		ID:                  in.DialogID,
		ServiceResource:     serviceResource(in.Instance.AppID),
		Party:               in.Party,
		IsAPIOnly:           s.isAPIOnly(),
		CreatedAt:           dialogTime(*in.Instance.Created),
		UpdatedAt:           s.updatedAt(),
		VisibleFrom:         s.visibleFrom(),
		DueAt:               s.dueAt(),
		Status:              s.dialogStatus(),
		SystemLabel:         s.systemLabel(),
		ServiceOwnerContext: serviceOwnerContext(in.Instance.ID),
		Content: &dialogporten.Content{
			Title:          plainText(title),
			Summary:        plainText(s.summary()),
			AdditionalInfo: plainText(s.additionalInfo()),
			ExtendedStatus: plainText(s.extendedStatus()),
		},
		Attachments:   p.files.attachments,
		Transmissions: withoutRepeatedTransmissions(p.files.transmissions),
		GUIActions:    p.guiActions,
		APIActions:    p.apiActions,
		Activities:    withoutRepeatedActivities(p.activities),
	}
	applyCreateSwitches(&body, s.switches)
	return Creation{
		Body: body,
		Submissions: Submissions{
			WaitForPDF: hasFormSubmitted(body.Activities) && !PDFsComplete(in.Application, in.Instance),
			Withheld:   p.files.withheld,
		},
	}, nil
}

// parts are the lists of a new dialog, before any switch is applied.
type parts struct {
	activities []dialogporten.Activity
	files      files
	guiActions []dialogporten.GUIAction
	apiActions []dialogporten.APIAction
}

func (s *subject) parts() (parts, error) {
	activities, err := s.activities()
	if err != nil {
		return parts{}, err
	}
	files, err := s.splitFiles(submissions(activities))
	if err != nil {
		return parts{}, err
	}
	guiActions, err := s.guiActions()
	if err != nil {
		return parts{}, err
	}
	apiActions, err := s.apiActions()
	if err != nil {
		return parts{}, err
	}
	return parts{activities: activities, files: files, guiActions: guiActions, apiActions: apiActions}, nil
}
