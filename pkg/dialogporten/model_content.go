package dialogporten

import (
	"encoding/json"
	"fmt"
)

// Localization is a text in one language.
type Localization struct {
	LanguageCode string         `json:"languageCode"`
	Value        string         `json:"value"`
	Unknown      UnknownMembers `json:"-"`
}

type plainLocalization Localization

// UnmarshalJSON reads the text and keeps its unknown members.
func (l *Localization) UnmarshalJSON(data []byte) error {
	var plain plainLocalization
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read localization: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool { return name == "languageCode" || name == "value" })
	plain.Unknown = unknown
	*l = Localization(plain)
	return err
}

// MarshalJSON writes the text with its unknown members.
func (l Localization) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainLocalization(l), l.Unknown)
}

// ContentValue is a text of a dialog in one or more languages.
type ContentValue struct {
	Value     []Localization `json:"value"`
	MediaType string         `json:"mediaType,omitempty"`
	// IsAuthorized stands in answers only.
	IsAuthorized *bool          `json:"isAuthorized,omitempty"`
	Unknown      UnknownMembers `json:"-"`
}

type plainContentValue ContentValue

// UnmarshalJSON reads the value and keeps its unknown members.
func (c *ContentValue) UnmarshalJSON(data []byte) error {
	var plain plainContentValue
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read content value: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "value", "mediaType", "isAuthorized":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*c = ContentValue(plain)
	return err
}

// MarshalJSON writes the value with its unknown members.
func (c ContentValue) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainContentValue(c), c.Unknown)
}

// Content are the texts of a dialog. An update removes every field that is left out.
type Content struct {
	Title                *ContentValue  `json:"title,omitempty"`
	NonSensitiveTitle    *ContentValue  `json:"nonSensitiveTitle,omitempty"`
	Summary              *ContentValue  `json:"summary,omitempty"`
	NonSensitiveSummary  *ContentValue  `json:"nonSensitiveSummary,omitempty"`
	SenderName           *ContentValue  `json:"senderName,omitempty"`
	AdditionalInfo       *ContentValue  `json:"additionalInfo,omitempty"`
	ExtendedStatus       *ContentValue  `json:"extendedStatus,omitempty"`
	MainContentReference *ContentValue  `json:"mainContentReference,omitempty"`
	Unknown              UnknownMembers `json:"-"`
}

type plainContent Content

// UnmarshalJSON reads the content and keeps its unknown members.
func (c *Content) UnmarshalJSON(data []byte) error {
	var plain plainContent
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read content: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "title", "nonSensitiveTitle", "summary", "nonSensitiveSummary",
			"senderName", "additionalInfo", "extendedStatus", "mainContentReference":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*c = Content(plain)
	return err
}

// MarshalJSON writes the content with its unknown members.
func (c Content) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainContent(c), c.Unknown)
}

// TransmissionContent are the texts of a transmission.
type TransmissionContent struct {
	Title            *ContentValue  `json:"title,omitempty"`
	Summary          *ContentValue  `json:"summary,omitempty"`
	ContentReference *ContentValue  `json:"contentReference,omitempty"`
	Unknown          UnknownMembers `json:"-"`
}

type plainTransmissionContent TransmissionContent

// UnmarshalJSON reads the content and keeps its unknown members.
func (c *TransmissionContent) UnmarshalJSON(data []byte) error {
	var plain plainTransmissionContent
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read transmission content: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool {
		switch name {
		case "title", "summary", "contentReference":
			return true
		}
		return false
	})
	plain.Unknown = unknown
	*c = TransmissionContent(plain)
	return err
}

// MarshalJSON writes the content with its unknown members.
func (c TransmissionContent) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainTransmissionContent(c), c.Unknown)
}

// SearchTag is a word that a dialog can be found by.
type SearchTag struct {
	Value   string         `json:"value"`
	Unknown UnknownMembers `json:"-"`
}

type plainSearchTag SearchTag

// UnmarshalJSON reads the tag and keeps its unknown members.
func (t *SearchTag) UnmarshalJSON(data []byte) error {
	var plain plainSearchTag
	if err := json.Unmarshal(data, &plain); err != nil {
		return fmt.Errorf("read search tag: %w", err)
	}
	unknown, err := unknownMembers(data, func(name string) bool { return name == "value" })
	plain.Unknown = unknown
	*t = SearchTag(plain)
	return err
}

// MarshalJSON writes the tag with its unknown members.
func (t SearchTag) MarshalJSON() ([]byte, error) {
	return marshalWithUnknown(plainSearchTag(t), t.Unknown)
}
