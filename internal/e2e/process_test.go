package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a worker that runs beside the test. What it writes to stderr goes to a file.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	// address is where it answers about its health; empty until asked for.
	address string
	done    chan struct{}
}

// start runs the program until it ends, or the test does.
func (r *rig) start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	file, err := os.CreateTemp(r.logs, name+"-*.log")
	require.NoError(t, err)
	p := &process{name: name, log: file.Name(), done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), dialogsync(t), args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = r.environ, file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	dieWithTheTest(p.cmd.SysProcAttr)
	require.NoError(t, p.cmd.Start())
	require.NoError(t, file.Close())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its state tells
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// worker starts a worker that is quick to take up what others leave.
func (r *rig) worker(t *testing.T, name string, more ...string) *process {
	t.Helper()
	args := []string{
		"worker", "--name", name, "--history-slots", "3", "--concurrency", "6", "--page-size", "25", "--slice-time", "5s", "--lease", "3s",
		"--rest", "1s",
	}
	return r.start(t, name, append(args, more...)...)
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// ended waits until the process is over and gives how it ended, as a shell would say it: "exit 0", "killed by terminated".
func (p *process) ended(t *testing.T) string {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.FailNow(t, p.name+" does not end", p.tail())
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "killed by " + status.Signal().String()
	}
	return fmt.Sprintf("exit %d", p.cmd.ProcessState.ExitCode())
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) text() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return string(content)
}

func (p *process) tail() string {
	text := p.text()
	return text[max(0, len(text)-2000):]
}

// awaitLog waits for a text in the process's log.
func (p *process) awaitLog(t *testing.T, mark string) {
	t.Helper()
	await(t, p.name+" to log "+mark, func() bool {
		if !p.running() && !strings.Contains(p.text(), mark) {
			require.FailNow(t, p.name+" has ended", p.tail())
		}
		return strings.Contains(p.text(), mark)
	})
}

// ask asks the process over HTTP. Status 0: it does not answer.
func (p *process) ask(t *testing.T, path string) (status int, body string) {
	t.Helper()
	if p.address == "" {
		const mark = `"listening_addr":"`
		p.awaitLog(t, mark)
		_, rest, _ := strings.Cut(p.text(), mark)
		p.address, _, _ = strings.Cut(rest, `"`)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.address+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
}

// command runs a command of the program to its end.
func (r *rig) command(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), dialogsync(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = r.environ, &stdout, &stderr
	var ended *exec.ExitError
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &ended) {
		require.NoError(t, failed)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// ok runs a command that must succeed.
func (r *rig) ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, err := r.command(t, args...)
	require.Zero(t, code, "%v: %s%s", args, out, err)
	return out
}

// allLogs is what all processes of the test have written.
func (r *rig) allLogs(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.logs, "*.log"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(content)
	}
	return all.String()
}
