package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a supervising script that runs a server for as long as its standard input stays open.
type process struct {
	cmd      *exec.Cmd
	lifeline *os.File // the only write end of the script's standard input; never written to
	output   *os.File // what script and server print; has no name, so nothing is left of it
	exited   chan struct{}
	once     sync.Once
}

// supervise starts a script. It runs in a session of its own, out of reach of the signals that a terminal or a shell sends to
// this process's group, and as account if that is not nil.
func supervise(ctx context.Context, script string, args, env []string, account *syscall.Credential) (*process, error) {
	output, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	input, lifeline, err := os.Pipe()
	if err != nil {
		_ = output.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", append([]string{"-c", script, "postgres-supervisor"}, args...)...)
	cmd.Dir = "/" // the account may not be allowed to enter ours
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: account}
	err = cmd.Start()
	_ = input.Close()
	if err != nil {
		_ = lifeline.Close()
		_ = output.Close()
		return nil, fmt.Errorf("start the supervising script: %w", err)
	}
	p := &process{cmd: cmd, lifeline: lifeline, output: output, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // what went wrong stands in the output
	}()
	return p, nil
}

// stopPatience is far above what a server in good health takes to stop, a fraction of a second.
const stopPatience = 30 * time.Second

func (p *process) stop() {
	p.once.Do(func() {
		_ = p.lifeline.Close()
		select {
		case <-p.exited:
		case <-time.After(stopPatience):
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.exited
		}
		_ = p.output.Close()
	})
}

// lastLines returns the end of what script and server printed, for an error text.
func (p *process) lastLines() string {
	const most = 2_000
	size, err := p.output.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(size, most))
	n, err := p.output.ReadAt(text, size-int64(len(text)))
	if err != nil && n == 0 {
		return ""
	}
	lines := strings.Split(string(bytes.TrimSpace(text[:n])), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n    ")
}

func unnamedFile() (*os.File, error) {
	file, err := os.CreateTemp("", "dialogsync-postgres-output-")
	if err != nil {
		return nil, fmt.Errorf("make a file for the server's output: %w", err)
	}
	err = os.Remove(file.Name())
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("unlink the file for the server's output: %w", err)
	}
	return file, nil
}
