package dialogporten

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// GUIAction is a button of a dialog.
type GUIAction struct {
	ID                     uuid.UUID         `json:"id,omitzero"`
	Action                 string            `json:"action"`
	URL                    string            `json:"url"`
	AuthorizationAttribute *string           `json:"authorizationAttribute,omitempty"`
	IsDeleteDialogAction   bool              `json:"isDeleteDialogAction"`
	HTTPMethod             HTTPVerb          `json:"httpMethod,omitempty"`
	Priority               GUIActionPriority `json:"priority"`
	Title                  []Localization    `json:"title,omitempty"`
	Prompt                 []Localization    `json:"prompt,omitempty"`
	// IsAuthorized stands in answers only; requests do not have it.
	IsAuthorized *bool          `json:"isAuthorized,omitempty"`
	Unknown      UnknownMembers `json:"-"`
}

type plainGUIAction GUIAction

// UnmarshalJSON reads the action and keeps its unknown members.
func (a *GUIAction) UnmarshalJSON(data []byte) error {
	var plain plainGUIAction
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read gui action: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "id", "action", "url", "authorizationAttribute", "isDeleteDialogAction",
			"httpMethod", "priority", "title", "prompt", "isAuthorized":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*a = GUIAction(plain)
	return err
}

// MarshalJSON writes the action with its unknown members.
func (a GUIAction) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainGUIAction(a), a.Unknown)
}

// APIAction is something a system may do with a dialog.
type APIAction struct {
	ID                     uuid.UUID           `json:"id,omitzero"`
	Action                 string              `json:"action"`
	AuthorizationAttribute *string             `json:"authorizationAttribute,omitempty"`
	Name                   *string             `json:"name,omitempty"`
	Endpoints              []APIActionEndpoint `json:"endpoints,omitempty"`
	// IsAuthorized stands in answers only; requests do not have it.
	IsAuthorized *bool          `json:"isAuthorized,omitempty"`
	Unknown      UnknownMembers `json:"-"`
}

type plainAPIAction APIAction

// UnmarshalJSON reads the action and keeps its unknown members.
func (a *APIAction) UnmarshalJSON(data []byte) error {
	var plain plainAPIAction
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read api action: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "id", "action", "authorizationAttribute", "name", "endpoints", "isAuthorized":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*a = APIAction(plain)
	return err
}

// MarshalJSON writes the action with its unknown members.
func (a APIAction) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainAPIAction(a), a.Unknown)
}

// APIActionEndpoint is one address of an API action.
type APIActionEndpoint struct {
	ID               uuid.UUID      `json:"id,omitzero"`
	Version          *string        `json:"version,omitempty"`
	URL              string         `json:"url"`
	HTTPMethod       HTTPVerb       `json:"httpMethod"`
	DocumentationURL *string        `json:"documentationUrl,omitempty"`
	RequestSchema    *string        `json:"requestSchema,omitempty"`
	ResponseSchema   *string        `json:"responseSchema,omitempty"`
	Deprecated       bool           `json:"deprecated"`
	SunsetAt         Time           `json:"sunsetAt,omitzero"`
	Unknown          UnknownMembers `json:"-"`
}

type plainAPIActionEndpoint APIActionEndpoint

// UnmarshalJSON reads the endpoint and keeps its unknown members.
func (e *APIActionEndpoint) UnmarshalJSON(data []byte) error {
	var plain plainAPIActionEndpoint
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read api action endpoint: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "id", "version", "url", "httpMethod", "documentationUrl",
			"requestSchema", "responseSchema", "deprecated", "sunsetAt":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*e = APIActionEndpoint(plain)
	return err
}

// MarshalJSON writes the endpoint with its unknown members.
func (e APIActionEndpoint) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainAPIActionEndpoint(e), e.Unknown)
}
