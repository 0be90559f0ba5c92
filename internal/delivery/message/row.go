package message

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// ReasonMalformed is the code of records that cannot be read.
const ReasonMalformed = "malformed_message"

// Row is one message of a page on its way to an outcome.
type Row struct {
	Number int32
	// Created is the message's creation time; zero where it is not known.
	Created time.Time
	// Message is the record as it was listed; nil: it is read, or is not needed.
	Message *altinn2.Message
	// Lane narrows the order's: a row of History is brought over silently whatever the order says.
	Lane Lane
	// Known is the ledger's row, nil for a message never met.
	Known *ledger.Entry
	// Repeated: nothing is to be done or counted, since this very version is recorded for this window, or the page has the message
	// twice.
	Repeated bool
	// Met: the window counted the message already, at another time of change; it is brought over again and not counted again.
	Met bool

	// overtaken: Known is of a change before the listed one, at the same time.
	overtaken bool
	// digest tells a record without a number from others.
	digest string
	// settled: the row has an outcome. One of result and failure tells it.
	settled bool
	result  Result
	failure *delivery.Failure
	// pending is why an unsettled row has none.
	pending *delivery.Failure
	// unbegun: the last round ended before the row's turn.
	unbegun bool
	// aside is how the row failed by its own fault, until the page is judged. pending tells it as well.
	aside *aside
	// end is how a round ended the row, until that is noted.
	end *end
}

// aside is a try whose failure is not recorded yet.
type aside struct {
	task *task
	// row is what shall stand in the database once it is.
	row row
}

// end is what batch.Alike is told of a row.
type end struct {
	// reason is empty for a success.
	reason  string
	refused bool
}

// NewRow makes a row of what was listed. A record that cannot be read is a bad message, not a failed page.
func NewRow(listed *altinn2.Listed) Row {
	r := Row{Number: listed.ID, Created: listed.Created.UTC(), Message: listed.Message}
	problem := ""
	switch {
	case listed.Err != nil:
		problem = listed.Err.Error()
	case listed.ID <= 0:
		problem = "the record has no number"
	case listed.Created.IsZero():
		problem = "the record has no creation time, which its place in the ledger is made from"
	}
	if problem != "" {
		r.Message = nil
		r.settled = true
		if r.Number <= 0 {
			const digits = 16
			digest := sha256.Sum256(listed.Raw)
			r.digest = hex.EncodeToString(digest[:])[:digits]
		}
		r.failure = &delivery.Failure{
			Class: transport.Permanent, Reason: ReasonMalformed, OfItem: true,
			Detail: telemetry.Redact(problem) + ": see to the record in Altinn 2, then sync the item",
		}
	}
	return r
}

// GivenRow makes a row of a message that was named and not listed. created may be zero.
func GivenRow(number int32, created time.Time) Row {
	return Row{Number: number, Created: created.UTC()}
}

// Key is how operators write the message; for one without a number, a digest of what was listed.
func (r *Row) Key() string {
	if r.digest != "" {
		return "malformed:" + r.digest
	}
	return Key(r.Number)
}

// ItemID is the message's key in the ledger; uuid.Nil as long as its creation time is unknown.
func (r *Row) ItemID() uuid.UUID {
	if r.Created.IsZero() || r.Number <= 0 {
		return uuid.Nil
	}
	return dialogid.Message(r.Number, r.Created)
}

// Malformed tells that the record could not be read.
func (r *Row) Malformed() bool { return r.failure != nil && r.failure.Reason == ReasonMalformed }

// Settled tells that the row has an outcome: it is recorded.
func (r *Row) Settled() bool { return r.settled }

// Pending is why a row that was tried has no outcome; nil for one that has, or was not tried.
func (r *Row) Pending() *delivery.Failure { return r.pending }

// Failure is why the message goes to quarantine; nil when it does not.
func (r *Row) Failure() *delivery.Failure { return r.failure }

// Result is what came of the row, once it is settled.
func (r *Row) Result() Result { return r.result }

// weight tells how long a message may take.
type weight int

const (
	light weight = iota
	// heavy messages have files that take longer to send than others may be held.
	heavy
)

// weight is light for a message that was not listed: what it has is unknown until it is read.
func (r *Row) weight() weight {
	const heavySize = 8 << 20 // bytes of files
	if r.Message == nil {
		return light
	}
	var size int64
	for i := range r.Message.Attachments {
		size += r.Message.Attachments[i].Size
	}
	if size >= heavySize {
		return heavy
	}
	return light
}

// Repeat settles a row that needs nothing done.
func (r *Row) Repeat() { r.Repeated, r.settled = true, true }

// isUnchanged tells whether Known is of the change that is listed.
func (r *Row) isUnchanged() bool {
	return !r.overtaken && r.Known.SourceChanged.Equal(r.Message.ChangedAt.UTC().Truncate(time.Microsecond))
}

// LeaveUnchanged settles a row that a mapping version, or a later one, brought over all the way in the very change that is listed. What
// was skipped, failed or is still hidden is tried again. It tells whether it did.
func (r *Row) LeaveUnchanged(version int16) bool {
	k := r.Known
	switch {
	case r.settled || k == nil || r.Message == nil || k.MappingVersion < version || k.State == ledger.DialogAbsent,
		k.Outcome == ledger.Failed || k.Outcome == ledger.Skipped, !r.isUnchanged():
		return false
	}
	r.settled = true
	r.result = Result{
		Altinn2ID: r.Number, ItemID: r.ItemID(), Created: r.Created, Outcome: ledger.Unchanged, State: k.State, DialogID: k.DialogID,
	}
	return true
}

// Cause implements batch.Judged.
func (r *Row) Cause() *delivery.Failure {
	switch {
	case r.Repeated || r.Malformed():
		return nil
	case r.failure != nil:
		return r.failure
	default:
		return r.pending
	}
}

// Undecided implements batch.Judged.
func (r *Row) Undecided() bool { return r.pending != nil }

// TakeBack implements batch.Judged.
func (r *Row) TakeBack(cause *delivery.Failure) {
	r.settled, r.failure, r.pending, r.aside, r.end = false, nil, cause, nil, nil
}

// GiveUp implements batch.Judged.
func (r *Row) GiveUp(cause delivery.Failure, readAt time.Time) {
	r.settled, r.failure, r.pending, r.aside = true, &cause, nil, nil
	r.result.ReadAt = readAt
}

// busy leaves the row to whoever works on its message now.
func (r *Row) busy(err error) {
	failure := Describe(err)
	r.pending, r.aside = &failure, nil
}

// take takes over what came of a try.
func (r *Row) take(result Result) {
	r.result = result
	if !result.Created.IsZero() {
		r.Created = result.Created
	}
}

// AccountsOf counts rows: seen from the listing, the rest from the outcomes.
func AccountsOf(rows []*Row) batch.Accounts {
	var a batch.Accounts
	for _, r := range rows {
		if r.Repeated || r.Met {
			continue
		}
		a.Seen++
		if r.failure != nil {
			a.Add(ledger.Failed, "")
			continue
		}
		a.Add(r.result.Outcome, r.result.Reason)
	}
	return a
}
