package dialogporten

import "github.com/google/uuid"

// Actor is who did something. A ServiceOwner has neither id nor name; any other has exactly one of them in requests,
// and both in answers. It may hold a national identity number: it never goes into logs or errors.
type Actor struct {
	ActorType ActorType `json:"actorType"`
	ActorID   *string   `json:"actorId,omitempty"`
	ActorName *string   `json:"actorName,omitempty"`
}

// Activity is one line of a dialog's history. Activities are append-only: repeating a stored id in an update is refused.
type Activity struct {
	ID             uuid.UUID      `json:"id,omitzero"`
	CreatedAt      Time           `json:"createdAt,omitzero"`
	ExtendedType   *string        `json:"extendedType,omitempty"`
	Type           ActivityType   `json:"type"`
	TransmissionID uuid.UUID      `json:"transmissionId,omitzero"`
	PerformedBy    Actor          `json:"performedBy"`
	Description    []Localization `json:"description,omitempty"`
}

// ActivityListItem is an activity as the list of activities shows it.
type ActivityListItem struct {
	ID             uuid.UUID    `json:"id"`
	CreatedAt      Time         `json:"createdAt,omitzero"`
	ExtendedType   *string      `json:"extendedType,omitempty"`
	Type           ActivityType `json:"type"`
	TransmissionID uuid.UUID    `json:"transmissionId,omitzero"`
}

// Transmission is a message within a dialog. Transmissions are append-only: repeating a stored id in an update is refused.
type Transmission struct {
	ID                     uuid.UUID            `json:"id,omitzero"`
	IdempotentKey          *string              `json:"idempotentKey,omitempty"`
	CreatedAt              Time                 `json:"createdAt,omitzero"`
	AuthorizationAttribute *string              `json:"authorizationAttribute,omitempty"`
	ExtendedType           *string              `json:"extendedType,omitempty"`
	ExternalReference      *string              `json:"externalReference,omitempty"`
	RelatedTransmissionID  uuid.UUID            `json:"relatedTransmissionId,omitzero"`
	Type                   TransmissionType     `json:"type"`
	Sender                 Actor                `json:"sender"`
	Content                *TransmissionContent `json:"content,omitempty"`
	Attachments            []Attachment         `json:"attachments,omitempty"`
	NavigationalActions    []NavigationalAction `json:"navigationalActions,omitempty"`
	// IsOpened and IsAuthorized stand in answers only; requests do not have them.
	IsOpened     *bool `json:"isOpened,omitempty"`
	IsAuthorized *bool `json:"isAuthorized,omitempty"`
}

// UpdateTransmission is the body that replaces one transmission; it must be silent.
type UpdateTransmission struct {
	IdempotentKey          *string              `json:"idempotentKey,omitempty"`
	CreatedAt              Time                 `json:"createdAt,omitzero"`
	AuthorizationAttribute *string              `json:"authorizationAttribute,omitempty"`
	ExtendedType           *string              `json:"extendedType,omitempty"`
	ExternalReference      *string              `json:"externalReference,omitempty"`
	RelatedTransmissionID  uuid.UUID            `json:"relatedTransmissionId,omitzero"`
	Type                   TransmissionType     `json:"type"`
	Sender                 Actor                `json:"sender"`
	Content                *TransmissionContent `json:"content,omitempty"`
	Attachments            []Attachment         `json:"attachments,omitempty"`
	NavigationalActions    []NavigationalAction `json:"navigationalActions,omitempty"`
	IsSilentUpdate         bool                 `json:"isSilentUpdate"`
}

// NavigationalAction is a link of a transmission.
type NavigationalAction struct {
	Title     []Localization `json:"title"`
	URL       string         `json:"url"`
	ExpiresAt Time           `json:"expiresAt,omitzero"`
}
