package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL server. Its methods may be called from several goroutines.
type Server struct {
	base    url.URL
	version string
	process *process // nil for a server that somebody else runs
}

// URL returns the URL of a database on the server; it need not exist yet. The empty name stands for the database of Options.URL,
// or on a throw-away server for its first, empty one.
func (s *Server) URL(database string) string {
	u := s.base
	if database != "" {
		u.Path = "/" + database
		u.RawPath = ""
	}
	return u.String()
}

// Version is the server's version as it states it, "15.18 (Debian 15.18-0+deb12u1)".
func (s *Server) Version() string { return s.version }

// Stop ends a throw-away server and waits until its files are gone. It does nothing to a server that was given by URL, nor when
// called again.
func (s *Server) Stop() {
	if s.process != nil {
		s.process.stop()
	}
}

// connect checks that the server at a URL answers and is new enough.
func connect(ctx context.Context, rawURL string) (*Server, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("PostgreSQL URL is malformed") // the cause would quote the URL, and with it a password
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("PostgreSQL URL begins with %q, not postgres://", u.Scheme+"://")
	}
	version, number, err := ask(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL at %s: %w", u.Redacted(), err)
	}
	if number < MinimumVersion*10_000 {
		return nil, fmt.Errorf("PostgreSQL at %s is version %s, and %d is the oldest that will do", u.Redacted(), version, MinimumVersion)
	}
	return &Server{base: *u, version: version}, nil
}

// ask returns the server's version as text and as a number (150018 for 15.18).
func ask(ctx context.Context, rawURL string) (string, int, error) {
	conn, err := pgx.Connect(ctx, rawURL)
	if err != nil {
		return "", 0, err //nolint:wrapcheck // both callers say what was being done
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var version, number string
	err = conn.QueryRow(ctx, "select current_setting('server_version'), current_setting('server_version_num')").Scan(&version, &number)
	if err != nil {
		return "", 0, err //nolint:wrapcheck // both callers say what was being done
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", 0, fmt.Errorf("server_version_num: %w", err)
	}
	return version, n, nil
}

// awaitReady asks until the server answers, its process ends, or ctx is done.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		version, _, err := ask(attempt, s.URL(""))
		cancel()
		if err == nil {
			s.version = version
			return nil
		}
		select {
		case <-s.process.exited:
			return errors.New("the server ended")
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func loopbackURL(port int, password string) url.URL {
	return url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Host:     "127.0.0.1:" + strconv.Itoa(port),
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
}
