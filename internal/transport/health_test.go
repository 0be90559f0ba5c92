package transport

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHealthJudgesByFailuresAlike(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		outcomes []string // "" is success
		want     string   // empty: healthy
	}{
		"nothing known":             {nil, ""},
		"too few to tell":           {[]string{"503", "503", "503", "503"}, ""},
		"all fail":                  {[]string{"503", "503", "503", "503", "503"}, "dialogporten: 5 of the last 5 calls failed: 503"},
		"just more than half":       {[]string{"503", "", "503", "", "503"}, "dialogporten: 3 of the last 5 calls failed: 503"},
		"exactly half":              {[]string{"503", "", "503", "", "503", ""}, ""},
		"more than half, not alike": {[]string{"503", "500", "timeout", "503", "500", ""}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHealth("dialogporten")
			for _, cause := range test.outcomes {
				h.record(cause)
			}
			reason, failing := h.Failing()
			require.Equal(t, test.want, reason)
			require.Equal(t, test.want != "", failing)
		})
	}
}

func TestHealthForgets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	h := NewHealth("storage")
	h.now = func() time.Time { return now }
	fail := func() {
		for range healthSize {
			h.Failed("500")
		}
	}
	requireFailing := func(want bool) {
		t.Helper()
		_, failing := h.Failing()
		require.Equal(t, want, failing)
	}

	fail()
	requireFailing(true)
	for range healthSize / 2 {
		h.Succeeded()
	}
	requireFailing(false)

	fail()
	now = now.Add(healthMaxAge + time.Second)
	requireFailing(false) // a stream that stopped may try again

	fail()
	h.Reset()
	requireFailing(false)
}

func TestHealthObservesWhatSpeaksOfTheSystem(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	problem := func(w http.ResponseWriter, code int) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"errors":{"Forbidden":[]}}`))
	}
	tests := map[string]struct {
		answer  http.HandlerFunc
		failing bool
	}{
		"200":              {status(http.StatusOK), false},
		"404":              {status(http.StatusNotFound), false},
		"422":              {func(w http.ResponseWriter, _ *http.Request) { problem(w, 422) }, false},
		"429":              {status(http.StatusTooManyRequests), false},
		"501":              {status(http.StatusNotImplemented), false},
		"401":              {status(http.StatusUnauthorized), true},
		"403 of a scope":   {status(http.StatusForbidden), true},
		"403 of one thing": {func(w http.ResponseWriter, _ *http.Request) { problem(w, 403) }, false},
		"500":              {status(http.StatusInternalServerError), true},
		"503":              {status(http.StatusServiceUnavailable), true},
		"hanging up": {func(w http.ResponseWriter, _ *http.Request) {
			if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = connection.Close()
			}
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			t.Cleanup(server.Close)
			wire := Wire(1)
			t.Cleanup(wire.CloseIdleConnections)
			h := NewHealth("storage")
			c := NewClient(Config{BaseURL: server.URL, Health: h, Base: wire, Retry: RetryPolicy{Attempts: 1}})
			for range healthMin {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
				require.NoError(t, err)
				if response, err := c.Do(r); err == nil {
					require.NoError(t, response.Body.Close())
				}
			}
			_, failing := h.Failing()
			require.Equal(t, test.failing, failing)
		})
	}
}

func TestHealthIgnoresOurOwnHangingUp(t *testing.T) {
	t.Parallel()
	h := NewHealth("storage")
	c := NewClient(Config{BaseURL: "http://127.0.0.1:1", Health: h})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range healthMin {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
		require.NoError(t, err)
		_, err = c.Do(r)
		require.Error(t, err)
	}
	_, failing := h.Failing()
	require.False(t, failing)
}
