package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

var (
	ownID   = uuid.MustParse("0197823f-91b7-712c-ba01-44e375b5bc79")
	otherID = uuid.MustParse("01976d1e-2c00-7abc-8def-0123456789ab")
)

// situation is what the decision table tells apart, in words of a test.
type situation struct {
	source      ledger.Source
	gone        bool
	soft, hard  bool
	archived    bool
	values      map[string]string
	dialog      bool
	dialogGone  bool // soft-deleted
	settings    altinn.SyncAdapterSettings
	dialogID    uuid.UUID
	noStatus    bool
	noDataValue bool // data values are absent altogether
}

func (s situation) facts() facts {
	f := facts{source: s.source, settings: s.settings, dialogID: s.dialogID}
	if f.source == "" {
		f.source = ledger.A3AppInstances
	}
	if f.dialogID == uuid.Nil {
		f.dialogID = ownID
	}
	if !s.gone {
		f.instance = &altinn.Instance{DataValues: s.values}
		if !s.noStatus {
			f.instance.Status = &altinn.InstanceStatus{IsSoftDeleted: s.soft, IsHardDeleted: s.hard, IsArchived: s.archived}
		}
		if s.values == nil && !s.noDataValue {
			f.instance.DataValues = map[string]string{dialogIDKey: ownID.String()}
		}
	}
	if s.dialog {
		f.dialog = &dialogporten.Dialog{ID: f.dialogID}
		if s.dialogGone {
			f.dialog.DeletedAt = dialogporten.TimeOf(time.Date(2025, 6, 18, 0, 0, 0, 0, time.UTC))
		}
	}
	return f
}

// The table of chapter 4 of the mapping rules, row by row, with its notes.
func TestDecide(t *testing.T) {
	t.Parallel()
	type switches = altinn.SyncAdapterSettings
	auto := func(value string) map[string]string {
		return map[string]string{dialogIDKey: ownID.String(), disableAutomaticSync: value}
	}
	unlabelled := map[string]string{}
	unchanged := plan{outcome: ledger.Unchanged}

	tests := map[string]struct {
		given situation
		want  plan
	}{
		"4: no instance and no dialog":                    {situation{gone: true}, skip(ReasonGone)},
		"4: no instance and no dialog, synchronising off": {situation{gone: true, settings: switches{DisableSync: true}}, skip(ReasonGone)},

		"5: id missing":                  {situation{values: unlabelled}, plan{writeID: true, action: create}},
		"5: data values missing":         {situation{noDataValue: true}, plan{writeID: true, action: create}},
		"5: id another":                  {situation{values: map[string]string{dialogIDKey: otherID.String()}}, plan{writeID: true, action: create}},
		"5: id the same":                 {situation{}, plan{action: create}},
		"5: before an update":            {situation{values: unlabelled, dialog: true}, plan{writeID: true, action: update}},
		"5: before a soft delete":        {situation{values: unlabelled, dialog: true, soft: true}, plan{writeID: true, action: softDelete}},
		"5: before a purge":              {situation{values: unlabelled, dialog: true, hard: true, soft: true}, plan{writeID: true, action: purge}},
		"5: user-supplied id, as chosen": {situation{dialogID: otherID, values: map[string]string{dialogIDKey: otherID.String()}}, plan{action: create}},

		"c: id written to a hard-deleted one": {
			situation{values: unlabelled, hard: true, soft: true}, plan{writeID: true, outcome: ledger.Skipped, reason: ReasonHardDeleted},
		},
		"c: id written though synchronising is off": {
			situation{values: unlabelled, settings: switches{DisableSync: true}}, plan{writeID: true, outcome: ledger.Skipped, reason: ReasonSyncDisabled},
		},
		"c: id written though this one is switched off": {
			situation{values: map[string]string{disableAutomaticSync: "true"}},
			plan{writeID: true, outcome: ledger.Skipped, reason: ReasonInstanceSyncDisabled},
		},
		"c: id written though nothing may be created": {
			situation{values: unlabelled, settings: switches{DisableCreate: true}}, plan{writeID: true, outcome: ledger.Skipped, reason: ReasonCreateDisabled},
		},
		"c: id written though deleted on both sides": {
			situation{values: unlabelled, soft: true, dialog: true, dialogGone: true}, plan{writeID: true, outcome: ledger.Unchanged},
		},

		"6: hard-deleted and no dialog":                    {situation{hard: true, soft: true}, skip(ReasonHardDeleted)},
		"6: hard-deleted and no dialog, synchronising off": {situation{hard: true, settings: switches{DisableSync: true}}, skip(ReasonHardDeleted)},

		"7: soft-deleted on both sides":                     {situation{soft: true, dialog: true, dialogGone: true}, unchanged},
		"7: before the switches":                            {situation{soft: true, dialog: true, dialogGone: true, settings: switches{DisableSync: true, DisableDelete: true}}, unchanged},
		"b: hard wins over soft, dialog soft-deleted":       {situation{soft: true, hard: true, dialog: true, dialogGone: true}, plan{action: purge}},
		"b: hard wins over soft":                            {situation{soft: true, hard: true, dialog: true}, plan{action: purge}},
		"b: hard without soft":                              {situation{hard: true, dialog: true}, plan{action: purge}},
		"b: hard wins, but deletion is off":                 {situation{soft: true, hard: true, dialog: true, dialogGone: true, settings: switches{DisableDelete: true}}, skip(ReasonDeleteDisabled)},
		"8: soft-deleted without a dialog":                  {situation{soft: true}, plan{action: create, forced: true, thenDelete: true}},
		"d: soft-deleted without a dialog, deletion is off": {situation{soft: true, settings: switches{DisableDelete: true}}, plan{action: create, forced: true}},
		"8: soft-deleted without a dialog, creation is off": {situation{soft: true, settings: switches{DisableCreate: true}}, skip(ReasonCreateDisabled)},

		"9: synchronising off, create":                {situation{settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off, update":                {situation{dialog: true, settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off, purge":                 {situation{gone: true, dialog: true, settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off, purge of hard-deleted": {situation{hard: true, dialog: true, settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off, soft delete":           {situation{soft: true, dialog: true, settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off, restore":               {situation{dialog: true, dialogGone: true, settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off outranks deletion off":  {situation{gone: true, dialog: true, settings: switches{DisableSync: true, DisableDelete: true}}, skip(ReasonSyncDisabled)},
		"9: synchronising off outranks creation off":  {situation{settings: switches{DisableSync: true, DisableCreate: true}}, skip(ReasonSyncDisabled)},
		"9: application outranks instance":            {situation{values: auto("true"), settings: switches{DisableSync: true}}, skip(ReasonSyncDisabled)},
		"9: this one switched off, update":            {situation{values: auto("true"), dialog: true}, skip(ReasonInstanceSyncDisabled)},
		"9: this one switched off, purge":             {situation{values: auto("true"), dialog: true, hard: true}, skip(ReasonInstanceSyncDisabled)},
		"9: this one switched off, soft delete":       {situation{values: auto("true"), dialog: true, soft: true}, skip(ReasonInstanceSyncDisabled)},
		"9: this one switched off, restore":           {situation{values: auto("true"), dialog: true, dialogGone: true}, skip(ReasonInstanceSyncDisabled)},
		"9: this one switched off, soft, no dialog":   {situation{values: auto("true"), soft: true}, skip(ReasonInstanceSyncDisabled)},
		"9: this one switched off outranks deletion":  {situation{values: auto("true"), dialog: true, soft: true, settings: switches{DisableDelete: true}}, skip(ReasonInstanceSyncDisabled)},
		"9: switched off, in capitals":                {situation{values: auto("TRUE"), dialog: true}, skip(ReasonInstanceSyncDisabled)},
		"9: switched off, capitalised with white space": {
			situation{values: auto(" \tTrue\r\n"), dialog: true}, skip(ReasonInstanceSyncDisabled),
		},
		"9: not switched off by false": {situation{values: auto("false"), dialog: true}, plan{action: update}},
		"9: not switched off by 1":     {situation{values: auto("1"), dialog: true}, plan{action: update}},
		"9: not switched off by yes":   {situation{values: auto("yes"), dialog: true}, plan{action: update}},
		"9: not switched off by t":     {situation{values: auto("t"), dialog: true}, plan{action: update}},
		"9: not switched off by empty": {situation{values: auto(""), dialog: true}, plan{action: update}},
		"9: not switched off by words": {situation{values: auto("true, false"), dialog: true}, plan{action: update}},

		"10: gone":                                  {situation{gone: true, dialog: true}, plan{action: purge}},
		"10: gone, dialog soft-deleted":             {situation{gone: true, dialog: true, dialogGone: true}, plan{action: purge}},
		"10: gone, deletion is off":                 {situation{gone: true, dialog: true, settings: switches{DisableDelete: true}}, skip(ReasonDeleteDisabled)},
		"10: hard-deleted, deletion is off":         {situation{hard: true, dialog: true, settings: switches{DisableDelete: true}}, skip(ReasonDeleteDisabled)},
		"10, e: gone, creation is off":              {situation{gone: true, dialog: true, settings: switches{DisableCreate: true}}, plan{action: purge}},
		"11: soft-deleted":                          {situation{soft: true, dialog: true}, plan{action: softDelete}},
		"11: soft-deleted, deletion is off":         {situation{soft: true, dialog: true, settings: switches{DisableDelete: true}}, skip(ReasonDeleteDisabled)},
		"11, e: soft-deleted, creation is off":      {situation{soft: true, dialog: true, settings: switches{DisableCreate: true}}, plan{action: softDelete}},
		"12: undeleted":                             {situation{dialog: true, dialogGone: true}, plan{action: update, restore: true}},
		"12: undeleted, deletion is off":            {situation{dialog: true, dialogGone: true, settings: switches{DisableDelete: true}}, plan{action: update, restore: true}},
		"12, e: undeleted, creation is off":         {situation{dialog: true, dialogGone: true, settings: switches{DisableCreate: true}}, plan{action: update, restore: true}},
		"15: create":                                {situation{}, plan{action: create}},
		"15: create, deletion is off":               {situation{settings: switches{DisableDelete: true}}, plan{action: create}},
		"15: create, a status is missing":           {situation{noStatus: true}, plan{action: create}},
		"15: creation is off":                       {situation{settings: switches{DisableCreate: true}}, skip(ReasonCreateDisabled)},
		"16: update":                                {situation{dialog: true}, plan{action: update}},
		"16, e: update, creation is off":            {situation{dialog: true, settings: switches{DisableCreate: true}}, plan{action: update}},
		"16: update, deletion is off":               {situation{dialog: true, settings: switches{DisableDelete: true}}, plan{action: update}},
		"archived forms: archived":                  {situation{source: ledger.A2ArchivedForms, archived: true}, plan{action: create}},
		"archived forms: never completed":           {situation{source: ledger.A2ArchivedForms}, skip(ReasonNotArchived)},
		"archived forms: never completed, no value": {situation{source: ledger.A2ArchivedForms, values: unlabelled}, skip(ReasonNotArchived)},
		"archived forms: never completed, deleted":  {situation{source: ledger.A2ArchivedForms, soft: true}, skip(ReasonNotArchived)},
		"archived forms: archived, deleted":         {situation{source: ledger.A2ArchivedForms, archived: true, soft: true}, plan{action: create, forced: true, thenDelete: true}},
		"archived forms: never completed, a dialog": {situation{source: ledger.A2ArchivedForms, dialog: true}, plan{action: update}},
		"archived forms: gone":                      {situation{source: ledger.A2ArchivedForms, gone: true, dialog: true}, plan{action: purge}},
		"app instances: need not be archived":       {situation{source: ledger.A3AppInstances}, plan{action: create}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, decide(tt.given.facts()))
		})
	}
}

// Ids are compared as the ids they name (step 5): a spelling is no difference, and what is no UUID is no id.
func TestDecideTellsSpellingsOfTheDialogIDApart(t *testing.T) {
	t.Parallel()
	plain := ownID.String()
	bare := strings.ReplaceAll(plain, "-", "")
	for value, holds := range map[string]bool{
		plain:                  true,
		strings.ToUpper(plain): true,
		bare:                   true,
		"{" + plain + "}":      true,
		"(" + plain + ")":      true,
		" " + plain + "\n":     true,
		otherID.String():       false,
		"":                     false,
		"not a uuid":           false,
		plain[:35]:             false,
		plain + "0":            false,
		"x" + plain + "x":      false,
		"(" + plain + "}":      false,
		"(" + plain:            false,
		"urn:uuid:" + plain:    false,
	} {
		got := decide(situation{values: map[string]string{dialogIDKey: value}, dialog: true}.facts())
		assert.Equal(t, !holds, got.writeID, "%q", value)
	}
}

func anySituation(t *rapid.T) situation {
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	s := situation{
		source: rapid.SampledFrom([]ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms}).Draw(t, "source"),
		gone:   yes("gone"), soft: yes("soft"), hard: yes("hard"), archived: yes("archived"),
		dialog: yes("dialog"), dialogGone: yes("dialogGone"), noStatus: rapid.IntRange(0, 9).Draw(t, "status") == 0,
		settings: altinn.SyncAdapterSettings{
			DisableSync: yes("disableSync"), DisableCreate: yes("disableCreate"), DisableDelete: yes("disableDelete"),
			EnableUserSuppliedDialogID: yes("userSupplied"),
		},
		values: map[string]string{},
	}
	if s.noStatus {
		s.soft, s.hard, s.archived = false, false, false
	}
	if v := rapid.SampledFrom([]string{"", ownID.String(), otherID.String(), "x"}).Draw(t, "dialog.id"); v != "" {
		s.values[dialogIDKey] = v
	}
	if v := rapid.SampledFrom([]string{"", "true", "True ", "false", "1"}).Draw(t, "disableAutomaticSync"); v != "" {
		s.values[disableAutomaticSync] = v
	}
	return s
}

// literally is the table of chapter 4 once more, word by word and step by step, in the order that it has there.
func literally(s situation) plan {
	var p plan
	S := s.settings
	instance := !s.gone
	soft, hard := instance && s.soft, instance && s.hard
	dDel := s.dialog && s.dialogGone
	if !instance && !s.dialog { // 4
		return skip(ReasonGone)
	}
	if s.source == ledger.A2ArchivedForms && instance && !s.archived && !s.dialog { // design, chapter 1
		return skip(ReasonNotArchived)
	}
	stopped := func(outcome ledger.Outcome, reason string) plan {
		return plan{writeID: p.writeID, outcome: outcome, reason: reason}
	}
	if instance && s.values[dialogIDKey] != ownID.String() { // 5
		p.writeID = true
	}
	if (!instance || hard) && !s.dialog { // 6
		return stopped(ledger.Skipped, ReasonHardDeleted)
	}
	if soft && dDel && !hard { // 7, note b
		return stopped(ledger.Unchanged, "")
	}
	deleteAfterCreate := false
	if soft && !s.dialog { // 8
		p.forced, deleteAfterCreate = true, true
	}
	if S.DisableSync { // 9
		return stopped(ledger.Skipped, ReasonSyncDisabled)
	}
	if v := s.values[disableAutomaticSync]; instance && (v == "true" || v == "True ") { // 9
		return stopped(ledger.Skipped, ReasonInstanceSyncDisabled)
	}
	if (!instance || hard) && s.dialog { // 10
		if S.DisableDelete {
			return stopped(ledger.Skipped, ReasonDeleteDisabled)
		}
		p.action = purge
		return p
	}
	if soft && s.dialog { // 11
		if S.DisableDelete {
			return stopped(ledger.Skipped, ReasonDeleteDisabled)
		}
		p.action = softDelete
		return p
	}
	if !soft && dDel { // 12
		p.restore = true
	}
	if !s.dialog { // 15
		if S.DisableCreate {
			return stopped(ledger.Skipped, ReasonCreateDisabled)
		}
		p.action = create
		p.thenDelete = deleteAfterCreate && !S.DisableDelete // 18, note d
		return p
	}
	p.action = update // 16
	return p
}

func TestDecideIsTheTableTakenLiterally(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySituation(t)
		assert.Equal(t, literally(s), decide(s.facts()))
	})
}

// What must hold whatever the table says.
func TestDecideKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySituation(t)
		f := s.facts()
		p := decide(f)
		off := s.settings.DisableSync || f.instance != nil && isTrue(f.instance.DataValues[disableAutomaticSync])
		absent := s.gone || s.hard

		if off && p.action != stop {
			t.Fatalf("switched off, and still %+v", p)
		}
		if p.writeID && s.gone {
			t.Fatal("an id is written to an instance that is gone")
		}
		if p.restore && (p.action != update || !s.dialogGone) {
			t.Fatalf("restores what is not deleted or goes no further: %+v", p)
		}
		if p.thenDelete && !p.forced || p.forced && (p.action != create && p.action != stop || !s.soft) {
			t.Fatalf("a create that is forced or undone without need: %+v", p)
		}
		if (p.outcome == "") == (p.action == stop) {
			t.Fatalf("a stop has an outcome, and nothing else has: %+v", p)
		}
		if (p.outcome == ledger.Skipped) != (p.reason != "") {
			t.Fatalf("what is skipped has a reason: %+v", p)
		}
		switch p.action {
		case purge:
			if !absent || !s.dialog || s.settings.DisableDelete {
				t.Fatal("purged what is there, or must stay, or does not exist")
			}
		case softDelete:
			if !s.soft || absent || !s.dialog || s.dialogGone || s.settings.DisableDelete {
				t.Fatal("deleted what is there, or must stay, or is deleted")
			}
		case create:
			if absent || s.dialog || s.settings.DisableCreate || s.source == ledger.A2ArchivedForms && !s.archived {
				t.Fatal("created what exists, is gone or must not be")
			}
		case update:
			if absent || s.soft || !s.dialog {
				t.Fatal("updated what does not exist or is deleted")
			}
		case stop:
			if p.restore || p.forced || p.thenDelete {
				t.Fatalf("a stop that does something: %+v", p)
			}
		}
	})
}

func TestApplicationOfServiceResource(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]string{
		"urn:altinn:resource:app_ttd_innsending":         "ttd/innsending",
		"urn:altinn:resource:app_skd_a2-1051-200601_x":   "skd/a2-1051-200601_x",
		"urn:altinn:resource:app_ttd_":                   "",
		"urn:altinn:resource:app__innsending":            "",
		"urn:altinn:resource:app_ttd":                    "",
		"urn:altinn:resource:correspondence_ttd_letters": "",
		"": "",
	} {
		assert.Equal(t, want, appOfResource(resource), resource)
	}
}
