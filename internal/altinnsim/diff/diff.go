package diff

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/dialogporten"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Sources are the instances.
type Sources interface {
	Each(now int64, yield func(storage.Item) bool)
	Settings(appID string) storage.Settings
	Row(guid uuid.UUID) (storage.Row, string, bool)
	Removed(guid uuid.UUID) (storage.Removal, bool)
}

// Parties are who owns them.
type Parties interface {
	ByPartyID(id int32) (world.Party, bool)
}

// Dialogs are what was made of them.
type Dialogs interface {
	Each(yield func(dialogporten.Summary) bool)
}

// comparison is a run.
type comparison struct {
	scope   Scope
	sources Sources
	parties Parties
	dialogs map[uuid.UUID]*seen
	report  Report
}

// seen is a dialog, and whether an instance was found that it belongs to.
type seen struct {
	dialogporten.Summary

	matched bool
}

// Run compares. It reads all dialogs first, so that what is written meanwhile may show as a difference: run it when
// nothing moves, or look again. The only error is that of the context.
func Run(ctx context.Context, scope Scope, now time.Time, sources Sources, parties Parties, dialogs Dialogs) (Report, error) {
	began := time.Now()
	if scope.First == 0 {
		scope.First = defaultFirst
	}
	c := &comparison{
		scope: scope, sources: sources, parties: parties, dialogs: map[uuid.UUID]*seen{},
		report: Report{Counts: map[Kind]int{}, States: map[string]int{}, Differences: []Difference{}},
	}
	dialogs.Each(func(s dialogporten.Summary) bool {
		c.dialogs[s.ID] = &seen{Summary: s}
		return ctx.Err() == nil
	})
	c.report.Dialogs = len(c.dialogs)
	settings := map[string]storage.Settings{}
	sources.Each(now.UnixMicro(), func(item storage.Item) bool {
		if !c.inScope(item) {
			return true
		}
		known, ok := settings[item.AppID]
		if !ok {
			known = sources.Settings(item.AppID)
			settings[item.AppID] = known
		}
		c.compare(item, known)
		return ctx.Err() == nil
	})
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("compare sources and dialogs: %w", err)
	}
	c.orphans()
	c.report.TookMs = time.Since(began).Milliseconds()
	return c.report, nil
}

func (c *comparison) inScope(item storage.Item) bool {
	s := c.scope
	org, _, _ := strings.Cut(item.AppID, "/")
	return (s.Org == "" || s.Org == org) && (s.MainVersion == 0 || s.MainVersion == int(item.Row.Version)) &&
		(s.From.IsZero() || item.Row.LastChanged >= s.From.UnixMicro()) && (s.To.IsZero() || item.Row.LastChanged < s.To.UnixMicro())
}

func (c *comparison) partyURN(id int32) string {
	party, ok := c.parties.ByPartyID(id)
	if !ok {
		return ""
	}
	return party.URN()
}

// compare compares one instance with its dialog.
func (c *comparison) compare(item storage.Item, settings storage.Settings) {
	e := expect(item, settings, c.partyURN)
	c.report.Instances++
	c.report.States[e.presence]++
	dialog := c.dialogs[e.dialogID]
	if dialog != nil {
		dialog.matched = true
	}
	switch e.presence {
	case expectNothing:
		c.report.NotSynced++
		return
	case expectNoParty:
		c.report.NoParty++
	}
	before := c.report.Differing
	if kind, sentence := presence(e, dialog); kind != "" {
		c.tell(true, kind, item.Row.Key(), e.dialogID.String(), sentence)
	} else if dialog != nil && e.presence == expectAlive {
		c.compareMembers(item.Row.Key(), e, dialog)
	}
	if c.report.Differing == before {
		c.report.Equal++
	}
}

// presence compares what there is with what there should be.
func presence(e expectation, dialog *seen) (Kind, string) {
	switch {
	case e.presence == expectAlive && dialog == nil && !e.optional:
		return Missing, "the instance is alive and has no dialog"
	case e.presence == expectAlive && dialog != nil && dialog.DeletedAt != nil:
		return Deleted, "the instance is alive, and its dialog was deleted at " + dialog.DeletedAt.Format(time.RFC3339Nano)
	case e.presence == expectDeleted && dialog != nil && dialog.DeletedAt == nil:
		return Undeleted, "the instance is soft-deleted, and its dialog is alive"
	case e.presence == expectNone && dialog != nil:
		return Unpurged, "the instance is hard-deleted, and its dialog has not been purged"
	case e.presence == expectNoParty && dialog != nil:
		return Unexpected, "Register does not know the instance's party, and yet there is a dialog"
	}
	return "", ""
}

// compareMembers compares what must be alike of an instance and a living dialog.
func (c *comparison) compareMembers(key string, e expectation, dialog *seen) {
	first := true
	tell := func(kind Kind, want, got string) {
		c.tell(first, kind, key, e.dialogID.String(), fmt.Sprintf("%s: want %s, got %s", kind, want, got))
		first = false
	}
	if !strings.EqualFold(dialog.Party, e.party) {
		// The URNs hold identity numbers: the report says only of what kind they are.
		tell(WrongParty, "the instance owner's, a "+kindOf(e.party), "another "+kindOf(dialog.Party))
	}
	if !strings.EqualFold(dialog.ServiceResource, e.resource) {
		tell(WrongRes, e.resource, dialog.ServiceResource)
	}
	if !oneOf(e.created, dialog.CreatedAt) {
		tell(WrongDate, e.created[0].UTC().Format(time.RFC3339Nano), dialog.CreatedAt.UTC().Format(time.RFC3339Nano))
	}
	if e.status != "" && dialog.Status != e.status {
		tell(WrongStatus, e.status, dialog.Status)
	}
	if labels := storageLabels(dialog.Labels); len(labels) != 1 || !strings.EqualFold(labels[0], e.label) {
		tell(WrongLabel, e.label, strings.Join(labels, ", "))
	}
}

// kindOf is a URN without its last part.
func kindOf(urn string) string {
	if i := strings.LastIndexByte(urn, ':'); i >= 0 {
		return urn[:i]
	}
	return urn
}

func oneOf(times []time.Time, t time.Time) bool {
	for _, candidate := range times {
		if candidate.Equal(t.Truncate(time.Microsecond)) {
			return true
		}
	}
	return false
}

func storageLabels(labels []string) []string {
	var out []string
	for _, label := range labels {
		if strings.HasPrefix(label, labelPrefix) {
			out = append(out, label)
		}
	}
	return out
}

// orphans tells of dialogs with a storage label that no instance claims. In a restricted scope there are none: the
// instance may lie outside.
func (c *comparison) orphans() {
	for id, dialog := range c.dialogs {
		labels := storageLabels(dialog.Labels)
		if len(labels) == 0 {
			c.report.Foreign++
			continue
		}
		if dialog.matched || c.scope.restricted() {
			continue
		}
		c.orphan(id, dialog, labels[0])
	}
}

// orphan tells of a dialog whose instance is gone, or was never there. One whose instance went away without a word is
// no difference: nothing that a consumer can ask would have told it.
func (c *comparison) orphan(id uuid.UUID, dialog *seen, label string) {
	key, guid, _ := labelledKey(label)
	if _, _, known := c.sources.Row(guid); known {
		c.tell(true, Orphan, key, id.String(), "a second dialog claims the instance, whose own has another id")
		return
	}
	removal, remembered := c.sources.Removed(guid)
	if remembered {
		if settings := c.sources.Settings(removal.AppID); settings.DisableSync || settings.DisableDelete {
			c.report.NotSynced++
			return
		}
	}
	state := "alive"
	if dialog.DeletedAt != nil {
		state = "deleted but not purged"
	}
	switch {
	case remembered && !removal.Told:
		c.report.Unknowable++
	case removal.Replaced:
		c.tell(true, Superseded, key, id.String(), "the form was migrated again under another guid, and the dialog of this one is "+state)
	default:
		c.tell(true, Orphan, key, id.String(), "the instance is gone, and its dialog is "+state)
	}
}

// tell counts a difference and keeps it if it is among the first. An item with several counts as differing once.
func (c *comparison) tell(first bool, kind Kind, item, dialog, sentence string) {
	if first {
		c.report.Differing++
	}
	c.report.Counts[kind]++
	if len(c.report.Differences) < c.scope.First {
		c.report.Differences = append(c.report.Differences, Difference{Kind: kind, Item: item, Dialog: dialog, Sentence: sentence})
	}
}
