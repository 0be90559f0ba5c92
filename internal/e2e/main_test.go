package e2e

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

// binaries is the folder with dialogsync, built by the first test that needs it.
//

var binaries struct {
	once   sync.Once
	folder string
	err    error
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := pgtest.Suite{M: m}.Run()
	if binaries.folder != "" {
		_ = os.RemoveAll(binaries.folder)
	}
	os.Exit(code)
}

// dialogsync gives the path of the program.
func dialogsync(t *testing.T) string {
	t.Helper()
	binaries.once.Do(func() { binaries.folder, binaries.err = build() })
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return filepath.Join(binaries.folder, "dialogsync")
}

func build() (string, error) {
	if err := noteSources(); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "dialogsync-e2e-")
	if err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, "go", "build", "-o", folder+"/", "../../cmd/dialogsync").CombinedOutput()
	if err != nil {
		return folder, fmt.Errorf("build dialogsync: %w: %s", err, said)
	}
	return folder, nil
}

// noteSources looks at every file that the program is made of. The go command takes note: a cached result does not outlive a change of
// the program, which these tests do not import.
func noteSources() error {
	for _, root := range []string{"../../cmd", "../../internal", "../../pkg", "../../migrations", "../../go.mod"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	return nil
}
