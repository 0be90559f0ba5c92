package dialogporten

import (
	"strconv"
	"strings"
)

// An enumeration gives the name of a number and "" where there is none; numbers rise from 1 (Chapter 7, Enums).
type enumeration func(number int) string

// Numbers of the enumerations that rules look at.
const (
	statusNew           = 1
	statusSent          = 4
	statusNotApplicable = 7
	statusAwaiting      = 8

	labelDefault          = 1
	labelBin              = 2
	labelArchive          = 3
	labelMarkedAsUnopened = 4
	labelSent             = 5

	activityInformation             = 3
	activityTransmissionOpened      = 4
	activityFormSaved               = 15
	activityCorrespondenceOpened    = 16
	activityCorrespondenceConfirmed = 17

	transmissionSubmission = 7
	transmissionCorrection = 8

	actorServiceOwner = 2

	consumerGUI = 1

	priorityPrimary   = 1
	prioritySecondary = 2
	priorityTertiary  = 3

	verbGET    = 1
	verbPOST   = 2
	verbDELETE = 5

	deletedExclude = 0
	deletedInclude = 1
	deletedOnly    = 2

	conditionNotExists = 1
)

func statusNames(n int) string {
	return nth(n, "New", "InProgress", "Draft", "Sent", "RequiresAttention", "Completed", "NotApplicable", "Awaiting")
}

func systemLabelNames(n int) string {
	return nth(n, "Default", "Bin", "Archive", "MarkedAsUnopened", "Sent")
}

func activityNames(n int) string {
	return nth(n, "DialogCreated", "DialogClosed", "Information", "TransmissionOpened", "PaymentMade", "SignatureProvided",
		"DialogOpened", "DialogDeleted", "DialogRestored", "SentToSigning", "SentToFormFill", "SentToSendIn", "SentToPayment",
		"FormSubmitted", "FormSaved", "CorrespondenceOpened", "CorrespondenceConfirmed")
}

func transmissionNames(n int) string {
	return nth(n, "Information", "Acceptance", "Rejection", "Request", "Alert", "Decision", "Submission", "Correction")
}

func actorNames(n int) string { return nth(n, "PartyRepresentative", "ServiceOwner") }

func priorityNames(n int) string { return nth(n, "Primary", "Secondary", "Tertiary") }

func consumerNames(n int) string { return nth(n, "Gui", "Api") }

func verbNames(n int) string {
	return nth(n, "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT")
}

// deletedNames starts at 1 like the others; the filter itself counts from 0.
func deletedNames(n int) string { return nth(n, "Exclude", "Include", "Only") }

func conditionNames(n int) string { return nth(n, "NotExists", "Exists") }

func nth(n int, names ...string) string {
	if n < 1 || n > len(names) {
		return ""
	}
	return names[n-1]
}

// number finds a name in any case, or reads a text that is an integer.
func (e enumeration) number(name string) (int, bool) {
	for n := 1; ; n++ {
		known := e(n)
		if known == "" {
			break
		}
		if len(known) == len(name) && strings.EqualFold(known, name) {
			return n, true
		}
	}
	n, err := strconv.ParseInt(name, 10, 32)
	return int(n), err == nil
}

// storedStatus is what an input status is kept as (Chapter 7): New and Sent live on as NotApplicable and Awaiting.
func storedStatus(input int) int {
	switch input {
	case 0, statusNew:
		return statusNotApplicable
	case statusSent:
		return statusAwaiting
	default:
		return input
	}
}

// byParty tells transmissions that the party sent from those of the service owner.
func byParty(transmissionType int) bool {
	return transmissionType == transmissionSubmission || transmissionType == transmissionCorrection
}
