package mapping

import (
	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// applyCreateSwitches takes out of a new dialog what the application has switched off (rule 13, "on create").
// disableSyncContentTitle has no effect here, and disableSync, disableCreate and disableDelete are for the caller.
// The switches of an update are applied where the members are merged (merge.go).
func applyCreateSwitches(body *dialogporten.CreateDialog, off altinn.SyncAdapterSettings) {
	if off.DisableAddActivities {
		body.Activities = nil
	}
	if off.DisableAddTransmissions {
		body.Transmissions = nil
	}
	if off.DisableSyncDueAt {
		body.DueAt = dialogporten.Time{}
	}
	if off.DisableSyncStatus {
		body.Status = dialogporten.StatusNotApplicable
	}
	if off.DisableSyncContentSummary {
		body.Content.Summary = nil
	}
	if off.DisableSyncContentAdditionalInformation {
		body.Content.AdditionalInfo = nil
	}
	if off.DisableSyncContentExtendedStatus {
		body.Content.ExtendedStatus = nil
	}
	if off.DisableSyncAttachments {
		body.Attachments = nil
	}
	if off.DisableSyncAPIActions {
		body.APIActions = nil
	}
	if off.DisableSyncGUIActions {
		body.GUIActions = nil
	}
}
