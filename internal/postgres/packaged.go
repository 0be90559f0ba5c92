package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// clusterSettings is where Debian's packages look up whether to set up and start a server of their own on installation.
const clusterSettings = "/etc/postgresql-common/createcluster.conf"

// startPackaged installs Debian's or Ubuntu's server and runs it.
func startPackaged(ctx context.Context, password string, log io.Writer) (*Server, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("not root")
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return nil, errors.New("not in PATH")
	}
	fmt.Fprintln(log, "PostgreSQL is installed with apt-get")
	err = preventCluster()
	if err != nil {
		return nil, err
	}
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = log, log
		return cmd.Run()
	}
	install := []string{"install", "--yes", "--quiet", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "postgresql"}
	if run(install...) != nil { // most likely the lists of packages are missing or old
		err = errors.Join(run("update", "--quiet"), run(install...))
		if err != nil {
			return nil, fmt.Errorf("install postgresql: %w", err)
		}
	}
	return startInstalled(ctx, password, log)
}

// preventCluster keeps the packages from leaving a server of their own running. Settings that are there already are somebody's.
func preventCluster() error {
	err := os.MkdirAll(filepath.Dir(clusterSettings), 0o755) //nolint:gosec // settings of the system, readable as all others
	if err != nil {
		return fmt.Errorf("prepare the installation: %w", err)
	}
	file, err := os.OpenFile(clusterSettings, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // likewise
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("prepare the installation: %w", err)
	}
	_, err = file.WriteString("create_main_cluster = false\n")
	err = errors.Join(err, file.Close())
	if err != nil {
		return fmt.Errorf("prepare the installation: %w", err)
	}
	return nil
}
