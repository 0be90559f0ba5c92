package altinn

import "fmt"

// Instance is one instance of Storage (Storage reference 11.1). Pointers are nil where the member is absent or null.
type Instance struct {
	// ID is `{partyId}/{guid}` exactly as received; InstanceID reads it.
	ID            string         `json:"id"`
	InstanceOwner *InstanceOwner `json:"instanceOwner,omitempty"`
	// AppID is `org/app`.
	AppID                 string                 `json:"appId,omitempty"`
	Org                   string                 `json:"org,omitempty"`
	SelfLinks             *ResourceLinks         `json:"selfLinks,omitempty"`
	DueBefore             *Time                  `json:"dueBefore,omitempty"`
	VisibleAfter          *Time                  `json:"visibleAfter,omitempty"`
	Process               *Process               `json:"process,omitempty"`
	Status                *InstanceStatus        `json:"status,omitempty"`
	CompleteConfirmations []CompleteConfirmation `json:"completeConfirmations,omitempty"`
	Data                  List[DataElement]      `json:"data,omitempty"`
	PresentationTexts     OrderedTexts           `json:"presentationTexts,omitempty"`
	DataValues            map[string]string      `json:"dataValues,omitempty"`
	Created               *Time                  `json:"created,omitempty"`
	CreatedBy             string                 `json:"createdBy,omitempty"`
	LastChanged           *Time                  `json:"lastChanged,omitempty"`
	LastChangedBy         string                 `json:"lastChangedBy,omitempty"`
}

// InstanceID reads the instance's id; the error wraps an *InstanceIDError.
func (i *Instance) InstanceID() (InstanceID, error) {
	id, err := ParseInstanceID(i.ID)
	if err != nil {
		return InstanceID{}, fmt.Errorf("read instance id: %w", err)
	}
	return id, nil
}

// IsSoftDeleted tells whether the instance is marked as deleted by its user. A stale softDeleted time does not count.
func (i *Instance) IsSoftDeleted() bool { return i.Status != nil && i.Status.IsSoftDeleted }

// IsHardDeleted tells whether the instance is marked as deleted for good.
func (i *Instance) IsHardDeleted() bool { return i.Status != nil && i.Status.IsHardDeleted }

// IsArchived tells whether the instance is archived.
func (i *Instance) IsArchived() bool { return i.Status != nil && i.Status.IsArchived }

// CurrentTask is the task the process stands in; nil when there is none.
func (i *Instance) CurrentTask() *Task {
	if i.Process == nil {
		return nil
	}
	return i.Process.CurrentTask
}

// HasDataValue tells whether the instance has a data value of that key, whatever its value.
func (i *Instance) HasDataValue(key string) bool {
	_, found := i.DataValues[key]
	return found
}

// InstanceOwner is the owner of an instance. Its identity numbers are not read: the party is looked up in Register by
// party id.
type InstanceOwner struct {
	// PartyID is decimal, as text.
	PartyID string `json:"partyId,omitempty"`
}

// ResourceLinks are the addresses of an instance or a data element.
type ResourceLinks struct {
	Apps     string `json:"apps,omitempty"`
	Platform string `json:"platform,omitempty"`
}

// Process is where an instance stands in its process.
type Process struct {
	Started     *Time  `json:"started,omitempty"`
	StartEvent  string `json:"startEvent,omitempty"`
	CurrentTask *Task  `json:"currentTask,omitempty"`
	Ended       *Time  `json:"ended,omitempty"`
	EndEvent    string `json:"endEvent,omitempty"`
}

// Task is one element of a process. Its type is free text: known ones and custom ones occur.
type Task struct {
	Flow           *int   `json:"flow,omitempty"`
	Started        *Time  `json:"started,omitempty"`
	ElementID      string `json:"elementId,omitempty"`
	Name           string `json:"name,omitempty"`
	AltinnTaskType string `json:"altinnTaskType,omitempty"`
	FlowType       string `json:"flowType,omitempty"`
}

// InstanceStatus is the state of an instance.
type InstanceStatus struct {
	IsArchived    bool       `json:"isArchived"`
	Archived      *Time      `json:"archived,omitempty"`
	IsSoftDeleted bool       `json:"isSoftDeleted"`
	SoftDeleted   *Time      `json:"softDeleted,omitempty"`
	IsHardDeleted bool       `json:"isHardDeleted"`
	HardDeleted   *Time      `json:"hardDeleted,omitempty"`
	ReadStatus    string     `json:"readStatus,omitempty"`
	Substatus     *Substatus `json:"substatus,omitempty"`
}

// Substatus is set by the service owner; both texts may be keys of text resources.
type Substatus struct {
	Label       string `json:"label,omitempty"`
	Description string `json:"description,omitempty"`
}

// CompleteConfirmation tells that a stakeholder has received the instance.
type CompleteConfirmation struct {
	StakeholderID string `json:"stakeholderId,omitempty"`
	ConfirmedOn   *Time  `json:"confirmedOn,omitempty"`
}
