package batch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/pkg/dialogid"
)

// reasonMalformed is the code of items that cannot be read.
const reasonMalformed = "malformed_instance"

// Row is one row of a page on its way to an outcome.
type Row struct {
	// Key is how operators write the item; for a malformed one, a digest of what was listed.
	Key    string
	Item   delivery.Item
	ItemID uuid.UUID
	// Listed is nil for an item that was given and not listed.
	Listed *altinn.Instance
	// Position is the row's time on the axis that its stream is walked by.
	Position time.Time
	// Known is the ledger's row, nil for an item never met.
	Known *ledger.Entry
	// Repeated: nothing is to be done or recorded, since this very version is recorded, or the page has a newer row of the item.
	Repeated bool
	// Quarantined: the item stands in quarantine, and is delivered whatever the ledger says of it.
	Quarantined bool
	// Met: the item is counted already, at another time of change; it is delivered again and not counted again.
	Met bool
	// Left: others are to bring the item over; it is neither delivered nor recorded.
	Left bool

	// settled: the row has an outcome. One of result and failure tells it.
	settled bool
	result  delivery.Result
	failure *delivery.Failure
	// pending is why an unsettled row has none.
	pending *delivery.Failure
	// asItStands: the ledger has it already. Nothing was read or written, so nothing is recorded but the window that met it.
	asItStands bool
}

// NewRow makes a row of a listed instance. One that has no key or no time of creation is a bad item, not a failed page. item
// says how the items of the page are delivered; what tells them apart is filled in.
func NewRow(listed *storage.Listed, at time.Time, item delivery.Item) Row {
	item.ID = listed.ID
	r := Row{Listed: listed.Instance, Position: at, Item: item}
	problem := ""
	switch {
	case listed.Err != nil:
		problem = listed.Err.Error()
	case listed.Instance.Created == nil || listed.Instance.Created.IsZero():
		problem = "the instance has no creation time, which the id of its dialog is made from"
	}
	if problem != "" {
		r.Key = malformedKey(listed)
		r.settled = true
		r.failure = &delivery.Failure{Reason: reasonMalformed, Detail: problem, OfItem: true}
		return r
	}
	r.Key = listed.ID.String()
	r.Item.AppID = listed.Instance.AppID
	r.Item.Created = listed.Instance.Created.Time
	r.ItemID = dialogid.V7(listed.ID.GUID, r.Item.Created)
	return r
}

// GivenRow makes a row of an item that was named and not listed.
func GivenRow(key string, item delivery.Item) Row { return Row{Key: key, Item: item} }

// PageKey is the same for two rows of one item: Storage's key is the GUID, whatever party stands before it.
func (r *Row) PageKey() string {
	if r.ItemID == uuid.Nil {
		return r.Key
	}
	return r.ItemID.String()
}

// malformedKey names an item that cannot be named by its key: by the key if only something else is wrong, or else by a
// digest of the row, which may hold a person and is therefore not repeated itself.
func malformedKey(listed *storage.Listed) string {
	if !listed.ID.IsZero() {
		return listed.ID.String()
	}
	const digits = 16
	digest := sha256.Sum256(listed.Raw)
	return "malformed:" + hex.EncodeToString(digest[:])[:digits]
}

// Malformed tells that the row could not be read.
func (r *Row) Malformed() bool { return r.failure != nil && r.failure.Reason == reasonMalformed }

// Settled tells that the row has an outcome: it is recorded with its page.
func (r *Row) Settled() bool { return r.settled }

// Pending is why a row that was tried has no outcome; nil for one that has, or was not tried.
func (r *Row) Pending() *delivery.Failure { return r.pending }

// Failure is why the item goes to quarantine; nil when it does not.
func (r *Row) Failure() *delivery.Failure { return r.failure }

// Result is what came of the row, once it is settled without a failure.
func (r *Row) Result() delivery.Result { return r.result }

// Repeat settles a row that needs nothing done.
func (r *Row) Repeat() { r.Repeated, r.settled = true, true }

// Changed is the listed lastChanged in microseconds; zero when the row was not listed or has none.
func (r *Row) Changed() time.Time { return changedAt(r.Listed) }

// ChangedAt is a listed row's lastChanged in UTC and microseconds, as Storage sorts by; zero when the row has none.
func ChangedAt(listed *storage.Listed) time.Time { return changedAt(listed.Instance) }

func changedAt(instance *altinn.Instance) time.Time {
	if instance == nil || instance.LastChanged == nil || instance.LastChanged.IsZero() {
		return time.Time{}
	}
	return instance.LastChanged.UTC().Truncate(time.Microsecond)
}

// settled is a row that can tell whether it has an outcome.
type settled[R any] interface {
	*R
	Settled() bool
}

// SettledPrefix is how many rows from the front have an outcome: as much as a checkpoint can stand for.
func SettledPrefix[R any, P settled[R]](rows []R) int {
	for i := range rows {
		if !P(&rows[i]).Settled() {
			return i
		}
	}
	return len(rows)
}

// SettledRows are those that have an outcome.
func SettledRows[R any, P settled[R]](rows []R) []P {
	found := make([]P, 0, len(rows))
	for i := range rows {
		if r := P(&rows[i]); r.Settled() {
			found = append(found, r)
		}
	}
	return found
}

func (r *Row) settle(result delivery.Result) {
	r.settled, r.result, r.failure, r.pending = true, result, nil, nil
	r.ItemID, r.asItStands = result.ItemID, false
}

func (r *Row) fail(failure delivery.Failure, readAt time.Time) {
	r.settled, r.failure, r.pending = true, &failure, nil
	r.result.ReadAt = readAt
}

// Cause is why the row failed, if it did and that is news.
func (r *Row) Cause() *delivery.Failure {
	if r.Repeated {
		return nil
	}
	return cmp.Or(r.failure, r.pending)
}

// Undecided tells that a row was tried and has no outcome.
func (r *Row) Undecided() bool { return r.pending != nil }

// TakeBack takes an outcome back.
func (r *Row) TakeBack(cause *delivery.Failure) {
	r.settled, r.failure, r.pending = false, nil, cause
}

// GiveUp makes a failure the row's outcome.
func (r *Row) GiveUp(cause delivery.Failure, readAt time.Time) { r.fail(cause, readAt) }

// AccountsOf counts a page: seen from the listing, the rest from the outcomes.
func AccountsOf(rows []*Row) Accounts {
	var a Accounts
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

// VersionFilter narrows a query to a source's instances: Altinn's main version is the line between the two sources in Storage
// (Storage reference 3.4).
func VersionFilter(source ledger.Source, q *storage.Query) {
	const a3 = 3
	version := a3
	if source == ledger.A2ArchivedForms {
		q.MainVersionExclude = &version
		return
	}
	q.MainVersionInclude = &version
}
