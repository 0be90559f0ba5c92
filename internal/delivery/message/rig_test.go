package message_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim"
	simaltinn2 "github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/db/dbtest"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
	"github.com/altinn/dialogsync/pkg/correspondence"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// call is a request that the services received.
type call struct{ method, path string }

// rig is a deliverer between a database of the test's own and a simulated platform.
type rig struct {
	*message.Deliverer

	sim  *altinnsim.Sim
	url  string
	pool *pgxpool.Pool

	mu    sync.Mutex
	calls []call
	// before may answer a request instead of the service; after may break its answer off.
	before func(n int, r *http.Request) (status int, body string)
	after  func(n int, r *http.Request) bool
	// cut is after how many bytes an answer breaks off; 0: it does not.
	cut   func(r *http.Request) int64
	clock time.Time
}

// cutOff is an answer that breaks off.
type cutOff struct {
	http.ResponseWriter

	left int64
}

func (c *cutOff) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	sim, err := altinnsim.New(altinnsim.Options{})
	require.NoError(t, err)
	t.Cleanup(sim.Close)
	r := &rig{sim: sim, pool: dbtest.New(t)}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.url = server.URL
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // else net/http repeats reads by itself
	r.Deliverer = &message.Deliverer{
		Source: altinn2.New(server.URL, client, nil), Correspondence: correspondence.New(server.URL, client, nil),
		Dialogs: dialogporten.New(server.URL, client), Pool: r.pool, Now: r.now,
	}
	return r
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clock.IsZero() {
		return time.Now()
	}
	return r.clock
}

func (r *rig) setClock(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = at
}

func (r *rig) serve(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.calls = append(r.calls, call{request.Method, request.URL.Path})
	n, before, after, cut := len(r.calls), r.before, r.after, r.cut
	r.mu.Unlock()
	if cut != nil {
		if left := cut(request); left > 0 {
			w = &cutOff{ResponseWriter: w, left: left}
		}
	}
	if before != nil {
		if status, body := before(n, request); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
	}
	if after != nil && after(n, request) {
		r.sim.Handler().ServeHTTP(httptest.NewRecorder(), request)
		panic(http.ErrAbortHandler)
	}
	r.sim.Handler().ServeHTTP(w, request)
}

// faults sets what goes wrong from here on, and forgets the calls so far.
func (r *rig) faults(before func(int, *http.Request) (int, string), after func(int, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.before, r.after = nil, before, after
}

// made are the calls to the migration API since the faults were set, without its prefix.
func (r *rig) made() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths := []string{}
	for _, c := range r.calls {
		if name, ok := strings.CutPrefix(c.path, "/correspondence/api/v1/migration/"); ok {
			paths = append(paths, name)
		}
	}
	return paths
}

// The calls by name.
const (
	callAttachment = "attachment"
	callMigrate    = "correspondence"
	callAvailable  = "makemigratedcorrespondenceavailable"
	callStatus     = "correspondence/syncStatusEvent"
	callNotify     = "correspondence/syncNotificationEvent"
	callForward    = "correspondence/syncForwardingEvent"
)

// one makes a world with messages and gives the first that fulfils a condition.
func (r *rig) one(t *testing.T, condition func(simaltinn2.Record) bool) simaltinn2.Record {
	t.Helper()
	return r.oneOf(t, 300, condition)
}

// oneOf does so in a world of so many messages.
func (r *rig) oneOf(t *testing.T, messages int, condition func(simaltinn2.Record) bool) simaltinn2.Record {
	t.Helper()
	r.generate(t, messages)
	var found *simaltinn2.Record
	r.sim.Altinn2.Each(func(m simaltinn2.Record) bool {
		if condition(m) {
			found = &m
		}
		return found == nil
	})
	require.NotNil(t, found, "the made-up world has no such message")
	return *found
}

func (r *rig) generate(t *testing.T, messages int, alter ...func(*simaltinn2.Options)) {
	t.Helper()
	options := simaltinn2.DefaultOptions()
	options.Messages, options.LargestFile = messages, 20_000
	options.To = time.Now().Add(-24 * time.Hour)
	options.End = options.To
	options.Odd, options.Broken, options.Deceased, options.Purged = 0, 0, 0, 0
	for _, change := range alter {
		change(&options)
	}
	g := generator.Options{Seed: 1, Messages: &options}
	_, err := r.sim.Generate(g)
	require.NoError(t, err)
}

// plain are messages that nothing is odd about.
func plain(m simaltinn2.Record) bool {
	return m.Deletion == simaltinn2.DeletionNone && len(m.Attachments) == 0 && len(m.Events) == 2 && len(m.Notifications) == 0
}

func (r *rig) idle(t *testing.T) {
	t.Helper()
	require.NoError(t, r.sim.Correspondence.Idle(t.Context()))
}

// dialogOf gives a message's dialog as the simulator has it.
func (r *rig) dialogOf(t *testing.T, id uuid.UUID) bool {
	t.Helper()
	_, exists := r.sim.Dialogporten.Dialog(id)
	return exists
}

func (r *rig) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	require.NoError(t, r.pool.QueryRow(t.Context(), "select count(*) from "+table).Scan(&n))
	return n
}

// bodyOf reads a request's body and leaves it to be read again.
func bodyOf(t *testing.T, request *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(request.Body)
	if !assert.NoError(t, err) { //nolint:testifylint // not in the test's own goroutine
		return ""
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// idsOf are the items that a call asks to be made available.
func idsOf(t *testing.T, request *http.Request) []uuid.UUID {
	t.Helper()
	var asked struct {
		ID  *uuid.UUID  `json:"correspondenceId"`
		IDs []uuid.UUID `json:"correspondenceIds"`
	}
	assert.NoError(t, json.Unmarshal([]byte(bodyOf(t, request)), &asked))
	if asked.ID != nil {
		return []uuid.UUID{*asked.ID}
	}
	return asked.IDs
}

// availableAt makes one item available and gives its part of the answer.
func (r *rig) availableAt(t *testing.T, id uuid.UUID) string {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/correspondence/api/v1/migration/"+callAvailable, strings.NewReader(`{"correspondenceId":"`+id.String()+`"}`))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	r.sim.Handler().ServeHTTP(recorder, request)
	var answer struct {
		Statuses []json.RawMessage `json:"statuses"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || len(answer.Statuses) != 1 {
		t.Errorf("make %s available: %s", id, recorder.Body)
		return "{}"
	}
	return string(answer.Statuses[0])
}
