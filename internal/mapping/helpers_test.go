package mapping_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const (
	testGUID    = "6f3da581-76f9-412c-ba01-44e375b5bc79"
	testPartyID = "50001337"
	testUser    = int64(20001001)
	otherUser   = int64(20001002)
	testParty   = "urn:altinn:organization:identifier-no:313654321"
	testPerson  = "urn:altinn:person:identifier-no:57915600745"
	otherPerson = "urn:altinn:person:identifier-no:14886498226"
)

func userURN(id int64) string { return mapping.UserIDURNPrefix + strconv.FormatInt(id, 10) }

func at(t testing.TB, text string) altinn.Time {
	t.Helper()
	parsed, err := altinn.ParseTime(text)
	require.NoError(t, err)
	return parsed
}

// draft is an instance that a user has just begun: the plainest input that gives a dialog.
func draft(t testing.TB) mapping.Input {
	t.Helper()
	created := at(t, "2025-06-18T08:54:53.6233769Z")
	return mapping.Input{
		DialogID: dialogid.V7(uuid.MustParse(testGUID), created.Time),
		Instance: &altinn.Instance{
			ID:            testPartyID + "/" + testGUID,
			InstanceOwner: &altinn.InstanceOwner{PartyID: testPartyID},
			AppID:         "ttd/innsending",
			Org:           "ttd",
			Process:       &altinn.Process{CurrentTask: &altinn.Task{ElementID: "Task_1", AltinnTaskType: "data"}},
			Status:        &altinn.InstanceStatus{},
			Created:       &created,
			LastChanged:   new(at(t, "2025-06-18T09:10:00Z")),
		},
		Application: &altinn.Application{
			ID:    "ttd/innsending",
			Org:   "ttd",
			Title: altinn.OrderedTexts{{Key: "nb", Value: "Innsending av skjema"}, {Key: "en", Value: "Form submission"}},
		},
		Texts:  mapping.NewTexts(),
		Party:  testParty,
		Actors: map[int64]string{testUser: testPerson, otherUser: otherPerson},
		Settings: mapping.Settings{
			AltinnHost:              "tt02.altinn.no",
			AdapterURL:              "https://platform.tt02.altinn.no/storage/dialogporten",
			SubmissionTransmissions: true,
		},
		Attempt: 1,
		Now:     at(t, "2026-06-12T10:00:00Z").Time,
	}
}

// archived is a draft that was submitted and archived; the service owner has not confirmed it.
func archived(t testing.TB) mapping.Input {
	t.Helper()
	in := draft(t)
	in.Instance.Process = nil
	in.Instance.Status.IsArchived = true
	return in
}

// event is an event of the test's user; n makes its id.
func event(t testing.TB, n int, kind, created string) altinn.InstanceEvent {
	t.Helper()
	return altinn.InstanceEvent{
		ID:        "7e570000-0000-4000-a000-" + pad(n),
		EventType: kind,
		Created:   new(at(t, created)),
		User:      &altinn.EventActor{UserID: new(testUser)},
	}
}

// element is a data element that a user made; n makes its id.
func element(t testing.TB, n int, dataType, created string) altinn.DataElement {
	t.Helper()
	return altinn.DataElement{
		ID:            "da7a0000-0000-4000-b000-" + pad(n),
		DataType:      dataType,
		Filename:      "fil" + strconv.Itoa(n) + ".pdf",
		Created:       new(at(t, created)),
		LastChangedBy: "20001001",
	}
}

func pad(n int) string {
	const width = 12
	text := strconv.Itoa(n)
	for len(text) < width {
		text = "0" + text
	}
	return text
}

func mustCreate(t testing.TB, in mapping.Input) mapping.Creation {
	t.Helper()
	created, err := mapping.Create(in)
	require.NoError(t, err)
	return created
}

func mustUpdate(t testing.TB, in mapping.Input) mapping.Change {
	t.Helper()
	change, err := mapping.Update(in)
	require.NoError(t, err)
	return change
}

func requireReason(t testing.TB, err error, want mapping.Reason) mapping.Error {
	t.Helper()
	var mapped *mapping.Error
	require.ErrorAs(t, err, &mapped)
	require.Equal(t, want, mapped.Reason)
	return *mapped
}

// stored is the dialog that Dialogporten would show after a create. It does to values what the real one does.
func stored(t testing.TB, body dialogporten.CreateDialog) *dialogporten.Dialog {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	var dialog dialogporten.Dialog
	require.NoError(t, json.Unmarshal(encoded, &dialog))
	dialog.Unknown = nil
	normalizeAsServer(&dialog)
	return &dialog
}

func texts(languages map[string]map[string]string) mapping.Texts {
	var resources []altinn.TextResource
	for _, language := range []string{"nb", "nn", "en", "fr", "no"} {
		values, found := languages[language]
		if !found {
			continue
		}
		resource := altinn.TextResource{Language: language}
		for id, value := range values {
			resource.Resources = append(resource.Resources, altinn.TextElement{ID: new(id), Value: value})
		}
		resources = append(resources, resource)
	}
	return mapping.NewTexts(resources...)
}

func localized(pairs ...string) []dialogporten.Localization {
	var list []dialogporten.Localization
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, dialogporten.Localization{LanguageCode: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
