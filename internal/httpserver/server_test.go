package httpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/httpserver"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(pgtest.Suite{M: m}, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

func ready(context.Context) error { return nil }

func metrics(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

type told struct {
	Status string   `json:"status"`
	Reason string   `json:"reason"`
	Notes  []string `json:"notes"`
}

func ask(t *testing.T, handler http.Handler, method, path string) (int, http.Header, []byte) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	answer := recorder.Result()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, body
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	broken := func(context.Context) error { return errors.New("the database does not answer") }
	for name, tt := range map[string]struct {
		path   string
		ready  func(context.Context) error
		status int
		want   told
	}{
		"alive":                     {"/healthz", ready, http.StatusOK, told{Status: "ok"}},
		"alive though not ready":    {"/healthz", broken, http.StatusOK, told{Status: "ok"}},
		"ready":                     {"/readyz", ready, http.StatusOK, told{Status: "ready"}},
		"not ready, and the reason": {"/readyz", broken, http.StatusServiceUnavailable, told{Status: "not ready", Reason: "the database does not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := httpserver.Handler(httpserver.Config{Ready: tt.ready, Metrics: metrics("")})
			status, header, body := ask(t, handler, http.MethodGet, tt.path)
			assert.Equal(t, tt.status, status)
			assert.Equal(t, "application/json", header.Get("Content-Type"))
			var got told
			require.NoError(t, json.Unmarshal(body, &got), "%s", body)
			assert.Equal(t, tt.want, got)
		})
	}
}

// What is wrong and keeps nobody from working is told, and the worker stays ready.
func TestReadyWithNotes(t *testing.T) {
	t.Parallel()
	notes := []string{"nothing comes in from the bus"}
	handler := httpserver.Handler(httpserver.Config{Ready: ready, Notes: func() []string { return notes }, Metrics: metrics("")})
	status, _, body := ask(t, handler, http.MethodGet, "/readyz")
	assert.Equal(t, http.StatusOK, status)
	var got told
	require.NoError(t, json.Unmarshal(body, &got))
	assert.Equal(t, told{Status: "ready", Notes: notes}, got)
}

// Kubernetes asks every few seconds, and an answer that hangs is worse than none.
func TestReadinessIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	bounded := func(ctx context.Context) error {
		until, ok := ctx.Deadline()
		if !ok || time.Until(until) > 5*time.Second {
			return errors.New("nothing ends this question")
		}
		return nil
	}
	handler := httpserver.Handler(httpserver.Config{Ready: bounded, Metrics: metrics("")})
	status, _, body := ask(t, handler, http.MethodGet, "/readyz")
	assert.Equal(t, http.StatusOK, status, "%s", body)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	handler := httpserver.Handler(httpserver.Config{Ready: ready, Metrics: metrics("dialogsync_up 1\n")})
	status, _, body := ask(t, handler, http.MethodGet, "/metrics")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "dialogsync_up 1\n", string(body))
	for path, want := range map[string]int{
		"/": http.StatusNotFound, "/healthz/x": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound,
	} {
		status, _, _ := ask(t, handler, http.MethodGet, path)
		assert.Equal(t, want, status, path)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		status, _, _ := ask(t, handler, http.MethodPost, path)
		assert.Equal(t, http.StatusMethodNotAllowed, status, "%s: nothing here changes anything", path)
	}
}

// get asks a server that listens, without keeping the connection.
func get(ctx context.Context, server *httpserver.Server, path string) (status int, body string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.Addr()+path, nil)
	if err != nil {
		return 0, "", err
	}
	q.Close = true
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(content), err
}

func TestServerAnswersFromListenUntilStop(t *testing.T) {
	t.Parallel()
	server, err := httpserver.Listen(t.Context(), httpserver.Config{Addr: "127.0.0.1:0", Ready: ready, Metrics: metrics("m")})
	require.NoError(t, err)
	status, body, err := get(t.Context(), server, "/metrics")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "m", body)

	require.NoError(t, server.Stop(t.Context()))
	_, _, err = get(t.Context(), server, "/metrics")
	require.Error(t, err, "nobody listens any more")
}

func TestAddressInUseIsSaidSo(t *testing.T) {
	t.Parallel()
	first, err := httpserver.Listen(t.Context(), httpserver.Config{Addr: "127.0.0.1:0", Ready: ready, Metrics: metrics("")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, first.Stop(context.WithoutCancel(t.Context()))) })
	_, err = httpserver.Listen(t.Context(), httpserver.Config{Addr: first.Addr(), Ready: ready, Metrics: metrics("")})
	require.ErrorContains(t, err, "DIALOGSYNC_HTTP_ADDR")
}

func TestStopLetsAnswersUnderWayEnd(t *testing.T) {
	t.Parallel()
	asked, mayAnswer := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-mayAnswer
		_, _ = io.WriteString(w, "whole")
	})
	server, err := httpserver.Listen(t.Context(), httpserver.Config{Addr: "127.0.0.1:0", Ready: ready, Metrics: slow})
	require.NoError(t, err)
	bodies := make(chan string, 1)
	go func() {
		_, body, err := get(t.Context(), server, "/metrics")
		assert.NoError(t, err)
		bodies <- body
	}()
	<-asked
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop(t.Context()) }()
	require.Eventually(t, func() bool { // the door is closed first
		_, _, err := get(t.Context(), server, "/healthz")
		return err != nil
	}, 10*time.Second, time.Millisecond)
	close(mayAnswer)
	assert.Equal(t, "whole", <-bodies)
	require.NoError(t, <-stopped)
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	asked, mayEnd := make(chan struct{}), make(chan struct{})
	hanging := http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		close(asked)
		<-q.Context().Done() // until it is cut off
		close(mayEnd)
	})
	server, err := httpserver.Listen(t.Context(), httpserver.Config{Addr: "127.0.0.1:0", Ready: ready, Metrics: hanging})
	require.NoError(t, err)
	failed := make(chan error, 1)
	go func() {
		_, _, err := get(t.Context(), server, "/metrics")
		failed <- err
	}()
	<-asked
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, server.Stop(over), context.Canceled)
	require.Error(t, <-failed)
	<-mayEnd
}
