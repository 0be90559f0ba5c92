package mapping

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// What users may do with a dialog's instance.
const (
	actionRead        = "read"
	actionDelete      = "delete"
	actionInstantiate = "instantiate"
)

const taskAttributePrefix = "urn:altinn:task:"

// guiActions are the buttons of a dialog, in the order goto, delete, copy (rule 10.2).
func (s *subject) guiActions() ([]dialogporten.GUIAction, error) {
	ids, err := ownGUIActionIDs(s.DialogID)
	if err != nil {
		return nil, err
	}
	actions := []dialogporten.GUIAction{
		{
			// `read` in every status: users without the right to write or sign must still get into the app (rule 20.32).
			ID: ids.goTo, Action: actionRead, AuthorizationAttribute: s.taskAttribute(),
			Priority: dialogporten.PriorityPrimary, HTTPMethod: dialogporten.VerbGet, URL: s.links.goTo(),
			Title: s.conventionOr(textPrimaryActionLabel, builtInGoToTitle(s.status)),
		},
		{
			ID: ids.delete, Action: actionDelete, AuthorizationAttribute: s.taskAttribute(), IsDeleteDialogAction: true,
			Priority: dialogporten.PrioritySecondary, HTTPMethod: dialogporten.VerbDelete, URL: s.links.delete(),
			Title: s.conventionOr(textDeleteActionLabel, builtIn("Slett", "Slett", "Delete")),
		},
	}
	if s.canBeCopied() {
		actions = append(actions, dialogporten.GUIAction{
			ID: ids.copy, Action: actionInstantiate,
			Priority: dialogporten.PriorityTertiary, HTTPMethod: dialogporten.VerbGet, URL: s.links.copy(),
			Title: s.conventionOr(textCopyActionLabel, builtIn("Lag ny kopi", "Lag ny kopi", "Create new copy")),
		})
	}
	return actions, nil
}

// guiActionIDs are the ids of a dialog's own buttons, whether it has them or not.
type guiActionIDs struct{ goTo, delete, copy uuid.UUID }

func ownGUIActionIDs(dialogID uuid.UUID) (ids guiActionIDs, err error) {
	if ids.goTo, err = subID(dialogID, nameGoTo); err != nil {
		return ids, err
	}
	if ids.delete, err = subID(dialogID, nameDelete); err != nil {
		return ids, err
	}
	ids.copy, err = subID(dialogID, nameCopy)
	return ids, err
}

func (ids guiActionIDs) contain(id uuid.UUID) bool {
	return id == ids.goTo || id == ids.delete || id == ids.copy
}

func (s *subject) canBeCopied() bool {
	settings := s.Application.CopyInstanceSettings
	return s.Instance.IsArchived() && settings != nil && settings.Enabled
}

// taskAttribute limits an action to those who may act in the current task.
func (s *subject) taskAttribute() *string {
	if isBlank(s.elementID) {
		return nil
	}
	attribute := taskAttributePrefix + s.elementID
	return &attribute
}

func builtInGoToTitle(status derivedStatus) []dialogporten.Localization {
	switch status {
	case archivedConfirmed, archivedUnconfirmed:
		return builtIn("Se innsendt skjema", "Sjå innsendt skjema", "See submitted form")
	case awaitingSignature:
		return builtIn("Gå til signering", "Gå til signering", "Go to signing")
	default:
		return builtIn("Gå til skjemautfylling", "Gå til skjemautfylling", "Go to form completion")
	}
}
