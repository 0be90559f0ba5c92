package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// server is a PostgreSQL whose directory outlives its processes.
type server struct {
	programs, data string
	port           int
	account        *syscall.Credential
	running        *exec.Cmd
}

// newServer makes a directory and starts the server on it. Where there are no server programs the test is skipped.
func newServer(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes and kills them: not in short mode")
	}
	s := &server{programs: serverPrograms()}
	if s.programs == "" {
		t.Skip("no initdb and postgres on this machine: a restart of the database cannot be tried")
	}
	folder, err := os.MkdirTemp("", "dialogsync-e2e-postgres-") //nolint:usetesting // the test's own folder is closed to the server's account
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	s.data = filepath.Join(folder, "data")
	if os.Geteuid() == 0 {
		s.account = accountOfNobody(t)
		require.NoError(t, os.Chown(folder, int(s.account.Uid), int(s.account.Gid)))
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.port = listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	said, err := s.command(t, "initdb", "--pgdata="+s.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput()
	require.NoError(t, err, string(said))
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

// serverPrograms is the folder of PostgreSQL's programs: that on the PATH, or Debian's, or Homebrew's.
func serverPrograms() string {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(initdb); err == nil {
			return filepath.Dir(target)
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql*/bin/postgres"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(found[len(found)-1])
		}
	}
	return ""
}

// accountOfNobody is whom PostgreSQL is run as where the tests are run as root, which it refuses.
func accountOfNobody(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if account, err := user.Lookup(name); err == nil {
			uid, err := strconv.ParseUint(account.Uid, 10, 32)
			require.NoError(t, err)
			gid, err := strconv.ParseUint(account.Gid, 10, 32)
			require.NoError(t, err)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Skip("run as root, and there is nobody to run PostgreSQL as")
	return nil
}

func (s *server) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(s.programs, program), args...)
	cmd.Dir = filepath.Dir(s.data)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return cmd
}

func (s *server) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// start starts the server and waits until it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.running = s.command(t, "postgres", "-D", s.data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200")
	dieWithTheTest(s.running.SysProcAttr) // SIGQUIT is its immediate stop
	require.NoError(t, s.running.Start())
	await(t, "PostgreSQL to answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, s.url())
		return err == nil && errors.Join(conn.Ping(ctx), conn.Close(ctx)) == nil
	})
}

// stop is pg_ctl stop -m immediate: no transaction is ended, nobody is told.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if s.running == nil {
		return
	}
	require.NoError(t, s.running.Process.Signal(syscall.SIGQUIT))
	_ = s.running.Wait() // it ends as it was told to
	s.running = nil
}

// TestDatabaseRestarts: workers wait for the database and go on by themselves.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	migrate := &rig{environ: []string{"DIALOGSYNC_DATABASE_URL=" + s.url()}}
	migrate.ok(t, "migrate", "up")
	r := newRigOn(t, 1500, s.url())
	r.platform.fail(t, slow(5*time.Millisecond))
	workers := []*process{r.worker(t, "one"), r.worker(t, "two")}
	r.order(t)
	for range 2 {
		r.afterCreatesAlone(t, 150)
		s.stop(t)
		for _, w := range workers {
			await(t, "the worker to see it", func() bool {
				status, _ := w.ask(t, "/readyz")
				return status == http.StatusServiceUnavailable
			})
			assertStatus(t, w, "/healthz", http.StatusOK)
		}
		s.start(t)
		r.pool.Reset() // its connections are gone too
		began := time.Now()
		before := r.recorded(t)
		await(t, "the workers to go on", func() bool { return r.recorded(t) > before })
		t.Logf("went on after %s", time.Since(began).Round(100*time.Millisecond))
		for _, w := range workers {
			require.True(t, w.running(), w.tail())
			await(t, "the worker to be ready", func() bool {
				status, _ := w.ask(t, "/readyz")
				return status == http.StatusOK
			})
		}
	}
	r.platform.fail(t)
	r.completed(t, workers...)
	r.prove(t)
}

// afterCreatesAlone is afterCreates without a look at the database.
func (r *rig) afterCreatesAlone(t *testing.T, n int64) {
	t.Helper()
	target := r.platform.creates.Load() + n
	await(t, "more dialogs to be made", func() bool { return r.platform.creates.Load() >= target })
}

// TestDatabaseIsAwayAtTheStart: commands say so, and work once it is back.
func TestDatabaseIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := &rig{environ: []string{"DIALOGSYNC_DATABASE_URL=" + s.url()}}
	r.ok(t, "migrate", "up")
	s.stop(t)
	code, out, said := r.command(t, "backfill", "list")
	assert.Equal(t, 1, code)
	assert.Empty(t, out)
	assert.Contains(t, said, "connect to PostgreSQL")
	s.start(t)
	r.ok(t, "backfill", "list")
}
