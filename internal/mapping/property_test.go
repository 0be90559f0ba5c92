package mapping_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// draw is short for a rapid generator's Draw with a label nobody reads.
func draw[T any](t *rapid.T, g *rapid.Generator[T]) T { return g.Draw(t, "") }

// maybe gives nil now and then.
func maybe[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	if draw(t, rapid.IntRange(0, 4)) == 0 {
		return nil
	}
	return new(draw(t, g))
}

func word(choices ...string) *rapid.Generator[string] { return rapid.SampledFrom(choices) }

func longText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		unit := draw(t, word("", " ", "a", "åæ", "😀", "a😀b", "x.", "/", "\u0000", "\u2028", "\"<&>"))
		return strings.Repeat(unit, draw(t, rapid.SampledFrom([]int{0, 1, 3, 63, 64, 127, 128, 255, 256, 300, 1023, 1100})))
	})
}

func times() *rapid.Generator[altinn.Time] {
	return rapid.Custom(func(t *rapid.T) altinn.Time {
		base := time.Date(2025, 6, 18, 8, 0, 0, 0, time.UTC)
		return altinn.TimeOf(base.Add(time.Duration(draw(t, rapid.Int64Range(-1e10, 1e10))) * altinn.Resolution))
	})
}

func guids() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var id uuid.UUID
		copy(id[:], draw(t, rapid.SliceOfN(rapid.Byte(), 16, 16)))
		return id.String()
	})
}

func taskTypes() *rapid.Generator[string] {
	return word("", "data", "Confirmation", "feedback", "signing", "REJECT", "payment", "pdf", "eFormidling", "egen")
}

func processes() *rapid.Generator[altinn.Process] {
	return rapid.Custom(func(t *rapid.T) altinn.Process {
		return altinn.Process{CurrentTask: maybe(t, rapid.Custom(func(t *rapid.T) altinn.Task {
			return altinn.Task{ElementID: draw(t, word("", " ", "Task_1", "Task_2")), AltinnTaskType: draw(t, taskTypes())}
		}))}
	})
}

func events() *rapid.Generator[altinn.InstanceEvent] {
	return rapid.Custom(func(t *rapid.T) altinn.InstanceEvent {
		return altinn.InstanceEvent{
			ID:      draw(t, guids()),
			DataID:  maybe(t, word("", "da7a0000-0000-4000-b000-000000000001")),
			Created: new(draw(t, times())),
			EventType: draw(t, word("Created", "Deleted", "Saved", "saved", "Submited", "Undeleted", "SubstatusUpdated",
				"Signed", "SentToSign", "MessageRead", "process_EndTask", "NyHendelse", "")),
			User: &altinn.EventActor{
				UserID:               maybe(t, rapid.SampledFrom([]int64{testUser, otherUser, 99})),
				OrgID:                draw(t, word("", "ttd")),
				EndUserSystemID:      new(int64(7)),
				SystemUserOwnerOrgNo: draw(t, word("", "991825827")),
			},
			ProcessInfo: maybe(t, processes()),
		}
	})
}

func dataElements() *rapid.Generator[altinn.DataElement] {
	return rapid.Custom(func(t *rapid.T) altinn.DataElement {
		e := altinn.DataElement{
			ID:            draw(t, guids()),
			DataType:      draw(t, word("", "skjema", "SKJEMA", "vedlegg", altinn.DataTypePDF, "signature-presentation", "ukjent")),
			Filename:      draw(t, longText()),
			ContentType:   draw(t, word("", "application/pdf")),
			Created:       new(draw(t, times())),
			LastChangedBy: draw(t, word("", "20001001", "991825827")),
		}
		if draw(t, rapid.Bool()) {
			e.SelfLinks = &altinn.ResourceLinks{Platform: draw(t, word("", "https://platform.tt02.altinn.no/x", "https://Host?a=b c#d"))}
		}
		for range draw(t, rapid.IntRange(0, 2)) {
			e.References = append(e.References, altinn.Reference{
				Relation: draw(t, word("", "GeneratedFrom", "Annet")), Value: draw(t, word("", "Task_1", "Task_2", "Task_9")),
			})
		}
		return e
	})
}

func orderedTexts(languages ...string) *rapid.Generator[altinn.OrderedTexts] {
	return rapid.Custom(func(t *rapid.T) altinn.OrderedTexts {
		var list altinn.OrderedTexts
		for _, language := range languages {
			if draw(t, rapid.Bool()) {
				list = append(list, altinn.KeyValue{Key: language, Value: draw(t, longText())})
			}
		}
		return list
	})
}

func applications() *rapid.Generator[altinn.Application] {
	return rapid.Custom(func(t *rapid.T) altinn.Application {
		app := altinn.Application{
			ID: "ttd/innsending", Org: "ttd",
			Title: append(altinn.OrderedTexts{{Key: "nb", Value: "Skjema"}}, draw(t, orderedTexts("nn", "EN", "no", "tull"))...),
			DataTypes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) altinn.DataType {
				return altinn.DataType{
					ID: draw(t, word("", "skjema", "Skjema", "vedlegg", altinn.DataTypePDF)), TaskID: draw(t, word("", "Task_1", "Task_2")),
					AppLogic: maybe(t, rapid.Just(altinn.AppLogic{})), EnablePDFCreation: maybe(t, rapid.Bool()),
					Grouping: draw(t, word("", "group.activities")), AllowedContributors: []string{draw(t, word("", "app:owned"))},
				}
			}), 0, 4).Draw(t, ""),
			CopyInstanceSettings: maybe(t, rapid.Custom(func(t *rapid.T) altinn.CopyInstanceSettings {
				return altinn.CopyInstanceSettings{Enabled: draw(t, rapid.Bool())}
			})),
		}
		if draw(t, rapid.Bool()) {
			app.MessageBoxConfig = &altinn.MessageBoxConfig{
				HideSettings: maybe(t, rapid.Custom(func(t *rapid.T) altinn.HideSettings {
					return altinn.HideSettings{HideAlways: draw(t, rapid.Bool()), HideOnTask: []string{"", "Task_1"}}
				})),
				SyncAdapterSettings: maybe(t, switches()),
			}
		}
		return app
	})
}

func switches() *rapid.Generator[altinn.SyncAdapterSettings] {
	return rapid.Custom(func(t *rapid.T) altinn.SyncAdapterSettings {
		b := rapid.Bool()
		return altinn.SyncAdapterSettings{
			DisableAddActivities: draw(t, b), DisableAddTransmissions: draw(t, b), DisableSyncDueAt: draw(t, b),
			DisableSyncStatus: draw(t, b), DisableMarkCompletedWhenConfirmed: draw(t, b), DisableSyncContentTitle: draw(t, b),
			DisableSyncContentSummary: draw(t, b), DisableSyncContentAdditionalInformation: draw(t, b),
			DisableSyncContentExtendedStatus: draw(t, b), DisableSyncAttachments: draw(t, b),
			DisableSyncAPIActions: draw(t, b), DisableSyncGUIActions: draw(t, b),
		}
	})
}

func textResources() *rapid.Generator[mapping.Texts] {
	return rapid.Custom(func(t *rapid.T) mapping.Texts {
		var resources []altinn.TextResource
		for _, language := range []string{"nb", "nn", "en"} {
			resource := altinn.TextResource{Language: language}
			for _, id := range []string{"dp.title", "dp.summary.Task_1", "dp.additionalinfo", "dp.primaryactionlabel", "dp.copyactionlabel", "label"} {
				if draw(t, rapid.IntRange(0, 2)) == 0 {
					resource.Resources = append(resource.Resources, altinn.TextElement{ID: maybe(t, rapid.Just(id)), Value: draw(t, longText())})
				}
			}
			resources = append(resources, resource)
		}
		return mapping.NewTexts(resources[:draw(t, rapid.IntRange(0, 3))]...)
	})
}

// inputs gives inputs that can be mapped, however odd.
func inputs() *rapid.Generator[mapping.Input] {
	return rapid.Custom(func(t *rapid.T) mapping.Input {
		created := draw(t, times())
		guid := draw(t, guids())
		return mapping.Input{
			DialogID: dialogid.V7(uuid.MustParse(guid), created.Time),
			Instance: &altinn.Instance{
				ID: testPartyID + "/" + guid, AppID: "ttd/innsending", Org: "ttd",
				Process: maybe(t, processes()),
				Status: maybe(t, rapid.Custom(func(t *rapid.T) altinn.InstanceStatus {
					return altinn.InstanceStatus{IsArchived: draw(t, rapid.Bool()), Substatus: maybe(t, rapid.Custom(func(t *rapid.T) altinn.Substatus {
						return altinn.Substatus{Label: draw(t, word("", " ", "label", "en lang tekst som må kuttes")), Description: draw(t, longText())}
					}))}
				})),
				DueBefore: maybe(t, times()), VisibleAfter: maybe(t, times()),
				CompleteConfirmations: make([]altinn.CompleteConfirmation, draw(t, rapid.IntRange(0, 1))),
				Data:                  rapid.SliceOfN(dataElements(), 0, 6).Draw(t, ""),
				PresentationTexts:     draw(t, orderedTexts("a", "b")),
				DataValues:            draw(t, rapid.SampledFrom([]map[string]string{nil, {"A1ArchRef": "1"}, {"A2ArchRef": ""}})),
				Created:               &created, LastChanged: maybe(t, times()),
			},
			Events:      rapid.SliceOfN(events(), 0, 8).Draw(t, ""),
			Application: new(draw(t, applications())),
			Texts:       draw(t, textResources()),
			Party:       testParty,
			Actors:      map[int64]string{testUser: testPerson, otherUser: "urn:altinn:displayName:VIRKBRUKER"},
			Settings: mapping.Settings{
				AltinnHost: "tt02.altinn.no", AdapterURL: draw(t, word("", "https://adapter.example/", "https://adapter.example")),
				SubmissionTransmissions: draw(t, rapid.Bool()),
			},
			Migration: draw(t, rapid.Bool()),
			Attempt:   draw(t, rapid.IntRange(1, 5)),
			Now:       time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC),
		}
	})
}

// brokenInputs takes members away from what inputs gives.
func brokenInputs() *rapid.Generator[mapping.Input] {
	return rapid.Custom(func(t *rapid.T) mapping.Input {
		in := draw(t, inputs())
		for i := range in.Events {
			e := &in.Events[i]
			drop(t, func() { e.User = nil }, func() { e.User = &altinn.EventActor{} }, func() { e.Created = nil }, func() { e.ID = "" })
		}
		for i := range in.Instance.Data {
			e := &in.Instance.Data[i]
			drop(t, func() { e.Created = nil }, func() { e.ID = "" }, func() { *e = altinn.DataElement{} })
		}
		drop(t, func() { in.Actors = nil }, func() { in.Party = "" }, func() { in.Application = &altinn.Application{} },
			func() { in.Instance = &altinn.Instance{} }, func() { in.Instance.ID = "1/2" }, func() { in.Settings = mapping.Settings{} },
			func() { in.Texts = mapping.Texts{} }, func() { in.Application.DataTypes = altinn.List[altinn.DataType]{{}} },
			func() { in.Instance.Data = nil }, func() { in.Instance.Org = "" })
		if draw(t, rapid.Bool()) {
			in.Existing = &dialogporten.Dialog{}
		}
		return in
	})
}

// drop does one of the changes, or none.
func drop(t *rapid.T, changes ...func()) {
	if n := draw(t, rapid.IntRange(0, 2*len(changes))); n < len(changes) {
		changes[n]()
	}
}

func TestPropertyNeverPanics(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, brokenInputs())
		_, createErr := mapping.Create(in)
		_, updateErr := mapping.Update(in)
		for _, err := range []error{createErr, updateErr} {
			if err != nil {
				var mapped *mapping.Error
				require.ErrorAs(t, err, &mapped)
				require.NotEmpty(t, mapped.Reason)
			}
		}
		mapping.UserIDs(in.Events)
	})
}

func TestPropertySameInputSameBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, inputs())
		first := createBytes(t, in)
		assert.Equal(t, first, createBytes(t, in))
	})
}

func createBytes(t require.TestingT, in mapping.Input) string {
	created, err := mapping.Create(in)
	require.NoError(t, err)
	encoded, err := json.Marshal(created.Body)
	require.NoError(t, err)
	return string(encoded)
}

func TestPropertyIDsAndLengths(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		created, err := mapping.Create(draw(t, inputs()))
		require.NoError(t, err)
		body := created.Body
		ids := allIDs(body)
		for _, id := range ids {
			require.True(t, dialogid.IsV7(id), id.String())
		}
		for _, value := range contentValues(body.Content) {
			if *value != nil {
				requireLength(t, (*value).Value, contentLimit(body.Content, *value))
			}
		}
		for _, attachment := range body.Attachments {
			requireLength(t, attachment.DisplayName, 255)
		}
		for _, transmission := range body.Transmissions {
			for _, attachment := range transmission.Attachments {
				requireLength(t, attachment.DisplayName, 255)
			}
		}
		for _, action := range body.GUIActions {
			requireLength(t, action.Title, 255)
		}
		require.False(t, body.UpdatedAt.Before(body.CreatedAt.Time))
	})
}

func contentLimit(content *dialogporten.Content, value *dialogporten.ContentValue) int {
	switch value {
	case content.ExtendedStatus:
		return 25
	case content.AdditionalInfo:
		return 1023
	}
	return 255
}

func requireLength(t require.TestingT, list []dialogporten.Localization, limit int) {
	require.NotEmpty(t, list)
	for _, entry := range list {
		require.NotEmpty(t, strings.TrimSpace(entry.LanguageCode))
		require.LessOrEqual(t, len(utf16.Encode([]rune(entry.Value))), limit)
	}
}

func allIDs(body dialogporten.CreateDialog) []uuid.UUID {
	ids := []uuid.UUID{body.ID}
	for _, activity := range body.Activities {
		ids = append(ids, activity.ID)
	}
	for _, attachment := range body.Attachments {
		ids = append(ids, attachment.ID, attachment.URLs[0].ID)
	}
	for _, transmission := range body.Transmissions {
		ids = append(ids, transmission.ID)
		for _, attachment := range transmission.Attachments {
			ids = append(ids, attachment.ID)
		}
	}
	for _, action := range body.GUIActions {
		ids = append(ids, action.ID)
	}
	for _, action := range body.APIActions {
		ids = append(ids, action.ID, action.Endpoints[0].ID)
	}
	return ids
}

func TestPropertyUpdateOfWhatCreateMadeIsUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, inputs())
		created, err := mapping.Create(in)
		require.NoError(t, err)
		encoded, err := json.Marshal(created.Body)
		require.NoError(t, err)
		in.Existing = new(dialogporten.Dialog)
		require.NoError(t, json.Unmarshal(encoded, in.Existing))
		in.Existing.Unknown = nil
		normalizeAsServer(in.Existing)

		change, err := mapping.Update(in)
		require.NoError(t, err)
		if !change.Unchanged {
			sent, _ := json.MarshalIndent(change.Body, "", " ")
			t.Fatalf("changed: moves %v\n%s\n%s", change.Moves, encoded, sent)
		}
		require.Equal(t, created.Withheld, change.Withheld, "what is owed is still owed")
	})
}

// The server refuses more than one primary, one secondary and five tertiary buttons, and others' buttons must stay.
func TestPropertyButtonsFit(t *testing.T) {
	t.Parallel()
	limits := map[dialogporten.GUIActionPriority]int{
		dialogporten.PriorityPrimary: 1, dialogporten.PrioritySecondary: 1, dialogporten.PriorityTertiary: 5,
	}
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t, inputs())
		in.Application.MessageBoxConfig = nil
		in.Existing = &dialogporten.Dialog{Status: dialogporten.StatusDraft}
		room := maps.Clone(limits)
		for i := range draw(t, rapid.IntRange(0, 7)) {
			priority := draw(t, rapid.SampledFrom(slices.Sorted(maps.Keys(limits))))
			if room[priority] == 0 {
				continue
			}
			room[priority]--
			in.Existing.GUIActions = append(in.Existing.GUIActions, dialogporten.GUIAction{
				ID: uuid.MustParse(fmt.Sprintf("0197823f-0000-7000-8000-%012d", i)), Priority: priority,
			})
		}
		change, err := mapping.Update(in)
		require.NoError(t, err)
		actions := change.Body.GUIActions
		for i, other := range in.Existing.GUIActions {
			require.Equal(t, other, actions[i], "others stay, in order, with their rank")
		}
		for priority, limit := range limits {
			require.LessOrEqual(t, countOf(actions, priority), limit)
		}
	})
}

func countOf(actions []dialogporten.GUIAction, priority dialogporten.GUIActionPriority) int {
	n := 0
	for _, action := range actions {
		if action.Priority == priority {
			n++
		}
	}
	return n
}
