package reconcile

import (
	"strings"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
)

// Remedy is what a person can know and do about a reason code.
type Remedy struct {
	// Means says what the code stands for; Do what a person can do about it, in words.
	Means string `json:"means"`
	Do    string `json:"do"`
}

// RemedyFor gives the remedy for the code of an item that was skipped or stands in quarantine. Sources use some codes differently.
// Every code has one: what is not known by name is told by its kind.
func RemedyFor(source ledger.Source, reason string) Remedy {
	ownTable := instanceRemedies
	if source == ledger.A2Correspondence {
		ownTable = messageRemedies
	}
	if r, found := ownTable[reason]; found {
		return r
	}
	if r, found := callRemedies[reason]; found {
		return r
	}
	found, kind := Remedy{}, ""
	for prefix, r := range kindRemedies {
		if strings.HasPrefix(reason, prefix) && len(prefix) > len(kind) { // the longest says most
			found, kind = r, prefix
		}
	}
	if kind != "" {
		return found
	}
	return Remedy{"a reason that this version does not know", "read its detail; 'item explain' tells what is known of the item"}
}

// Sentences that several remedies share.
const (
	doRepeat    = "sync the item again"
	doNothing   = "nothing: that is as it should be"
	doSyncAgain = "sync the item again; if it stays so, ask those who run the service"
	doAskOwner  = "ask the service owner to mend the data of the instance, then sync the item"
	doAltinn2   = "see to the message in Altinn 2, then sync the item"
)

// instanceRemedies are those of app instances and archived forms.
//
//nolint:gochecknoglobals // a table
var instanceRemedies = map[string]Remedy{
	delivery.ReasonGone:        {"Storage has no such instance, and there is no dialog", doNothing},
	delivery.ReasonHardDeleted: {"the instance is permanently deleted, and there is no dialog", doNothing},
	delivery.ReasonNotArchived: {"a form of Altinn 1 or 2 that was never completed; such are not migrated", doNothing},
	delivery.ReasonSyncDisabled: {
		"the application has switched synchronisation off (disableSync)",
		"ask the service owner, who can switch it on",
	},
	delivery.ReasonInstanceSyncDisabled: {
		"the instance has switched synchronisation off (dialog.disableAutomaticSync)",
		"ask the service owner, who can take the data value away",
	},
	delivery.ReasonCreateDisabled: {
		"the application makes its dialogs itself (disableCreate)",
		"ask the service owner why it made none",
	},
	delivery.ReasonDeleteDisabled: {
		"the application deletes its dialogs itself (disableDelete)",
		"ask the service owner whether the dialog is to stay",
	},
	delivery.ReasonInvalidDialogID: {
		"the dialog id that the application chose is no UUIDv7 of the past",
		"ask the service owner to mend the data value dialog.id, then sync the item",
	},
	delivery.ReasonForeignDialog: {
		"the dialog id that the application chose is another instance's",
		"ask the service owner which instance the dialog belongs to, then sync the item",
	},
	delivery.ReasonNoSingleDialog: {
		"the instance is gone, and not exactly one dialog carries its label",
		"find its dialogs by their label in Dialogporten, and purge there what is left over",
	},

	delivery.ReasonAppUnknown:  {"the instance is gone, and nobody says of which application it was", "sync the item with --app-id"},
	delivery.ReasonOtherSource: {"it was ordered as an item of another source", "sync the item without --source"},
	delivery.ReasonCreatedMissing: {
		"Storage's instance has no creation time, which the dialog's id is made from",
		"ask those who run Storage to mend it, then sync the item",
	},
	delivery.ReasonCreatedUnknown:  {"the instance is gone, and nobody says when it was created", "sync the item with --created"},
	delivery.ReasonDialogIDChanged: {"the instance's dialog id changed while it was read", doRepeat},
	delivery.ReasonEventsMissing:   {"Storage has the instance and not its events", doSyncAgain},
	delivery.ReasonPartyMissing:    {"the instance has no owner's party id", "ask those who run Storage to mend it, then sync the item"},
	delivery.ReasonUserSuppliedMissing: {
		"the application chooses dialog ids, and has chosen none for this instance",
		"ask the service owner to set the data value dialog.id; its change brings the item over by itself",
	},

	string(mapping.ReasonPartyNotFound): {
		"Register does not know the owner; nobody else gets the dialog instead",
		"look the party up in Register. It may be minutes behind, or the party is merged or struck off: then mend it there, and " +
			"sync the item",
	},
	string(mapping.ReasonActorUnresolvable): {
		"nobody can be named as the one who did something with the instance",
		"look the user or party of the event up in Register, mend it there, then sync the item",
	},
	string(mapping.ReasonPartyUnusable): {
		"Register's record of the party holds no number and no user name",
		"ask those who run Register to mend it, then sync the item",
	},
	string(mapping.ReasonInstanceMissing): {"there was no instance to make a dialog from", doSyncAgain},
	string(mapping.ReasonApplicationMissing): {
		"Storage does not have the instance's application",
		"ask the service owner to publish the application's metadata again, then sync the item",
	},
	string(mapping.ReasonDialogMissing):         {"the dialog went away while it was updated", doRepeat},
	string(mapping.ReasonInstanceIncomplete):    {"the instance lacks a member, or has it malformed; the detail names it", doAskOwner},
	string(mapping.ReasonEventIncomplete):       {"an event of the instance lacks its id or time", doAskOwner},
	string(mapping.ReasonDataElementIncomplete): {"a data element of the instance lacks its id or time", doAskOwner},
	string(mapping.ReasonTitleMissing): {
		"neither texts nor application give the dialog a title",
		"ask the service owner to give the application a title, then sync the item",
	},
	string(mapping.ReasonSettingsInvalid): {
		"dialogsync itself is set up wrongly",
		"mend the settings that the detail names, restart the workers, then sync the item",
	},
	"malformed_instance": {
		"what Storage lists cannot be read as an instance",
		"ask those who run Storage to mend the row; the key is a digest of it where it has no id",
	},
	"wait_for_pdf": {"the PDF of a submission is not made yet", "wait; past some tries it is written without"},
}

// messageRemedies are those of messages of Altinn 2.
//
//nolint:gochecknoglobals // a table
var messageRemedies = map[string]Remedy{
	"purged": {"the message is permanently deleted", doNothing},
	"resource_left_out": {
		"operators chose not to bring messages of its resource over",
		"nothing, if that is still so; else change DIALOGSYNC_MESSAGE_RESOURCES or DIALOGSYNC_MESSAGE_RESOURCES_DENIED and " +
			"order its days as a backfill",
	},
	"too_young": {
		"messages of its resource are brought over when they are older, by DIALOGSYNC_MESSAGE_MIN_AGE", "nothing: live takes it up then",
	},
	"recipient_deceased": {"the recipient is deceased; such messages are not brought over", doNothing},
	"half_done":          {"its dialog was there although Correspondence called it refused; it is taken as made", doNothing},

	"message_unknown": {"Altinn 2 has no message of this number", "see whether the number is right"},
	"malformed_message": {
		"what Altinn 2 exports cannot be read as a message",
		"ask those who run the export to mend the record, then sync the item",
	},
	"attachment_empty":    {"an attachment has no bytes, and Correspondence takes none such", doAltinn2},
	"attachment_missing":  {"Altinn 2 names an attachment that it does not have", doAltinn2},
	"attachment_checksum": {"the bytes of an attachment do not have the checksum that Altinn 2 gives for them", doAltinn2},
	"dialog_refused": {
		"stored in Correspondence, but Dialogporten refused its dialog, and nobody passes on why",
		"compare the message with the limits of dialogs (title, tags, reply addresses), mend it in Altinn 2 or have the mapping " +
			"changed, then sync the item with --migration",
	},
	"dialog_failed": {
		"Correspondence could not make the dialog: an actor may be unknown to its register, or a service behind it was down",
		"look the item's id up in Correspondence's log; when the cause is mended, sync the item with --migration",
	},
	"dialog_lost": {
		"Correspondence says that the message has its dialog, but Dialogporten does not have it",
		"ask those who run Correspondence and Dialogporten what removed it: Correspondence makes no second one as long as it " +
			"keeps its reference. When that is gone, sync the item with --migration",
	},
	"dialog_deleted": {"the message is alive, but its dialog is deleted", "ask those who run Correspondence to restore the dialog"},
	"dialog_orphaned": {
		"Correspondence does not know the message that it stored, and its dialog is still there",
		"ask those who run Correspondence; if the item cannot come back, have the dialog purged, then sync the item",
	},
	"correspondence_lost": {"Correspondence does not know the message that it stored", "sync the item: it is migrated anew"},
	"not_transferred":     {"the second stage met a message that the first had not brought over", "sync the item with --migration"},
	"purged_in_doubt": {
		"purged in Altinn 2 after it had been sent without an answer",
		"see in Correspondence whether it is there, and purge it there",
	},
	"deceased_in_doubt": {
		"the recipient died after it had been sent without an answer",
		"see in Correspondence whether it is there; it is not sent again",
	},
	"busy":              {"another worker was bringing the message over", doRepeat},
	"answer_lost":       {"it was sent and no answer came, so it may be stored over there", "sync the item: a repetition changes nothing"},
	"dialog_ordered":    {"it was sent with an order for its dialog, which is looked for ten minutes later", doNothing},
	"undated":           {"it is hidden still, and is read again before its dialog is made, or that would be dated today", doNothing},
	"sender_missing":    {"the message's sender has no organisation number", doAltinn2},
	"recipient_unknown": {"the message's recipient has no identifier of its kind; nobody else gets it instead", doAltinn2},
	"resource_missing":  {"the message has neither a resource nor the codes that one is made of", doAltinn2},
	"created_missing":   {"the message has no creation time, which dates its dialog", doAltinn2},
	"not_published": {
		"the message was never published, so its dialog would be dated today",
		"see in Altinn 2 whether it reached its recipient",
	},
	"created_ahead": {
		"the message was created later than now, and Dialogporten takes no dialog of the future",
		"see to the clocks, or in Altinn 2 to the message; it is tried again by itself",
	},
	"purge_event_missing": {"the message is purged, and its events do not say by whom", "see to its events in Altinn 2, then sync the item"},
	"event_type_unknown": {
		"an event of the message is of a type that nobody has described",
		"report it: the mapping must learn the type first",
	},
	"notification_channel_unknown": {
		"a notification of the message went by a channel that nobody has described",
		"report it: the mapping must learn the channel first",
	},
}

// callRemedies are for how a call ended, of whatever source.
//
//nolint:gochecknoglobals // a table
var callRemedies = map[string]Remedy{
	"http_400": {
		"a service found fault with what was sent; the detail names the members",
		"report it with the item's key: the data or the mapping must be mended first, then sync the item",
	},
	"http_404": {"a service does not have what was asked for", doSyncAgain},
	"http_409": {"somebody else wrote the dialog at the same time, again and again", doSyncAgain},
	"http_410": {"the dialog was removed while it was written", doSyncAgain},
	"http_412": {"somebody else wrote the dialog at the same time, again and again", doSyncAgain},
	"http_413": {
		"what was sent is larger than the service takes",
		"report it with the item's key: it must become smaller at its source, then sync the item",
	},
	"http_422": {
		"a service refused the content; the detail names the members",
		"report it with the item's key: the data or the mapping must be mended first, then sync the item",
	},
	"http_429":  {"a service asked for less", doRepeat},
	"transient": {"a call failed in a way that goes away by itself", doSyncAgain},
	"conflict":  {"somebody else wrote at the same time, again and again", doSyncAgain},
	"gone":      {"what was to be changed was removed meanwhile", doSyncAgain},
	"not_found": {"what was asked for is not there", doSyncAgain},
	"permanent": {"a call failed in a way that stays", "report it with the item's key and the detail"},
	"systemic":  {"a service is down or refuses our credentials; the item is not to blame", "mend the service, then sync the item"},
	"canceled":  {"the delivery was stopped half-way", doRepeat},
	"unknown":   {"a failure that fits no class", "report it with the item's key and the detail"},
}

// kindRemedies are for families of codes, by their beginning.
//
//nolint:gochecknoglobals // a table
var kindRemedies = map[string]Remedy{
	"correspondence_": {
		"Correspondence refused the message with that error code; the detail names the members",
		"mend the message in Altinn 2 or have the mapping changed, then sync the item",
	},
	"http_5": {"a service failed for this item, while others went well", doSyncAgain},
	"http_4": {"a service refused the request", "report it with the item's key and the detail"},
	"http_":  {"a service answered with something that nobody expects", "report it with the item's key and the detail"},
	"record_refused_": {
		"PostgreSQL refuses to record what came of the item, with that SQLSTATE",
		"report it with the item's key and the detail: the program or its schema is at fault; then sync the item",
	},
}
