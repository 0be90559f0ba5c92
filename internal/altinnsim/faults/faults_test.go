package faults_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// rig is a service behind an injector, which counts how often it is really reached.
type rig struct {
	*faults.Injector

	url     string
	reached atomic.Int32
}

func setup(t *testing.T, rules string) *rig {
	t.Helper()
	r := &rig{Injector: faults.New(1)}
	var parsed []faults.Rule
	require.NoError(t, json.Unmarshal([]byte(rules), &parsed))
	require.NoError(t, r.Set(parsed))
	server := httptest.NewServer(r.Wrap("storage", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.reached.Add(1)
		w.Header().Set("X-Real", "yes")
		_, _ = io.WriteString(w, "0123456789")
	})))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) get(t *testing.T, path string) (answer, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	require.NoError(t, err)
	// A connection of its own: net/http repeats a GET on its own account when a kept connection ends.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}, err
}

func TestEffects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rule string
		status     int // 0: the connection ends
		body       string
		retryAfter string
		reached    int32
	}{
		{"none", ``, 200, "0123456789", "", 1},
		{"status", `{"effect":"status","status":502,"body":"<html>","contentType":"text/html"}`, 502, "<html>", "", 0},
		{"status by default", `{"effect":"status","retryAfter":"1500ms"}`, 503, "", "2", 0},
		{"status after", `{"effect":"status-after","status":500}`, 500, "", "", 1},
		{"reset", `{"effect":"reset"}`, 0, "", "", 0},
		{"reset after", `{"effect":"reset-after"}`, 0, "", "", 1},
		{"latency", `{"effect":"latency","latency":"1ms","tailShare":1,"tail":"1ms"}`, 200, "0123456789", "", 1},
		{"throttle", `{"effect":"throttle"}`, 429, "", "1", 0},
		{"throttle for long", `{"effect":"throttle","retryAfter":"1m"}`, 429, "", "60", 0},
		{"truncate", `{"effect":"truncate"}`, 0, "01234", "", 1},
		{"outage", `{"effect":"outage"}`, 0, "", "", 0},
		{"outage behind a gateway", `{"effect":"outage","status":504}`, 504, "<html><body><h1>Service Unavailable</h1></body></html>", "", 0},
		{"latency, then status", `{"effect":"latency","latency":"1ms"},{"effect":"status","status":500},{"effect":"reset"}`, 500, "", "", 0},
		{"other service", `{"effect":"reset","service":"register"}`, 200, "0123456789", "", 1},
		{"other method", `{"effect":"reset","method":"POST"}`, 200, "0123456789", "", 1},
		{"other path", `{"effect":"reset","path":"^/other"}`, 200, "0123456789", "", 1},
		{"this path and query", `{"effect":"reset","path":"^/this$","query":"size=1"}`, 0, "", "", 0},
		{"never", `{"effect":"reset","probability":0}`, 200, "0123456789", "", 1},
		{"ended", `{"effect":"reset","for":"1ns"}`, 200, "0123456789", "", 1},
		{"not an instance", `{"effect":"read-failed"}`, 200, "0123456789", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, "["+test.rule+"]")
			a, err := r.get(t, "/this?size=1")
			assert.Equal(t, test.status == 0, err != nil)
			if test.status != 0 {
				assert.Equal(t, test.status, a.status)
			}
			assert.Equal(t, test.body, a.body)
			if err == nil {
				assert.Equal(t, test.retryAfter, a.header.Get("Retry-After"))
			}
			assert.Equal(t, test.reached, r.reached.Load(), "how often the service itself was reached")
		})
	}
}

func TestCountAndSkip(t *testing.T) {
	t.Parallel()
	r := setup(t, `[{"effect":"status","status":500,"skip":1,"count":2}]`)
	var got []int
	for range 5 {
		a, err := r.get(t, "/")
		require.NoError(t, err)
		got = append(got, a.status)
	}
	assert.Equal(t, []int{200, 500, 500, 200, 200}, got)
}

func TestSameSeedSameFaults(t *testing.T) {
	t.Parallel()
	run := func() string {
		r := setup(t, `[{"effect":"status","status":500,"probability":0.5}]`)
		var out strings.Builder
		for range 40 {
			a, err := r.get(t, "/")
			require.NoError(t, err)
			if a.status == http.StatusOK {
				out.WriteByte('.')
			} else {
				out.WriteByte('x')
			}
		}
		return out.String()
	}
	first := run()
	assert.Equal(t, first, run())
	assert.Contains(t, first, "x")
	assert.Contains(t, first, ".")
}

func TestBadRulesChangeNothing(t *testing.T) {
	t.Parallel()
	r := setup(t, `[{"effect":"reset","count":3}]`)
	half, two := 0.5, 2.0
	for _, bad := range []faults.Rule{
		{Effect: "magic"},
		{Effect: faults.EffectReset, Path: "("},
		{Effect: faults.EffectReset, Query: "("},
		{Effect: faults.EffectStatus, Status: 99},
		{Effect: faults.EffectReset, Probability: &two},
	} {
		require.ErrorContains(t, r.Set([]faults.Rule{{Effect: faults.EffectReset, Probability: &half}, bad}), "fault rule 1")
	}
	assert.Equal(t, 3, r.Rules()[0].Count)
	raw, err := json.Marshal(faults.Rule{Effect: faults.EffectLatency, Latency: faults.Duration(1e6)})
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"latency":"1ms"`)
	var rule faults.Rule
	require.ErrorContains(t, json.Unmarshal([]byte(`{"latency":5}`), &rule), "a duration is a text")
	require.Error(t, json.Unmarshal([]byte(`{"latency":"5"}`), &rule))
}
