package mapping

import "strings"

// Reason is a stable code that says why an instance has no dialog.
type Reason string

// Reasons of an Error.
const (
	// ReasonPartyNotFound: Register does not know the instance owner. Register can be behind: worth a retry.
	ReasonPartyNotFound Reason = "party_not_found"
	// ReasonActorUnresolvable: nobody can be named as the actor of an event. Worth a retry when RegisterMayLag.
	ReasonActorUnresolvable Reason = "actor_unresolvable"
	// ReasonPartyUnusable: a record of Register holds nothing that a URN can be made of.
	ReasonPartyUnusable Reason = "party_unusable"
	// ReasonInstanceMissing: there is no instance.
	ReasonInstanceMissing Reason = "instance_missing"
	// ReasonApplicationMissing: there is no application.
	ReasonApplicationMissing Reason = "application_missing"
	// ReasonDialogMissing: Update was called without an existing dialog or without an id.
	ReasonDialogMissing Reason = "dialog_missing"
	// ReasonInstanceIncomplete: the instance lacks a member, or has it malformed.
	ReasonInstanceIncomplete Reason = "instance_incomplete"
	// ReasonEventIncomplete: an event that gives an activity lacks its id or time.
	ReasonEventIncomplete Reason = "event_incomplete"
	// ReasonDataElementIncomplete: a data element lacks its id or time.
	ReasonDataElementIncomplete Reason = "data_element_incomplete"
	// ReasonTitleMissing: neither texts nor application give a title.
	ReasonTitleMissing Reason = "title_missing"
	// ReasonSettingsInvalid: this program is configured wrongly; no instance can be mapped.
	ReasonSettingsInvalid Reason = "settings_invalid"
)

// Error tells why an instance cannot be mapped. It holds no personal data.
type Error struct {
	Reason Reason
	// Member is the member that is missing or malformed, empty when the reason says it all.
	Member string
	// ID is the event or data element concerned, when it has an id.
	ID string
	// RegisterMayLag: a user id stands in the event but Register does not know it (yet).
	RegisterMayLag bool
}

func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("map instance: ")
	text.WriteString(string(e.Reason))
	if e.ID != "" {
		text.WriteString(" in ")
		text.WriteString(e.ID)
	}
	if e.Member != "" {
		text.WriteString(": ")
		text.WriteString(e.Member)
	}
	return text.String()
}

// Transient tells the classification of errors that the instance can be mapped once Register has caught up.
func (e *Error) Transient() bool { return e.RegisterMayLag }
