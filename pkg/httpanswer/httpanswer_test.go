package httpanswer_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

func TestRetryAfterIsRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-1":                            0,
		"soon":                          0,
		"Mon, 02 Mar 2026 08:01:30 GMT": 90 * time.Second,
		"Mon, 02 Mar 2026 07:00:00 GMT": 0,
	}
	for value, want := range tests {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, httpanswer.RetryAfter(http.Header{"Retry-After": {value}}, now))
		})
	}
}
