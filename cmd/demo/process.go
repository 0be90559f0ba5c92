package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to end in good order.
const stopWithin = 30 * time.Second

// process is a program that runs in the background, its output in a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

func build(ctx context.Context, into string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", into+"/", "./cmd/dialogsync", "./cmd/altinnsim")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build dialogsync and altinnsim: %w", err)
	}
	return nil
}

func start(program string, args, env []string, logFile string) (*process, error) {
	out, err := os.Create(logFile) //nolint:gosec // in the demo's own folder
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(program, args...) //nolint:noctx // our own program; stop ends it
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	// Ctrl-C is for the demo, which then ends its children in order; if the demo is killed, they go with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p := &process{cmd: cmd, log: logFile, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// awaitLine waits for a line of output that contains mark and gives what follows it.
func (p *process) awaitLine(ctx context.Context, mark string) (string, error) {
	const interval, timeout = 20 * time.Millisecond, 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		rest, found, err := p.find(mark)
		if found || err != nil {
			return rest, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("it does not say %q: %w", mark, ctx.Err())
		case <-p.done:
			return "", fmt.Errorf("it ended: %w: %s", p.err, p.tail())
		case <-time.After(interval):
		}
	}
}

func (p *process) find(mark string) (rest string, found bool, err error) {
	file, err := os.Open(p.log)
	if err != nil {
		return "", false, fmt.Errorf("read log: %w", err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if _, rest, found = strings.Cut(scanner.Text(), mark); found {
			return rest, true, nil
		}
	}
	return "", false, nil
}

func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	const last = 500
	return string(content[max(0, len(content)-last):])
}

// stop ends the process in good order, and by force if that takes too long.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill() // as above
		<-p.done
	}
	if _, failed := errors.AsType[*exec.ExitError](p.err); failed {
		fmt.Fprintf(os.Stderr, "%s ended with %v: %s\n", p.cmd.Path, p.err, p.tail())
	}
}

func withoutSettings(environ []string) []string {
	var kept []string
	for _, setting := range environ {
		if !strings.HasPrefix(setting, "DIALOGSYNC_") {
			kept = append(kept, setting)
		}
	}
	return kept
}

func cut(text, at string) string {
	before, _, _ := strings.Cut(text, at)
	return before
}
