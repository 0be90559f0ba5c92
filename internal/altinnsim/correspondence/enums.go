package correspondence

import (
	"slices"
	"strconv"
	"strings"
)

// StatusKind is a status of an item (8.1).
type StatusKind int

// The statuses.
const (
	Initialized StatusKind = iota
	ReadyForPublish
	Published
	Fetched
	Read
	Replied
	Confirmed
	PurgedByRecipient
	PurgedByAltinn
	Archived
	Reserved
	Failed
	AttachmentsDownloaded
	SoftDeletedByRecipient
	RestoredByRecipient
)

// DeleteKind is what a delete event says (5.4).
type DeleteKind int

// The delete events. DeleteSoft and DeleteRestore move an item to the trash and out of it.
const (
	DeleteHardByOwner DeleteKind = iota + 1
	DeleteHardByRecipient
	DeleteSoft
	DeleteRestore
)

// ReferenceKind is the type of an external reference (chapter 12).
type ReferenceKind int

// The reference types that something depends on.
const (
	ReferenceDialog           ReferenceKind = 3
	ReferenceProcess          ReferenceKind = 4
	ReferenceTransmission     ReferenceKind = 5
	ReferenceTransmissionType ReferenceKind = 6
)

// Channel is how a notification was sent (5.5).
type Channel int

// ChannelEmail alone is worded as e-mail (9.10).
const ChannelEmail Channel = 0

func statusNames() []string {
	return []string{
		"Initialized", "ReadyForPublish", "Published", "Fetched", "Read", "Replied", "Confirmed", "PurgedByRecipient",
		"PurgedByAltinn", "Archived", "Reserved", "Failed", "AttachmentsDownloaded", "SoftDeletedByRecipient", "RestoredByRecipient",
	}
}

func deleteNames() []string {
	return []string{"", "HardDeletedByServiceOwner", "HardDeletedByRecipient", "SoftDeletedByRecipient", "RestoredByRecipient"}
}

func referenceNames() []string {
	return []string{
		"Generic", "AltinnAppInstance", "AltinnBrokerFileTransfer", "DialogportenDialogId", "DialogportenProcessId",
		"DialogportenTransmissionId", "DialogportenTransmissionType",
	}
}

func channelNames() []string {
	return []string{"Email", "Sms", "EmailPreferred", "SmsPreferred", "EmailAndSms"}
}

func transmissionNames() []string {
	return []string{"", "Information", "Acceptance", "Rejection", "Request", "Alert", "Decision", "Submission", "Correction"}
}

// String is the name that answers have.
func (k StatusKind) String() string { return enumName(statusNames(), int(k)) }

// String is the name that answers have.
func (k DeleteKind) String() string { return enumName(deleteNames(), int(k)) }

// String is the name that answers have.
func (k ReferenceKind) String() string { return enumName(referenceNames(), int(k)) }

// String is the name that answers have.
func (k Channel) String() string { return enumName(channelNames(), int(k)) }

// enumName is the number itself where there is no name, as the real service writes it.
func enumName(names []string, number int) string {
	if number >= 0 && number < len(names) && names[number] != "" {
		return names[number]
	}
	return strconv.Itoa(number)
}

// enumNumber reads a name in any case, or a number.
func enumNumber(names []string, text string) (int, bool) {
	text = strings.TrimSpace(text)
	if i := slices.IndexFunc(names, func(name string) bool { return name != "" && strings.EqualFold(name, text) }); i >= 0 {
		return i, true
	}
	number, err := strconv.ParseInt(text, 10, 32)
	return int(number), err == nil
}

// deleteKind is what a status is stored as when it becomes a delete event (5.4).
func (k StatusKind) deleteKind() (DeleteKind, bool) {
	switch k { //nolint:exhaustive // the others are statuses
	case PurgedByAltinn:
		return DeleteHardByOwner, true
	case PurgedByRecipient:
		return DeleteHardByRecipient, true
	case SoftDeletedByRecipient:
		return DeleteSoft, true
	case RestoredByRecipient:
		return DeleteRestore, true
	}
	return 0, false
}

// purges says whether the status means that the item is gone for good.
func (k StatusKind) purges() bool { return k == PurgedByRecipient || k == PurgedByAltinn }
