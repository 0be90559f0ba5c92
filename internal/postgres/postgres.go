package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MinimumVersion is the oldest major version of PostgreSQL that dialogsync runs on.
const MinimumVersion = 15

// TestURLVariable names the environment variable with the URL of the server to test on. Nothing but tests reads it.
const TestURLVariable = "DIALOGSYNC_TEST_DATABASE_URL"

// superuser is the role that a throw-away server is made with.
const superuser = "postgres"

// Options says which PostgreSQL to use.
type Options struct {
	// URL is a running server's, postgres://user:password@host:port/database. Empty: a throw-away server is started.
	URL string
	// Log receives a line on what is used, and what apt-get prints if it comes to that. Nil: nobody is told.
	Log io.Writer
}

// NotAvailableError says that no PostgreSQL could be found or started.
type NotAvailableError struct {
	// Tried holds what was attempted and why it failed, one entry a means, in the order of the attempts.
	Tried []string
}

func (e *NotAvailableError) Error() string {
	return fmt.Sprintf(
		"no PostgreSQL %d or newer to use\n  tried %s\n"+
			"install one (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), start Docker, "+
			"or give the URL of a running server",
		MinimumVersion, strings.Join(e.Tried, "\n  tried "),
	)
}

// Start returns the server at o.URL, or else starts a throw-away one: it needs no set-up, listens on the loopback address alone and
// trades durability for speed. The first of these that works is used: server programs found on this machine, Docker, and
// server programs that apt-get installs (as root on Debian and its kin).
//
// A cancelled ctx gives up a start under way; it does not stop a server that runs. The caller must call Stop.
// The error is a *NotAvailableError where there is nothing to start.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.URL != "" {
		return connect(ctx, o.URL)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	means := []struct {
		name  string
		start func(ctx context.Context, password string, log io.Writer) (*Server, error)
	}{
		{"server programs", startInstalled},
		{"docker", startDocker},
		{"apt-get", startPackaged},
	}
	password := rand.Text()
	unavailable := &NotAvailableError{}
	for _, m := range means {
		server, err := m.start(ctx, password, o.Log)
		if err == nil {
			return server, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("start PostgreSQL: %w", context.Cause(ctx))
		}
		unavailable.Tried = append(unavailable.Tried, m.name+": "+err.Error())
		if broken := (*startError)(nil); errors.As(err, &broken) {
			return nil, unavailable // what is installed does not start: another copy of it would hardly do better
		}
	}
	return nil, unavailable
}
