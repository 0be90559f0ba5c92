package mapping_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/mapping"
)

func TestUserSuppliedDialogID(t *testing.T) {
	t.Parallel()
	const valid = "0197823f-91b7-712c-ba01-44e375b5bc79"
	stamp := time.UnixMilli(0x0197823f91b7)
	cases := map[string]struct {
		value string
		now   time.Time
		want  bool
	}{
		"plain":                 {valid, stamp, true},
		"a millisecond early":   {valid, stamp.Add(-time.Millisecond), false},
		"within its own time":   {valid, stamp.Add(time.Nanosecond), true},
		"bare":                  {"0197823f91b7712cba0144e375b5bc79", stamp, true},
		"braces":                {"{" + valid + "}", stamp, true},
		"parentheses":           {"(" + valid + ")", stamp, true},
		"upper case":            {"0197823F-91B7-712C-BA01-44E375B5BC79", stamp, true},
		"white space":           {" " + valid + "\n", stamp, true},
		"unbalanced":            {"{" + valid + ")", stamp, false},
		"braces and no dashes":  {"{0197823f91b7712cba0144e375b5bc79      }", stamp, false},
		"urn":                   {"urn:uuid:" + valid, stamp, false},
		"version 4":             {"0197823f-91b7-412c-ba01-44e375b5bc79", stamp, false},
		"wrong variant":         {"0197823f-91b7-712c-ca01-44e375b5bc79", stamp, false},
		"time before 1970":      {"e42900b0-b0c8-770d-92fb-7d06ae4ab10a", stamp, false},
		"nothing":               {"", stamp, false},
		"not hexadecimal":       {"0197823g-91b7-712c-ba01-44e375b5bc79", stamp, false},
		"dashes in wrong place": {"0197823f9-1b7-712c-ba01-44e375b5bc79", stamp, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, ok := mapping.UserSuppliedDialogID(c.value, c.now)
			assert.Equal(t, c.want, ok)
			if ok {
				assert.Equal(t, valid, id.String())
			}
		})
	}
}
