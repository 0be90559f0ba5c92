package transport_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/altinn/dialogsync/internal/telemetry"
	"github.com/altinn/dialogsync/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers one request after the other with its handlers; the last one stays.
type script struct {
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests []*http.Request
	bodies   []string
}

func serve(t *testing.T, handlers ...http.HandlerFunc) (*script, *httptest.Server) {
	t.Helper()
	s := &script{handlers: handlers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	handler := s.handlers[min(len(s.requests), len(s.handlers)-1)]
	s.requests = append(s.requests, r)
	s.bodies = append(s.bodies, string(body))
	s.mu.Unlock()
	handler(w, r)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// tokens gives "old" until it is refused, and then "new".
type tokens struct {
	mu        sync.Mutex
	refreshed []string
	err       error
}

func (s *tokens) Token(context.Context) (string, error) { return "old", s.err }

func (s *tokens) Refresh(_ context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshed = append(s.refreshed, refused)
	return "new", nil
}

// client gives a client over the stack whose connections end with the test.
func client(t *testing.T, config transport.Config) *http.Client {
	t.Helper()
	if config.Base == nil {
		wire := transport.Wire(8)
		t.Cleanup(wire.CloseIdleConnections)
		config.Base = wire
	}
	if config.Retry.Initial == 0 {
		config.Retry.Initial = time.Microsecond
	}
	return transport.NewClient(config)
}

func send(t *testing.T, c *http.Client, method, url, body string) *http.Response {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	require.NoError(t, err)
	response, err := c.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response
}

func TestAuthRefreshesOnceOn401(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(401), status(200))
	source := &tokens{}
	c := client(t, transport.Config{BaseURL: server.URL, Token: source})

	response := send(t, c, http.MethodPost, server.URL+"/x", "body")

	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, []string{"old"}, source.refreshed)
	require.Equal(t, "Bearer old", s.requests[0].Header.Get("Authorization"))
	require.Equal(t, "Bearer new", s.requests[1].Header.Get("Authorization"))
	require.Equal(t, []string{"body", "body"}, s.bodies)
}

func TestAuthGivesASecond401ToTheCaller(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(401))
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{}})

	require.Equal(t, 401, send(t, c, http.MethodGet, server.URL, "").StatusCode)
	require.Equal(t, 2, s.count())
}

func TestAuthErrorReachesTheCallerWithItsClass(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(200))
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{err: &transport.StatusError{Status: 400, Cause: transport.Systemic}}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("x"))
	require.NoError(t, err)

	_, err = c.Do(r)

	require.Equal(t, transport.Systemic, transport.Classify(err))
	require.Zero(t, s.count(), "nothing may be sent without the token")
}

func TestNoTokenAndNoKeyForOtherHosts(t *testing.T) {
	t.Parallel()
	other, otherServer := serve(t, status(401))
	_, server := serve(t, status(302, "Location", otherServer.URL+"/instances?continuationToken=1"))
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{}, SubscriptionKey: "key"})

	require.Equal(t, 302, send(t, c, http.MethodGet, server.URL, "").StatusCode, "redirects are not followed")
	require.Zero(t, other.count())

	send(t, c, http.MethodGet, otherServer.URL, "")
	require.Equal(t, 1, other.count(), "a 401 of a stranger renews nothing")
	require.Empty(t, other.requests[0].Header.Get("Authorization"))
	require.Empty(t, other.requests[0].Header.Get("Ocp-Apim-Subscription-Key"))

	// A bare client follows the redirect; the layers still keep their secrets.
	bare := &http.Client{Transport: c.Transport}
	send(t, bare, http.MethodGet, server.URL, "")
	require.Equal(t, 2, other.count())
	require.Empty(t, other.requests[1].Header.Get("Authorization"))
	require.Empty(t, other.requests[1].Header.Get("Ocp-Apim-Subscription-Key"))
}

func TestHeadersForTheOwnHost(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(200))
	c := client(t, transport.Config{BaseURL: server.URL + "/dialogporten", SubscriptionKey: "key"})
	traceID := telemetry.NewTraceID()
	r, err := http.NewRequestWithContext(telemetry.WithTraceID(t.Context(), traceID), http.MethodGet, server.URL, nil)
	require.NoError(t, err)

	response, err := c.Do(r)

	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "key", s.requests[0].Header.Get("Ocp-Apim-Subscription-Key"))
	require.Regexp(t, "^00-"+traceID+"-[0-9a-f]{16}-01$", s.requests[0].Header.Get("Traceparent"))
	require.Empty(t, r.Header, "the caller's request must not be changed")
}

func TestRetryRepeatsTransientAnswers(t *testing.T) {
	t.Parallel()
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			s, server := serve(t, status(code), status(code), status(204))
			c := client(t, transport.Config{BaseURL: server.URL})

			require.Equal(t, 204, send(t, c, http.MethodPut, server.URL, `{"a":1}`).StatusCode)
			require.Equal(t, []string{`{"a":1}`, `{"a":1}`, `{"a":1}`}, s.bodies)
		})
	}
}

func TestRetryLeavesOtherAnswersAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 201, 206, 304, 400, 403, 404, 409, 410, 412, 413, 422, 501} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			s, server := serve(t, status(code))
			c := client(t, transport.Config{BaseURL: server.URL})

			require.Equal(t, code, send(t, c, http.MethodGet, server.URL, "").StatusCode)
			require.Equal(t, 1, s.count())
		})
	}
}

func TestRetryIsBounded(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(503))
	c := client(t, transport.Config{BaseURL: server.URL, Retry: transport.RetryPolicy{Attempts: 4, Initial: time.Microsecond}})

	require.Equal(t, 503, send(t, c, http.MethodGet, server.URL, "").StatusCode)
	require.Equal(t, 4, s.count())
}

func TestRetryOfABrokenConnection(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}
	s, server := serve(t, hangUp, status(201))
	c := client(t, transport.Config{BaseURL: server.URL})

	require.Equal(t, 201, send(t, c, http.MethodPost, server.URL, "x").StatusCode)
	require.Equal(t, 2, s.count())
}

func TestRetryNeedsABodyThatCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(503))
	c := client(t, transport.Config{BaseURL: server.URL, Token: &tokens{}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.MultiReader(strings.NewReader("once")))
	require.NoError(t, err)

	response, err := c.Do(r)

	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, []string{"once"}, s.bodies)
}

func TestRetryAfterThatIsTooLongEndsTheCall(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(503, "Retry-After", "3600"))
	c := client(t, transport.Config{BaseURL: server.URL})

	response := send(t, c, http.MethodGet, server.URL, "")

	require.Equal(t, 1, s.count())
	require.Equal(t, "3600", response.Header.Get("Retry-After"))
}

func TestRetryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	})
	c := client(t, transport.Config{BaseURL: server.URL, Retry: transport.RetryPolicy{Attempts: 9, Initial: time.Hour, MaxWait: time.Hour}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)

	response, err := c.Do(r)

	if err == nil {
		require.NoError(t, response.Body.Close())
	}
	require.Equal(t, 1, s.count())
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	var inFlight, most atomic.Int64
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		w.WriteHeader(http.StatusOK)
	})
	c := client(t, transport.Config{BaseURL: server.URL, Concurrency: 2})
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { _ = open(t, c, server.URL).Close() })
	}
	group.Wait()
	require.LessOrEqual(t, most.Load(), int64(2))
}

// turnstile counts who is in.
type turnstile struct{ in atomic.Int64 }

func (g *turnstile) Acquire(context.Context) error {
	g.in.Add(1)
	return nil
}

func (g *turnstile) Release() { g.in.Add(-1) }

func TestASlotIsHeldUntilTheBodyIsClosed(t *testing.T) {
	t.Parallel()
	_, server := serve(t, status(200))
	var gate turnstile
	c := client(t, transport.Config{BaseURL: server.URL, Gate: &gate, Retry: transport.RetryPolicy{Attempts: 1}})

	body := open(t, c, server.URL)
	require.EqualValues(t, 1, gate.in.Load())
	require.NoError(t, body.Close())
	_ = body.Close()
	require.Zero(t, gate.in.Load(), "closing twice gives back one slot")

	server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = c.Do(r)
	require.Error(t, err)
	require.Zero(t, gate.in.Load(), "a failure gives it back too")
}

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	t.Parallel()
	slots := transport.NewSlots(1)
	require.NoError(t, slots.Acquire(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, slots.Acquire(ctx), context.Canceled)
	slots.Release()
	require.NoError(t, slots.Acquire(t.Context()))
}

func open(t *testing.T, c *http.Client, url string) io.Closer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return io.NopCloser(nil)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Error(err)
		return io.NopCloser(nil)
	}
	return response.Body
}

func TestRateThatCannotBeMetInTimeIsADeadline(t *testing.T) {
	t.Parallel()
	s, server := serve(t, status(200))
	limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
	c := client(t, transport.Config{BaseURL: server.URL, Limiter: limiter})
	send(t, c, http.MethodGet, server.URL, "")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = c.Do(r)

	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, transport.Transient, transport.Classify(err))
	require.Equal(t, 1, s.count())
}

func TestAttemptDeadlineCoversTheBody(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("begin"))
		_ = http.NewResponseController(w).Flush()
		<-done
	})
	t.Cleanup(func() { close(done) })
	c := client(t, transport.Config{BaseURL: server.URL, AttemptTimeout: 50 * time.Millisecond})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	response, err := c.Do(r)
	require.NoError(t, err)

	_, err = io.ReadAll(response.Body)

	require.NoError(t, response.Body.Close())
	require.Equal(t, transport.Transient, transport.Classify(err))
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	_, server := serve(t, status(500), status(200))
	c := client(t, transport.Config{BaseURL: server.URL})
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	require.NoError(t, err)

	response, err := c.Do(r)

	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.True(t, reused, "the retry must find the connection of the first attempt")
}

func TestMetricsAndObservation(t *testing.T) {
	t.Parallel()
	_, server := serve(t, status(503), status(200))
	metrics, err := telemetry.NewMetrics()
	require.NoError(t, err)
	t.Cleanup(func() { _ = metrics.Shutdown(context.WithoutCancel(t.Context())) })
	instruments, err := transport.NewInstruments(metrics.Meter("transport"))
	require.NoError(t, err)
	var seen []transport.Exchange
	c := client(t, transport.Config{
		Service: "storage", BaseURL: server.URL, Instruments: instruments,
		Observe: func(e transport.Exchange) { seen = append(seen, e) },
	})

	send(t, c, http.MethodGet, server.URL+"/storage/api/v1/instances/50001337/6f3da581-76f9-412c-ba01-44e375b5bc79", "")

	require.Len(t, seen, 1)
	require.Equal(t, "/storage/api/v1/instances/{id}/{guid}", seen[0].Route)
	require.Equal(t, 200, seen[0].Status)
	require.Equal(t, 2, seen[0].Attempts)
	require.Positive(t, seen[0].Wire)
	recorder := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	labels := `{method="GET",route="/storage/api/v1/instances/{id}/{guid}",service="storage"`
	require.Contains(t, recorder.Body.String(), "dialogsync_http_requests_total"+labels+`,status="2xx"} 1`)
	require.Contains(t, recorder.Body.String(), "dialogsync_http_attempts_total"+labels+"} 2")
	require.Contains(t, recorder.Body.String(), "dialogsync_http_duration_seconds_count"+labels+"} 1")
}

func TestRouteTemplate(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"/storage/api/v1/instances":                                                            "/storage/api/v1/instances",
		"/storage/api/v1/applications/skd/a1-213-2638:1":                                       "/storage/api/v1/applications/{org}/{app}",
		"/storage/api/v1/applications/ttd/demo/texts/nb":                                       "/storage/api/v1/applications/{org}/{app}/texts/{lang}",
		"/storage/api/v1/applications":                                                         "/storage/api/v1/applications",
		"/a2/v1/messages/123456":                                                               "/a2/v1/messages/{id}",
		"/a2/v1/correspondences/7/attachments/a-1/content":                                     "/a2/v1/correspondences/{id}/attachments/{attachment}/content",
		"/api/v1/serviceowner/dialogs/0197823F-91b7-712c-ba01-44e375b5bc79/context/labels/a:b": "/api/v1/serviceowner/dialogs/{guid}/context/labels/{label}",
	}
	for path, want := range tests {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, transport.RouteTemplate(path))
		})
	}
}

func TestCallerGivesErrorsWithoutValues(t *testing.T) {
	t.Parallel()
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"title":"Kari Testperson","errors":{"size":["13897197123 is wrong"]}}`))
	})
	caller := transport.NewCaller("storage", server.URL+"/", client(t, transport.Config{BaseURL: server.URL}))

	answer, err := caller.Call(t.Context(), transport.Request{Method: http.MethodGet, Path: "/storage/api/v1/instances", Query: "size=x"})

	require.NoError(t, err)
	var failure *transport.StatusError
	require.ErrorAs(t, answer.Decode(nil), &failure)
	require.Equal(t, "storage answered GET /storage/api/v1/instances with 400 [size]", failure.Error())
	require.Equal(t, 30*time.Second, failure.RetryAfter)
}

func TestCallerReportsAnAnswerThatWasCutOff(t *testing.T) {
	t.Parallel()
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"instances":[`))
	})
	caller := transport.NewCaller("storage", server.URL, client(t, transport.Config{BaseURL: server.URL}))

	_, err := caller.Call(t.Context(), transport.Request{Method: http.MethodGet, Path: "/"})

	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, transport.Transient, transport.Classify(err))
}

func TestNobodyListeningIsSystemic(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := client(t, transport.Config{BaseURL: server.URL})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader([]byte("x")))
	require.NoError(t, err)

	_, err = c.Do(r)

	require.Error(t, err)
	require.NotErrorIs(t, err, context.Canceled)
	require.Equal(t, transport.Systemic, transport.Classify(err))
}
