package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/altinn/dialogsync/internal/postgres"
)

// sharedServer is the server of this test process, once a test has asked for it.
type sharedServer struct {
	mu      sync.Mutex
	running *postgres.Server
	err     error
}

//nolint:gochecknoglobals // tests have no other place in common than the process
var shared sharedServer

// Suite is a test process that stops its server at the end. It takes the place of *testing.M where something else wants to run the
// tests: goleak.VerifyTestMain(pgtest.Suite{M: m}).
type Suite struct {
	*testing.M
}

// Run runs the tests and returns their exit code.
func (s Suite) Run() int {
	defer shared.stop()
	return s.M.Run()
}

// Main is all that a TestMain need call:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// Without it the server of the process goes away a moment after the process has ended.
func Main(m *testing.M) {
	os.Exit(Suite{M: m}.Run())
}

func (s *sharedServer) get(ctx context.Context) (*postgres.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil && s.err == nil {
		s.running, s.err = postgres.Start(ctx, postgres.Options{URL: os.Getenv(postgres.TestURLVariable), Log: os.Stderr})
		if s.err != nil {
			s.err = fmt.Errorf("%w\n(URL of the server to test on: %s)", s.err, postgres.TestURLVariable)
		}
	}
	return s.running, s.err
}

func (s *sharedServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running.Stop()
		s.running = nil
	}
}
