package dialogporten_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// openAPIDocument is Dialogporten's published service-owner document, seen from this package.
const openAPIDocument = "../../../shared/reference/dialogporten-serviceowner.openapi.json"

// jsonMembers gives the members that a struct is written with.
func jsonMembers(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// Every member of the document has a field, and every field is a member of the document.
func TestModelCoversTheDocument(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(openAPIDocument)
	if os.IsNotExist(err) {
		t.Skip("no OpenAPI document in ../shared/reference")
	}
	require.NoError(t, err)
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `json:"properties"`
				Enum       []string       `json:"enum"`
			} `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(bytes.TrimPrefix(content, []byte("\ufeff")), &document))

	requestLacks := []string{"isAuthorized", "isOpened"}
	for schema, c := range map[string]struct {
		model any
		extra []string // members that the type shares with another schema
	}{
		"Dialog":                                  {dialogporten.Dialog{}, nil},
		"CreateDialog":                            {dialogporten.CreateDialog{}, nil},
		"UpdateDialog":                            {dialogporten.UpdateDialog{}, nil},
		"Content":                                 {dialogporten.Content{}, nil},
		"CreateDialogContent":                     {dialogporten.Content{}, nil},
		"UpdateDialogContent":                     {dialogporten.Content{}, nil},
		"ContentValue":                            {dialogporten.ContentValue{}, nil},
		"Localization":                            {dialogporten.Localization{}, nil},
		"Actor":                                   {dialogporten.Actor{}, nil},
		"DialogActivity":                          {dialogporten.Activity{}, nil},
		"CreateDialogActivity":                    {dialogporten.Activity{}, nil},
		"UpdateDialogActivity":                    {dialogporten.Activity{}, nil},
		"CreateDialogActivityRequest":             {dialogporten.Activity{}, nil},
		"DialogActivityDetails":                   {dialogporten.Activity{}, nil},
		"DialogActivitySearchItem":                {dialogporten.ActivityListItem{}, nil},
		"DialogTransmission":                      {dialogporten.Transmission{}, nil},
		"CreateDialogTransmission":                {dialogporten.Transmission{}, requestLacks},
		"UpdateDialogTransmission":                {dialogporten.Transmission{}, requestLacks},
		"CreateTransmissionRequest":               {dialogporten.Transmission{}, requestLacks},
		"UpdateTransmissionRequest":               {dialogporten.UpdateTransmission{}, nil},
		"DialogTransmissionContent":               {dialogporten.TransmissionContent{}, nil},
		"DialogTransmissionNavigationalAction":    {dialogporten.NavigationalAction{}, nil},
		"DialogAttachment":                        {dialogporten.Attachment{}, nil},
		"CreateDialogAttachment":                  {dialogporten.Attachment{}, nil},
		"UpdateDialogAttachment":                  {dialogporten.Attachment{}, nil},
		"CreateDialogTransmissionAttachment":      {dialogporten.Attachment{}, nil},
		"DialogAttachmentUrl":                     {dialogporten.AttachmentURL{}, nil},
		"CreateDialogAttachmentUrl":               {dialogporten.AttachmentURL{}, nil},
		"CreateDialogTransmissionAttachmentUrl":   {dialogporten.AttachmentURL{}, []string{"id"}},
		"DialogGuiAction":                         {dialogporten.GUIAction{}, nil},
		"CreateDialogGuiAction":                   {dialogporten.GUIAction{}, requestLacks},
		"UpdateDialogGuiAction":                   {dialogporten.GUIAction{}, requestLacks},
		"DialogApiAction":                         {dialogporten.APIAction{}, nil},
		"CreateDialogApiAction":                   {dialogporten.APIAction{}, requestLacks},
		"UpdateDialogApiAction":                   {dialogporten.APIAction{}, requestLacks},
		"DialogApiActionEndpoint":                 {dialogporten.APIActionEndpoint{}, nil},
		"UpdateDialogApiActionEndpoint":           {dialogporten.APIActionEndpoint{}, nil},
		"DialogTag":                               {dialogporten.SearchTag{}, nil},
		"DialogSeenLog":                           {dialogporten.SeenLog{}, nil},
		"DialogServiceOwnerContext":               {dialogporten.ServiceOwnerContext{}, nil},
		"CreateDialogServiceOwnerContext":         {dialogporten.CreateServiceOwnerContext{}, nil},
		"DialogEndUserContext":                    {dialogporten.EndUserContext{}, nil},
		"PaginatedListOfDialogListItem":           {dialogporten.SearchPage{}, nil},
		"DialogListItem":                          {dialogporten.DialogListItem{}, nil},
		"ServiceOwnerIdentifierLookup":            {dialogporten.DialogLookup{}, nil},
		"IdentifierLookupServiceOwner":            {dialogporten.LookupServiceOwner{}, nil},
		"IdentifierLookupServiceResource":         {dialogporten.LookupServiceResource{}, nil},
		"SetDialogSystemLabelRequest":             {dialogporten.SystemLabelChange{}, nil},
		"BulkSetSystemLabel":                      {dialogporten.BulkSystemLabelChange{}, nil},
		"PaginatedListOfDialogEndUserContextItem": {dialogporten.EndUserContextPage{}, nil},
		"DialogEndUserContextItem":                {dialogporten.EndUserContextItem{}, nil},
		"DialogRevision":                          {dialogporten.LabelContext{}, nil},
		"NotificationCondition":                   {dialogporten.NotificationCondition{}, nil},
	} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			definition, found := document.Components.Schemas[schema]
			require.True(t, found)
			want := append(slices.Sorted(maps.Keys(definition.Properties)), c.extra...)
			got := jsonMembers(reflect.TypeOf(c.model))
			for _, name := range got {
				assert.Contains(t, append(want, requestLacks...), name, "not in the document")
			}
			for _, name := range slices.Sorted(maps.Keys(definition.Properties)) {
				assert.Contains(t, append(got, "systemLabels"), name, "no field") // the deprecated spelling of addLabels
			}
		})
	}
}

// A type that keeps unknown members must know each of its own, or it would send them twice.
func TestOwnMembersAreKnown(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]any{
		"dialog": &dialogporten.Dialog{}, "update": &dialogporten.UpdateDialog{}, "content": &dialogporten.Content{},
		"value": &dialogporten.ContentValue{}, "localization": &dialogporten.Localization{}, "tag": &dialogporten.SearchTag{},
		"transmission content": &dialogporten.TransmissionContent{}, "attachment": &dialogporten.Attachment{},
		"url": &dialogporten.AttachmentURL{}, "gui": &dialogporten.GUIAction{}, "api": &dialogporten.APIAction{},
		"endpoint": &dialogporten.APIActionEndpoint{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := map[string]any{"unheardOf": map[string]any{"b": 1.0, "a": []any{"<&>"}}}
			for _, member := range jsonMembers(reflect.TypeOf(target).Elem()) {
				members[member] = nil
			}
			encoded, err := json.Marshal(members)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(encoded, target))
			unknown, ok := reflect.TypeAssert[dialogporten.UnknownMembers](reflect.ValueOf(target).Elem().FieldByName("Unknown"))
			require.True(t, ok)
			assert.Equal(t, []string{"unheardOf"}, slices.Collect(maps.Keys(unknown)))

			written, err := json.Marshal(target)
			require.NoError(t, err)
			var again map[string]any
			require.NoError(t, json.Unmarshal(written, &again))
			assert.Equal(t, members["unheardOf"], again["unheardOf"])
		})
	}
}

func TestUnknownMembersAreWrittenInOrder(t *testing.T) {
	t.Parallel()
	tag := dialogporten.SearchTag{Value: "x", Unknown: dialogporten.UnknownMembers{
		"c": json.RawMessage("3"), "a": json.RawMessage("1"), "b\"": json.RawMessage("2"),
	}}
	encoded, err := json.Marshal(tag)
	require.NoError(t, err)
	assert.Equal(t, `{"value":"x","a":1,"b\"":2,"c":3}`, string(encoded)) //nolint:testifylint // The order counts.
	encoded, err = json.Marshal(dialogporten.Content{Unknown: dialogporten.UnknownMembers{"a": json.RawMessage("1")}})
	require.NoError(t, err)
	assert.Equal(t, `{"a":1}`, string(encoded))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("Oslo", 2*60*60)
	encoded, err := json.Marshal(dialogporten.TimeOf(time.Date(2025, 6, 18, 10, 54, 53, 623376999, zone)))
	require.NoError(t, err)
	assert.Equal(t, `"2025-06-18T08:54:53.6233769Z"`, string(encoded))

	var at dialogporten.Time
	require.NoError(t, json.Unmarshal([]byte(`"2025-06-18T10:54:53.6233769+02:00"`), &at))
	assert.Equal(t, "2025-06-18T08:54:53.6233769Z", at.String())
	require.NoError(t, json.Unmarshal([]byte(`null`), &at))
	assert.False(t, at.IsZero())
	require.Error(t, json.Unmarshal([]byte(`"yesterday"`), &at))
	require.Error(t, json.Unmarshal([]byte(`1`), &at))
}

func TestAbsentMembersAreLeftOut(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(dialogporten.UpdateDialog{Status: dialogporten.StatusDraft})
	require.NoError(t, err)
	assert.JSONEq(t, `{"isApiOnly": false, "status": "Draft"}`, string(encoded))
	encoded, err = json.Marshal(dialogporten.Attachment{URLs: []dialogporten.AttachmentURL{{URL: "https://x/", ConsumerType: "Gui"}}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"urls": [{"url": "https://x/", "consumerType": "Gui"}]}`, string(encoded))
}
