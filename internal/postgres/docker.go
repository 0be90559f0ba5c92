package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed docker.sh
var dockerScript string

const (
	dockerImage = "postgres:17-alpine"

	// daemonPatience is for the answer of a daemon that runs; one that does not is reported by the client at once.
	daemonPatience = 5 * time.Second

	// dockerPatience leaves time for the image to be fetched.
	dockerPatience = 5 * time.Minute
)

// startDocker runs the official image with whatever the docker client on the PATH talks to.
func startDocker(ctx context.Context, password string, log io.Writer) (*Server, error) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return nil, errors.New("no docker in PATH")
	}
	return startContainer(ctx, docker, password, log)
}

func startContainer(ctx context.Context, docker, password string, log io.Writer) (*Server, error) {
	err := awaitDaemon(ctx, docker)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "PostgreSQL comes from Docker (%s); the image is fetched if it is not here yet\n", dockerImage)

	name := "dialogsync-postgres-" + strings.ToLower(rand.Text()[:12])
	env := append(os.Environ(), "POSTGRES_USER="+superuser, "POSTGRES_PASSWORD="+password)
	p, err := supervise(ctx, dockerScript, []string{docker, name, dockerImage}, env, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dockerPatience)
	defer cancel()
	server, err := awaitContainer(ctx, docker, name, password, p)
	if err != nil {
		err = &startError{server: dockerImage + " in Docker", cause: err, output: p.lastLines()}
		p.stop()
		return nil, err
	}
	fmt.Fprintf(log, "PostgreSQL %s in Docker on %s\n", server.Version(), server.base.Host)
	return server, nil
}

func awaitDaemon(ctx context.Context, docker string) error {
	ctx, cancel := context.WithTimeout(ctx, daemonPatience)
	defer cancel()
	answer, err := exec.CommandContext(ctx, docker, "version", "--format", "{{.Server.Version}}").CombinedOutput()
	if err != nil {
		return fmt.Errorf("its daemon does not answer: %w: %s", err, strings.TrimSpace(string(answer)))
	}
	return nil
}

// awaitContainer waits until the container has a port and its server answers there. The image's own set-up listens on no port.
func awaitContainer(ctx context.Context, docker, name, password string, p *process) (*Server, error) {
	for {
		port, err := publishedPort(ctx, docker, name)
		if err == nil {
			server := &Server{base: loopbackURL(port, password), process: p}
			return server, server.awaitReady(ctx)
		}
		select {
		case <-p.exited:
			return nil, errors.New("the container ended")
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; last answer: %w", context.Cause(ctx), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func publishedPort(ctx context.Context, docker, name string) (int, error) {
	answer, err := exec.CommandContext(ctx, docker, "port", name, "5432/tcp").Output()
	if err != nil {
		return 0, fmt.Errorf("ask for the container's port: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	_, port, err := net.SplitHostPort(first)
	if err != nil {
		return 0, fmt.Errorf("read the container's port: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0, fmt.Errorf("read the container's port: %w", err)
	}
	return number, nil
}
