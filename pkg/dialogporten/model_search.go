package dialogporten

import "github.com/google/uuid"

// SearchPage is one page of a search.
type SearchPage struct {
	Items             []DialogListItem `json:"items"`
	HasNextPage       bool             `json:"hasNextPage"`
	ContinuationToken *string          `json:"continuationToken,omitempty"`
	OrderBy           string           `json:"orderBy"`
}

// DialogListItem is a dialog as a search shows it: without attachments, actions, transmissions and activities.
type DialogListItem struct {
	ID                                 uuid.UUID           `json:"id"`
	Revision                           uuid.UUID           `json:"revision,omitzero"`
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
	CreatedAt                          Time                `json:"createdAt"`
	UpdatedAt                          Time                `json:"updatedAt"`
	ContentUpdatedAt                   Time                `json:"contentUpdatedAt"`
	Status                             Status              `json:"status"`
	SystemLabel                        SystemLabel         `json:"systemLabel,omitempty"`
	IsAPIOnly                          bool                `json:"isApiOnly"`
	HasUnopenedContent                 bool                `json:"hasUnopenedContent"`
	IsContentSeen                      bool                `json:"isContentSeen"`
	GUIAttachmentCount                 *int                `json:"guiAttachmentCount,omitempty"`
	FromServiceOwnerTransmissionsCount int                 `json:"fromServiceOwnerTransmissionsCount"`
	FromPartyTransmissionsCount        int                 `json:"fromPartyTransmissionsCount"`
	Content                            *Content            `json:"content,omitempty"`
	LatestActivity                     *Activity           `json:"latestActivity,omitempty"`
	SeenSinceLastUpdate                []SeenLog           `json:"seenSinceLastUpdate"`
	SeenSinceLastContentUpdate         []SeenLog           `json:"seenSinceLastContentUpdate"`
	ServiceOwnerContext                ServiceOwnerContext `json:"serviceOwnerContext"`
	EndUserContext                     EndUserContext      `json:"endUserContext"`
}

// DialogLookup is the answer to a look-up of a dialog by instance, correspondence or dialog id.
type DialogLookup struct {
	DialogID          uuid.UUID             `json:"dialogId"`
	InstanceRef       string                `json:"instanceRef"`
	Party             string                `json:"party"`
	Title             []Localization        `json:"title"`
	NonSensitiveTitle []Localization        `json:"nonSensitiveTitle,omitempty"`
	ServiceOwner      LookupServiceOwner    `json:"serviceOwner"`
	ServiceResource   LookupServiceResource `json:"serviceResource"`
}

// LookupServiceOwner is the owner of a dialog that was looked up.
type LookupServiceOwner struct {
	Code      string         `json:"code"`
	OrgNumber string         `json:"orgNumber"`
	Name      []Localization `json:"name"`
}

// LookupServiceResource is the service resource of a dialog that was looked up.
type LookupServiceResource struct {
	ID                         string         `json:"id"`
	IsDelegable                bool           `json:"isDelegable"`
	MinimumAuthenticationLevel int            `json:"minimumAuthenticationLevel"`
	Name                       []Localization `json:"name"`
}

// LabelContext names one dialog and the revision of its end-user context, for bulk label changes.
type LabelContext struct {
	DialogID               uuid.UUID `json:"dialogId"`
	EndUserContextRevision uuid.UUID `json:"endUserContextRevision,omitzero"`
}

// SystemLabelChange sets the end user's labels of one dialog. PerformedBy is for admins only.
type SystemLabelChange struct {
	AddLabels    []SystemLabel `json:"addLabels"`
	RemoveLabels []SystemLabel `json:"removeLabels"`
	PerformedBy  *Actor        `json:"performedBy,omitempty"`
}

// BulkSystemLabelChange sets the end user's labels of 1–200 dialogs, all or nothing.
type BulkSystemLabelChange struct {
	Dialogs      []LabelContext `json:"dialogs"`
	AddLabels    []SystemLabel  `json:"addLabels"`
	RemoveLabels []SystemLabel  `json:"removeLabels"`
	PerformedBy  *Actor         `json:"performedBy,omitempty"`
}

// EndUserContextPage is one page of the listing of end users' labels.
type EndUserContextPage struct {
	Items             []EndUserContextItem `json:"items"`
	HasNextPage       bool                 `json:"hasNextPage"`
	ContinuationToken *string              `json:"continuationToken,omitempty"`
	OrderBy           string               `json:"orderBy"`
}

// EndUserContextItem are the end user's labels of one dialog in a listing.
type EndUserContextItem struct {
	DialogID               uuid.UUID     `json:"dialogId"`
	EndUserContextRevision uuid.UUID     `json:"endUserContextRevision"`
	SystemLabels           []SystemLabel `json:"systemLabels"`
}

// NotificationCondition tells whether a conditional notification should go out.
type NotificationCondition struct {
	SendNotification bool `json:"sendNotification"`
}
