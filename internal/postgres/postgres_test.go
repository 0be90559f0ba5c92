package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestThrowAwayServer(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	server, err := Start(t.Context(), Options{Log: &log})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	require.Contains(t, log.String(), server.Version())

	again, err := Start(t.Context(), Options{URL: server.URL("")})
	require.NoError(t, err)
	require.Equal(t, server.Version(), again.Version())
	again.Stop()

	directory, err := dataDirectory(t.Context(), server)
	require.NoError(t, err, "Stop has ended a server that was given by URL")

	require.Error(t, query(t.Context(), strings.Replace(server.URL(""), "postgres:", "postgres:wrong", 1)), "any password will do")

	server.Stop()
	server.Stop()
	require.Error(t, query(t.Context(), server.URL("")))
	require.NoDirExists(t, filepath.Dir(directory))
}

func TestServerGoesAwayWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			folder := folderForAll(t)
			cmd := childCommand(t.Context(), folder)
			_, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var report childReport
			require.NoError(t, json.NewDecoder(stdout).Decode(&report))
			require.NoError(t, query(t.Context(), report.URL))
			require.Equal(t, folder, filepath.Dir(filepath.Dir(report.Directory)))

			require.NoError(t, cmd.Process.Signal(signal))
			require.Error(t, cmd.Wait())

			require.Eventually(t, func() bool { return isEmpty(folder) }, time.Minute, 10*time.Millisecond)
			require.Error(t, query(t.Context(), report.URL))
		})
	}
}

func TestServerGoesAwayWhenItsProcessIsKilledWhileStartingIt(t *testing.T) {
	t.Parallel()
	folder := folderForAll(t)
	cmd := childCommand(t.Context(), folder)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		found, err := filepath.Glob(filepath.Join(folder, "dialogsync-postgres.*", "data", "base"))
		return err == nil && len(found) == 1
	}, time.Minute, time.Millisecond, "initdb has not begun")

	require.NoError(t, cmd.Process.Kill())
	said, err := io.ReadAll(stdout)
	require.NoError(t, err)
	require.Empty(t, said, "the server was up before the kill")
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return isEmpty(folder) }, time.Minute, 10*time.Millisecond)
}

func TestStartHonoursItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("the operator has gone home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := Start(ctx, Options{})
	require.ErrorIs(t, err, cause)
}

func TestURL(t *testing.T) {
	t.Parallel()
	server := &Server{base: loopbackURL(5433, "s3cret")}
	require.Equal(t, "postgres://postgres:s3cret@127.0.0.1:5433/postgres?sslmode=disable", server.URL(""))
	require.Equal(t, "postgres://postgres:s3cret@127.0.0.1:5433/other?sslmode=disable", server.URL("other"))
}

func TestGivenURLThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]string{
		"another scheme":      "mysql://me:s3cret@127.0.0.1:1/db",
		"malformed":           "postgres://me:s3cret@127.0.0.1:port/db",
		"nobody listens":      "postgres://me:s3cret@127.0.0.1:1/db",
		"not a URL but a DSN": "host=127.0.0.1 password=s3cret",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Start(t.Context(), Options{URL: given})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestWithoutClientSettings(t *testing.T) {
	t.Parallel()
	environ := []string{"PATH=/bin", "PGHOST=elsewhere", "PGSSLMODE=verify-full", "HOME=/"}
	require.Equal(t, []string{"PATH=/bin", "HOME=/"}, WithoutClientSettings(environ))
	require.Len(t, environ, 4)
	require.Equal(t, "PGHOST=elsewhere", environ[1])
}

func query(ctx context.Context, url string) error {
	_, _, err := ask(ctx, url)
	return err
}

func dataDirectory(ctx context.Context, server *Server) (string, error) {
	conn, err := pgx.Connect(ctx, server.URL(""))
	if err != nil {
		return "", err
	}
	var directory string
	err = conn.QueryRow(ctx, "show data_directory").Scan(&directory)
	return directory, errors.Join(err, conn.Close(ctx))
}

// folderForAll is a temporary folder that any account can write to.
func folderForAll(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
	require.NoError(t, os.Chmod(folder, 0o777))
	return folder
}

func isEmpty(folder string) bool {
	entries, err := os.ReadDir(folder)
	return err == nil && len(entries) == 0
}
