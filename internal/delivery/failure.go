package delivery

import (
	"errors"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

// Reason codes of failures that delivery itself finds.
const (
	ReasonAppUnknown          = "application_unknown"
	ReasonOtherSource         = "item_of_another_source"
	ReasonCreatedMissing      = "created_missing"
	ReasonCreatedUnknown      = "created_unknown"
	ReasonDialogIDChanged     = "dialog_id_changed"
	ReasonEventsMissing       = "events_missing"
	ReasonPartyMissing        = "party_missing"
	ReasonUserSuppliedMissing = "user_supplied_dialog_id_missing"
)

// Error is a fault of an item. It names no person.
type Error struct {
	// Reason is a stable code; Detail says what is missing and what a person can do.
	Reason, Detail string
	// Retryable: the fault may go away by itself.
	Retryable bool
	// NothingThere: neither the instance nor a dialog of it exists, so that nothing is to be done (Storage reference 14).
	NothingThere bool
}

func (e *Error) Error() string { return e.Reason + ": " + e.Detail }

// Permanent tells the classification of errors that the item stays bad.
func (e *Error) Permanent() bool { return !e.Retryable }

// Transient tells it that the item may recover.
func (e *Error) Transient() bool { return e.Retryable }

// Failure is an error as quarantine and logs show it.
type Failure struct {
	Class transport.Class
	// OfItem: the fault lies in what the item is, not in how a call ended.
	OfItem bool
	// Reason is a stable code, the same for all items that fail alike.
	Reason string
	// Detail is a sentence without personal data.
	Detail string
	// RetryAfter is the wait that the answer asked for, an hour at most; 0 for none.
	RetryAfter time.Duration
}

// longestWait bounds the wait that an answer may ask for: a clock that is wrong over there must not hold an item for days.
const longestWait = time.Hour

// Describe puts a delivery's error into a class and a code.
func Describe(err error) Failure {
	f := Failure{Class: transport.Classify(err), Detail: telemetry.Redact(err.Error())}
	var own *Error
	var unmapped *mapping.Error
	var answer interface{ HTTPStatus() int }
	switch {
	case errors.As(err, &own):
		f.OfItem, f.Reason = true, own.Reason
	case errors.As(err, &unmapped):
		f.OfItem, f.Reason = true, string(unmapped.Reason)
	case errors.As(err, &answer):
		f.Reason = fmt.Sprintf("http_%d", answer.HTTPStatus())
	default:
		f.Reason = f.Class.String()
	}
	var asking interface{ WaitAsked() time.Duration }
	if errors.As(err, &asking) {
		f.RetryAfter = min(asking.WaitAsked(), longestWait)
	}
	return f
}
