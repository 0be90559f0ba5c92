package telemetry_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/internal/telemetry"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJwaWQiOiIxMzg5NzE5NzEyMyJ9.c2lnbmF0dXJl"
	tests := map[string]struct{ text, want string }{
		"nothing":                 {"backfill 12 window 2025-03-01 skd", "backfill 12 window 2025-03-01 skd"},
		"identity number":         {"pid 13897197123.", "pid ***********."},
		"in a URN":                {"urn:altinn:person:identifier-no:13897197123", "urn:altinn:person:identifier-no:***********"},
		"encoded URN":             {"no%3A13897197123&x=%2013897197123%20", "no%3A***********&x=%20***********%20"},
		"beside letters":          {"pid13897197123x", "pid***********x"},
		"spelt with a blank":      {"138971 97123", "***********"},
		"several":                 {"13897197123,14886498226", "***********,***********"},
		"not eleven digits":       {"1389719712 138971971234 1772438400123", "1389719712 138971971234 1772438400123"},
		"instance id":             {"50001337/6f3da581-76f9-412c-ba01-44e375b5bc79", "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"},
		"digits in a GUID":        {"6f3da581-76f9-412c-ba01-a12345678901", "6f3da581-76f9-412c-ba01-a12345678901"},
		"digits in a trace id":    {"0af7a12345678901b7ad6b7169203331", "0af7a12345678901b7ad6b7169203331"},
		"org number, time":        {"974760673 2026-03-02T08:15:30.1234567Z", "974760673 2026-03-02T08:15:30.1234567Z"},
		"e-mail":                  {"to ola.nordmann+x@example.co.no now", "to ***@*** now"},
		"e-mail, encoded":         {"idporten-email:ola%40example.com", "idporten-email:***@***"},
		"e-mail, Norwegian":       {"åse.bø@bærum.no", "***@***"},
		"bearer":                  {"Authorization: Bearer abc.def-123", "Authorization: Bearer ***"},
		"bearer JWT":              {"Authorization: bearer " + jwt, "Authorization: bearer ***"},
		"JWT":                     {`{"access_token":"` + jwt + `"}`, `{"access_token":"***"}`},
		"JWT, cut off":            {jwt[:30] + "…", "***…"},
		"gateway key":             {"Ocp-Apim-Subscription-Key: 0123abcd", "Ocp-Apim-Subscription-Key: ***"},
		"gateway key as a header": {`map[Ocp-Apim-Subscription-Key:[0123abcd]]`, `map[Ocp-Apim-Subscription-Key:[***]]`},
		"bus connection":          {"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=abc=;EntityPath=q", "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=***;EntityPath=q"},
		"database URL":            {"postgres://sync:secret@db:5432/x", "postgres://sync:***@db:5432/x"},
		"database DSN":            {"host=db password=secret user=x", "host=db password=*** user=x"},
		"assertion":               {"grant_type=x&assertion=abc&y=1", "grant_type=x&assertion=***&y=1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, telemetry.Redact(test.text))
			require.Equal(t, test.want, telemetry.Redact(test.want), "masking twice changes nothing")
		})
	}
}

// Wherever an identity number stands, it is masked, unless other digits or a GUID make it part of something else.
func TestIdentityNumbersNeverPass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`[0-9]{11}`).Draw(t, "number")
		before := rapid.StringMatching(`[^0-9]{0,12}`).Draw(t, "before")
		after := rapid.StringMatching(`[^0-9]{0,12}`).Draw(t, "after")
		if redacted := telemetry.Redact(before + number + after); strings.Contains(redacted, number) {
			t.Fatalf("%q", redacted)
		}
	})
}

// GUIDs pass unharmed, whatever digits they have.
func TestGUIDsPass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		guid := rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).Draw(t, "guid")
		party := rapid.StringMatching(`[1-9][0-9]{3,9}`).Draw(t, "party")
		text := "instance " + party + "/" + guid + " of ttd"
		if redacted := telemetry.Redact(text); redacted != text {
			t.Fatalf("%q became %q", text, redacted)
		}
	})
}
