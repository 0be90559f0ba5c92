package events_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// rig is a service with a clock that stands, asked by a caller that can be changed.
type rig struct {
	*events.Service

	mu     sync.Mutex
	now    time.Time
	caller auth.Caller
}

func setup(t *testing.T, settings events.Settings) *rig {
	t.Helper()
	r := &rig{
		now:    time.Date(2026, 3, 2, 8, 0, 0, 250_000_000, time.UTC),
		caller: auth.Caller{Org: "ttd", OrgNumber: "405003309", Scopes: []string{auth.ScopeServiceOwner}},
	}
	settings.AllowHTTP = true
	var err error
	r.Service, err = events.New(events.Config{
		Now: r.clock, Host: "tt02.altinn.no", Seed: 7, Settings: settings,
		Caller: func(*http.Request) (auth.Caller, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.caller, nil
		},
		PartyOf: func(person, organisation string) (int32, bool) {
			return 50001337, organisation == "310702641" || person == "13897197123"
		},
	})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) as(caller auth.Caller) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caller = caller
}

func (r *rig) do(t *testing.T, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "/events/api/v1"+path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

// endpoint takes events; while status is set it answers that.
type endpoint struct {
	url string

	mu      sync.Mutex
	status  int
	got     []map[string]any
	headers []http.Header
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.url = server.URL + "/events/7f0c"
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event map[string]any
	if err != nil || json.Unmarshal(body, &event) != nil {
		event = map[string]any{"unreadable": string(body)}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got, e.headers = append(e.got, event), append(e.headers, r.Header)
	if e.status != 0 {
		w.WriteHeader(e.status)
	}
}

func (e *endpoint) answer(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

// events are those that came, without validations.
func (e *endpoint) events() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []map[string]any
	for _, event := range e.got {
		if event["type"] != events.TypeValidate {
			out = append(out, event)
		}
	}
	return out
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.got)
}

const demo = "urn:altinn:resource:app_ttd_demo-skjema"

// subscribe makes a subscription for the demo app and waits until it is validated.
func (r *rig) subscribe(t *testing.T, e *endpoint, more string) {
	t.Helper()
	w := r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q%s}`, e.url, demo, more))
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Eventually(t, func() bool { return r.Counts().Validated > 0 && r.Counts().Pending == 0 }, patience, time.Millisecond)
}

func completed(n int) events.Event {
	return events.Event{
		Type: events.TypeProcessCompleted, Org: "ttd", App: "demo-skjema", PartyID: 50001337,
		InstanceGUID: uuid.MustParse(fmt.Sprintf("6f3da581-76f9-412c-ba01-%012d", n)),
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	body := fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q,"typeFilter":"app.instance.process.completed"}`, e.url, demo)
	w := r.do(t, http.MethodPost, "/subscriptions", body)
	require.Equal(t, http.StatusCreated, w.Code)
	assert.Equal(t, "/events/api/v1/subscription/1", w.Header().Get("Location"))
	want := fmt.Sprintf(`{"id":1,"endPoint":%q,"resourceFilter":%q,"typeFilter":"app.instance.process.completed","consumer":"/org/ttd",
		"createdBy":"/org/ttd","created":"2026-03-02T08:00:00.25Z","validated":false,"includeSubunits":false}`, e.url, demo)
	assert.JSONEq(t, want, w.Body.String())

	require.Eventually(t, func() bool { return r.Counts().Validated == 1 }, patience, time.Millisecond)
	require.Equal(t, 1, e.count())
	assert.Len(t, e.got[0]["id"], 36)
	delete(e.got[0], "id")
	assert.Equal(t, map[string]any{
		"specversion": "1.0", "type": "platform.events.validatesubscription",
		"source": "https://platform.tt02.altinn.no/events/api/v1/subscriptions/1",
	}, e.got[0])
	assert.Equal(t, "application/json; charset=utf-8", e.headers[0].Get("Content-Type"))

	w = r.do(t, http.MethodPost, "/subscriptions", body)
	assert.Equal(t, http.StatusCreated, w.Code)
	assert.JSONEq(t, strings.Replace(want, `"validated":false`, `"validated":true`, 1), w.Body.String(), "the same one")
	require.Eventually(t, func() bool { return e.count() == 2 }, patience, time.Millisecond, "validated again")

	w = r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, e.url, demo))
	assert.Contains(t, w.Body.String(), `"id":2`, "another filter is another subscription")
	w = r.do(t, http.MethodGet, "/subscriptions", "")
	assert.Contains(t, w.Body.String(), `{"count":2,"subscriptions":[{"id":1,`)
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodGet, "/subscriptions/2", "").Code)
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodGet, "/subscriptions/3", "").Code)
	assert.Equal(t, http.StatusBadRequest, r.do(t, http.MethodGet, "/subscriptions/x", "").Code)

	r.as(auth.Caller{Org: "skd", Scopes: []string{auth.ScopeServiceOwner}})
	assert.Equal(t, http.StatusForbidden, r.do(t, http.MethodGet, "/subscriptions/1", "").Code)
	assert.Equal(t, http.StatusForbidden, r.do(t, http.MethodDelete, "/subscriptions/1", "").Code)
	assert.JSONEq(t, `{"count":0,"subscriptions":[]}`, r.do(t, http.MethodGet, "/subscriptions", "").Body.String())
	r.as(auth.Caller{Org: "ttd"})
	assert.Equal(t, http.StatusOK, r.do(t, http.MethodDelete, "/subscriptions/1", "").Code)
	assert.Equal(t, http.StatusNotFound, r.do(t, http.MethodDelete, "/subscriptions/1", "").Code)
	r.as(auth.Caller{Anonymous: true})
	assert.Equal(t, http.StatusUnauthorized, r.do(t, http.MethodGet, "/subscriptions", "").Code)
}

func TestSubscriptionRules(t *testing.T) {
	t.Parallel()
	owner := auth.Caller{Org: "ttd", OrgNumber: "405003309", Scopes: []string{auth.ScopeServiceOwner}}
	plain := auth.Caller{OrgNumber: "310702641"}
	const end = `"endPoint":"https://sync.example.no/e"`
	for name, test := range map[string]struct {
		who  auth.Caller
		body string
		want int
		says string
	}{
		"no endpoint":                 {owner, `"resourceFilter":"` + demo + `"`, 400, "Missing or invalid endpoint"},
		"http":                        {owner, `"endPoint":"http://sync.example.no/e","resourceFilter":"` + demo + `"`, 400, "Missing or invalid endpoint"},
		"relative":                    {owner, `"endPoint":"/e","resourceFilter":"` + demo + `"`, 400, "Missing or invalid endpoint"},
		"no filter":                   {owner, end, 400, "required"},
		"resource":                    {owner, end + `,"resourceFilter":"` + demo + `"`, 201, `"/org/ttd"`},
		"not a URN":                   {owner, end + `,"resourceFilter":"app_ttd_demo"`, 400, "URN"},
		"source":                      {owner, end + `,"sourceFilter":"https://ttd.apps.tt02.altinn.no/ttd/demo-skjema"`, 201, `"resourceFilter":"` + demo + `"`},
		"source of an instance":       {owner, end + `,"sourceFilter":"https://ttd.apps.tt02.altinn.no/ttd/demo-skjema/instances"`, 400, "source filter"},
		"source without app":          {owner, end + `,"sourceFilter":"https://ttd.apps.tt02.altinn.no/ttd"`, 400, "source filter"},
		"source by http":              {owner, end + `,"sourceFilter":"http://ttd.apps.tt02.altinn.no/ttd/demo"`, 400, "source filter"},
		"they agree":                  {owner, end + `,"sourceFilter":"https://ttd.apps.tt02.altinn.no/ttd/demo-skjema","resourceFilter":"` + demo + `"`, 201, ""},
		"they do not":                 {owner, end + `,"sourceFilter":"https://ttd.apps.tt02.altinn.no/ttd/other","resourceFilter":"` + demo + `"`, 400, "agree"},
		"alternative subject":         {owner, end + `,"resourceFilter":"` + demo + `","alternativeSubjectFilter":"/organisation/310702641"`, 201, `"subjectFilter":"/party/50001337"`},
		"alternative person":          {owner, end + `,"resourceFilter":"` + demo + `","alternativeSubjectFilter":"/person/13897197123"`, 201, `"subjectFilter":"/party/50001337"`},
		"unknown alternative":         {owner, end + `,"resourceFilter":"` + demo + `","alternativeSubjectFilter":"/org/1"`, 400, "alternative"},
		"odd alternative":             {owner, end + `,"resourceFilter":"` + demo + `","alternativeSubjectFilter":"/party/1"`, 400, "alternative"},
		"odd subject":                 {owner, end + `,"resourceFilter":"` + demo + `","subjectFilter":"50001337"`, 400, "subject"},
		"subunits":                    {owner, end + `,"resourceFilter":"` + demo + `","includeSubunits":true`, 400, "subject"},
		"subunits of somebody":        {owner, end + `,"resourceFilter":"` + demo + `","includeSubunits":true,"subjectFilter":"/party/1"`, 201, ""},
		"empty filter":                {owner, end + `,"resourceFilter":"` + demo + `","typeFilter":""`, 201, `"typeFilter":""`},
		"somebody's app":              {owner, end + `,"resourceFilter":"urn:altinn:resource:app_skd_a_b"`, 403, "app"},
		"let in":                      {owner, end + `,"resourceFilter":"urn:altinn:resource:app_nav_x"`, 201, ""},
		"no service owner":            {plain, end + `,"resourceFilter":"` + demo + `"`, 400, "subject"},
		"without the scope":           {owner, end + `,"resourceFilter":"urn:altinn:resource:x"`, 403, "altinn:events.subscribe"},
		"with the scope":              {auth.Caller{OrgNumber: "310702641", Scopes: []string{events.ScopeSubscribe}}, end + `,"resourceFilter":"urn:altinn:resource:x"`, 201, "/organisation/310702641"},
		"nobody":                      {auth.Caller{}, end + `,"resourceFilter":"` + demo + `"`, 403, ""},
		"a subject of the wrong type": {owner, end + `,"resourceFilter":"` + demo + `","subjectFilter":5`, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, events.Settings{Policies: map[string][]string{"ttd": {"nav/*"}}})
			r.as(test.who)
			w := r.do(t, http.MethodPost, "/subscriptions", "{"+test.body+"}")
			assert.Equal(t, test.want, w.Code, w.Body.String())
			assert.Contains(t, w.Body.String(), test.says)
			assert.NotContains(t, w.Body.String(), "alternativeSubjectFilter", "not kept")
		})
	}
}

func TestPlainHTTPIsForThisMachineAndOnRequest(t *testing.T) {
	t.Parallel()
	post := func(allow bool, endPoint string) int {
		s, err := events.New(events.Config{Settings: events.Settings{AllowHTTP: allow}})
		require.NoError(t, err)
		defer s.Close()
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/api/v1/subscriptions",
			strings.NewReader(fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, endPoint, demo)))
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, 400, post(false, "http://127.0.0.1:1/e"))
	assert.Equal(t, 201, post(true, "http://127.0.0.1:1/e"))
	assert.Equal(t, 201, post(true, "http://localhost:1/e"))
	assert.Equal(t, 201, post(true, "http://[::1]:1/e"))
	assert.Equal(t, 400, post(true, "http://192.0.2.1/e"))
	assert.Equal(t, 400, post(true, "ftp://localhost/e"))
}

func TestValidationIsRepeatedAndGivenUp(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	e.answer(http.StatusFound)
	w := r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, e.url, demo))
	require.Equal(t, http.StatusCreated, w.Code)
	waits := []int{1, 5, 10, 30, 60, 120, 120, 120}
	r.walkSchedule(t, e, waits)
	require.Eventually(t, func() bool { return r.Counts().Pending == 0 }, patience, time.Millisecond, "given up")
	require.NoError(t, r.Publish(t.Context(), completed(1)))
	assert.Zero(t, r.Counts().Pending, "nothing is pushed before the validation")

	e.answer(http.StatusAccepted)
	r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, e.url, demo))
	require.Eventually(t, func() bool { return r.Counts().Validated == 1 }, patience, time.Millisecond, "revived, by any 2xx")
}

// walkSchedule makes sure that an attempt follows exactly so many seconds after each failure.
func (r *rig) walkSchedule(t *testing.T, e *endpoint, waits []int) {
	t.Helper()
	attempts := e.count()
	reached := func(n int) func() bool {
		return func() bool { return e.count() == n && r.Waiting() >= 0 }
	}
	if attempts == 0 {
		attempts = 1
	}
	require.Eventually(t, reached(attempts), patience, time.Millisecond)
	for i, wait := range waits {
		r.advance(time.Duration(wait)*time.Second - time.Millisecond)
		require.Equal(t, attempts+i, e.count(), "not before %ds", wait)
		r.advance(time.Millisecond)
		require.Eventually(t, reached(attempts+i+1), patience, time.Millisecond, "after %ds", wait)
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	event := completed(1)
	event.AlternativeSubject = "/org/310702641"
	require.NoError(t, r.Publish(t.Context(), event))
	require.Eventually(t, func() bool { return len(e.events()) == 1 }, patience, time.Millisecond)
	got := e.events()[0]
	assert.Len(t, got["id"], 36)
	delete(got, "id")
	assert.Equal(t, map[string]any{
		"specversion": "1.0", "time": "2026-03-02T08:00:00.25Z", "type": "app.instance.process.completed",
		"source":  "https://ttd.apps.tt02.altinn.no/ttd/demo-skjema/instances/50001337/6f3da581-76f9-412c-ba01-000000000001",
		"subject": "/party/50001337", "resource": demo,
		"resourceinstance": "50001337/6f3da581-76f9-412c-ba01-000000000001", "alternativesubject": "/org/310702641",
	}, got)
	require.Eventually(t, func() bool { return r.Counts().Delivered == 1 }, patience, time.Millisecond)
	require.Error(t, r.Publish(t.Context(), events.Event{}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Publish(ended, event), context.Canceled)
}

func TestDeliveryIsRepeatedForADayAndAHalf(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	e.answer(http.StatusNotFound)
	require.NoError(t, r.Publish(t.Context(), completed(1)))
	require.Eventually(t, func() bool { return e.count() == 2 }, patience, time.Millisecond)
	r.walkSchedule(t, e, []int{10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 12 * 3600})
	require.Eventually(t, func() bool { return r.Counts().DeadLettered == 1 }, patience, time.Millisecond)
	counts := r.Counts()
	assert.Equal(t, 12, counts.Failed)
	assert.Zero(t, counts.Pending)
	assert.Equal(t, []events.DeadLetter{{SubscriptionID: 1, EventID: e.events()[0]["id"].(string), Attempts: 12}}, r.DeadLetters())
}

func TestSpeedShortensTheSchedule(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{Speed: 10})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	e.answer(http.StatusInternalServerError)
	require.NoError(t, r.Publish(t.Context(), completed(1)))
	require.Eventually(t, func() bool { return e.count() == 2 }, patience, time.Millisecond)
	r.walkSchedule(t, e, []int{1, 3, 6})
	e.answer(0)
	r.advance(30 * time.Second)
	require.Eventually(t, func() bool { return r.Counts().Delivered == 1 }, patience, time.Millisecond)
	assert.Zero(t, r.Counts().DeadLettered)
}

func TestAnEndpointThatHangsFails(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body) // then the server notices that the sender has left
		select {
		case <-release:
		case <-request.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	require.NoError(t, r.SetSettings(events.Settings{AllowHTTP: true, Timeout: faults.Duration(20 * time.Millisecond)}))
	w := r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, slow.URL, demo))
	require.Equal(t, http.StatusCreated, w.Code)
	require.Eventually(t, func() bool { return r.Waiting() == 1 }, patience, time.Millisecond, "to be validated again")
	assert.Equal(t, 1, r.Counts().Validated)
	assert.Equal(t, faults.Duration(events.DefaultTimeout), func() faults.Duration {
		require.NoError(t, r.SetSettings(events.Settings{}))
		return r.Settings().Timeout
	}())
}

func TestMatching(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	for _, filter := range []string{
		"", `,"typeFilter":"app.instance.process.completed"`, `,"typeFilter":"app.instance.created"`, `,"subjectFilter":"/party/50001337"`,
		`,"subjectFilter":"/party/1"`, `,"typeFilter":""`, `,"subjectFilter":""`, `,"sourceFilter":""`,
	} {
		r.subscribe(t, e, filter)
	}
	require.Eventually(t, func() bool { return r.Counts().Validated == 8 }, patience, time.Millisecond)
	require.NoError(t, r.Publish(t.Context(), completed(1)))
	require.Eventually(t, func() bool { return r.Counts().Delivered == 3 && r.Counts().Pending == 0 }, patience, time.Millisecond)
	other := completed(2)
	other.App = "another"
	require.NoError(t, r.Publish(t.Context(), other))
	assert.Zero(t, r.Counts().Pending)
}

func TestMatchesAreCachedOnRequest(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{MatchCache: faults.Duration(time.Hour)})
	first, second := newEndpoint(t), newEndpoint(t)
	publish := func(n int) {
		t.Helper()
		require.NoError(t, r.Publish(t.Context(), completed(n)))
		require.Eventually(t, func() bool { return r.Counts().Pending == 0 }, patience, time.Millisecond)
	}
	r.subscribe(t, first, "")
	publish(1)
	r.subscribe(t, second, "")
	require.Eventually(t, func() bool { return r.Counts().Validated == 2 }, patience, time.Millisecond)
	require.Equal(t, http.StatusOK, r.do(t, http.MethodDelete, "/subscriptions/1", "").Code)
	publish(2)
	assert.Len(t, first.events(), 2, "deleted, and still receives")
	assert.Empty(t, second.events(), "new, and receives nothing yet")
	r.advance(time.Hour)
	publish(3)
	assert.Len(t, first.events(), 2)
	assert.Len(t, second.events(), 1)
}

func TestLostDoubledShuffled(t *testing.T) {
	t.Parallel()
	const n = 200
	r := setup(t, events.Settings{Lose: 0.1, Double: 0.2, Shuffle: faults.Duration(5 * time.Second)})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	for i := range n {
		require.NoError(t, r.Publish(t.Context(), completed(i)))
	}
	for range 50 {
		r.advance(100 * time.Millisecond)
		require.Eventually(t, func() bool { return r.Due() == 0 }, patience, time.Millisecond)
	}
	require.Eventually(t, func() bool { return r.Counts().Pending == 0 }, patience, time.Millisecond)
	counts := r.Counts()
	got := e.events()
	assert.Equal(t, n, counts.Published)
	assert.InDelta(t, 0.1*n, counts.Lost, 0.06*n)
	assert.InDelta(t, 0.2*n, counts.Doubled, 0.08*n)
	assert.Len(t, got, n-counts.Lost+counts.Doubled)
	ids, inOrder := map[any]bool{}, true
	for i, event := range got {
		ids[event["id"]] = true
		inOrder = inOrder && (i == 0 || got[i-1]["source"].(string) <= event["source"].(string))
	}
	assert.Len(t, ids, n-counts.Lost, "each one that was not lost, and what was doubled under its own id")
	assert.False(t, inOrder)

	again := setup(t, events.Settings{Lose: 0.1})
	for i := range n {
		require.NoError(t, again.Publish(t.Context(), completed(i)))
	}
	assert.NotZero(t, again.Counts().Lost)
	for _, bad := range []events.Settings{{Lose: 2}, {Double: -1}, {Shuffle: -1}, {Speed: -1}, {Timeout: -1}, {MatchCache: -1}} {
		require.Error(t, again.SetSettings(bad))
	}
}

func TestPull(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	var subjects []string
	for i := range 5 {
		event := completed(i)
		if i == 3 {
			event.Type, event.PartyID = events.TypeInstanceCreated, 7
		}
		require.NoError(t, r.Publish(t.Context(), event))
		r.advance(time.Second)
	}
	pull := func(query string) []map[string]any {
		t.Helper()
		w := r.do(t, http.MethodGet, "/app/ttd/demo-skjema?"+query, "")
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		var out []map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		require.NotNil(t, out)
		assert.Equal(t, len(out) > 0, w.Header().Get("next") != "", "next is there unless the page is empty")
		return out
	}
	assert.Empty(t, pull("from=2026-03-02T00:00:00Z"), "not readable yet")
	r.advance(26 * time.Second)
	assert.Len(t, pull("from=2026-03-02T00:00:00Z"), 2, "half a minute after arrival")
	r.advance(time.Minute)
	assert.Len(t, pull("from=2026-03-02T09:00:00%2B01:00"), 5)
	assert.Len(t, pull("from=2026-03-02T08:00:01.25Z&to=2026-03-02T08:00:02.25Z"), 2)
	assert.Len(t, pull("from=2026-03-02T00:00:00Z&type=app.instance.created&type=x"), 1)
	assert.Len(t, pull("from=2026-03-02T00:00:00Z&party=7"), 1)
	assert.Len(t, pull("from=2026-03-02T00:00:00Z&unit=310702641"), 4)
	assert.Empty(t, pull("after="+uuid.NewString()))

	next := "?from=2026-03-02T00:00:00Z&size=2"
	for {
		w := r.do(t, http.MethodGet, "/app/ttd/demo-skjema"+next, "")
		var page []map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		if len(page) == 0 {
			break
		}
		for _, event := range page {
			subjects = append(subjects, event["resourceinstance"].(string))
		}
		u, err := url.Parse(w.Header().Get("next"))
		require.NoError(t, err)
		assert.Equal(t, "platform.tt02.altinn.no", u.Host)
		assert.Equal(t, "/events/api/v1/app/ttd/demo-skjema", u.Path)
		next = "?" + u.RawQuery
	}
	require.Len(t, subjects, 5)
	assert.IsIncreasing(t, []string{subjects[0], subjects[1], subjects[2], subjects[4]})

	for query, want := range map[string]int{
		"": 400, "from=2026-03-02": 400, "from=2026-03-02T00:00:00": 400, "from=2026-03-02T00:00:00Z&size=0": 400,
		"from=2026-03-02T00:00:00Z&size=x": 400, "from=2026-03-02T00:00:00Z&party=x": 400, "from=2026-03-02T00:00:00Z&unit=1": 404,
		"from=2026-03-02T00:00:00Z&unit=1&party=2": 400, "after=x&to=never": 400,
	} {
		assert.Equal(t, want, r.do(t, http.MethodGet, "/app/ttd/demo-skjema?"+query, "").Code, query)
	}
	r.as(auth.Caller{Org: "skd", Scopes: []string{auth.ScopeServiceOwner}})
	assert.Empty(t, pull("from=2026-03-02T00:00:00Z"), "not for others")
	r.as(auth.Caller{OrgNumber: "310702641"})
	assert.Equal(t, http.StatusForbidden, r.do(t, http.MethodGet, "/app/ttd/demo-skjema?from=2026-03-02T00:00:00Z", "").Code)
}

func TestAppsPublish(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	const source = `"source":"https://ttd.apps.tt02.altinn.no/ttd/demo-skjema/instances/50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"`
	w := r.do(t, http.MethodPost, "/app", `{`+source+`,"type":"my.own","subject":"/party/50001337","data":{"a":1}}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Eventually(t, func() bool { return len(e.events()) == 1 }, patience, time.Millisecond)
	assert.Equal(t, w.Body.String(), `"`+e.events()[0]["id"].(string)+`"`)
	assert.Equal(t, demo, e.events()[0]["resource"], "derived from the source")
	assert.Equal(t, map[string]any{"a": 1.0}, e.events()[0]["data"])
	for body, want := range map[string]int{
		`{` + source + `,"type":"t"}`:                             400,
		`{` + source + `,"subject":"/party/1"}`:                   400,
		`{"type":"t","subject":"/party/1","source":"https://x/"}`: 400,
		`[]`: 400,
		`{"type":"t","subject":"/party/1","source":"https://skd.apps.tt02.altinn.no/skd/a/instances/1/6f3da581-76f9-412c-ba01-44e375b5bc79"}`: 403,
	} {
		assert.Equal(t, want, r.do(t, http.MethodPost, "/app", body).Code, body)
	}
	assert.Equal(t, 415, r.do(t, http.MethodPost, "/app", `{}`, "Content-Type", "text/plain").Code)
}

func TestOtherEventsArePublished(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{})
	r.as(auth.Caller{OrgNumber: "991825827", Scopes: []string{events.ScopePublish, events.ScopeSubscribe}})
	e := newEndpoint(t)
	w := r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":"urn:altinn:resource:letter"}`, e.url))
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Eventually(t, func() bool { return r.Counts().Validated == 1 }, patience, time.Millisecond)
	good := map[string]any{
		"specversion": "1.0", "id": uuid.NewString(), "type": "no.altinn.correspondence.correspondencepublished",
		"time": "2026-03-02T07:00:00Z", "resource": "urn:altinn:resource:letter", "resourceinstance": uuid.NewString(),
		"subject": "urn:altinn:party:uuid:x", "alternativesubject": nil, "source": "https://platform.tt02.altinn.no/correspondence/api/v1/correspondence",
	}
	post := func(change func(map[string]any)) *httptest.ResponseRecorder {
		event := map[string]any{}
		maps.Copy(event, good)
		change(event)
		raw, err := json.Marshal(event)
		require.NoError(t, err)
		return r.do(t, http.MethodPost, "/events", string(raw), "Content-Type", "application/cloudevents+json")
	}
	require.Equal(t, http.StatusOK, post(func(map[string]any) {}).Code)
	require.Eventually(t, func() bool { return len(e.events()) == 1 }, patience, time.Millisecond)
	assert.Equal(t, good, e.events()[0], "as it was sent, id included")

	require.Equal(t, http.StatusOK, post(func(event map[string]any) { delete(event, "time") }).Code)
	require.Eventually(t, func() bool { return len(e.events()) == 2 }, patience, time.Millisecond)
	assert.Equal(t, "2026-03-02T08:00:00.25Z", e.events()[1]["time"])
	for name, change := range map[string]func(map[string]any){
		"id": func(e map[string]any) { delete(e, "id") }, "source": func(e map[string]any) { e["source"] = "" },
		"type": func(e map[string]any) { e["type"] = 1 }, "version": func(e map[string]any) { e["specversion"] = "0.3" },
		"resource": func(e map[string]any) { delete(e, "resource") }, "urn": func(e map[string]any) { e["resource"] = "letter" },
		"case": func(e map[string]any) { e["resourceInstance"] = "x" }, "time": func(e map[string]any) { e["time"] = "now" },
	} {
		assert.Equal(t, http.StatusBadRequest, post(change).Code, name)
	}
	assert.Equal(t, 400, r.do(t, http.MethodPost, "/events", `[{}]`, "Content-Type", "application/cloudevents+json").Code)
	assert.Equal(t, 415, r.do(t, http.MethodPost, "/events", `{}`).Code)
	r.as(auth.Caller{Org: "ttd", Scopes: []string{auth.ScopeServiceOwner}})
	assert.Equal(t, http.StatusForbidden, post(func(map[string]any) {}).Code)
}

func TestResetAndCloseLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	r := setup(t, events.Settings{Shuffle: faults.Duration(time.Hour)})
	e := newEndpoint(t)
	r.subscribe(t, e, "")
	require.NoError(t, r.SetSettings(events.Settings{AllowHTTP: true, Lose: 0.5, Shuffle: faults.Duration(time.Hour)}))
	for i := range 20 {
		require.NoError(t, r.Publish(t.Context(), completed(i)))
	}
	r.Reset()
	assert.Equal(t, events.Counts{}, r.Counts())
	assert.Zero(t, r.Settings().Lose)
	r.advance(2 * time.Hour)
	e.answer(http.StatusInternalServerError)
	r.do(t, http.MethodPost, "/subscriptions", fmt.Sprintf(`{"endPoint":%q,"resourceFilter":%q}`, e.url, demo))
	require.Eventually(t, func() bool { return e.count() == 2 }, patience, time.Millisecond)
	r.Close()
	assert.Empty(t, e.events())
	require.NoError(t, r.Publish(t.Context(), completed(1)), "after the end events are kept and not pushed")
	assert.Zero(t, r.Counts().Pending)
}
