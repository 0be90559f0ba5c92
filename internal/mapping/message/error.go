package message

// Reason codes of messages that cannot be brought over as they are.
const (
	ReasonSenderMissing    = "sender_missing"
	ReasonRecipientUnknown = "recipient_unknown"
	ReasonResourceMissing  = "resource_missing"
	ReasonCreatedMissing   = "created_missing"
	ReasonNotPublished     = "not_published"
	ReasonPurgeUntold      = "purge_event_missing"
	ReasonEventUnknown     = "event_type_unknown"
	ReasonChannelUnknown   = "notification_channel_unknown"
)

// Error is a fault of a message. It names no person.
type Error struct {
	// Reason is a stable code; Detail says what is wrong and what a person can do.
	Reason, Detail string
}

func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// Permanent tells the classification of errors that the message stays bad until the source changes.
func (*Error) Permanent() bool { return true }
