package mapping

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// merge makes the body of an update: the existing dialog, with what follows the instance replaced unless the application
// has switched that part off (rules 12.1 and 13).
func (s *subject) merge(p parts) (dialogporten.UpdateDialog, error) {
	body := asUpdate(s.Existing)
	off := s.switches
	body.IsAPIOnly = s.isAPIOnly()
	if !off.DisableSyncDueAt {
		body.DueAt = s.dueAt()
	}
	if !off.DisableSyncStatus {
		body.Status = s.dialogStatus()
	}
	if !off.DisableSyncAttachments {
		body.Attachments = keepingAttachmentMembers(p.files.attachments, body.Attachments)
	}
	if !off.DisableAddTransmissions {
		body.Transmissions = addedTransmissions(p.files.transmissions, s.Existing)
	}
	if !off.DisableAddActivities {
		body.Activities = addedActivities(p.activities, s.Existing)
	}
	if !off.DisableSyncAPIActions {
		body.APIActions = mergeAPIActions(body.APIActions, p.apiActions)
	}
	if !off.DisableSyncGUIActions {
		ids, err := ownGUIActionIDs(s.DialogID)
		if err != nil {
			return dialogporten.UpdateDialog{}, err
		}
		body.GUIActions = mergeGUIActions(body.GUIActions, keepingGUIActionMembers(p.guiActions, body.GUIActions), ids)
	}
	return body, s.mergeContent(&body)
}

// mergeContent replaces the content fields that follow the instance; all others stay as they are.
func (s *subject) mergeContent(body *dialogporten.UpdateDialog) error {
	content := dialogporten.Content{}
	if body.Content != nil {
		content = *body.Content
	}
	off := s.switches
	if !off.DisableSyncContentTitle {
		content.Title = keepingValueMembers(plainText(s.title()), content.Title)
		if content.Title == nil {
			return &Error{Reason: ReasonTitleMissing}
		}
	}
	if !off.DisableSyncContentSummary {
		content.Summary = keepingValueMembers(plainText(s.summary()), content.Summary)
	}
	if !off.DisableSyncContentAdditionalInformation {
		content.AdditionalInfo = keepingValueMembers(plainText(s.additionalInfo()), content.AdditionalInfo)
	}
	if !off.DisableSyncContentExtendedStatus {
		content.ExtendedStatus = keepingValueMembers(plainText(s.extendedStatus()), content.ExtendedStatus)
	}
	if isEmptyContent(&content) {
		body.Content = nil // a dialog for systems only may have none; an empty one would be refused
		return nil
	}
	body.Content = &content
	return nil
}

func isEmptyContent(content *dialogporten.Content) bool {
	return sameContent(content, nil)
}

// mergeAPIActions puts our own actions after those of others, in stored order.
func mergeAPIActions(existing, own []dialogporten.APIAction) []dialogporten.APIAction {
	ids := make(map[uuid.UUID]struct{}, len(own))
	for i := range own {
		ids[own[i].ID] = struct{}{}
	}
	var merged []dialogporten.APIAction
	for i := range existing {
		if _, isOwn := ids[existing[i].ID]; !isOwn {
			merged = append(merged, existing[i])
		}
	}
	return append(merged, keepingAPIActionMembers(own, existing)...)
}
