package dialogporten

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// Attachment is a file of a dialog or of a transmission.
type Attachment struct {
	ID          uuid.UUID       `json:"id,omitzero"`
	DisplayName []Localization  `json:"displayName,omitempty"`
	Name        *string         `json:"name,omitempty"`
	URLs        []AttachmentURL `json:"urls,omitempty"`
	ExpiresAt   Time            `json:"expiresAt,omitzero"`
	Unknown     UnknownMembers  `json:"-"`
}

type plainAttachment Attachment

// UnmarshalJSON reads the attachment and keeps its unknown members.
func (a *Attachment) UnmarshalJSON(data []byte) error {
	var plain plainAttachment
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read attachment: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "id", "displayName", "name", "urls", "expiresAt":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*a = Attachment(plain)
	return err
}

// MarshalJSON writes the attachment with its unknown members.
func (a Attachment) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainAttachment(a), a.Unknown)
}

// AttachmentURL is where a file is fetched. Requests carry an id for URLs of dialog attachments only.
type AttachmentURL struct {
	ID           uuid.UUID      `json:"id,omitzero"`
	URL          string         `json:"url"`
	MediaType    *string        `json:"mediaType,omitempty"`
	ConsumerType ConsumerType   `json:"consumerType"`
	Unknown      UnknownMembers `json:"-"`
}

type plainAttachmentURL AttachmentURL

// UnmarshalJSON reads the URL and keeps its unknown members.
func (u *AttachmentURL) UnmarshalJSON(data []byte) error {
	var plain plainAttachmentURL
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read attachment url: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "id", "url", "mediaType", "consumerType":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*u = AttachmentURL(plain)
	return err
}

// MarshalJSON writes the URL with its unknown members.
func (u AttachmentURL) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainAttachmentURL(u), u.Unknown)
}
