// Command withpostgres runs a command with a PostgreSQL server beside it:
//
//	withpostgres -- go test ./...
//
// The command finds the server's URL in the environment variable DIALOGSYNC_TEST_DATABASE_URL. Where that is set already, that
// server is used and none is started. Signals are passed on, the command's exit code is returned (128 + n where signal n ended
// it), and nothing of the server is left, however this program ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/altinn/dialogsync/internal/postgres"
)

const (
	exitUsage     = 2
	exitNoServer  = 125 // as of env(1) and timeout(1): the program itself failed, not the command
	exitNoCommand = 127
	exitSignalled = 128
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "usage: withpostgres -- command [argument ...]")
		return exitUsage
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)

	server, err := start(ctx, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "withpostgres:", err)
		return exitNoServer
	}
	defer server.Stop()

	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(postgres.WithoutClientSettings(os.Environ()), postgres.TestURLVariable+"="+server.URL(""))
	err = cmd.Start()
	if err != nil {
		fmt.Fprintln(stderr, "withpostgres:", err)
		return exitNoCommand
	}
	ended := make(chan struct{})
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		passOn(signals, ended, cmd.Process)
	}()
	err = cmd.Wait()
	close(ended)
	<-passed
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		fmt.Fprintln(stderr, "withpostgres:", err)
	}
	return exitCode(cmd.ProcessState)
}

func passedOn() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
}

// start gives up as soon as a signal arrives.
func start(ctx context.Context, stderr io.Writer) (*postgres.Server, error) {
	ctx, stop := signal.NotifyContext(ctx, passedOn()...)
	defer stop()
	server, err := postgres.Start(ctx, postgres.Options{URL: os.Getenv(postgres.TestURLVariable), Log: stderr})
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // the signal came too late to be noticed by Start
		server.Stop()
		return nil, context.Cause(ctx)
	}
	return server, nil
}

// passOn hands signals to the command until it has ended.
func passOn(signals <-chan os.Signal, ended <-chan struct{}, command *os.Process) {
	// A terminal sends these to every process of the foreground, to the command as well: it must not get them twice.
	fromTerminal := term.IsTerminal(int(os.Stdin.Fd()))
	for {
		select {
		case s := <-signals:
			if fromTerminal && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
				continue
			}
			_ = command.Signal(s) // it may have ended just now
		case <-ended:
			return
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}
