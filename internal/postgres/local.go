package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed local.sh
var localScript string

// startPatience is for a busy machine: a server is up within two seconds where nothing else runs.
const startPatience = time.Minute

// startError says that a server was found and did not come up.
type startError struct {
	server string
	cause  error
	output string
}

func (e *startError) Error() string {
	return fmt.Sprintf("%s did not start: %v: its last words:\n    %s", e.server, e.cause, e.output)
}

func (e *startError) Unwrap() error { return e.cause }

// startInstalled runs the server programs found on this machine.
func startInstalled(ctx context.Context, password string, log io.Writer) (*Server, error) {
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	programs, err := findPrograms(ctx, account)
	if err != nil {
		return nil, err
	}
	// Between the choice of a port and its use somebody else may take it.
	for attempt := 1; ; attempt++ {
		server, err := startLocal(ctx, programs, account, password)
		if err == nil {
			fmt.Fprintf(log, "PostgreSQL %s from %s on %s\n", server.Version(), programs.folder, server.base.Host)
			return server, nil
		}
		if attempt == 3 || !portTaken(err) {
			return nil, err
		}
	}
}

func startLocal(ctx context.Context, programs programs, account *syscall.Credential, password string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	env := append(WithoutClientSettings(os.Environ()), "LC_ALL=C", "SUPERUSER="+superuser, "PASSWORD="+password)
	args := append([]string{programs.folder, strconv.Itoa(port)}, temporaryFolders()...)
	p, err := supervise(ctx, localScript, args, env, account)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	server := &Server{base: loopbackURL(port, password), process: p}
	err = server.awaitReady(ctx)
	if err != nil {
		err = &startError{server: "PostgreSQL " + programs.version + " in " + programs.folder, cause: err, output: p.lastLines()}
		p.stop()
		return nil, err
	}
	return server, nil
}

func portTaken(err error) bool {
	broken := (*startError)(nil)
	return errors.As(err, &broken) && strings.Contains(broken.output, "Address already in use")
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: unexpected address %s", listener.Addr())
	}
	return address.Port, nil
}

// temporaryFolders are where the server's directory may go: the first that its account can write to is used.
func temporaryFolders() []string {
	return slices.Compact([]string{strings.TrimSuffix(os.TempDir(), "/"), "/tmp", "/var/tmp"})
}
