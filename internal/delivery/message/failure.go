package message

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	mapping "github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Reason codes of failures that delivery itself finds.
const (
	ReasonMessageUnknown     = "message_unknown"
	ReasonAttachmentEmpty    = "attachment_empty"
	ReasonAttachmentMissing  = "attachment_missing"
	ReasonAttachmentChecksum = "attachment_checksum"
	ReasonDialogRefused      = "dialog_refused"
	ReasonDialogFailed       = "dialog_failed"
	ReasonItemLost           = "correspondence_lost"
	ReasonNotTransferred     = "not_transferred"
	ReasonPurgedInDoubt      = "purged_in_doubt"
	ReasonDeceasedInDoubt    = "deceased_in_doubt"
	// ReasonCreatedAhead marks a message created later than now: Dialogporten would refuse its dialog (9.11).
	ReasonCreatedAhead = "created_ahead"
	// ReasonDialogLost and ReasonDialogDeleted mark a message whose dialog is on record and not, or not alive, in Dialogporten (15).
	ReasonDialogLost    = "dialog_lost"
	ReasonDialogDeleted = "dialog_deleted"
	// ReasonDialogOrphaned marks a message that Correspondence has lost while its dialog is there.
	ReasonDialogOrphaned = "dialog_orphaned"
	// reasonAnswerLost marks a message that may be stored over there although no answer told so.
	reasonAnswerLost = "answer_lost"
	// ReasonDialogOrdered marks a message that live sent with an order for its dialog, which may be on its way until the row's due time.
	ReasonDialogOrdered = "dialog_ordered"
	// reasonUndated marks a hidden message of which nothing was told that dates its dialog, as far as is known (9.4).
	reasonUndated = "undated"
	// ReasonBusy marks a message that somebody else brought over just then: it says nothing of the message or of a system.
	ReasonBusy = "busy"
	// ReasonHalfDone marks a message whose dialog was there although Correspondence said that it was refused (P22).
	ReasonHalfDone = "half_done"
)

// Error is a fault of a message. It names no person.
type Error struct {
	// Reason is a stable code; Detail says what is wrong and what a person can do.
	Reason, Detail string
	// Retryable: the fault may go away by itself.
	Retryable bool
}

func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// Permanent tells the classification of errors that the message stays bad.
func (e *Error) Permanent() bool { return !e.Retryable }

// Transient tells it that the message may recover.
func (e *Error) Transient() bool { return e.Retryable }

var errRefused = &Error{
	Reason: ReasonDialogRefused, Detail: "Correspondence stored the message, but Dialogporten refused its dialog, and Correspondence " +
		"does not say why: compare the message with the limits of dialogs, then sync the item again",
}

var errPurgedInDoubt = &Error{
	Reason: ReasonPurgedInDoubt, Detail: "the message was purged in Altinn 2 after it may have been sent, and no answer is on record: " +
		"see in Correspondence whether it is there, and purge it",
}

var errDeceasedInDoubt = &Error{
	Reason: ReasonDeceasedInDoubt, Detail: "the recipient died after the message may have been sent, and no answer is on record: see in " +
		"Correspondence whether it is there; it is not sent again",
}

var errCreatedAhead = &Error{
	Reason: ReasonCreatedAhead, Retryable: true, Detail: "the message was created later than now by our clock, and Dialogporten takes no " +
		"dialog of the future: see to the clocks, or in Altinn 2 to the message",
}

var errDialogLost = &Error{
	Reason: ReasonDialogLost, Detail: "Correspondence says that the message has its dialog, but Dialogporten does not have it, and " +
		"Correspondence makes no other as long as it keeps its reference: ask those who run both what removed it",
}

var errDialogDeleted = &Error{
	Reason: ReasonDialogDeleted, Detail: "the message is alive, but its dialog is deleted: ask those who run Correspondence to restore it",
}

var errItemLost = &Error{
	Reason: ReasonItemLost, Retryable: true, Detail: "Correspondence does not know the message that it stored, and migrating it again " +
		"did not help: ask those who run it, then sync the item",
}

var errOrphaned = &Error{
	Reason: ReasonDialogOrphaned, Detail: "Correspondence does not know the message that it stored, and the dialog is still there: bringing " +
		"it over again would make a second one. Ask those who run Correspondence; if the item cannot come back, have the dialog " +
		"purged and sync the item",
}

// Describe puts a delivery's error into a class and a code.
func Describe(err error) delivery.Failure {
	f := delivery.Describe(err)
	var own *Error
	var unmapped *mapping.Error
	var answered *correspondence.Error
	var held leaseError
	switch {
	case errors.As(err, &held):
		f.Reason = ReasonBusy
	case errors.As(err, &own):
		f.OfItem, f.Reason = true, own.Reason
	case errors.As(err, &unmapped):
		f.OfItem, f.Reason = true, unmapped.Reason
	case errors.As(err, &answered) && answered.Permanent():
		f.OfItem = true
		if answered.Code != 0 {
			f.Reason = fmt.Sprintf("correspondence_%d", answered.Code)
		}
		f.Detail += texts(answered) +
			": the message itself is at fault; see to it in Altinn 2, or change how it is mapped, then sync the item again"
	}
	return f
}

var (
	// quoted is what a text quotes: it may be anything that was sent.
	quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	// plainText are texts of the validation that say nothing of what was sent once that is taken out.
	plainText = regexp.MustCompile(`^The (?:field )?[A-Za-z0-9_.\[\]]+ (?:field is required|must (?:be|match) [A-Za-z0-9 …-]+)\.$|` +
		`^The (?:JSON )?value (?:… )?(?:could not be converted to|is not valid for) [A-Za-z0-9_.$\[\]]+\.`)
)

// texts are the validation's (17.4), but for those that may name a person (Invariant 12).
func texts(answered *correspondence.Error) string {
	var all []string
	for _, path := range answered.Paths {
		for _, text := range answered.Messages[path] {
			if text = plainText.FindString(quoted.ReplaceAllString(text, "…")); text != "" {
				all = append(all, text)
			}
		}
	}
	const most = 10
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all[:min(len(all), most)], " ") + ")"
}

// Quarantined is a message whose delivery failed, as the quarantine keeps it.
func Quarantined(result Result, attempts int) ledger.Quarantined {
	failure := Describe(result.Err)
	return ledger.Quarantined{
		Source: ledger.A2Correspondence, ItemKey: Key(result.Altinn2ID), ItemID: result.ItemID, AppID: result.ResourceID,
		Position: result.Created, InstanceCreated: result.Created, Class: failure.Class.String(), Reason: failure.Reason,
		Detail: failure.Detail, Attempts: attempts,
	}
}

// Key is a message's key as operators write it.
func Key(altinn2ID int32) string { return strconv.Itoa(int(altinn2ID)) }

// ParseKey reads such a key.
func ParseKey(key string) (int32, error) {
	number, err := strconv.ParseInt(key, 10, 32)
	if err != nil || number <= 0 {
		return 0, fmt.Errorf("%.40q is not the number of a message in Altinn 2", key)
	}
	return int32(number), nil
}
