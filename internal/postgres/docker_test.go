package postgres

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeDocker answers as the docker client does. Its container is a server that this test binary starts.
const fakeDocker = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$@" >>calls
case $1 in
version)
	echo 28.2.2
	;;
run)
	mkfifo input
	echo $$ >pid
	` + childVariable + `=$POSTGRES_PASSWORD exec "$(cat program)" <>input >report
	;;
port)
	grep -q url report 2>/dev/null || exit 1
	sed 's/.*@\(127.0.0.1:[0-9]*\).*/\1/' report
	;;
rm)
	kill -KILL "$(cat pid)"
	;;
esac
`

func TestDocker(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	docker := filepath.Join(folder, "docker")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "program"), []byte(os.Args[0]), 0o600))
	require.NoError(t, os.WriteFile(docker, []byte(fakeDocker), 0o700))

	server, err := startContainer(t.Context(), docker, "s3cret", io.Discard)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	require.NoError(t, query(t.Context(), server.URL("")))

	server.Stop()
	calls, err := os.ReadFile(filepath.Join(folder, "calls"))
	require.NoError(t, err)
	require.NotContains(t, string(calls), "s3cret", "a command line is there for everybody to read")
	name := ""
	for call := range strings.Lines(string(calls)) {
		if _, rest, found := strings.Cut(call, "--name "); found {
			name, _, _ = strings.Cut(rest, " ")
		}
	}
	require.NotEmpty(t, name)
	require.Contains(t, string(calls), "rm --force --volumes "+name)
}

func TestDockerWithoutItsDaemon(t *testing.T) {
	t.Parallel()
	docker := filepath.Join(t.TempDir(), "docker")
	require.NoError(t, os.WriteFile(docker, []byte("#!/bin/sh\necho Is the docker daemon running?\nexit 1\n"), 0o700))
	_, err := startContainer(t.Context(), docker, "s3cret", io.Discard)
	require.ErrorContains(t, err, "Is the docker daemon running?")
}
