package correspondence

// Status is a status of an item, sent as its number (correspondence reference 8.1).
type Status int

// The statuses that a message of Altinn 2 may arrive with.
const (
	StatusInitialized            Status = 0
	StatusPublished              Status = 2
	StatusRead                   Status = 4
	StatusConfirmed              Status = 6
	StatusPurgedByRecipient      Status = 7
	StatusPurgedByAltinn         Status = 8
	StatusArchived               Status = 9
	StatusSoftDeletedByRecipient Status = 13
	StatusRestoredByRecipient    Status = 14
)

// String gives the name that the service has for it.
func (s Status) String() string {
	switch s {
	case StatusInitialized:
		return "Initialized"
	case StatusPublished:
		return "Published"
	case StatusRead:
		return "Read"
	case StatusConfirmed:
		return "Confirmed"
	case StatusPurgedByRecipient:
		return "PurgedByRecipient"
	case StatusPurgedByAltinn:
		return "PurgedByAltinn"
	case StatusArchived:
		return "Archived"
	case StatusSoftDeletedByRecipient:
		return "SoftDeletedByRecipient"
	case StatusRestoredByRecipient:
		return "RestoredByRecipient"
	default:
		return "Unknown"
	}
}

// Channel is the channel of a notification, sent as its number.
type Channel int

// The channels that Altinn 2 knew.
const (
	ChannelEmail Channel = 0
	ChannelSMS   Channel = 1
)

// ReferenceType is the type of an external reference, sent as its number (correspondence reference 12).
type ReferenceType int

// The types that the service treats apart.
const (
	// ReferenceDialog is the dialog the service made. Sent by a source it hides the message for good.
	ReferenceDialog ReferenceType = 3
	// ReferenceProcess becomes the dialog's process, which must be a URI.
	ReferenceProcess ReferenceType = 4
	// ReferenceTransmission is refused on input.
	ReferenceTransmission ReferenceType = 5
	// ReferenceTransmissionType names a type of transmissions.
	ReferenceTransmissionType ReferenceType = 6
)
