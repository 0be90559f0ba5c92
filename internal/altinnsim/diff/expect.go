package diff

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// What is expected of an instance's dialog.
const (
	expectAlive   = "alive"
	expectDeleted = "deletedOrNone"
	expectNone    = "none"
	expectNoParty = "noParty"
	expectNothing = "notSynced" // whatever there is, is right
)

// labelPrefix begins the label that binds a dialog to its instance.
const labelPrefix = "urn:altinn:integration:storage:"

// expectation is what a dialog must be.
type expectation struct {
	presence string
	dialogID uuid.UUID
	label    string
	party    string
	resource string
	created  []time.Time // any of these
	status   string      // "": any
	optional bool        // alive, but it need not be there
}

// expect says what an instance's dialog must be (app-instances reference, chapters 2, 4, 5, 11, 13).
func expect(item storage.Item, settings storage.Settings, partyURN func(int32) string) expectation {
	row := item.Row
	facts := item.Facts()
	e := expectation{
		presence: expectAlive, dialogID: storage.DialogID(row.GUID, row.Created), label: labelPrefix + row.Key(),
		resource: "urn:altinn:resource:app_" + strings.ReplaceAll(item.AppID, "/", "_"), optional: settings.DisableCreate,
	}
	if settings.DisableSync || value(facts.Values, "dialog.disableAutomaticSync") == "true" {
		e.presence = expectNothing
		return e
	}
	if settings.EnableUserSuppliedDialogID {
		id, err := uuid.Parse(value(facts.Values, storage.DialogIDKey))
		if err != nil {
			e.presence = expectNothing
			return e
		}
		e.dialogID = id
	}
	deleted := row.Flags&(storage.SoftDeleted|storage.HardDeleted) != 0
	switch {
	case deleted && settings.DisableDelete:
		e.presence = expectNothing
		return e
	case row.Flags.Has(storage.HardDeleted):
		e.presence = expectNone
		return e
	}
	e.party = partyURN(row.Party)
	switch {
	case deleted:
		// Whether its party was known when it was made does not matter.
		e.presence = expectDeleted
		return e
	case e.party == "":
		e.presence = expectNoParty
		return e
	}
	e.created = []time.Time{time.UnixMicro(row.Created)}
	// A dialog that is to be visible later counts as created then (Dialogporten reference, chapter 12). Apps cut that time
	// to milliseconds, so that it lies just before an instance's creation: which is later than now if the clock that
	// stamped it was fast.
	const cut = 1000
	if visible, ok := storage.ParseTime(facts.VisibleAfter); ok && visible > row.Created-cut {
		e.created = append(e.created, time.UnixMicro(visible))
	}
	e.status = status(row, facts, settings)
	return e
}

func value(values []storage.Value, key string) string {
	for _, v := range slices.Backward(values) {
		if v.Key == key {
			return strings.ToLower(strings.TrimSpace(v.Value))
		}
	}
	return ""
}

// status is the dialog status that an instance's state stands for (app-instances reference, chapter 5). The first that
// holds wins.
func status(row storage.Row, facts storage.Facts, settings storage.Settings) string {
	confirmed := len(facts.Confirmations) > 0 || value(facts.Values, "A1ArchRef") != "" || value(facts.Values, "A2ArchRef") != ""
	task := strings.ToLower(facts.TaskType)
	switch {
	case settings.DisableSyncStatus:
		return ""
	case row.Flags.Has(storage.Archived) && confirmed && settings.NotCompletedWhenConfirmed:
		return ""
	case row.Flags.Has(storage.Archived) && confirmed:
		return "Completed"
	case row.Flags.Has(storage.Archived):
		return "Awaiting"
	case task == "reject":
		return "RequiresAttention"
	case task == "feedback":
		return "Awaiting"
	case task == "confirmation", task == "signing", facts.Feedback, facts.FirstByOrg:
		return "InProgress"
	}
	return "Draft"
}

// labelledKey is the item that a storage label names.
func labelledKey(label string) (key string, guid uuid.UUID, ok bool) {
	key, ok = strings.CutPrefix(label, labelPrefix)
	if !ok {
		return "", uuid.Nil, false
	}
	party, text, _ := strings.Cut(key, "/")
	if _, err := strconv.ParseInt(party, 10, 32); err != nil {
		return key, uuid.Nil, true
	}
	guid, _ = uuid.Parse(text) // an unreadable guid is the nil guid, which nobody has
	return key, guid, true
}
