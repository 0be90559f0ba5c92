package storage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	guid       = "6f3da581-76f9-412c-ba01-44e375b5bc79"
	instanceID = "50001337/" + guid
)

// service is a Storage that answers each path with one handler and remembers the requests.
type service struct {
	handlers map[string]http.HandlerFunc

	mu       sync.Mutex
	requests []*http.Request
}

func newService(t *testing.T, handlers map[string]http.HandlerFunc) (*service, *storage.Client) {
	t.Helper()
	s := &service{handlers: handlers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	wire := transport.Wire(4)
	t.Cleanup(wire.CloseIdleConnections)
	return s, storage.New(server.URL, transport.NewClient(transport.Config{
		Service: "storage", BaseURL: server.URL, Base: wire, Retry: transport.RetryPolicy{Attempts: 1, Initial: time.Microsecond},
	}))
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	handler := s.handlers[r.Method+" "+r.URL.Path]
	s.mu.Unlock()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler(w, r)
}

// count tells how many requests a path has had.
func (s *service) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func (s *service) set(path string, handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[path] = handler
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

func answerJSON(status int, body string) http.HandlerFunc {
	return answer(status, "application/json; charset=utf-8", body)
}

func theInstance(t *testing.T) altinn.InstanceID {
	t.Helper()
	id, err := altinn.ParseInstanceID(instanceID)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
