package reconcile

import (
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Explanation is everything known of one item. It holds no person: no name, number or title (Invariant 12). Times are UTC, by the
// database's clock where this program wrote them.
type Explanation struct {
	// Item is the key as it was asked for, in its plain form. ItemID is the ledger's key; zero as long as the creation time is unknown.
	Item   string        `json:"item"`
	Source ledger.Source `json:"source,omitempty"`
	ItemID uuid.UUID     `json:"itemId,omitzero"`
	At     time.Time     `json:"at"`

	Origin     Origin            `json:"origin"`
	Ledger     *LedgerFacts      `json:"ledger,omitempty"`
	Message    *MessageFacts     `json:"message,omitempty"`
	Quarantine []QuarantinedItem `json:"quarantine"`
	Inbox      *InboxFacts       `json:"inbox,omitempty"`
	// History has an entry for each of the source's history streams: of instances one, of messages transfer and publish.
	History []HistoryFacts `json:"history"`
	Live    LiveFacts      `json:"live"`
	Dialog  DialogFacts    `json:"dialog"`
	// Delivery is what bringing the item over would do now, as far as it can be told without sending anything.
	Delivery *DeliveryFacts `json:"delivery,omitempty"`

	Verdict Verdict `json:"verdict"`
}

// OriginState is how an item stands where it comes from.
type OriginState string

// The states.
const (
	OriginExists      OriginState = "exists"
	OriginSoftDeleted OriginState = "soft_deleted"
	// OriginPurged is permanently deleted, and still answers.
	OriginPurged OriginState = "purged"
	// OriginGone: the source says in so many words that it has no such item.
	OriginGone OriginState = "gone"
	// OriginUnreadable: nothing is proven either way; Problem says why.
	OriginUnreadable OriginState = "unreadable"
)

// Origin is the item where it comes from: Storage or Altinn 2.
type Origin struct {
	System  string      `json:"system"`
	State   OriginState `json:"state"`
	Problem string      `json:"problem,omitempty"`
	// Key is the item's own where another was asked for: the party may have changed.
	Key     string    `json:"key,omitempty"`
	Created time.Time `json:"created,omitzero"`
	// Changed is lastChanged of an instance, changedAt of a message.
	Changed  time.Time `json:"changed,omitzero"`
	Org      string    `json:"org,omitempty"`
	AppID    string    `json:"appId,omitempty"`
	Archived bool      `json:"archived,omitempty"`
	// MainVersion is of which Altinn an instance came: 1, 2 or 3.
	MainVersion int `json:"mainVersion,omitempty"`
	// Switches are those of the application that are on.
	Switches []string `json:"switches,omitempty"`
	// ResourceID and ChangeSeq are a message's.
	ResourceID string `json:"resourceId,omitempty"`
	ChangeSeq  int64  `json:"changeSeq,omitempty"`
}

// LedgerFacts are the item's row.
type LedgerFacts struct {
	Outcome     ledger.Outcome     `json:"outcome"`
	Reason      string             `json:"reason,omitempty"`
	Remedy      *Remedy            `json:"remedy,omitempty"`
	DialogState ledger.DialogState `json:"dialogState"`
	// SourceChanged is the change that was brought over; zero where it is open which one was.
	SourceChanged  time.Time `json:"sourceChanged,omitzero"`
	ReadAt         time.Time `json:"readAt"`
	RecordedAt     time.Time `json:"recordedAt"`
	MappingVersion int16     `json:"mappingVersion"`
	// By is `backfill`, or `live` for live sync and single deliveries.
	By         string `json:"by"`
	BackfillID int64  `json:"backfillId,omitempty"`
	WindowID   int64  `json:"windowId,omitempty"`
}

// MessageFacts are a message's row.
type MessageFacts struct {
	Stage   db.MessageStage `json:"stage"`
	Outcome ledger.Outcome  `json:"outcome"`
	Reason  string          `json:"reason,omitempty"`
	Remedy  *Remedy         `json:"remedy,omitempty"`
	// DueAt is when it is looked at again unasked; zero: never.
	DueAt            time.Time `json:"dueAt,omitzero"`
	ChangeSeq        int64     `json:"changeSeq"`
	CorrespondenceID uuid.UUID `json:"correspondenceId,omitzero"`
	MappingVersion   int16     `json:"mappingVersion"`
}

// dialogUnderWay tells whether Correspondence may be making the dialog that live ordered. Any other time to look again says nothing of it.
func (m *MessageFacts) dialogUnderWay(now time.Time) bool {
	return m.Reason == message.ReasonDialogOrdered && m.DueAt.After(now)
}

// InboxFacts are deliveries that the item is owed by live.
type InboxFacts struct {
	// Events are those that wait in the inbox; of a message, which has none, 1.
	Events int64 `json:"events"`
	// Parked of them have no job: they wait for their stream.
	Parked   int64     `json:"parked"`
	Oldest   time.Time `json:"oldest"`
	DueAt    time.Time `json:"dueAt"`
	Attempts int16     `json:"attempts"`
	Failure  string    `json:"failure,omitempty"`
}

// HistoryFacts tell whether history has been where the item lies.
type HistoryFacts struct {
	// Stream is `history`, or `transfer` or `publish` for messages.
	Stream   string    `json:"stream"`
	Org      string    `json:"org,omitempty"`
	Position time.Time `json:"position"`
	// Closed: the position lies inside closed coverage (Invariant 6).
	Closed bool `json:"closed"`
	// Stopped says why the stream stands still; empty: it may run.
	Stopped string `json:"stopped,omitempty"`
	// Windows are those that the position lies in, of the newest backfill first.
	Windows []WindowFacts `json:"windows"`
}

// WindowFacts are a window and its backfill.
type WindowFacts struct {
	BackfillID    int64     `json:"backfillId"`
	BackfillState string    `json:"backfillState"`
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	State         string    `json:"state"`
	Reached       time.Time `json:"reached"`
	ClosedAt      time.Time `json:"closedAt,omitzero"`
	Failure       string    `json:"failure,omitempty"`
}

// LiveFacts tell how far live is, and how it and history stand.
type LiveFacts struct {
	// Since is when live began: what changed before is history's. Zero: it never did.
	Since time.Time `json:"since,omitzero"`
	// To is the live watermark; Position how far it is in the item's organisation; HeldBy why that does not move.
	To       time.Time `json:"to,omitzero"`
	Position time.Time `json:"position,omitzero"`
	HeldBy   string    `json:"heldBy,omitempty"`
	// Passed: the item's last change lies before the position, so that live should have brought it over.
	Passed bool `json:"passed"`
	// Stopped says why the stream stands still; empty: it may run.
	Stopped string `json:"stopped,omitempty"`
}

// DialogFacts are what Dialogporten has.
type DialogFacts struct {
	// ID is the dialog that belongs to the item; zero when that cannot be told.
	ID     uuid.UUID `json:"id,omitzero"`
	Exists bool      `json:"exists"`
	// Problem says why it could not be read; Exists then tells nothing.
	Problem   string    `json:"problem,omitempty"`
	Revision  uuid.UUID `json:"revision,omitzero"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
	DeletedAt time.Time `json:"deletedAt,omitzero"`
	Status    string    `json:"status,omitempty"`
	Labels    []string  `json:"labels,omitempty"`
	// Visible: an end user of the party sees it in the inbox, the bin or the archive; Hidden says why not.
	Visible bool   `json:"visible"`
	Hidden  string `json:"hidden,omitempty"`
}

// DeliveryFacts are what a delivery would come to now.
type DeliveryFacts struct {
	Outcome ledger.Outcome `json:"outcome"`
	Reason  string         `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Remedy  *Remedy        `json:"remedy,omitempty"`
}

// Verdict is what it all comes to.
type Verdict struct {
	// Code is stable; Text one sentence; Next the command to type next, empty when there is nothing to do.
	Code VerdictCode `json:"code"`
	Text string      `json:"text"`
	Next string      `json:"next,omitempty"`
}

// VerdictCode is a stable word for a verdict.
type VerdictCode string

// The codes.
const (
	VerdictWell        VerdictCode = "well"
	VerdictUnknown     VerdictCode = "unknown"
	VerdictUnreadable  VerdictCode = "unreadable"
	VerdictQuarantined VerdictCode = "quarantined"
	VerdictSkipped     VerdictCode = "skipped"
	VerdictWaiting     VerdictCode = "waiting"
	VerdictStopped     VerdictCode = "stopped"
	VerdictHidden      VerdictCode = "hidden"
	VerdictWouldFail   VerdictCode = "would_fail"
	VerdictNotOrdered  VerdictCode = "not_ordered"
	VerdictNotReached  VerdictCode = "not_reached"
	VerdictGap         VerdictCode = "gap"
	VerdictDialogLost  VerdictCode = "dialog_lost"
	VerdictOutOfDate   VerdictCode = "out_of_date"
	VerdictUnpublished VerdictCode = "unpublished"
)

// Known tells whether anything at all is known of the item, anywhere.
func (e *Explanation) Known() bool {
	return e.Origin.State != OriginGone || e.Ledger != nil || e.Message != nil || len(e.Quarantine) > 0 || e.Inbox != nil || e.Dialog.Exists
}

// Complete tells whether everything could be read.
func (e *Explanation) Complete() bool {
	return e.Origin.State != OriginUnreadable && e.Dialog.Problem == ""
}
