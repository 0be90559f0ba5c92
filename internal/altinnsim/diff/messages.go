package diff

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/correspondence"
	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// The kinds of differences that only messages have. Missing, Deleted, Undeleted, Unexpected, WrongParty, WrongRes,
// WrongDate, WrongStatus, WrongLabel and Orphan mean the same as for instances.
const (
	Hidden       Kind = "hidden"        // the item is stored, and nobody sees it
	NoDialog     Kind = "dialogMissing" // the item refers to a dialog that is not there
	Doubled      Kind = "doubled"       // an item has several dialogs
	WrongUpdated Kind = "updatedAt"     // the dialog sorts at another time in the inbox
	WrongEvents  Kind = "events"        // something that happened to the message is not in the item
	WrongHistory Kind = "activities"    // the dialog's activities are not those of the message
	WrongFiles   Kind = "attachments"   // the item has other attachments
	UnpurgedItem Kind = "unpurgedItem"  // the message is gone for good, and its item is not
)

// Reasons for which a message cannot be brought over as it is.
const (
	heldNoEvent   = "noPublishedEvent"
	heldFile      = "badAttachment"
	heldActor     = "unknownActor"
	heldAhead     = "eventAhead"
	heldRecipient = "unknownRecipient"
)

const (
	correspondenceLabel = "urn:altinn:correspondence-id:"
	urnSelfIdentified   = "urn:altinn:person:legacy-selfidentified:"
	urnPartyUUID        = "urn:altinn:party:uuid:"

	dateTolerance  = time.Second
	clockTolerance = 15 * time.Second // how far ahead an event may be (9.11)
)

// MessageReport is the comparison of the messages of Altinn 2 with their items and dialogs.
type MessageReport struct {
	Messages int            `json:"messages"` // in scope
	Items    int            `json:"items"`
	Equal    int            `json:"equal"`
	Skipped  map[string]int `json:"skipped"` // messages that are not to be brought over: purged, deceased
	// Held are messages that cannot be brought over as they are, by reason: that they are missing or hidden is right.
	Held        map[string]int `json:"held"`
	Differing   int            `json:"differing"`
	Counts      map[Kind]int   `json:"counts"`
	Differences []Difference   `json:"differences"` // the first ones
	TookMs      int64          `json:"tookMs"`
}

// MessageSources are the messages of Altinn 2.
type MessageSources interface {
	Each(yield func(altinn2.Record) bool)
	Sum(a altinn2.Attachment) string
	Len() int
}

// Items are what Correspondence made of them.
type Items interface {
	Each(yield func(correspondence.Item) bool)
	Item(altinn2ID int32) (correspondence.Item, bool)
	FileID(altinn2ID string) (uuid.UUID, bool)
	Len() int
}

// MessageParties are who messages are about.
type MessageParties interface {
	ByURN(urn string) (world.Party, bool)
}

// messageComparison is a run.
type messageComparison struct {
	now     time.Time
	first   int
	sources MessageSources
	items   Items
	parties MessageParties
	dialogs map[uuid.UUID]dialogporten.Summary
	byItem  map[uuid.UUID][]uuid.UUID // dialogs by the item that they name
	known   map[int32]bool
	report  *MessageReport
}

// Messages compares messages with items and dialogs. It says what must be from the reference alone, and nothing when there
// are neither messages nor items. From and To of the scope are about created, Org about the resource's owner.
func Messages(
	ctx context.Context, scope Scope, now time.Time, sources MessageSources, items Items, parties MessageParties, dialogs Dialogs,
) (*MessageReport, error) {
	if sources.Len() == 0 && items.Len() == 0 || scope.MainVersion != 0 {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	began := time.Now()
	c := &messageComparison{
		now: now, first: scope.First, sources: sources, items: items, parties: parties, known: map[int32]bool{},
		dialogs: map[uuid.UUID]dialogporten.Summary{}, byItem: map[uuid.UUID][]uuid.UUID{},
		report: &MessageReport{Skipped: map[string]int{}, Held: map[string]int{}, Counts: map[Kind]int{}, Differences: []Difference{}},
	}
	if c.first == 0 {
		c.first = defaultFirst
	}
	dialogs.Each(func(s dialogporten.Summary) bool {
		for _, label := range s.Labels {
			if text, ok := strings.CutPrefix(label, correspondenceLabel); ok {
				c.dialogs[s.ID] = s
				if id, err := uuid.Parse(text); err == nil {
					c.byItem[id] = append(c.byItem[id], s.ID)
				}
			}
		}
		return ctx.Err() == nil
	})
	sources.Each(func(m altinn2.Record) bool {
		c.known[m.ID] = true
		if scope.has(m) {
			c.compare(m)
		}
		return ctx.Err() == nil
	})
	named := map[uuid.UUID]bool{}
	items.Each(func(i correspondence.Item) bool {
		c.report.Items++
		named[i.ID] = true
		if !i.Native && !c.known[i.Altinn2ID] {
			c.tell(true, Orphan, i.Altinn2ID, "", "an item of a message that is not there")
		}
		return ctx.Err() == nil
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compare messages: %w", err)
	}
	for item := range c.byItem {
		if named[item] {
			continue
		}
		for _, id := range c.alive(item) {
			c.tell(true, Orphan, 0, id.String(), "a dialog that names an item that is not there")
		}
	}
	c.report.TookMs = time.Since(began).Milliseconds()
	return c.report, nil
}

// has says whether a message is in scope.
func (s Scope) has(m altinn2.Record) bool {
	org, _, _ := strings.Cut(m.ResourceID, "-")
	return (s.Org == "" || s.Org == org) && (s.From.IsZero() || !m.Created.Before(s.From)) && (s.To.IsZero() || m.Created.Before(s.To))
}

// found is what Correspondence made of a message.
type found struct {
	item      correspondence.Item
	stored    bool
	dialog    dialogporten.Summary
	hasDialog bool
}

func (f found) dialogID() string {
	if !f.hasDialog {
		return ""
	}
	return f.dialog.ID.String()
}

// compare compares one message with its item and its dialog.
func (c *messageComparison) compare(m altinn2.Record) {
	c.report.Messages++
	before := c.report.Differing
	var f found
	f.item, f.stored = c.items.Item(m.ID)
	f.dialog, f.hasDialog = c.dialogOf(f.item)
	switch {
	case m.Deletion == altinn2.DeletionPurged:
		c.report.Skipped["purged"]++
		c.comparePurged(m, f)
	case m.Recipient.Deceased:
		c.report.Skipped["deceased"]++
		if f.stored && !f.item.Purged() {
			c.tell(true, Unexpected, m.ID, f.dialogID(), "the recipient is dead, and the message was brought over")
		} else if id, ok := c.livingOf(f); ok {
			c.tell(true, Undeleted, m.ID, id, "the recipient is dead, the item is purged, and a dialog that names it is alive")
		}
	default:
		reason := c.held(m)
		visible := f.stored && !f.item.Hidden
		if reason != "" && !visible {
			c.report.Held[reason]++
			if id, ok := c.livingOf(f); ok {
				c.tell(true, Unexpected, m.ID, id, "the item is hidden, and a dialog that names it is alive")
			}
			return
		}
		c.compareLiving(m, f)
	}
	if c.report.Differing == before {
		c.report.Equal++
	}
}

func (c *messageComparison) dialogOf(item correspondence.Item) (dialogporten.Summary, bool) {
	text, ok := item.DialogID()
	if !ok {
		return dialogporten.Summary{}, false
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return dialogporten.Summary{}, false
	}
	found, ok := c.dialogs[id]
	return found, ok && slices.Contains(c.byItem[item.ID], id)
}

// alive are the living dialogs that name an item.
func (c *messageComparison) alive(item uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(c.byItem[item]), func(id uuid.UUID) bool { return c.dialogs[id].DeletedAt != nil })
}

// livingOf is a living dialog of an item that should have none, whether the item refers to it or not (chapter 15: half-done, orphan).
func (c *messageComparison) livingOf(f found) (string, bool) {
	if !f.stored {
		return "", false
	}
	alive := c.alive(f.item.ID)
	if len(alive) == 0 {
		return "", false
	}
	return alive[0].String(), true
}

// comparePurged compares a message that is gone for good: it was never brought over, or it is gone there too.
func (c *messageComparison) comparePurged(m altinn2.Record, f found) {
	switch {
	case !f.stored:
	case !f.item.Purged():
		c.tell(true, UnpurgedItem, m.ID, f.dialogID(), "the message is gone for good, and its item is not")
	default:
		if id, ok := c.livingOf(f); ok {
			c.tell(true, Undeleted, m.ID, id, "the message is gone for good, and its dialog is alive")
		}
	}
}

// held says why a message cannot be brought over as it is, "" when it can (17.2, 17.5, 9.11).
func (c *messageComparison) held(m altinn2.Record) string {
	if c.becomesAhead(m) {
		return heldAhead
	}
	if _, published := earliest(m, altinn2.EventPublished); !published && !m.VisibleFrom.After(c.now) {
		return heldNoEvent
	}
	for _, a := range m.Attachments {
		if a.Size == 0 || a.MD5 != "" && a.MD5 != c.sources.Sum(a) {
			return heldFile
		}
	}
	if _, ok := c.party(m); !ok {
		return heldRecipient
	}
	for _, kind := range [...]string{altinn2.EventRead, altinn2.EventConfirmed} {
		if kind == altinn2.EventConfirmed && !m.ConfirmationRequired {
			continue
		}
		if e, ok := earliest(m, kind); ok && !c.hasURN(e.PartyUUID) {
			return heldActor
		}
	}
	return ""
}

// becomesAhead tells whether the dialog would have a date or an activity that lies ahead (9.4, 9.10, 9.11).
func (c *messageComparison) becomesAhead(m altinn2.Record) bool {
	times := []time.Time{createdAt(m)}
	if read, ok := earliest(m, altinn2.EventRead); ok {
		times = append(times, read.At)
	}
	if confirmed, ok := earliest(m, altinn2.EventConfirmed); ok && m.ConfirmationRequired {
		times = append(times, confirmed.At)
	}
	for _, n := range m.Notifications {
		times = append(times, n.SentAt)
	}
	for _, f := range m.Forwardings {
		if c.hasURN(f.ByPartyUUID) && c.hasTarget(f) {
			times = append(times, f.At)
		}
	}
	return slices.ContainsFunc(times, c.isAhead)
}

func (c *messageComparison) isAhead(at time.Time) bool { return at.After(c.now.Add(clockTolerance)) }

// createdAt is that of 9.4.
func createdAt(m altinn2.Record) time.Time {
	if published, ok := earliest(m, altinn2.EventPublished); ok && m.Created.After(published.At) {
		return published.At
	}
	return m.Created
}

// loaded is when an item was stored first: its id tells.
func loaded(item correspondence.Item) time.Time {
	sec, nsec := item.ID.Time().UnixTime()
	return time.Unix(sec, nsec)
}

func earliest(m altinn2.Record, kind string) (found altinn2.Event, ok bool) {
	for _, e := range m.Events {
		if e.Type == kind && (!ok || e.At.Before(found.At)) {
			found, ok = e, true
		}
	}
	return found, ok
}

// hasURN says whether somebody has a URN that counts (9.3).
func (c *messageComparison) hasURN(id uuid.UUID) bool {
	p, ok := c.parties.ByURN(urnPartyUUID + id.String())
	return ok && p.ExternalURN != "" && (p.Type == world.TypePerson || p.Type == world.TypeOrganisation || p.Type == world.TypeSelfIdentified)
}

// party is whose inbox a message's dialog lies in (9.3).
func (c *messageComparison) party(m altinn2.Record) (string, bool) {
	switch m.Recipient.Kind {
	case altinn2.KindOrganisation:
		return world.URNOrganisation + m.Recipient.OrgNumber, true
	case altinn2.KindPerson:
		return world.URNPerson + m.Recipient.PersonNumber, true
	}
	p, ok := c.parties.ByURN(urnPartyUUID + m.Recipient.PartyUUID.String())
	return urnSelfIdentified + percentEncoded(strings.ToLower(p.Username)), ok && p.Username != ""
}

func percentEncoded(text string) string {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	var out strings.Builder
	for i := range len(text) {
		if strings.IndexByte(unreserved, text[i]) >= 0 {
			out.WriteByte(text[i])
		} else {
			fmt.Fprintf(&out, "%%%02X", text[i])
		}
	}
	return out.String()
}

// compareLiving compares a message that is to be seen.
func (c *messageComparison) compareLiving(m altinn2.Record, f found) {
	item, dialog := f.item, f.dialog
	_, refers := item.DialogID()
	switch {
	case !f.stored:
		c.tell(true, Missing, m.ID, "", "the message has no item")
		return
	case item.Purged():
		c.tell(true, Deleted, m.ID, f.dialogID(), "the message is alive, and its item is purged")
		return
	case item.Hidden || !refers:
		c.tell(true, Hidden, m.ID, "", "the item is stored, and nobody sees it")
		return
	case !f.hasDialog:
		c.tell(true, NoDialog, m.ID, "", "the item refers to a dialog that is not there, or that does not name it")
		return
	case dialog.DeletedAt != nil:
		deleted := dialog.DeletedAt.Format(time.RFC3339Nano)
		c.tell(true, Deleted, m.ID, dialog.ID.String(), "the message is alive, and its dialog was deleted at "+deleted)
		return
	}
	first := true
	tell := func(kind Kind, sentence string) {
		c.tell(first, kind, m.ID, dialog.ID.String(), sentence)
		first = false
	}
	if n := len(c.alive(item.ID)); n > 1 {
		tell(Doubled, fmt.Sprintf("%d dialogs name the item", n))
	}
	if want, _ := c.party(m); !strings.EqualFold(want, dialog.Party) {
		tell(WrongParty, "party: want the recipient's, a "+kindOf(want)+", got another "+kindOf(dialog.Party))
	}
	if want := "urn:altinn:resource:" + m.ResourceID; !strings.EqualFold(want, dialog.ServiceResource) {
		tell(WrongRes, "serviceResource: want "+want+", got "+dialog.ServiceResource)
	}
	c.compareDates(m, f, tell)
	if want := messageStatus(m); dialog.Status != want {
		tell(WrongStatus, "status: want "+want+", got "+dialog.Status)
	}
	if want := c.labels(m); !slices.Contains(want, dialog.SystemLabel) {
		tell(WrongLabel, "label: want "+strings.Join(want, " or ")+", got "+dialog.SystemLabel)
	}
	c.compareItem(m, item, tell)
	if low, high := c.activities(m, item); dialog.Activities < low || dialog.Activities > high {
		tell(WrongHistory, fmt.Sprintf("activities: want %d to %d, got %d", low, high, dialog.Activities))
	}
}

// compareDates is 9.4: the dialog was created and last changed when the message was.
func (c *messageComparison) compareDates(m altinn2.Record, f found, tell func(Kind, string)) {
	published, ok := earliest(m, altinn2.EventPublished)
	if !ok || m.VisibleFrom.After(published.At.Add(time.Minute)) {
		// Dialogporten makes its own dates of one that is to be seen later.
		return
	}
	if created := createdAt(m); far(created, f.dialog.CreatedAt) {
		tell(WrongDate, wantedTime("createdAt", created, f.dialog.CreatedAt))
	}
	if published.At.After(loaded(f.item)) && f.dialog.ContentUpdatedAt.Before(published.At) {
		return // it was ahead when the dialog was made, whose time counts then
	}
	if far(published.At, f.dialog.ContentUpdatedAt) {
		tell(WrongUpdated, wantedTime("contentUpdatedAt", published.At, f.dialog.ContentUpdatedAt))
	}
}

func wantedTime(name string, want, got time.Time) string {
	return name + ": want " + want.Format(time.RFC3339Nano) + ", got " + got.Format(time.RFC3339Nano)
}

func far(want, got time.Time) bool { return want.Sub(got).Abs() >= dateTolerance }

// messageStatus is that of 9.1.
func messageStatus(m altinn2.Record) string {
	if _, confirmed := earliest(m, altinn2.EventConfirmed); m.ConfirmationRequired && !confirmed {
		return "RequiresAttention"
	}
	return "NotApplicable"
}

// labels are the label of 9.9, and the one that the last change alone would lead to: Correspondence applies changes one after the
// other. What is ahead may have been told or not, and the change of an actor whom the register does not know moves the label only when
// it came with the message (7.4).
func (c *messageComparison) labels(m altinn2.Record) []string {
	var out []string
	for _, counts := range []func(altinn2.Event) bool{
		func(altinn2.Event) bool { return true },
		func(e altinn2.Event) bool { return !c.isAhead(e.At) },
		func(e altinn2.Event) bool { return !c.isAhead(e.At) && c.hasURN(e.PartyUUID) },
	} {
		events := slices.DeleteFunc(slices.Clone(m.Events), func(e altinn2.Event) bool { return !counts(e) })
		for _, label := range labelsOf(events) {
			if !slices.Contains(out, label) {
				out = append(out, label)
			}
		}
	}
	return out
}

func labelsOf(events []altinn2.Event) []string {
	var in, out, archived time.Time
	for _, e := range events {
		switch {
		case e.Type == altinn2.EventSoftDeleted && e.At.After(in):
			in = e.At
		case e.Type == altinn2.EventRestored && e.At.After(out):
			out = e.At
		case e.Type == altinn2.EventArchived && e.At.After(archived):
			archived = e.At
		}
	}
	switch {
	case in.After(out) && archived.After(in):
		return []string{"Bin", "Archive"}
	case in.After(out):
		return []string{"Bin"}
	case !archived.IsZero():
		return []string{"Archive"}
	}
	return []string{"Default"}
}

// happening is an event, a notification or a forwarding, as duplicates are told: to the second (5.6).
type happening struct {
	kind    string
	second  int64
	party   uuid.UUID
	id      int32
	channel int
	address string
}

// compareItem looks for everything that happened to the message in its item.
func (c *messageComparison) compareItem(m altinn2.Record, item correspondence.Item, tell func(Kind, string)) {
	have := map[happening]bool{}
	for _, s := range item.Statuses {
		have[happening{kind: s.Kind.String(), second: s.At.Unix(), party: s.Party}] = true
	}
	for _, e := range item.DeleteEvents {
		have[happening{kind: e.Kind.String(), second: e.At.Unix(), party: e.Party}] = true
	}
	for _, n := range item.Notifications {
		have[happening{kind: "notification", second: n.SentAt.Unix(), id: n.Altinn2ID, channel: int(n.Channel), address: n.Address}] = true
	}
	for _, f := range item.Forwardings {
		have[happening{kind: "forwarding", second: f.At.Unix(), party: f.ByParty}] = true
	}
	var missing []string
	for _, h := range happenings(m) {
		at := time.Unix(h.second, 0)
		// A message that was brought over before it was published is not told of that: the call for what is new drops it (7.2).
		late := (h.kind == kindInitialized || h.kind == kindPublished) && !at.Before(loaded(item).Truncate(time.Second))
		if !have[h] && !late && !c.isAhead(at) {
			missing = append(missing, h.kind+" of "+time.Unix(h.second, 0).UTC().Format(time.RFC3339))
		}
	}
	if len(missing) > 0 {
		tell(WrongEvents, "missing in the item: "+strings.Join(missing, ", "))
	}
	var files []uuid.UUID
	for _, a := range m.Attachments {
		id, _ := c.items.FileID(a.ID) // one that was never uploaded has no id
		files = append(files, id)
	}
	if !slices.Equal(files, item.Attachments) {
		tell(WrongFiles, fmt.Sprintf("attachments: want %d in order, got %d", len(files), len(item.Attachments)))
	}
}

const (
	kindInitialized = "Initialized"
	kindPublished   = "Published"
)

func happenings(m altinn2.Record) []happening {
	kinds := map[string]string{
		altinn2.EventCreated: kindInitialized, altinn2.EventPublished: kindPublished, altinn2.EventRead: "Read",
		altinn2.EventConfirmed: "Confirmed",
		altinn2.EventArchived:  "Archived", altinn2.EventSoftDeleted: "SoftDeletedByRecipient", altinn2.EventRestored: "RestoredByRecipient",
	}
	var out []happening
	for _, e := range m.Events {
		if kind := kinds[e.Type]; kind != "" {
			out = append(out, happening{kind: kind, second: e.At.Unix(), party: e.PartyUUID})
		}
	}
	for _, n := range m.Notifications {
		channel := 0
		if n.Channel == "sms" {
			channel = 1
		}
		out = append(out, happening{kind: "notification", second: n.SentAt.Unix(), id: n.ID, channel: channel, address: n.Address})
	}
	for _, f := range m.Forwardings {
		out = append(out, happening{kind: "forwarding", second: f.At.Unix(), party: f.ByPartyUUID})
	}
	return out
}

// activities are how many a dialog must have (9.10): one for the first read, one for the first confirmation, one for each
// notification and each forwarding whose both ends are known. Forwardings of one second and one party to several targets
// are one or several: that depends on whether they came in one request (5.6, 7.1). Of several confirmations that come together none may
// have one (7.4); one that nobody asked for has one if it came later than the message (7.4). A creation that was repeated may have doubled
// the first two (chapter 12).
func (c *messageComparison) activities(m altinn2.Record, item correspondence.Item) (low, high int) {
	n := 0
	if slices.ContainsFunc(m.Events, func(e altinn2.Event) bool { return e.Type == altinn2.EventRead && c.hasURN(e.PartyUUID) }) {
		n++
	}
	if e, ok := earliest(m, altinn2.EventConfirmed); ok && m.ConfirmationRequired && c.hasURN(e.PartyUUID) {
		n++
	}
	confirmed := slices.DeleteFunc(slices.Clone(m.Events), func(e altinn2.Event) bool {
		return e.Type != altinn2.EventConfirmed || !c.hasURN(e.PartyUUID)
	})
	if len(confirmed) > 0 && !m.ConfirmationRequired {
		high++
	}
	if len(confirmed) > 1 && m.ConfirmationRequired {
		low--
	}
	high += doubled(item, correspondence.Fetched) + doubled(item, correspondence.Confirmed)
	seen := map[happening]bool{}
	for _, h := range happenings(m) {
		if h.kind == "notification" && !seen[h] && !c.isAhead(time.Unix(h.second, 0)) {
			n++
		}
		seen[h] = true
	}
	told := map[happening]bool{}
	for _, f := range m.Forwardings {
		h := happening{second: f.At.Unix(), party: f.ByPartyUUID}
		if c.hasURN(f.ByPartyUUID) && c.hasTarget(f) {
			high++
			if !told[h] {
				low++
			}
		}
		told[h] = true
	}
	return n + low, n + high
}

// doubled is 1 if an item has the id of an activity twice.
func doubled(item correspondence.Item, action correspondence.StatusKind) int {
	first := slices.IndexFunc(item.FixedIDs, func(f correspondence.FixedID) bool { return f.Action == action })
	if first >= 0 && slices.ContainsFunc(item.FixedIDs[first+1:], func(f correspondence.FixedID) bool { return f.Action == action }) {
		return 1
	}
	return 0
}

func (c *messageComparison) hasTarget(f altinn2.Forwarding) bool {
	switch {
	case f.ToUserUUID != nil:
		p, ok := c.parties.ByURN(urnPartyUUID + f.ToUserUUID.String())
		return ok && p.DisplayName != ""
	case f.ToEmail != nil && *f.ToEmail != "":
		return true
	case f.MailboxSupplier != nil:
		return slices.Contains([]string{"984661185", "922020175", "996460320"}, *f.MailboxSupplier)
	}
	return false
}

// tell counts a difference and keeps it if it is among the first.
func (c *messageComparison) tell(first bool, kind Kind, id int32, dialog, sentence string) {
	c.report.Counts[kind]++
	if first {
		c.report.Differing++
	}
	if len(c.report.Differences) < c.first {
		item := ""
		if id != 0 {
			item = strconv.Itoa(int(id))
		}
		c.report.Differences = append(c.report.Differences, Difference{Kind: kind, Item: item, Dialog: dialog, Sentence: sentence})
	}
}
