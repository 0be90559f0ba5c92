package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/postgres"
)

// programVariable makes this test binary the program itself.
const programVariable = "WITHPOSTGRES_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), programVariable+"=1")
	return cmd
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"success":               {args: []string{"--", "true"}, code: 0},
		"the command's own":     {args: []string{"--", "sh", "-c", "exit 7"}, code: 7},
		"ended by a signal":     {args: []string{"sh", "-c", "kill -KILL $$"}, code: 137},
		"no command":            {args: []string{"--"}, code: exitUsage},
		"a command that is not": {args: []string{"--", "./no-such-command"}, code: exitNoCommand},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t.Context(), c.args...)
			_ = cmd.Run()
			require.Equal(t, c.code, cmd.ProcessState.ExitCode())
		})
	}
}

func TestCommandFindsTheServerAndNoOther(t *testing.T) {
	t.Parallel()
	cmd := program(t.Context(), "--", "sh", "-c", `echo "$`+postgres.TestURLVariable+`"; env | grep ^PGHOST`)
	// A server of its own: a developer's may be one that PGSSLMODE means.
	cmd.Env = append(cmd.Env, postgres.TestURLVariable+"=", "PGHOST=elsewhere", "PGSSLMODE=verify-full")
	said, _ := cmd.Output() // grep finds nothing and says so with its exit code
	url := strings.TrimSpace(string(said))
	require.Regexp(t, `^postgres://\S+$`, url)
}

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	cmd := program(t.Context(), "--", "sh", "-c", `trap 'exit 42' TERM; echo "$`+postgres.TestURLVariable+`"; while :; do sleep 0.05; done`)
	cmd.Env = append(cmd.Env, postgres.TestURLVariable+"=") // a server of its own, to see it go
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	url = strings.TrimSpace(url)
	server, err := postgres.Start(t.Context(), postgres.Options{URL: url})
	require.NoError(t, err)
	server.Stop()

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, err = io.Copy(io.Discard, stdout)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Equal(t, 42, cmd.ProcessState.ExitCode())
	_, err = postgres.Start(t.Context(), postgres.Options{URL: url})
	require.Error(t, err, "the server outlived the command")
}
