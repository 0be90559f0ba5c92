package mapping_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestUpdateOfWhatCreateMadeChangesNothing(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Instance.DueBefore = new(at(t, "2030-01-01T00:00:00.1234567Z"))
	in.Application.Title = altinn.OrderedTexts{{Key: "NN", Value: "K"}, {Key: "nb", Value: "B"}}
	in.Settings.AdapterURL = "https://adapter.example/å b"
	in.Instance.Data[0].SelfLinks = &altinn.ResourceLinks{Platform: "https://Storage.example?file=a b-c"}
	in.Instance.Data[0].LastChangedBy = "991825827"
	in.Existing = stored(t, mustCreate(t, in).Body)
	in.Attempt = 7
	change := mustUpdate(t, in)
	assert.True(t, change.BodyUnchanged)
	assert.True(t, change.Unchanged)
	assert.Empty(t, change.Moves)
	assert.False(t, change.AddsFormSubmitted)
}

func TestEveryMemberCounts(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Application.CopyInstanceSettings = &altinn.CopyInstanceSettings{Enabled: true}
	in.Instance.Status.Substatus = &altinn.Substatus{Label: "l", Description: "d"}
	in.Instance.DueBefore = new(at(t, "2030-01-01T00:00:00Z"))
	body := mustCreate(t, in).Body
	for name, spoil := range map[string]func(*dialogporten.Dialog){
		"status":             func(d *dialogporten.Dialog) { d.Status = dialogporten.StatusDraft },
		"isApiOnly":          func(d *dialogporten.Dialog) { d.IsAPIOnly = true },
		"dueAt":              func(d *dialogporten.Dialog) { d.DueAt = dialogporten.Time{} },
		"dueAt by 1 µs":      func(d *dialogporten.Dialog) { d.DueAt.Time = d.DueAt.Add(time.Microsecond) },
		"title":              func(d *dialogporten.Dialog) { d.Content.Title.Value[0].Value += "." },
		"title language":     func(d *dialogporten.Dialog) { d.Content.Title.Value[0].LanguageCode = "nn" },
		"summary":            func(d *dialogporten.Dialog) { d.Content.Summary = nil },
		"summary media type": func(d *dialogporten.Dialog) { d.Content.Summary.MediaType = "text/markdown" },
		"additional info":    func(d *dialogporten.Dialog) { d.Content.AdditionalInfo = d.Content.Title },
		"extended status":    func(d *dialogporten.Dialog) { d.Content.ExtendedStatus.Value = localized("nb", "l", "en", "l") },
		"no content":         func(d *dialogporten.Dialog) { d.Content = nil },
		"attachment gone":    func(d *dialogporten.Dialog) { d.Attachments = nil },
		"attachment name":    func(d *dialogporten.Dialog) { d.Attachments[0].Name = nil },
		"attachment title":   func(d *dialogporten.Dialog) { d.Attachments[0].DisplayName = nil },
		"attachment id":      func(d *dialogporten.Dialog) { d.Attachments[0].ID = uuid.Max },
		"attachment url":     func(d *dialogporten.Dialog) { d.Attachments[0].URLs[0].URL += "x" },
		"media type":         func(d *dialogporten.Dialog) { d.Attachments[0].URLs[0].MediaType = new("text/css") },
		"consumer":           func(d *dialogporten.Dialog) { d.Attachments[0].URLs[0].ConsumerType = dialogporten.ConsumerAPI },
		"two urls": func(d *dialogporten.Dialog) {
			d.Attachments[0].URLs = append(d.Attachments[0].URLs, dialogporten.AttachmentURL{ID: uuid.Max})
		},
		"button gone":      func(d *dialogporten.Dialog) { d.GUIActions = d.GUIActions[1:] },
		"button action":    func(d *dialogporten.Dialog) { d.GUIActions[0].Action = "x" },
		"button url":       func(d *dialogporten.Dialog) { d.GUIActions[0].URL = strings.ToUpper(d.GUIActions[0].URL) },
		"button attribute": func(d *dialogporten.Dialog) { d.GUIActions[0].AuthorizationAttribute = new("urn:altinn:task:x") },
		"button method":    func(d *dialogporten.Dialog) { d.GUIActions[0].HTTPMethod = dialogporten.VerbPost },
		"button deletes": func(d *dialogporten.Dialog) {
			d.GUIActions[0].IsDeleteDialogAction = !d.GUIActions[0].IsDeleteDialogAction
		},
		"button title":      func(d *dialogporten.Dialog) { d.GUIActions[0].Title = nil },
		"button prompt":     func(d *dialogporten.Dialog) { d.GUIActions[0].Prompt = localized("nb", "?") },
		"api action gone":   func(d *dialogporten.Dialog) { d.APIActions = nil },
		"api action":        func(d *dialogporten.Dialog) { d.APIActions[0].Action = "x" },
		"api attribute":     func(d *dialogporten.Dialog) { d.APIActions[0].AuthorizationAttribute = new("x") },
		"endpoint url":      func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].URL += "/" },
		"endpoint version":  func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].Version = nil },
		"endpoint method":   func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].HTTPMethod = dialogporten.VerbPut },
		"endpoint schema":   func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].RequestSchema = new("https://x/") },
		"endpoint docs":     func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].DocumentationURL = new("https://x/") },
		"endpoint sunset":   func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].SunsetAt = d.CreatedAt },
		"endpoint obsolete": func(d *dialogporten.Dialog) { d.APIActions[0].Endpoints[0].Deprecated = true },
		"activity missing":  func(d *dialogporten.Dialog) { d.Activities = d.Activities[1:] },
		"transmission gone": func(d *dialogporten.Dialog) { d.Transmissions = d.Transmissions[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := in
			in.Existing = stored(t, body)
			require.True(t, mustUpdate(t, in).Unchanged)
			spoil(in.Existing)
			assert.False(t, mustUpdate(t, in).Unchanged)
		})
	}
}

func TestOnlyWhatIsNewIsAdded(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Events = in.Events[:1]
	in.Existing = stored(t, mustCreate(t, in).Body)
	second := event(t, 2, "Submited", "2025-06-18T12:00:00Z")
	in.Events = append(in.Events, second, second)
	change := mustUpdate(t, in)
	require.Len(t, change.Body.Activities, 1, "repeated events are one")
	require.Len(t, change.Body.Transmissions, 1)
	assert.Equal(t, "Innsending #2", change.Body.Transmissions[0].Content.Title.Value[0].Value, "numbers count the earlier ones")
	assert.True(t, change.AddsFormSubmitted)
	assert.False(t, change.WaitForPDF)
}

func TestFormSavedMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   string
		want int
	}{
		"same":                  {"2025-06-18T12:00:00Z", 0},
		"a microsecond is lost": {"2025-06-18T12:00:00.000001Z", 0},
		"just above":            {"2025-06-18T12:00:00.0000011Z", 1},
		"much later":            {"2025-06-18T13:00:00.1234567Z", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Events = []altinn.InstanceEvent{event(t, 1, "Saved", "2025-06-18T12:00:00Z")}
			in.Existing = stored(t, mustCreate(t, in).Body)
			in.Events = append(in.Events, event(t, 2, "Saved", c.at))
			change := mustUpdate(t, in)
			require.Len(t, change.Moves, c.want)
			assert.True(t, change.BodyUnchanged, "a move is no update")
			assert.Equal(t, c.want == 0, change.Unchanged)
			if c.want > 0 {
				assert.Equal(t, in.Existing.Activities[0].ID, change.Moves[0].ActivityID)
				assert.True(t, at(t, c.at).Equal(change.Moves[0].At))
			}
			in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{
				SyncAdapterSettings: &altinn.SyncAdapterSettings{DisableAddActivities: true},
			}
			assert.Empty(t, mustUpdate(t, in).Moves)
		})
	}
}

// richDialog is a dialog as others may have left it: every member set, unknown ones at every level.
const richDialog = `{
	"id": "0197823f-91b7-712c-ba01-44e375b5bc79", "revision": "a312cb9c-7632-43c2-aa38-69b06aed56ca",
	"party": "urn:altinn:organization:identifier-no:313654321", "status": "Draft", "createdAt": "2025-06-18T08:54:53.623376Z",
	"updatedAt": "2025-06-18T08:54:53.623376Z", "contentUpdatedAt": "2025-06-18T08:54:53.623376Z",
	"progress": 0, "extendedStatus": "urn:x", "externalReference": "r", "process": "urn:p", "precedingProcess": "urn:q",
	"expiresAt": "2099-01-01T00:00:00Z", "newScalar": {"deep": [1, 2]},
	"searchTags": [{"value": "sak", "newMember": 1}],
	"content": {
		"title": {"value": [{"languageCode": "nb", "value": "Gammel"}], "mediaType": "text/plain", "newMember": "t"},
		"nonSensitiveTitle": {"value": [{"languageCode": "nb", "value": "Skjult"}], "mediaType": "text/plain", "isAuthorized": true},
		"senderName": {"value": [{"languageCode": "nb", "value": "Avsender", "newMember": "l"}], "mediaType": "text/plain"},
		"newContent": {"value": []}
	},
	"attachments": [{"id": "01978280-1b80-7000-b000-000000000001", "displayName": [], "expiresAt": "2098-01-01T00:00:00Z", "newMember": "a",
		"urls": [{"id": "01978280-1b80-7000-b000-000000000001", "url": "https://example.com/", "consumerType": "Gui", "newMember": "u"}]}],
	"guiActions": [
		{"id": "0197823f-91b7-720e-9e13-6007162cafdc", "action": "read", "url": "https://example.com/", "priority": "Primary",
			"title": [], "isDeleteDialogAction": false, "isAuthorized": true, "newMember": "g"},
		{"id": "0197823f-0000-7000-8000-000000000001", "action": "x", "url": "https://example.com/", "priority": "Tertiary",
			"title": [{"languageCode": "nb", "value": "X"}], "prompt": [{"languageCode": "nb", "value": "?"}],
			"isDeleteDialogAction": false, "isAuthorized": false, "newMember": "h"}],
	"apiActions": [
		{"id": "0197823f-91b7-7bc8-9898-986f54884262", "action": "read", "name": "les", "newMember": "p",
			"endpoints": [{"id": "0197823f-91b7-7797-9566-2e1572b6ce40", "url": "https://example.com/", "httpMethod": "GET",
				"deprecated": false, "newMember": "e"}]},
		{"id": "0197823f-0000-7000-8000-0000000000aa", "action": "write", "name": "skriv", "isAuthorized": true, "newMember": "q",
			"endpoints": [{"id": "0197823f-0000-7000-8000-0000000000ab", "url": "https://example.com/", "httpMethod": "POST",
				"documentationUrl": "https://example.com/d", "requestSchema": "https://example.com/r", "responseSchema": "https://example.com/s",
				"deprecated": true, "sunsetAt": "2031-01-01T00:00:00Z", "newMember": "f"}]}],
	"transmissions": [], "activities": []
}`

// What others have put into a dialog survives our update (invariant 11). Of the objects that are ours only the members that
// we do not know survive: an expiry or a name that the new object lacks is cleared, as by the reference (rule 12.1).
func TestUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Instance.Data = altinn.List[altinn.DataElement]{element(t, 1, "vedlegg", "2025-06-18T10:05:23.2Z")}
	in.Existing = new(dialogporten.Dialog)
	require.NoError(t, json.Unmarshal([]byte(richDialog), in.Existing))
	before, err := json.Marshal(in.Existing)
	require.NoError(t, err)

	body := mustUpdate(t, in).Body
	after, err := json.Marshal(in.Existing)
	require.NoError(t, err)
	assert.JSONEq(t, string(before), string(after), "the dialog as read is left alone")
	require.Equal(t, in.Existing.Attachments[0].ID, body.Attachments[0].ID, "the test's element has the id of the attachment")

	got := asTree(t, body)
	for path, want := range map[string]any{
		"newScalar.deep.1": 2.0, "progress": 0.0, "extendedStatus": "urn:x", "externalReference": "r", "process": "urn:p",
		"precedingProcess": "urn:q", "expiresAt": "2099-01-01T00:00:00Z", "searchTags.0.newMember": 1.0,
		"content.title.newMember": "t", "content.title.value.0.value": "Innsending av skjema",
		"content.nonSensitiveTitle.value.0.value": "Skjult", "content.nonSensitiveTitle.isAuthorized": nil,
		"content.senderName.value.0.newMember": "l", "content.newContent": map[string]any{"value": []any{}},
		"attachments.0.newMember": "a", "attachments.0.expiresAt": nil, "attachments.0.urls.0.newMember": "u",
		"guiActions.0.newMember": "h", "guiActions.0.prompt.0.value": "?", "guiActions.0.isAuthorized": nil,
		"guiActions.1.newMember": "g", "guiActions.1.isAuthorized": nil,
		"apiActions.0.newMember": "q", "apiActions.0.name": "skriv", "apiActions.0.isAuthorized": nil,
		"apiActions.0.endpoints.0.newMember": "f", "apiActions.0.endpoints.0.sunsetAt": "2031-01-01T00:00:00Z",
		"apiActions.0.endpoints.0.documentationUrl": "https://example.com/d", "apiActions.0.endpoints.0.requestSchema": "https://example.com/r",
		"apiActions.0.endpoints.0.responseSchema": "https://example.com/s", "apiActions.0.endpoints.0.deprecated": true,
		"apiActions.1.newMember": "p", "apiActions.1.name": nil, "apiActions.1.endpoints.0.newMember": "e",
	} {
		assert.Equal(t, want, lookUp(got, path), path)
	}
}

func asTree(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(encoded, &tree))
	return tree
}

func lookUp(tree any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch node := tree.(type) {
		case map[string]any:
			tree = node[step]
		case []any:
			index := int(step[0] - '0')
			if index >= len(node) {
				return nil
			}
			tree = node[index]
		default:
			return nil
		}
	}
	return tree
}

// With every part switched off an update sends the dialog back as it is; only isApiOnly follows the instance.
func TestSwitchesKeepEverything(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Events = []altinn.InstanceEvent{event(t, 1, "Submited", "2025-06-18T10:00:00Z")}
	in.Instance.DueBefore = new(at(t, "2030-01-01T00:00:00Z"))
	in.Existing = new(dialogporten.Dialog)
	require.NoError(t, json.Unmarshal([]byte(richDialog), in.Existing))
	in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{SyncAdapterSettings: allPartsOff()}

	change := mustUpdate(t, in)
	assert.True(t, change.Unchanged)
	assert.False(t, change.WaitForPDF)
	sent, kept := asTree(t, change.Body).(map[string]any), asTree(t, in.Existing).(map[string]any)
	delete(kept["content"].(map[string]any)["nonSensitiveTitle"].(map[string]any), "isAuthorized")
	for _, list := range []string{"guiActions", "apiActions"} {
		for _, action := range kept[list].([]any) {
			delete(action.(map[string]any), "isAuthorized")
		}
	}
	for name, value := range sent {
		assert.Equal(t, kept[name], value, name)
	}

	in.Application.MessageBoxConfig.HideSettings = &altinn.HideSettings{HideAlways: true}
	change = mustUpdate(t, in)
	assert.True(t, change.Body.IsAPIOnly)
	assert.False(t, change.Unchanged)
}

func TestNoContentStaysNoContent(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Existing = stored(t, mustCreate(t, in).Body)
	in.Existing.Content = nil
	in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{SyncAdapterSettings: allPartsOff()}
	change := mustUpdate(t, in)
	assert.Nil(t, change.Body.Content, "an empty content would be refused")
	assert.True(t, change.Unchanged)
}

// allPartsOff sets every switch of a part, whichever are added.
func allPartsOff() *altinn.SyncAdapterSettings {
	off := altinn.SyncAdapterSettings{}
	value := reflect.ValueOf(&off).Elem()
	for i := range value.NumField() {
		switch value.Type().Field(i).Name {
		case "DisableSync", "EnableUserSuppliedDialogID", "DisableCreate", "DisableDelete":
		default:
			value.Field(i).SetBool(true)
		}
	}
	return &off
}

func TestMissingInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove func(*mapping.Input)
		reason mapping.Reason
		member string
	}{
		"instance":    {func(in *mapping.Input) { in.Instance = nil }, mapping.ReasonInstanceMissing, ""},
		"application": {func(in *mapping.Input) { in.Application = nil }, mapping.ReasonApplicationMissing, ""},
		"party":       {func(in *mapping.Input) { in.Party = "" }, mapping.ReasonPartyNotFound, ""},
		"dialog id":   {func(in *mapping.Input) { in.DialogID = uuid.Nil }, mapping.ReasonDialogMissing, "id"},
		"clock":       {func(in *mapping.Input) { in.Now = time.Time{} }, mapping.ReasonSettingsInvalid, "Now"},
		"id":          {func(in *mapping.Input) { in.Instance.ID = "x" }, mapping.ReasonInstanceIncomplete, "id"},
		"app id":      {func(in *mapping.Input) { in.Instance.AppID = "" }, mapping.ReasonInstanceIncomplete, "appId"},
		"org":         {func(in *mapping.Input) { in.Instance.Org = "" }, mapping.ReasonInstanceIncomplete, "org"},
		"created":     {func(in *mapping.Input) { in.Instance.Created = nil }, mapping.ReasonInstanceIncomplete, "created"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Existing = stored(t, mustCreate(t, in).Body)
			c.remove(&in)
			_, createErr := mapping.Create(in)
			_, updateErr := mapping.Update(in)
			assert.Equal(t, c.member, requireReason(t, createErr, c.reason).Member)
			assert.Equal(t, c.member, requireReason(t, updateErr, c.reason).Member)
		})
	}
	_, err := mapping.Update(draft(t))
	requireReason(t, err, mapping.ReasonDialogMissing)
}

func TestErrorsNameNobody(t *testing.T) {
	t.Parallel()
	in := draft(t)
	e := event(t, 1, "Signed", "2025-06-18T10:00:00Z")
	e.User = &altinn.EventActor{UserID: new(int64(99))}
	in.Events = []altinn.InstanceEvent{e}
	_, err := mapping.Create(in)
	assert.EqualError(t, err, "map instance: actor_unresolvable in "+e.ID)
}
