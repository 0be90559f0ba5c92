package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// childVariable makes this test binary a program that starts a server, tells where, and waits: something to end in various ways.
const childVariable = "POSTGRES_TEST_CHILD"

// childReport is the one line that a child prints.
type childReport struct {
	URL       string `json:"url"`
	Directory string `json:"directory"`
}

func TestMain(m *testing.M) {
	if password := os.Getenv(childVariable); password != "" {
		err := child(context.Background(), password)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func child(ctx context.Context, password string) error {
	server, err := startInstalled(ctx, password, os.Stderr)
	if err != nil {
		return err
	}
	directory, err := dataDirectory(ctx, server)
	if err != nil {
		return err
	}
	err = json.NewEncoder(os.Stdout).Encode(childReport{URL: server.URL(""), Directory: directory})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	return err
}

func childCommand(ctx context.Context, folder string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=secret", "TMPDIR="+folder)
	cmd.Stderr = os.Stderr
	return cmd
}
