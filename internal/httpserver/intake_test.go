package httpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/openid"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/httpserver"
	"github.com/altinn/dialogsync/internal/jobs"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/stream"
)

const (
	secret   = "7f0c8a1e-unguessable"
	instance = "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"
	person   = "13897197123"
)

// box accepts into memory, or fails.
type box struct {
	mu       sync.Mutex
	commands []live.Command
	err      error
	wait     bool
}

func (b *box) Accept(ctx context.Context, commands ...live.Command) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	if b.err != nil {
		return b.err
	}
	b.commands = append(b.commands, commands...)
	return nil
}

// cloudEvent is an event as Altinn Events pushes it, changed.
func cloudEvent(change map[string]any) map[string]any {
	e := map[string]any{
		"specversion": "1.0", "id": "3ebaa1a2-9113-4905-ab26-a84fc3ec8acc", "time": "2026-03-02T08:15:29.7203185Z",
		"type":    "app.instance.process.completed",
		"source":  "https://ttd.apps.tt02.altinn.no/ttd/demo-skjema/instances/" + instance,
		"subject": "/party/50001337", "resource": "urn:altinn:resource:app_ttd_demo-skjema", "resourceinstance": instance,
		"alternativesubject": "/person/" + person,
	}
	for name, value := range change {
		if e[name] = value; value == nil {
			delete(e, name)
		}
	}
	return e
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return string(body)
}

func post(t *testing.T, intake *httpserver.Intake, path, body string, headers ...string) (int, http.Header) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	httpserver.Handler(httpserver.Config{Ready: ready, Metrics: metrics(""), Intake: intake}).ServeHTTP(recorder, request)
	answer := recorder.Result()
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.NotContains(t, string(text), person)
	return answer.StatusCode, answer.Header
}

func want(t *testing.T) live.Command {
	t.Helper()
	id, err := altinn.ParseInstanceID(instance)
	require.NoError(t, err)
	return live.Command{ID: id, AppID: "ttd/demo-skjema", Intake: live.IntakeWebhook}
}

func TestTheWebhookTakesEventsInAllForms(t *testing.T) {
	t.Parallel()
	moved := cloudEvent(map[string]any{"type": "app.instance.process.movedTo.Task_2", "id": "2"})
	binary := []string{
		"Content-Type", "", "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "app.instance.created",
		"Ce-Source", "https://ttd.apps.tt02.altinn.no/ttd/demo-skjema/instances/" + instance,
	}
	for name, tt := range map[string]struct {
		body    string
		headers []string
		want    int
	}{
		"as Altinn sends it":     {body: encoded(t, cloudEvent(nil)), want: 1},
		"structured":             {body: encoded(t, cloudEvent(nil)), headers: []string{"Content-Type", "application/cloudevents+json"}, want: 1},
		"batch":                  {body: encoded(t, []any{cloudEvent(nil), moved}), headers: []string{"Content-Type", "application/cloudevents-batch+json"}, want: 2},
		"batch of none":          {body: "[]"},
		"binary":                 {headers: binary, want: 1},
		"substatus":              {body: encoded(t, cloudEvent(map[string]any{"type": "app.instance.substatus.changed"})), want: 1},
		"without a resource":     {body: encoded(t, cloudEvent(map[string]any{"resource": nil, "resourceinstance": nil})), want: 1},
		"source of another form": {body: encoded(t, cloudEvent(map[string]any{"source": "urn:x"})), want: 1},
		"upper case GUID":        {body: encoded(t, cloudEvent(map[string]any{"source": "https://x.no/ttd/demo-skjema/instances/" + strings.ToUpper(instance)})), want: 1},
		"an app's own type":      {body: encoded(t, cloudEvent(map[string]any{"type": "no.example.paid"}))},
		"validation": {body: encoded(t, map[string]any{
			"specversion": "1.0", "id": uuid.NewString(), "type": "platform.events.validatesubscription",
			"source": "https://platform.tt02.altinn.no/events/api/v1/subscriptions/1619",
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &box{}
			status, _ := post(t, &httpserver.Intake{Accepter: b, EventsSecret: secret}, "/events/"+secret, tt.body, tt.headers...)
			assert.Equal(t, http.StatusNoContent, status)
			require.Len(t, b.commands, tt.want)
			for _, command := range b.commands {
				assert.Equal(t, want(t), command)
			}
		})
	}
}

func TestTheWebhookRefuses(t *testing.T) {
	t.Parallel()
	good := encoded(t, cloudEvent(nil))
	path := "/events/" + secret
	for name, tt := range map[string]struct {
		path, body string
		err        error
		status     int
	}{
		"a wrong secret":           {path: "/events/" + secret + "x", body: good, status: http.StatusNotFound},
		"no secret":                {path: "/events/", body: good, status: http.StatusNotFound},
		"no JSON":                  {path: path, body: "hello", status: http.StatusBadRequest},
		"nothing":                  {path: path, status: http.StatusBadRequest},
		"no event":                 {path: path, body: "{}", status: http.StatusBadRequest},
		"null":                     {path: path, body: "null", status: http.StatusBadRequest},
		"another version":          {path: path, body: encoded(t, cloudEvent(map[string]any{"specversion": "9"})), status: http.StatusBadRequest},
		"no type":                  {path: path, body: encoded(t, cloudEvent(map[string]any{"type": nil})), status: http.StatusBadRequest},
		"no instance":              {path: path, body: encoded(t, cloudEvent(map[string]any{"source": "urn:x", "resourceinstance": nil})), status: http.StatusBadRequest},
		"no instance and no app":   {path: path, body: encoded(t, cloudEvent(map[string]any{"source": "urn:x", "resource": "urn:altinn:resource:x"})), status: http.StatusBadRequest},
		"a body of many megabytes": {path: path, body: strings.Repeat(" ", 2<<20) + good, status: http.StatusRequestEntityTooLarge},
		"while the inbox is full":  {path: path, body: good, err: live.ErrBusy, status: http.StatusServiceUnavailable},
		"while PostgreSQL is down": {path: path, body: good, err: errors.New("no connection"), status: http.StatusServiceUnavailable},
		"what cannot be kept":      {path: path, body: good, err: &live.CommandError{Problem: "x"}, status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.DebugLevel)
			b := &box{err: tt.err}
			status, headers := post(t, &httpserver.Intake{Accepter: b, EventsSecret: secret, Log: zap.New(core)}, tt.path, tt.body)
			assert.Equal(t, tt.status, status)
			assert.Empty(t, b.commands)
			assert.Equal(t, tt.status == http.StatusServiceUnavailable, headers.Get("Retry-After") != "")
			for _, entry := range logs.All() {
				line := fmt.Sprint(entry.Message, entry.ContextMap())
				assert.NotContains(t, line, person)
				assert.NotContains(t, line, secret)
				assert.NotContains(t, line, "/party/")
			}
		})
	}

	b := &box{}
	batch := encoded(t, []any{
		cloudEvent(map[string]any{"source": "urn:x", "resource": nil}), cloudEvent(nil),
		cloudEvent(map[string]any{"source": "https://x.no/ttd//instances/" + instance}),
	})
	status, _ := post(t, &httpserver.Intake{Accepter: b, EventsSecret: secret}, path, batch)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, []live.Command{want(t)}, b.commands, "the good one of a batch is not lost with the bad ones")

	status, _ = post(t, &httpserver.Intake{Accepter: b}, "/events/", good)
	assert.Equal(t, http.StatusNotFound, status, "without a secret there is no webhook")
	status, _ = post(t, nil, path, good)
	assert.Equal(t, http.StatusNotFound, status)
}

// tokens accepts one token.
type tokens struct{ err error }

func (c tokens) Check(_ context.Context, token string) error {
	if token == "good" {
		return nil
	}
	return c.err
}

// shelf is Storage with one instance, or an error.
type shelf struct{ err error }

func (s shelf) GetInstance(_ context.Context, id altinn.InstanceID) (*altinn.Instance, error) {
	if s.err != nil {
		return nil, s.err
	}
	created := altinn.TimeOf(time.Date(2026, 3, 2, 8, 14, 2, 110412000, time.UTC))
	return &altinn.Instance{ID: "50001337/" + id.GUID.String(), AppID: "ttd/demo-skjema", Created: &created}, nil
}

func TestSyncCommands(t *testing.T) {
	t.Parallel()
	const (
		path  = "/storage/dialogporten/api/v1/syncDialog"
		body  = `{"appId":"ttd/demo-skjema","partyId":"50001337","instanceId":"6F3DA581-76f9-412c-ba01-44e375b5bc79","instanceCreatedAt":"2026-03-02T08:14:02.110412Z","isMigration":true,"eventType":2}`
		upper = `{"AppId":"ttd/demo-skjema","PartyId":50001337,"InstanceId":"6f3da581-76f9-412c-ba01-44e375b5bc79"}`
	)
	full := want(t)
	full.Created, full.Intake = time.Date(2026, 3, 2, 8, 14, 2, 110412000, time.UTC), live.IntakeCommand
	silent := full
	silent.Migration = true
	bare := full
	bare.Created = time.Time{}
	for name, tt := range map[string]struct {
		path, body, token string
		tokens            httpserver.TokenChecker
		storage           error
		status            int
		want              *live.Command
	}{
		"full":                       {path: path, body: body, status: http.StatusNoContent, want: &silent},
		"other letters, a number":    {path: path, body: upper, status: http.StatusNoContent, want: &bare},
		"with a token":               {path: path, body: body, token: "Bearer good", tokens: tokens{}, status: http.StatusNoContent, want: &silent},
		"no token":                   {path: path, body: body, tokens: tokens{&openid.TokenError{}}, status: http.StatusUnauthorized},
		"a bad token":                {path: path, body: body, token: "Bearer bad", tokens: tokens{&openid.TokenError{}}, status: http.StatusUnauthorized},
		"another scheme":             {path: path, body: body, token: "Basic good", tokens: tokens{&openid.TokenError{}}, status: http.StatusUnauthorized},
		"too little scope":           {path: path, body: body, token: "Bearer x", tokens: tokens{&openid.ScopeError{}}, status: http.StatusForbidden},
		"no keys to check with":      {path: path, body: body, token: "Bearer x", tokens: tokens{&openid.UnavailableError{Err: io.EOF}}, status: http.StatusServiceUnavailable},
		"no JSON":                    {path: path, body: "x", status: http.StatusBadRequest},
		"no instance":                {path: path, body: `{"appId":"ttd/x","partyId":"1"}`, status: http.StatusBadRequest},
		"too large":                  {path: path, body: strings.Repeat(" ", 2<<20), status: http.StatusRequestEntityTooLarge},
		"simple":                     {path: path + "/simple/" + instance, status: http.StatusNoContent, want: &full},
		"simple, another party":      {path: path + "/simple/1/6f3da581-76f9-412c-ba01-44e375b5bc79", status: http.StatusNoContent, want: &full},
		"simple and silent":          {path: path + "/simple/" + instance + "?isMigration=True", status: http.StatusNoContent, want: &silent},
		"simple, no truth":           {path: path + "/simple/" + instance + "?isMigration=perhaps", status: http.StatusBadRequest},
		"simple, gone":               {path: path + "/simple/" + instance, storage: storage.ErrInstanceGone, status: http.StatusNotFound},
		"simple, the read failed":    {path: path + "/simple/" + instance, storage: errors.New("404: the read failed"), status: http.StatusServiceUnavailable},
		"simple, no number":          {path: path + "/simple/x/6f3da581-76f9-412c-ba01-44e375b5bc79", status: http.StatusNotFound},
		"simple, no GUID":            {path: path + "/simple/1/x", status: http.StatusNotFound},
		"simple, not without tokens": {path: path + "/simple/" + instance, tokens: tokens{&openid.TokenError{}}, status: http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &box{}
			intake := &httpserver.Intake{Accepter: b, Tokens: tt.tokens, Instances: shelf{tt.storage}}
			status, headers := post(t, intake, tt.path, tt.body, "Authorization", tt.token)
			assert.Equal(t, tt.status, status)
			assert.Equal(t, tt.status == http.StatusUnauthorized, headers.Get("WWW-Authenticate") != "")
			if tt.want == nil {
				assert.Empty(t, b.commands)
				return
			}
			assert.Equal(t, []live.Command{*tt.want}, b.commands)
		})
	}
}

func TestASenderThatHangsUpIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/events/"+secret, strings.NewReader(encoded(t, cloudEvent(nil))))
	recorder := httptest.NewRecorder()
	intake := &httpserver.Intake{Accepter: &box{wait: true}, EventsSecret: secret}
	httpserver.Handler(httpserver.Config{Ready: ready, Metrics: metrics(""), Intake: intake}).ServeHTTP(recorder, request)
	assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
}

// BenchmarkWebhook pushes single events over HTTP, as Altinn Events does, into PostgreSQL.
func BenchmarkWebhook(b *testing.B) {
	pool := dbtest.New(b)
	gate := stream.NewGate(stream.GateConfig{Pool: pool, Worker: "worker"})
	require.NoError(b, gate.Refresh(b.Context()))
	client, err := jobs.NewInserter(pool)
	require.NoError(b, err)
	inbox := live.NewInbox(pool, jobs.EnqueueEvents(client), gate, nil)
	server := httptest.NewServer(httpserver.Handler(httpserver.Config{
		Ready: ready, Metrics: metrics(""), Intake: &httpserver.Intake{Accepter: inbox, EventsSecret: secret},
	}))
	defer server.Close()
	const senders = 256
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer hc.CloseIdleConnections()
	body := []byte(encoded(b, cloudEvent(nil)))
	b.SetParallelism(senders / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			answer, err := hc.Post(server.URL+"/events/"+secret, "application/json", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusNoContent {
				b.Error(answer.Status)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	inbox.Wait()
}
