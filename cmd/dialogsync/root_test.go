package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commands are the paths of all commands, the root's own empty one included.
func commands(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	all := map[string]*cobra.Command{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		all[path] = cmd
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk((&cli{}).rootCommand())
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	for path, cmd := range commands(t) {
		flags := cmd.LocalFlags() // asking for them merges those of its parents, which others do as well
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			got := runWith(t.Context(), nil, append(strings.Fields(path), "--help")...)
			assert.Equal(t, exitOK, got.code)
			assert.Empty(t, got.err)
			assert.Contains(t, got.out, "Usage:")
			require.NotEmpty(t, cmd.Short)
			assert.False(t, strings.HasSuffix(cmd.Short, "."), "a short text is no sentence")
			flags.VisitAll(func(flag *pflag.Flag) {
				assert.Contains(t, got.out, "--"+flag.Name)
				assert.NotEmpty(t, flag.Usage, flag.Name)
			})
			for _, line := range lines(got.out) {
				assert.LessOrEqual(t, len([]rune(line)), 180, line)
			}
		})
	}
}

func TestHelpListsCommandsAndExitCodes(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), nil, "--help")
	for _, name := range []string{"backfill", "completion", "coverage", "item", "migrate", "status", "stream", "version", "worker"} {
		assert.Contains(t, got.out, "\n  "+name+" ")
	}
	for code, meaning := range []string{"ok", "error", "wrong usage or settings", "partly failed", "not found", "conflict", "unhealthy"} {
		assert.Contains(t, strings.Join(strings.Fields(got.out), " "), fmt.Sprintf("%d %s", code, meaning))
	}
	assert.Equal(t, got.out, runWith(t.Context(), nil).out, "without a command the help is shown")
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"sync"},
		{"backfill", "craete"},
		{"migrate", "down"},
		{"item", "explode"},
		{"--colour"},
		{"status", "-x"},
		{"status", "extra"},
		{"version", "-o", "xml"},
		{"coverage", "--source", "a4-forms"},
		{"backfill", "create", "--from", newestDay, "--to", oldestDay},
		{"backfill", "create", "--source"},
		{"backfill", "create", "--source", "a3-app-instances", "--rate", "fast"},
		{"backfill", "show"},
		{"backfill", "show", "twelve"},
		{"backfill", "show", "0"},
		{"backfill", "show", "-1"},
		{"backfill", "show", "1", "2"},
		{"backfill", "watch", "1", "2"},
		{"backfill", "watch", "x"},
		{"backfill", "pause", "x", "--reason", "y", "--yes"},
		{"item", "sync"},
		{"worker", "--lease", "soon"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			// Settings are complete, so that usage alone is at fault; nobody answers at these addresses.
			got := runWith(t.Context(), environment("postgres://nobody@127.0.0.1:1/none", "http://127.0.0.1:1"), args...)
			assert.Equal(t, exitUsage, got.code, got.both())
			assert.Empty(t, got.out)
			assert.Len(t, lines(got.err), 1, got.err)
			assert.True(t, strings.HasPrefix(got.err, "error: "), got.err)
		})
	}
}

func TestSettingsAreCheckedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	environ := []string{
		"DIALOGSYNC_DATABSE_URL=postgres://x", "DIALOGSYNC_ENVIRONMENT=prod", "DIALOGSYNC_LOG_LEVEL=loud", "DIALOGSYNC_SERVICE_HOST=10.0.0.1",
		"DIALOGSYNC_STORAGE_URL=storage", "UNRELATED=yes",
	}
	got := runWith(t.Context(), environ, "worker")
	assert.Equal(t, exitUsage, got.code)
	assert.Empty(t, got.out)
	var names []string
	for _, line := range lines(got.err) {
		name, text, found := strings.Cut(line, ": ")
		require.True(t, found, line)
		assert.NotEmpty(t, text)
		names = append(names, name)
	}
	assert.Equal(t, []string{
		"DIALOGSYNC_DATABASE_URL", "DIALOGSYNC_DATABSE_URL", "DIALOGSYNC_LOG_LEVEL", "DIALOGSYNC_MASKINPORTEN_CLIENT_ID",
		"DIALOGSYNC_MASKINPORTEN_JWK", "DIALOGSYNC_SERVICE_HOST", "DIALOGSYNC_STORAGE_URL",
	}, names)
	assert.Contains(t, got.err, "is DIALOGSYNC_DATABASE_URL meant?")
	assert.Contains(t, got.err, "enableServiceLinks: false")
}

func TestCommandsNeedOnlyWhatTheyUse(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), nil, "backfill", "list")
	assert.Equal(t, exitUsage, got.code)
	assert.Equal(t, []string{"DIALOGSYNC_DATABASE_URL"}, settingNames(got.err))

	got = runWith(t.Context(), nil, order()...)
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, settingNames(got.err), "DIALOGSYNC_DATABASE_URL")
	assert.Contains(t, settingNames(got.err), "DIALOGSYNC_ENVIRONMENT")
	assert.NotContains(t, got.err, "DIALOGPORTEN")

	for _, args := range [][]string{{"version"}, {"--help"}, {"completion", "bash"}} {
		assert.Equal(t, exitOK, runWith(t.Context(), nil, args...).code, args)
	}
	r := newRig(t)
	only := []string{"DIALOGSYNC_DATABASE_URL=" + r.database}
	for _, args := range [][]string{{"migrate", "status"}, {"migrate", "up"}, {"backfill", "list"}, {"status"}, {"coverage"}} {
		got := runWith(t.Context(), only, args...)
		assert.Equal(t, exitOK, got.code, "%v: %s", args, got.err)
	}
}

func settingNames(text string) []string {
	var names []string
	for _, line := range lines(text) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	return names
}

func TestSettingsMayComeFromFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(r.database+"\n"), 0o600))
	got := runWith(t.Context(), []string{"DIALOGSYNC_DATABASE_URL_FILE=" + file}, "backfill", "list")
	assert.Equal(t, exitOK, got.code, got.err)
}

// secret is in every setting that must not be told.
const secret = "Hemmelig42"

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	server := "postgres://postgres:" + secret + "@127.0.0.1:1/none"
	for name, change := range map[string][]string{
		"nobody answers":          {"DIALOGSYNC_DATABASE_URL=" + server},
		"port that is none":       {"DIALOGSYNC_DATABASE_URL=postgres://postgres:" + secret + "@127.0.0.1:99999/none"},
		"URL that is none":        {"DIALOGSYNC_DATABASE_URL=postgres://postgres:" + secret + "@%zz/none"},
		"parameter that is none":  {"DIALOGSYNC_DATABASE_URL=postgres://postgres:" + secret + "@127.0.0.1:1/none?pool_max_conns=x&sslpassword=" + secret},
		"key=value spelling":      {"DIALOGSYNC_DATABASE_URL=host=127.0.0.1 password=" + secret},
		"no such database":        {"DIALOGSYNC_DATABASE_URL=" + strings.Replace(r.database, "dialogsync_test_", "no_"+strings.ToLower(secret)+"_", 1)},
		"key that is none":        {"DIALOGSYNC_MASKINPORTEN_JWK=" + secret, "DIALOGSYNC_MASKINPORTEN_URL=http://127.0.0.1:1", "DIALOGSYNC_MASKINPORTEN_CLIENT_ID=x"},
		"key that is no JWK":      {"DIALOGSYNC_MASKINPORTEN_JWK=SGVtbWVsaWc0Mg==", "DIALOGSYNC_MASKINPORTEN_URL=http://127.0.0.1:1", "DIALOGSYNC_MASKINPORTEN_CLIENT_ID=x"},
		"bus without a queue":     {"DIALOGSYNC_SERVICEBUS_CONNECTION=Endpoint=sb://x/;SharedAccessKey=" + secret},
		"password in a service's": {"DIALOGSYNC_STORAGE_URL=http://user:" + secret + "@127.0.0.1:1"},
		"secret under a slip":     {"DIALOGSYNC_SUBSCRIPTION_KY=" + secret},
		"gateway key":             {"DIALOGSYNC_SUBSCRIPTION_KEY=" + secret, "DIALOGSYNC_STORAGE_URL=http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := append([]string{}, r.environ...)
			for _, setting := range change {
				replaced, _, _ := strings.Cut(setting, "=")
				environ = append(without(environ, replaced), setting)
			}
			for _, args := range [][]string{{"item", "sync", r.one(t).Row.Key(), "--dry-run"}, order(), {"worker"}} {
				if name == "gateway key" && args[0] == "worker" {
					continue // it would run until it is stopped
				}
				got := runWith(t.Context(), environ, args...)
				assert.NotEqual(t, exitOK, got.code, args)
				assert.NotEmpty(t, got.err)
				if name != "no such database" { // a database's name is no secret
					assert.NotContains(t, strings.ToLower(got.both()), strings.ToLower(secret), args)
				}
				assert.NotContains(t, got.both(), "SGVtbWVsaWc0Mg", args)
				assert.NotContains(t, got.both(), "goroutine ", "a panic")
			}
		})
	}
}

// without leaves a setting out.
func without(environ []string, name string) []string {
	var kept []string
	for _, setting := range environ {
		if !strings.HasPrefix(setting, name+"=") {
			kept = append(kept, setting)
		}
	}
	return kept
}

func TestDatabaseThatIsDownIsOneClearLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"worker"}, {"backfill", "list"}, {"migrate", "status"}, {"status"}} {
		got := runWith(t.Context(), environment("postgres://nobody@127.0.0.1:1/none", "http://127.0.0.1:1"), args...)
		assert.Equal(t, exitError, got.code, args)
		assert.Len(t, lines(got.err), 1, got.err)
		assert.Contains(t, got.err, "connect to PostgreSQL")
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), nil, "completion", "bash")
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, "__start_dialogsync")
	got = runWith(t.Context(), nil, cobra.ShellCompRequestCmd, "backfill", "create", "--source", "")
	assert.Equal(t, exitOK, got.code)
	assert.Equal(t, []string{"a2-correspondence", "a2-archived-forms", "a3-app-instances"}, lines(got.out)[:3])
	got = runWith(t.Context(), nil, cobra.ShellCompRequestCmd, "status", "-o", "")
	assert.Equal(t, []string{"table", "wide", "json", "yaml"}, lines(got.out)[:4])
	got = runWith(t.Context(), nil, cobra.ShellCompRequestCmd, "backfill", "")
	for _, verb := range []string{"create", "list", "show", "watch", "pause", "resume", "cancel"} {
		assert.Contains(t, "\n"+got.out, "\n"+verb+"\t")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), nil, "version")
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, "mapping version")
	assert.Len(t, lines(got.out), 1)
}
