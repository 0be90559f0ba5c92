package mapping

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// An update replaces whole objects. This file keeps what others have put into them (invariant 11): everything that we
// leave alone is sent back as read, and where we replace an object of the same id, the members that we do not know go
// over to the new one. Members that we know and the new object lacks, such as a button's prompt or an attachment's expiry,
// are cleared (rule 12.1).

// asUpdate gives the update that would leave a dialog as it is, without activities and transmissions: those are only
// ever added. Members that answers have and requests lack are left out. Nothing is shared with the dialog that a later
// change of the update could reach.
func asUpdate(existing *dialogporten.Dialog) dialogporten.UpdateDialog {
	return dialogporten.UpdateDialog{
		Progress:          existing.Progress,
		ExtendedStatus:    existing.ExtendedStatus,
		ExternalReference: existing.ExternalReference,
		DueAt:             existing.DueAt,
		ExpiresAt:         existing.ExpiresAt,
		Process:           existing.Process,
		PrecedingProcess:  existing.PrecedingProcess,
		IsAPIOnly:         existing.IsAPIOnly,
		Status:            existing.Status,
		Content:           requestContent(existing.Content),
		SearchTags:        slices.Clone(existing.SearchTags),
		Attachments:       slices.Clone(existing.Attachments),
		GUIActions:        requestGUIActions(existing.GUIActions),
		APIActions:        requestAPIActions(existing.APIActions),
		Unknown:           maps.Clone(existing.Unknown),
	}
}

func requestContent(content *dialogporten.Content) *dialogporten.Content {
	if content == nil {
		return nil
	}
	return &dialogporten.Content{
		Title:                requestValue(content.Title),
		NonSensitiveTitle:    requestValue(content.NonSensitiveTitle),
		Summary:              requestValue(content.Summary),
		NonSensitiveSummary:  requestValue(content.NonSensitiveSummary),
		SenderName:           requestValue(content.SenderName),
		AdditionalInfo:       requestValue(content.AdditionalInfo),
		ExtendedStatus:       requestValue(content.ExtendedStatus),
		MainContentReference: requestValue(content.MainContentReference),
		Unknown:              content.Unknown,
	}
}

func requestValue(value *dialogporten.ContentValue) *dialogporten.ContentValue {
	if value == nil {
		return nil
	}
	request := *value
	request.IsAuthorized = nil
	return &request
}

func requestGUIActions(actions []dialogporten.GUIAction) []dialogporten.GUIAction {
	requests := slices.Clone(actions)
	for i := range requests {
		requests[i].IsAuthorized = nil
	}
	return requests
}

func requestAPIActions(actions []dialogporten.APIAction) []dialogporten.APIAction {
	requests := slices.Clone(actions)
	for i := range requests {
		requests[i].IsAuthorized = nil
	}
	return requests
}

func keepingValueMembers(value, existing *dialogporten.ContentValue) *dialogporten.ContentValue {
	if value != nil && existing != nil {
		value.Unknown = existing.Unknown
	}
	return value
}

func keepingGUIActionMembers(actions, existing []dialogporten.GUIAction) []dialogporten.GUIAction {
	stored := byID(existing, func(a *dialogporten.GUIAction) uuid.UUID { return a.ID })
	for i := range actions {
		if old, found := stored[actions[i].ID]; found {
			actions[i].Unknown = old.Unknown
		}
	}
	return actions
}

func keepingAPIActionMembers(actions, existing []dialogporten.APIAction) []dialogporten.APIAction {
	stored := byID(existing, func(a *dialogporten.APIAction) uuid.UUID { return a.ID })
	for i := range actions {
		old, found := stored[actions[i].ID]
		if !found {
			continue
		}
		actions[i].Unknown = old.Unknown
		endpoints := byID(old.Endpoints, func(e *dialogporten.APIActionEndpoint) uuid.UUID { return e.ID })
		for j := range actions[i].Endpoints {
			if endpoint, found := endpoints[actions[i].Endpoints[j].ID]; found {
				actions[i].Endpoints[j].Unknown = endpoint.Unknown
			}
		}
	}
	return actions
}

func keepingAttachmentMembers(attachments, existing []dialogporten.Attachment) []dialogporten.Attachment {
	stored := byID(existing, func(a *dialogporten.Attachment) uuid.UUID { return a.ID })
	for i := range attachments {
		old, found := stored[attachments[i].ID]
		if !found {
			continue
		}
		attachments[i].Unknown = old.Unknown
		urls := byID(old.URLs, func(u *dialogporten.AttachmentURL) uuid.UUID { return u.ID })
		for j := range attachments[i].URLs {
			if url, found := urls[attachments[i].URLs[j].ID]; found {
				attachments[i].URLs[j].Unknown = url.Unknown
			}
		}
	}
	return attachments
}

func byID[T any](entries []T, idOf func(*T) uuid.UUID) map[uuid.UUID]*T {
	found := make(map[uuid.UUID]*T, len(entries))
	for i := range entries {
		found[idOf(&entries[i])] = &entries[i]
	}
	return found
}
