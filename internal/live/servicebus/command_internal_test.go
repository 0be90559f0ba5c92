package servicebus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/live"
)

func TestParseCommand(t *testing.T) {
	t.Parallel()
	want := live.Command{
		ID:    altinn.InstanceID{PartyID: 50001337, GUID: uuid.MustParse("6f3da581-76f9-412c-ba01-44e375b5bc79")},
		AppID: "ttd/demo-skjema", Created: time.Date(2026, 3, 2, 8, 14, 2, 110412000, time.UTC), Intake: live.IntakeBus,
	}
	silent := want
	silent.Migration = true
	undated := want
	undated.Created = time.Time{}
	const rest = `"appId":"ttd/demo-skjema","instanceId":"6f3da581-76f9-412c-ba01-44e375b5bc79"`
	cases := map[string]struct {
		body string
		want live.Command
	}{
		"as documented": {
			`{"appId":"ttd/demo-skjema","partyId":"50001337","instanceId":"6f3da581-76f9-412c-ba01-44e375b5bc79","instanceCreatedAt":"2026-03-02T08:14:02.110412Z","isMigration":false,"eventType":2}`, want,
		},
		"names in another case, unknown ones, an event type's name": {
			`{"AppId":"ttd/demo-skjema","PARTYID":"50001337","InstanceID":"6F3DA581-76F9-412C-BA01-44E375B5BC79","instancecreatedat":"2026-03-02T08:14:02.110412Z","IsMigration":true,"EventType":"Saved","new":{"a":[1]}}`, silent,
		},
		"party as a number":      {`{` + rest + `,"partyId":50001337,"instanceCreatedAt":"2026-03-02T09:14:02.110412+01:00","isMigration":null}`, want},
		"no zone is UTC":         {`{` + rest + `,"partyId":"50001337","instanceCreatedAt":"2026-03-02T08:14:02.1104120"}`, want},
		"no creation time":       {`{` + rest + `,"partyId":"50001337","instanceCreatedAt":null}`, undated},
		"a byte order mark":      {"\xef\xbb\xbf" + `{` + rest + `,"partyId":"50001337"}` + "\r\n", undated},
		"the time .NET leaves 0": {`{` + rest + `,"partyId":"50001337","instanceCreatedAt":"0001-01-01T00:00:00"}`, undated},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseCommand([]byte(c.body), DefaultMaxBody)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestPoison(t *testing.T) {
	t.Parallel()
	const person = "13897197123"
	body := func(app, party, instance, created string) string {
		return `{"appId":` + app + `,"partyId":` + party + `,"instanceId":` + instance + `,"instanceCreatedAt":` + created + `}`
	}
	const app, party, instance, created = `"ttd/a"`, `"1"`, `"6f3da581-76f9-412c-ba01-44e375b5bc79"`, `null`
	cases := map[string]struct{ body, reason string }{
		"nothing":              {"", reasonBodyMissing},
		"not JSON":             {`{"appId":` + person, reasonBodyMalformed},
		"a list":               {`["` + person + `"]`, reasonBodyMalformed},
		"two values":           {body(app, party, instance, created) + `{}`, reasonBodyMalformed},
		"too long":             {`{"x":"` + strings.Repeat("1", DefaultMaxBody) + `"}`, reasonBodyTooLarge},
		"a wrong type":         {`{"isMigration":"` + person + `"}`, reasonBodyMalformed},
		"null":                 {"null", reasonInstanceIDMissing},
		"no instance":          {body(app, party, `""`, created), reasonInstanceIDMissing},
		"no party":             {body(app, `null`, instance, created), reasonPartyIDMissing},
		"a party that is none": {body(app, `"`+person+`"`, instance, created), reasonInstanceIDBad},
		"party zero":           {body(app, `0`, instance, created), reasonInstanceIDBad},
		"an impossible GUID":   {body(app, party, `"6f3da581-76f9-412c-ba01-44e375b5bc7x"`, created), reasonInstanceIDBad},
		"an empty GUID":        {body(app, party, `"00000000-0000-0000-0000-000000000000"`, created), reasonInstanceIDBad},
		"no app":               {body(`null`, party, instance, created), reasonAppIDBad},
		"half an app":          {body(`"`+person+`"`, party, instance, created), reasonAppIDBad},
		"an impossible time":   {body(app, party, instance, `"`+person+`"`), reasonCreatedAtMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseCommand([]byte(c.body), DefaultMaxBody)
			poison, ok := errors.AsType[*poisonError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, c.reason, poison.reason)
			assert.NotContains(t, err.Error(), person)
		})
	}
}

// Whatever comes is a command or poison, and never a panic.
func TestParseAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.Map(rapid.StringMatching(`\{("(appId|partyId|instanceId|isMigration)":("[a-z0-9/-]{0,40}"|[0-9]{1,12}|null|true),?){0,4}\}`),
				func(s string) []byte { return []byte(s) }),
		).Draw(t, "body")
		command, err := parseCommand(body, DefaultMaxBody)
		if err == nil {
			assert.False(t, command.ID.IsZero())
			return
		}
		_, ok := errors.AsType[*poisonError](err)
		assert.True(t, ok)
	})
}
