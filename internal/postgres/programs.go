package postgres

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// programs is an installation of initdb and postgres, of a version that will do.
type programs struct {
	folder  string
	version string
	major   int
}

// programFolders are the usual places of server programs, which most packages keep off the PATH.
func programFolders() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                   // Red Hat and its kin, packages of the PostgreSQL project
		"/usr/libexec/postgresql*",                           // Alpine
		"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew
		"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
		"/opt/local/lib/postgresql*/bin",                     // MacPorts
		"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
		"/usr/local/pgsql/bin",                               // built from source
	}
}

// findPrograms returns the programs on the PATH, or else the newest in the usual places. They must be new enough and such that
// account can run them.
func findPrograms(ctx context.Context, account *syscall.Credential) (programs, error) {
	var rejected []string
	inspect := func(folder string) (programs, bool) {
		found, err := inspectPrograms(ctx, folder, account)
		if err != nil {
			rejected = append(rejected, err.Error())
		}
		return found, err == nil
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if found, ok := inspect(resolvedFolder(initdb)); ok {
			return found, nil
		}
	}
	var usable []programs
	for _, pattern := range programFolders() {
		initdbs, err := filepath.Glob(filepath.Join(pattern, "initdb"))
		if err != nil {
			return programs{}, fmt.Errorf("look for server programs in %s: %w", pattern, err)
		}
		for _, initdb := range initdbs {
			if found, ok := inspect(filepath.Dir(initdb)); ok {
				usable = append(usable, found)
			}
		}
	}
	if len(usable) == 0 {
		return programs{}, fmt.Errorf("none in %s", strings.Join(slices.Concat([]string{"PATH"}, programFolders(), rejected), ", "))
	}
	return slices.MaxFunc(usable, func(a, b programs) int { return cmp.Compare(a.major, b.major) }), nil
}

// resolvedFolder returns the folder of a program, or of what a link to it leads to: postgres finds its own files from there.
func resolvedFolder(program string) string {
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	if absolute, err := filepath.Abs(program); err == nil {
		program = absolute
	}
	return filepath.Dir(program)
}

// versionOf reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" and "postgres (PostgreSQL) 18beta1".
var versionOf = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

func inspectPrograms(ctx context.Context, folder string, account *syscall.Credential) (programs, error) {
	postgres := filepath.Join(folder, "postgres")
	cmd := exec.CommandContext(ctx, postgres, "--version")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	answer, err := cmd.Output()
	if err != nil {
		return programs{}, fmt.Errorf("%s can't be run: %w", postgres, err)
	}
	match := versionOf.FindStringSubmatch(string(answer))
	if match == nil {
		return programs{}, fmt.Errorf("%s states no version", postgres)
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return programs{}, fmt.Errorf("%s states version %s: %w", postgres, match[1], err)
	}
	if major < MinimumVersion {
		return programs{}, fmt.Errorf("%s is version %s, too old", postgres, match[1])
	}
	return programs{folder: folder, version: match[1], major: major}, nil
}
