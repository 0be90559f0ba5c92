package altinn

// InstanceEvent is one entry of an instance's history (Storage reference 5). Its type is free text and is compared
// without regard to letter case.
type InstanceEvent struct {
	// ID is the event's GUID as text.
	ID string `json:"id,omitempty"`
	// InstanceID is `{partyId}/{guid}`, and a bare GUID in events of migrated forms.
	InstanceID string `json:"instanceId,omitempty"`
	// DataID is set when the event concerns a data element and not the instance.
	DataID               *string `json:"dataId,omitempty"`
	Created              *Time   `json:"created,omitempty"`
	EventType            string  `json:"eventType,omitempty"`
	InstanceOwnerPartyID string  `json:"instanceOwnerPartyId,omitempty"`
	// User is who did it; missing in events of some migrated forms.
	User        *EventActor `json:"user,omitempty"`
	ProcessInfo *Process    `json:"processInfo,omitempty"`
}

// EventActor is who caused an event. Its national identity number is not read: no rule uses it.
type EventActor struct {
	UserID *int64 `json:"userId,omitempty"`
	// OrgID is the code of the service owner, when it acted itself.
	OrgID               string `json:"orgId,omitempty"`
	AuthenticationLevel int    `json:"authenticationLevel"`
	// EndUserSystemID is the number of an Altinn 2 end-user system.
	EndUserSystemID *int64 `json:"endUserSystemId,omitempty"`
	// SystemUserOwnerOrgNo is the organisation number of the owner of a system user.
	SystemUserOwnerOrgNo string `json:"systemUserOwnerOrgNo,omitempty"`
}

// InstanceEventList is the answer to a read of an instance's events.
type InstanceEventList struct {
	InstanceEvents List[InstanceEvent] `json:"instanceEvents"`
}
