package mapping_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// vectorFolder is where the reference's test vectors lie, seen from this package.
const vectorFolder = "../../../shared/reference/vectors/app-instances"

type vector struct {
	Name  string          `json:"name"`
	Kind  string          `json:"kind"`
	Given json.RawMessage `json:"given"`
	Want  json.RawMessage `json:"want"`
}

func readVectors(t *testing.T, kind string) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(vectorFolder, "*.json"))
	require.NoError(t, err)
	if len(paths) == 0 {
		t.Skip("no test vectors in ../shared/reference/vectors")
	}
	var found []vector
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var v vector
		require.NoError(t, json.Unmarshal(content, &v), path)
		if v.Kind == kind {
			found = append(found, v)
		}
	}
	return found
}

type syncGiven struct {
	Now    time.Time `json:"now"`
	Config struct {
		AltinnBaseURI                 string `json:"altinnBaseUri"`
		AdapterBaseURI                string `json:"adapterBaseUri"`
		EnableSubmissionTransmissions bool   `json:"enableSubmissionTransmissions"`
	} `json:"config"`
	Command struct {
		PartyID           string      `json:"partyId"`
		InstanceID        uuid.UUID   `json:"instanceId"`
		InstanceCreatedAt altinn.Time `json:"instanceCreatedAt"`
		IsMigration       bool        `json:"isMigration"`
	} `json:"command"`
	Attempt        int                                  `json:"attempt"`
	Application    *altinn.Application                  `json:"application"`
	Texts          map[string]altinn.TextResource       `json:"texts"`
	Instance       *altinn.Instance                     `json:"instance"`
	Events         altinn.List[altinn.InstanceEvent]    `json:"events"`
	ExistingDialog *dialogporten.Dialog                 `json:"existingDialog"`
	Parties        map[string]altinn.List[altinn.Party] `json:"parties"`
}

type syncWant struct {
	Outcome string     `json:"outcome"`
	Calls   []syncCall `json:"calls"`
}

type syncCall struct {
	Service  string          `json:"service"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Body     json.RawMessage `json:"body"`
	BodyMode string          `json:"bodyMode"`
}

const (
	dialogsPath   = "/api/v1/serviceowner/dialogs"
	moveSuffix    = "/actions/updateFormSavedActivityTime"
	outcomePDF    = "waitForPdf"
	modeFull      = "full"
	outcomeParty  = "partyNotFound"
	outcomeActor  = "actorUnresolvable"
	postMethod    = "POST"
	putMethod     = "PUT"
	vectorService = "dialogporten"
)

func TestVectorsSync(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t, "sync") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var given syncGiven
			var want syncWant
			require.NoError(t, json.Unmarshal(v.Given, &given))
			require.NoError(t, json.Unmarshal(v.Want, &want))
			playSync(t, given, want)
		})
	}
}

// playSync compares the bodies that the mapping makes; which calls are made at all is for package delivery.
func playSync(t *testing.T, given syncGiven, want syncWant) {
	t.Helper()
	in, ok := inputOf(given)
	if !ok {
		return
	}
	create, update, moves := mappedCalls(want.Calls)
	switch {
	case want.Outcome == outcomeParty || want.Outcome == outcomeActor:
		assertFails(t, in, want.Outcome)
	case create != nil:
		created, err := mapping.Create(in)
		require.NoError(t, err)
		assertBody(t, *create, created.Body, createMembers())
		assert.Equal(t, want.Outcome == outcomePDF, created.WaitForPDF)
	case update != nil:
		change, err := mapping.Update(in)
		require.NoError(t, err)
		assertBody(t, *update, change.Body, updateMembers())
		assertMoves(t, moves, change.Moves)
		assert.Equal(t, want.Outcome == outcomePDF, change.WaitForPDF)
		assert.False(t, change.Unchanged, "every update of the vectors changes something")
	}
}

func inputOf(given syncGiven) (mapping.Input, bool) {
	if given.Instance == nil || given.Application == nil {
		return mapping.Input{}, false
	}
	dialogID := dialogid.V7(given.Command.InstanceID, given.Command.InstanceCreatedAt.Time)
	if given.Application.SyncSettings().EnableUserSuppliedDialogID {
		supplied, ok := mapping.UserSuppliedDialogID(given.Instance.DataValues["dialog.id"], given.Now)
		if !ok {
			return mapping.Input{}, false
		}
		dialogID = supplied
	}
	var existing *dialogporten.Dialog
	if given.ExistingDialog != nil && given.ExistingDialog.ID == dialogID {
		existing = given.ExistingDialog
	}
	return mapping.Input{
		DialogID:    dialogID,
		Instance:    given.Instance,
		Events:      given.Events,
		Application: given.Application,
		Texts:       textsOf(given.Texts),
		Party:       urnOf(given.Parties[mapping.PartyIDURNPrefix+given.Instance.InstanceOwner.PartyID]),
		Actors:      actorsOf(given),
		Existing:    existing,
		Settings: mapping.Settings{
			AltinnHost:              strings.TrimPrefix(given.Config.AltinnBaseURI, "https://"),
			AdapterURL:              given.Config.AdapterBaseURI,
			SubmissionTransmissions: given.Config.EnableSubmissionTransmissions,
		},
		Migration:         given.Command.IsMigration,
		DeleteAfterCreate: given.Instance.IsSoftDeleted() && existing == nil,
		Attempt:           given.Attempt,
		Now:               given.Now,
	}, true
}

func textsOf(given map[string]altinn.TextResource) mapping.Texts {
	var resources []altinn.TextResource
	for _, language := range mapping.TextLanguages() {
		if resource, found := given[language]; found {
			resources = append(resources, resource)
		}
	}
	return mapping.NewTexts(resources...)
}

func actorsOf(given syncGiven) map[int64]string {
	actors := make(map[int64]string)
	for _, id := range mapping.UserIDs(given.Events) {
		if urn := urnOf(given.Parties[userURN(id)]); urn != "" {
			actors[id] = urn
		}
	}
	return actors
}

// urnOf reads Register's answer: the first record counts.
func urnOf(records []altinn.Party) string {
	if len(records) == 0 {
		return ""
	}
	urn, err := mapping.PartyURN(records[0])
	if err != nil {
		return ""
	}
	return urn
}

func mappedCalls(calls []syncCall) (create, update *syncCall, moves []syncCall) {
	for i, call := range calls {
		switch {
		case call.Service != vectorService:
		case call.Method == postMethod && call.Path == dialogsPath:
			create = &calls[i]
		case call.Method == putMethod:
			update = &calls[i]
		case strings.HasSuffix(call.Path, moveSuffix):
			moves = append(moves, call)
		}
	}
	return create, update, moves
}

func assertFails(t *testing.T, in mapping.Input, outcome string) {
	t.Helper()
	var err error
	if in.Existing == nil {
		_, err = mapping.Create(in)
	} else {
		_, err = mapping.Update(in)
	}
	var mapped *mapping.Error
	require.ErrorAs(t, err, &mapped)
	wantReason := map[string]mapping.Reason{
		outcomeParty: mapping.ReasonPartyNotFound,
		outcomeActor: mapping.ReasonActorUnresolvable,
	}[outcome]
	assert.Equal(t, wantReason, mapped.Reason)
}

func assertMoves(t *testing.T, want []syncCall, got []mapping.FormSavedMove) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, call := range want {
		var at time.Time
		require.NoError(t, json.Unmarshal(call.Body, &at))
		assert.Contains(t, call.Path, "/activities/"+got[i].ActivityID.String()+"/")
		assert.True(t, at.Equal(got[i].At), "want %s, got %s", at, got[i].At)
	}
}

// assertBody compares as the vectors' README says.
func assertBody(t *testing.T, want syncCall, body any, schema []string) {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	wanted, got := members(t, want.Body), members(t, encoded)
	for name := range got {
		assert.Contains(t, schema, name, "a member that the API does not have")
	}
	names := schema
	if want.BodyMode != modeFull {
		names = nil
		for name := range wanted {
			names = append(names, name)
		}
	}
	for _, name := range names {
		assert.Equal(t, normalForm(name, wanted[name]), normalForm(name, got[name]), name)
	}
}

func members(t *testing.T, object []byte) map[string]any {
	t.Helper()
	var found map[string]any
	require.NoError(t, json.Unmarshal(object, &found))
	return found
}

// normalForm drops what counts as absent, and turns times into instants.
func normalForm(name string, value any) any {
	switch value := value.(type) {
	case string:
		if strings.HasSuffix(name, "At") || name == "visibleFrom" {
			if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
				return at.UTC()
			}
		}
		return value
	case bool:
		if value {
			return true
		}
		return nil
	case []any:
		var list []any
		for _, entry := range value {
			list = append(list, normalForm("", entry))
		}
		if len(list) == 0 {
			return nil
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(value))
		for member, content := range value {
			if kept := normalForm(member, content); kept != nil {
				object[member] = kept
			}
		}
		return object
	}
	return value
}

func createMembers() []string {
	return []string{
		"id", "idempotentKey", "serviceResource", "party", "progress", "extendedStatus", "externalReference",
		"visibleFrom", "dueAt", "process", "precedingProcess", "expiresAt", "isApiOnly", "createdAt", "updatedAt",
		"status", "systemLabel", "serviceOwnerContext", "content", "searchTags", "attachments", "transmissions",
		"guiActions", "apiActions", "activities",
	}
}

func updateMembers() []string {
	return []string{
		"progress", "extendedStatus", "externalReference", "dueAt", "process", "precedingProcess", "expiresAt",
		"isApiOnly", "status", "content", "searchTags", "attachments", "transmissions", "guiActions", "apiActions",
		"activities",
	}
}

func TestVectorsIdentity(t *testing.T) {
	t.Parallel()
	type identity struct {
		InstanceGUID uuid.UUID   `json:"instanceGuid"`
		Created      altinn.Time `json:"created"`
		DialogID     uuid.UUID   `json:"dialogId"`
		Parent       uuid.UUID   `json:"parent"`
		Name         string      `json:"name"`
		SubID        uuid.UUID   `json:"subId"`
	}
	for _, v := range readVectors(t, "identity") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var want struct {
				Cases []identity `json:"cases"`
			}
			require.NoError(t, json.Unmarshal(v.Want, &want))
			require.NotEmpty(t, want.Cases)
			for _, c := range want.Cases {
				if c.Name == "" {
					assert.Equal(t, c.DialogID, dialogid.V7(c.InstanceGUID, c.Created.Time))
					continue
				}
				id, err := dialogid.Sub(c.Parent, c.Name)
				require.NoError(t, err)
				assert.Equal(t, c.SubID, id)
			}
		})
	}
}

func TestVectorsUserSuppliedIDValidity(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t, "user-supplied-id-validity") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var given struct {
				Now time.Time `json:"now"`
			}
			var want struct {
				Cases []struct {
					Value string `json:"value"`
					Valid bool   `json:"valid"`
				} `json:"cases"`
			}
			require.NoError(t, json.Unmarshal(v.Given, &given))
			require.NoError(t, json.Unmarshal(v.Want, &want))
			for _, c := range want.Cases {
				_, valid := mapping.UserSuppliedDialogID(c.Value, given.Now)
				assert.Equal(t, c.Valid, valid, c.Value)
			}
		})
	}
}

func TestVectorsRegister(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t, "register") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var given struct {
				Cases []struct {
					Case     string           `json:"case"`
					Response altinn.PartyList `json:"response"`
				} `json:"cases"`
			}
			var want struct {
				Cases []struct {
					Case string  `json:"case"`
					URN  *string `json:"urn"`
				} `json:"cases"`
			}
			require.NoError(t, json.Unmarshal(v.Given, &given))
			require.NoError(t, json.Unmarshal(v.Want, &want))
			require.Len(t, given.Cases, len(want.Cases))
			for i, c := range given.Cases {
				require.Equal(t, want.Cases[i].Case, c.Case)
				urn := urnOf(*c.Response.Data)
				if want.Cases[i].URN == nil {
					assert.Empty(t, urn, c.Case)
					continue
				}
				assert.Equal(t, *want.Cases[i].URN, urn, c.Case)
			}
		})
	}
}

func TestPartyURNOfAnEmptyRecord(t *testing.T) {
	t.Parallel()
	_, err := mapping.PartyURN(altinn.Party{})
	var mapped *mapping.Error
	require.ErrorAs(t, err, &mapped)
	assert.Equal(t, mapping.ReasonPartyUnusable, mapped.Reason)
}
