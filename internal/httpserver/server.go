// Package httpserver is what a worker answers over HTTP: whether it is alive and ready, its metrics, and the intakes of events
// and sync commands. What it answers holds no person.
package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Config is what the server tells of.
type Config struct {
	// Addr is where it listens, such as `:8080`; with port 0 the system chooses one.
	Addr string
	// Ready tells what keeps the worker from working; nil when nothing does.
	Ready func(ctx context.Context) error
	// Notes are what is wrong although the worker works: they stand in the answer to /readyz. nil: there are none.
	Notes func() []string
	// Metrics answers /metrics.
	Metrics http.Handler
	// Intake takes events and commands in; nil: there is none.
	Intake *Intake
}

// Timeouts of the server. Bodies are small and readers are machines.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = 30 * time.Second
	readyTimeout  = 3 * time.Second
)

// Server listens from Listen until Stop.
type Server struct {
	http     http.Server
	listener net.Listener
	done     chan error
}

// Listen begins to answer.
func Listen(ctx context.Context, config Config) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on DIALOGSYNC_HTTP_ADDR: %w", err)
	}
	s := &Server{
		listener: listener, done: make(chan error, 1),
		http: http.Server{
			Handler: Handler(config), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout,
		},
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop lets answers under way end, until ctx is done.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("stop HTTP server: %w", errors.Join(err, s.http.Close()))
	}
	if serveErr := <-s.done; !errors.Is(serveErr, http.ErrServerClosed) {
		return errors.Join(err, fmt.Errorf("serve HTTP: %w", serveErr))
	}
	return err
}

// Handler is the server's routes.
func Handler(config Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok", "") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		var notes []string
		if config.Notes != nil {
			notes = config.Notes()
		}
		if err := config.Ready(ctx); err != nil {
			answer(w, http.StatusServiceUnavailable, "not ready", err.Error(), notes...)
			return
		}
		answer(w, http.StatusOK, "ready", "", notes...)
	})
	mux.Handle("GET /metrics", config.Metrics)
	if config.Intake != nil {
		config.Intake.routes(mux)
	}
	return mux
}

func answer(w http.ResponseWriter, status int, word, reason string, notes ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body, err := json.Marshal(struct {
		Status string   `json:"status"`
		Reason string   `json:"reason,omitempty"`
		Notes  []string `json:"notes,omitempty"`
	}{word, reason, notes})
	if err != nil {
		return // texts always marshal
	}
	_, _ = w.Write(body) // a reader that hung up is not our concern
}
