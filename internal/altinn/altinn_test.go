package altinn_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-02T08:14:02Z":              "2026-03-02T08:14:02Z",
		"2026-03-02T08:14:02.1Z":            "2026-03-02T08:14:02.1Z",
		"2026-03-02T08:14:02.1234567Z":      "2026-03-02T08:14:02.1234567Z",
		"2026-03-02T08:14:02.123456789Z":    "2026-03-02T08:14:02.1234567Z",
		"2026-03-02T08:14:02.10+01:00":      "2026-03-02T07:14:02.1Z",
		"2026-03-02T08:14:02.1234567+00:00": "2026-03-02T08:14:02.1234567Z",
		"2026-03-02T08:14:02-0330":          "2026-03-02T11:44:02Z",
		"2026-03-02T08:14:02":               "2026-03-02T08:14:02Z",
		"2026-03-02T08:14:02.1234567":       "2026-03-02T08:14:02.1234567Z",
		"2026-03-02":                        "2026-03-02T00:00:00Z",
		"0001-01-01T00:00:00":               "0001-01-01T00:00:00Z",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := altinn.ParseTime(text)
			require.NoError(t, err)
			assert.Equal(t, want, got.String())
			assert.Equal(t, time.UTC, got.Location())
			encoded, err := json.Marshal(got)
			require.NoError(t, err)
			assert.Equal(t, `"`+want+`"`, string(encoded))
		})
	}
	for _, text := range []string{"", "x", "02.03.2026", "2026-13-01T00:00:00Z", "2026-03-02T25:00:00Z"} {
		_, err := altinn.ParseTime(text)
		require.ErrorIs(t, err, altinn.ErrTime, text)
	}
}

func TestTimeRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks := rapid.Int64Range(-1e17, 1e17).Draw(t, "ticks")
		at := altinn.TimeOf(time.Unix(ticks/1e7, ticks%1e7*100))
		encoded, err := json.Marshal(at)
		require.NoError(t, err)
		var again altinn.Time
		require.NoError(t, json.Unmarshal(encoded, &again))
		require.True(t, at.Equal(again.Time))
	})
}

func TestParseInstanceID(t *testing.T) {
	t.Parallel()
	const guid = "6f3da581-76f9-412c-ba01-44e375b5bc79"
	for text, want := range map[string]string{
		"50001337/" + guid:                   "50001337/" + guid,
		"1/" + strings.ToUpper(guid):         "1/" + guid,
		"2147483647/" + guid:                 "2147483647/" + guid,
		"2147483648/" + guid:                 "",
		"0/" + guid:                          "",
		"-1/" + guid:                         "",
		"+1/" + guid:                         "",
		" 1/" + guid:                         "",
		"x/" + guid:                          "",
		"/" + guid:                           "",
		"1/{" + guid + "}":                   "",
		"1/6f3da58176f9412cba0144e375b5bc79": "",
		"1/" + guid + "/2":                   "",
		"1/2/" + guid:                        "",
		guid:                                 "",
		"":                                   "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			id, err := altinn.ParseInstanceID(text)
			if want == "" {
				var malformed *altinn.InstanceIDError
				require.ErrorAs(t, err, &malformed)
				assert.True(t, id.IsZero())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, want, id.String())
			assert.Equal(t, uuid.MustParse(guid), id.GUID)
		})
	}
}

func TestOrderedTexts(t *testing.T) {
	t.Parallel()
	var texts altinn.OrderedTexts
	require.NoError(t, json.Unmarshal([]byte(`{"z":"1","a":null,"m":"2","z":"3"}`), &texts))
	assert.Equal(t, altinn.OrderedTexts{{Key: "z", Value: "3"}, {Key: "a"}, {Key: "m", Value: "2"}}, texts)
	encoded, err := json.Marshal(texts)
	require.NoError(t, err)
	assert.Equal(t, `{"z":"3","a":"","m":"2"}`, string(encoded)) //nolint:testifylint // The order counts.
	require.NoError(t, json.Unmarshal([]byte(`null`), &texts))
	assert.Empty(t, texts)
	for _, wrong := range []string{`[]`, `"x"`, `{"a":{}}`, `{"a":1}`} {
		require.ErrorIs(t, json.Unmarshal([]byte(wrong), &texts), altinn.ErrNotTextObject, wrong)
	}
}

// Lists of migrated data may be null or hold null entries (Storage reference 11).
func TestTolerance(t *testing.T) {
	t.Parallel()
	var instance altinn.Instance
	require.NoError(t, json.Unmarshal([]byte(`{
		"id": "1/6f3da581-76f9-412c-ba01-44e375b5bc79", "appId": null, "status": null, "process": {"currentTask": null}, "new": {"x": []},
		"data": [null, {"id": "a", "references": [null, {"value": "Task_1", "relation": "Nytt"}], "metadata": [null], "lastChangedBy": null, "selfLinks": null}],
		"dataValues": {"dialog.id": null}, "completeConfirmations": null, "presentationTexts": null, "created": "2020-01-01T00:00:00", "lastChanged": null
	}`), &instance))
	require.Len(t, instance.Data, 1)
	require.Len(t, instance.Data[0].References, 1)
	assert.True(t, instance.HasDataValue("dialog.id"))
	assert.False(t, instance.HasDataValue("A2ArchRef"))
	assert.Nil(t, instance.CurrentTask())
	assert.Nil(t, instance.LastChanged)
	assert.False(t, instance.IsArchived() || instance.IsSoftDeleted() || instance.IsHardDeleted())
	id, err := instance.InstanceID()
	require.NoError(t, err)
	assert.EqualValues(t, 1, id.PartyID)

	var events altinn.InstanceEventList
	require.NoError(t, json.Unmarshal([]byte(`{"instanceEvents": [null, {"eventType": "Created", "user": null}]}`), &events))
	assert.Len(t, events.InstanceEvents, 1)
	require.NoError(t, json.Unmarshal([]byte(`{"instanceEvents": null}`), &events))
	assert.Empty(t, events.InstanceEvents)
}

func TestOneBadMemberIsOneBadItem(t *testing.T) {
	t.Parallel()
	var instance altinn.Instance
	require.ErrorIs(t, json.Unmarshal([]byte(`{"id": "1/x", "created": "yesterday"}`), &instance), altinn.ErrTime)
	_, err := (&altinn.Instance{ID: "1/x"}).InstanceID()
	var malformed *altinn.InstanceIDError
	require.ErrorAs(t, err, &malformed)
}

func TestApplicationDefaults(t *testing.T) {
	t.Parallel()
	assert.Equal(t, altinn.SyncAdapterSettings{}, (*altinn.Application)(nil).SyncSettings())
	var application altinn.Application
	require.NoError(t, json.Unmarshal([]byte(`{"id": "ttd/app", "dataTypes": [null,
		{"id": "a", "appLogic": {}}, {"id": "b", "appLogic": {}, "enablePdfCreation": false}, {"id": "c", "enablePdfCreation": true}],
		"messageBoxConfig": {"syncAdapterSettings": {"disableSync": true, "disableSyncApiActions": true, "new": 1, "disableDelete": null}}}`), &application))
	require.Len(t, application.DataTypes, 3)
	assert.True(t, application.DataTypes[0].MakesPDF(), "missing means true")
	assert.False(t, application.DataTypes[1].MakesPDF())
	assert.False(t, application.DataTypes[2].MakesPDF(), "no form data")
	assert.Equal(t, altinn.SyncAdapterSettings{DisableSync: true, DisableSyncAPIActions: true}, application.SyncSettings())
	assert.Empty(t, application.VersionID)
}

// Personal data that no rule needs is not even read (invariant 12).
func TestIdentityNumbersAreNotRead(t *testing.T) {
	t.Parallel()
	var instance altinn.Instance
	require.NoError(t, json.Unmarshal([]byte(`{"id": "1/x", "instanceOwner": {"partyId": "1", "personNumber": "13897197123", "username": "kari"}}`), &instance))
	var event altinn.InstanceEvent
	require.NoError(t, json.Unmarshal([]byte(`{"user": {"userId": 1, "nationalIdentityNumber": "13897197123"}}`), &event))
	encoded, err := json.Marshal([]any{instance, event})
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "13897197123")
	assert.NotContains(t, string(encoded), "kari")
}
