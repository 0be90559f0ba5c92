package dialogporten

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// Dialog is a dialog as the service-owner API shows it (Dialogporten reference, 9). Lists are ordered by the server:
// by createdAt and id, localizations by language code, labels by value.
type Dialog struct {
	ID                                 uuid.UUID           `json:"id"`
	IdempotentKey                      *string             `json:"idempotentKey,omitempty"`
	Revision                           uuid.UUID           `json:"revision"`
	Org                                string              `json:"org"`
	ServiceResource                    string              `json:"serviceResource"`
	ServiceResourceType                string              `json:"serviceResourceType"`
	Party                              string              `json:"party"`
	Progress                           *int                `json:"progress,omitempty"`
	Process                            *string             `json:"process,omitempty"`
	PrecedingProcess                   *string             `json:"precedingProcess,omitempty"`
	ExtendedStatus                     *string             `json:"extendedStatus,omitempty"`
	ExternalReference                  *string             `json:"externalReference,omitempty"`
	DeletedAt                          Time                `json:"deletedAt,omitzero"`
	VisibleFrom                        Time                `json:"visibleFrom,omitzero"`
	DueAt                              Time                `json:"dueAt,omitzero"`
	ExpiresAt                          Time                `json:"expiresAt,omitzero"`
	CreatedAt                          Time                `json:"createdAt"`
	UpdatedAt                          Time                `json:"updatedAt"`
	ContentUpdatedAt                   Time                `json:"contentUpdatedAt"`
	Status                             Status              `json:"status"`
	SystemLabel                        SystemLabel         `json:"systemLabel,omitempty"`
	IsAPIOnly                          bool                `json:"isApiOnly"`
	HasUnopenedContent                 bool                `json:"hasUnopenedContent"`
	IsContentSeen                      bool                `json:"isContentSeen"`
	FromServiceOwnerTransmissionsCount int                 `json:"fromServiceOwnerTransmissionsCount"`
	FromPartyTransmissionsCount        int                 `json:"fromPartyTransmissionsCount"`
	Content                            *Content            `json:"content,omitempty"`
	SearchTags                         []SearchTag         `json:"searchTags"`
	Attachments                        []Attachment        `json:"attachments"`
	Transmissions                      []Transmission      `json:"transmissions"`
	GUIActions                         []GUIAction         `json:"guiActions"`
	APIActions                         []APIAction         `json:"apiActions"`
	Activities                         []Activity          `json:"activities"`
	SeenSinceLastUpdate                []SeenLog           `json:"seenSinceLastUpdate"`
	SeenSinceLastContentUpdate         []SeenLog           `json:"seenSinceLastContentUpdate"`
	ServiceOwnerContext                ServiceOwnerContext `json:"serviceOwnerContext"`
	EndUserContext                     EndUserContext      `json:"endUserContext"`
	// Unknown holds members that this package has no field for; an update sends them back.
	Unknown UnknownMembers `json:"-"`
}

type plainDialog Dialog

// UnmarshalJSON reads the dialog and keeps its unknown members.
func (d *Dialog) UnmarshalJSON(data []byte) error {
	var plain plainDialog
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read dialog: %w", err)
	}
	unknown, err := unknownMembers(data, isDialogMember)
	plain.Unknown = unknown
	*d = Dialog(plain)
	return err
}

// MarshalJSON writes the dialog with its unknown members.
func (d Dialog) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainDialog(d), d.Unknown)
}

func isDialogMember(name string) bool {
	switch name {
	case "id", "idempotentKey", "revision", "org", "serviceResource", "serviceResourceType", "party", "progress",
		"process", "precedingProcess", "extendedStatus", "externalReference", "deletedAt", "visibleFrom", "dueAt",
		"expiresAt", "createdAt", "updatedAt", "contentUpdatedAt", "status", "systemLabel", "isApiOnly",
		"hasUnopenedContent", "isContentSeen", "fromServiceOwnerTransmissionsCount", "fromPartyTransmissionsCount",
		"content", "searchTags", "attachments", "transmissions", "guiActions", "apiActions", "activities",
		"seenSinceLastUpdate", "seenSinceLastContentUpdate", "serviceOwnerContext", "endUserContext":
		return true
	}
	return false
}

// IsDeleted tells whether the dialog is soft-deleted.
func (d *Dialog) IsDeleted() bool { return !d.DeletedAt.IsZero() }

// CreateDialog is the body of a create (Dialogporten reference, 7). Zero values are left out.
type CreateDialog struct {
	ID                  uuid.UUID                  `json:"id,omitzero"`
	IdempotentKey       *string                    `json:"idempotentKey,omitempty"`
	ServiceResource     string                     `json:"serviceResource"`
	Party               string                     `json:"party"`
	Progress            *int                       `json:"progress,omitempty"`
	ExtendedStatus      *string                    `json:"extendedStatus,omitempty"`
	ExternalReference   *string                    `json:"externalReference,omitempty"`
	VisibleFrom         Time                       `json:"visibleFrom,omitzero"`
	DueAt               Time                       `json:"dueAt,omitzero"`
	ExpiresAt           Time                       `json:"expiresAt,omitzero"`
	Process             *string                    `json:"process,omitempty"`
	PrecedingProcess    *string                    `json:"precedingProcess,omitempty"`
	IsAPIOnly           bool                       `json:"isApiOnly"`
	CreatedAt           Time                       `json:"createdAt,omitzero"`
	UpdatedAt           Time                       `json:"updatedAt,omitzero"`
	Status              Status                     `json:"status,omitempty"`
	SystemLabel         SystemLabel                `json:"systemLabel,omitempty"`
	ServiceOwnerContext *CreateServiceOwnerContext `json:"serviceOwnerContext,omitempty"`
	SearchTags          []SearchTag                `json:"searchTags,omitempty"`
	Content             *Content                   `json:"content,omitempty"`
	Attachments         []Attachment               `json:"attachments,omitempty"`
	Transmissions       []Transmission             `json:"transmissions,omitempty"`
	GUIActions          []GUIAction                `json:"guiActions,omitempty"`
	APIActions          []APIAction                `json:"apiActions,omitempty"`
	Activities          []Activity                 `json:"activities,omitempty"`
}

// UpdateDialog is the body of an update (Dialogporten reference, 8): scalars, content, attachments and actions are
// replaced as a whole, activities and transmissions are added to those stored.
type UpdateDialog struct {
	Progress          *int           `json:"progress,omitempty"`
	ExtendedStatus    *string        `json:"extendedStatus,omitempty"`
	ExternalReference *string        `json:"externalReference,omitempty"`
	DueAt             Time           `json:"dueAt,omitzero"`
	ExpiresAt         Time           `json:"expiresAt,omitzero"`
	Process           *string        `json:"process,omitempty"`
	PrecedingProcess  *string        `json:"precedingProcess,omitempty"`
	IsAPIOnly         bool           `json:"isApiOnly"`
	Status            Status         `json:"status"`
	Content           *Content       `json:"content,omitempty"`
	SearchTags        []SearchTag    `json:"searchTags,omitempty"`
	Attachments       []Attachment   `json:"attachments,omitempty"`
	Transmissions     []Transmission `json:"transmissions,omitempty"`
	GUIActions        []GUIAction    `json:"guiActions,omitempty"`
	APIActions        []APIAction    `json:"apiActions,omitempty"`
	Activities        []Activity     `json:"activities,omitempty"`
	// Unknown holds members of the dialog that this package has no field for, as the dialog was read.
	Unknown UnknownMembers `json:"-"`
}

type plainUpdateDialog UpdateDialog

// UnmarshalJSON reads the body and keeps its unknown members.
func (u *UpdateDialog) UnmarshalJSON(data []byte) error {
	var plain plainUpdateDialog
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read update: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "progress", "extendedStatus", "externalReference", "dueAt", "expiresAt", "process", "precedingProcess",
			"isApiOnly", "status", "content", "searchTags", "attachments", "transmissions", "guiActions", "apiActions",
			"activities":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*u = UpdateDialog(plain)
	return err
}

// MarshalJSON writes the body with its unknown members.
func (u UpdateDialog) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainUpdateDialog(u), u.Unknown)
}

// ServiceOwnerLabel is a label that only service owners see.
type ServiceOwnerLabel struct {
	Value string `json:"value"`
}

// CreateServiceOwnerContext are the labels of a new dialog.
type CreateServiceOwnerContext struct {
	ServiceOwnerLabels []ServiceOwnerLabel `json:"serviceOwnerLabels"`
}

// ServiceOwnerContext are the labels of a stored dialog, with their own revision.
type ServiceOwnerContext struct {
	Revision           uuid.UUID           `json:"revision,omitzero"`
	ServiceOwnerLabels []ServiceOwnerLabel `json:"serviceOwnerLabels"`
}

// EndUserContext are the end user's labels of a stored dialog, with their own revision.
type EndUserContext struct {
	Revision     uuid.UUID     `json:"revision,omitzero"`
	SystemLabels []SystemLabel `json:"systemLabels"`
}

// SeenLog tells that somebody has opened a dialog.
type SeenLog struct {
	ID                uuid.UUID `json:"id"`
	SeenAt            Time      `json:"seenAt"`
	SeenBy            Actor     `json:"seenBy"`
	IsViaServiceOwner *bool     `json:"isViaServiceOwner,omitempty"`
	IsCurrentEndUser  bool      `json:"isCurrentEndUser"`
}
