package config_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// environ makes an environment of pairs; the prefix of the names is left out.
func environ(pairs ...string) []string {
	list := []string{"PATH=/bin", "DIALOGSYNC=ignored"}
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, "DIALOGSYNC_"+pairs[i]+"="+pairs[i+1])
	}
	return list
}

// problems gives the lines of the error.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var faulty *config.Error
	require.ErrorAs(t, err, &faulty)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, len(faulty.Problems), "one line each")
	return lines
}

func key() string { return base64.StdEncoding.EncodeToString([]byte(`{"kty":"RSA"}`)) }

func TestPresets(t *testing.T) {
	t.Parallel()
	tests := map[config.Environment][4]string{
		config.Prod: {"https://platform.altinn.no", "https://platform.altinn.no/dialogporten", "altinn.no", "https://maskinporten.no"},
		config.TT02: {
			"https://platform.tt02.altinn.no", "https://platform.tt02.altinn.no/dialogporten", "tt02.altinn.no", "https://test.maskinporten.no",
		},
		config.YT01: {
			"https://platform.yt01.altinn.cloud", "https://platform.yt01.altinn.cloud/dialogporten", "yt01.altinn.cloud",
			"https://test.maskinporten.no",
		},
	}
	for environment, want := range tests {
		t.Run(string(environment), func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(environ("ENVIRONMENT", string(environment), "DATABASE_URL", "postgres://db/x",
				"ALTINN2_URL", "https://a2.example/", "MASKINPORTEN_CLIENT_ID", "client", "MASKINPORTEN_JWK", key(),
				"EVENTS_SECRET", "s"), config.NeedAll)
			require.NoError(t, err)
			for _, url := range []string{c.PlatformURL, c.StorageURL, c.RegisterURL, c.CorrespondenceURL} {
				require.Equal(t, want[0], url)
			}
			require.Equal(t, want[1], c.DialogportenURL)
			require.Equal(t, want[2], c.AltinnHost)
			require.Equal(t, want[3], c.Maskinporten.URL)
			require.Contains(t, c.Maskinporten.Scopes, "altinn:storage/instances.syncadapter")
			require.Equal(t, want[0]+"/storage/dialogporten", c.AdapterURL)
			require.Equal(t, "https://altinncdn.no/orgs/altinn-orgs.json", c.OrgsURL)
			require.Equal(t, "https://a2.example", c.Altinn2URL, "without the final slash")
		})
	}
}

func TestLocalHangsOnThePlatformURL(t *testing.T) {
	t.Parallel()
	base := []string{
		"ENVIRONMENT", "local", "DATABASE_URL", "postgres://postgres@127.0.0.1:5432/x", "PLATFORM_URL", "http://127.0.0.1:8090",
		"DIALOGPORTEN_URL", "http://127.0.0.1:8090", "ALTINN2_URL", "http://127.0.0.1:8090", "ALTINN_HOST", "altinn.no",
	}
	c, err := config.Load(environ(base...), config.NeedAll)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:8090", c.StorageURL)
	require.Equal(t, "http://127.0.0.1:8090", c.RegisterURL)
	require.Equal(t, "http://127.0.0.1:8090/orgs/altinn-orgs.json", c.OrgsURL)
	require.Nil(t, c.Maskinporten, "no token is sent")
	require.Nil(t, c.ServiceBus)
	require.False(t, c.EventsSecret.IsSet())
	require.Equal(t, ":8080", c.HTTPAddr)
	require.Equal(t, zapcore.InfoLevel, c.LogLevel)
	require.Equal(t, telemetry.LogFormatJSON, c.LogFormat)
	require.False(t, c.SubmissionTransmissions)

	c, err = config.Load(environ(slices.Concat(base, []string{
		"STORAGE_URL", "http://storage:1/", "SUBMISSION_TRANSMISSIONS", "True", "HTTP_ADDR", "127.0.0.1:0", "LOG_LEVEL", "debug",
		"LOG_FORMAT", "console", "SERVICEBUS_CONNECTION", "Endpoint=x", "SERVICEBUS_QUEUE", "q", "SUBSCRIPTION_KEY", "k",
		"MASKINPORTEN_URL", "http://127.0.0.1:8090/maskinporten", "MASKINPORTEN_CLIENT_ID", "c", "MASKINPORTEN_JWK", key(),
		"MASKINPORTEN_SCOPES", " a  b ", "MESSAGE_RESOURCES", "A b", "MESSAGE_RESOURCES_DENIED", "c", "MESSAGE_MIN_AGE", "A=336h b=1h30m",
	})...), config.NeedAll)
	require.NoError(t, err)
	require.Equal(t, "http://storage:1", c.StorageURL)
	require.Equal(t, "http://127.0.0.1:8090", c.RegisterURL)
	require.True(t, c.SubmissionTransmissions)
	require.Equal(t, "127.0.0.1:0", c.HTTPAddr)
	require.Equal(t, zapcore.DebugLevel, c.LogLevel)
	require.Equal(t, telemetry.LogFormatConsole, c.LogFormat)
	require.Equal(t, "q", c.ServiceBus.Queue)
	require.Equal(t, "Endpoint=x", c.ServiceBus.Connection.Reveal())
	require.Equal(t, []string{"a", "b"}, c.Maskinporten.Scopes)
	require.Equal(t, map[string]bool{"a": true, "b": true}, c.MessageResources)
	require.Equal(t, map[string]bool{"c": true}, c.MessageResourcesDenied)
	require.Equal(t, map[string]time.Duration{"a": 336 * time.Hour, "b": 90 * time.Minute}, c.MessageMinAge)
	require.Equal(t, "k", c.SubscriptionKey.Reveal())
}

func TestCommandsNeedTheirOwn(t *testing.T) {
	t.Parallel()
	c, err := config.Load(environ("DATABASE_URL", "postgres://db/x"), config.NeedDatabase)
	require.NoError(t, err)
	require.Equal(t, "postgres://db/x", c.DatabaseURL.Reveal())

	_, err = config.Load(environ(), config.NeedDatabase)
	require.Equal(t, []string{"DIALOGSYNC_DATABASE_URL: is missing; set it to postgres://user:password@host:5432/database"}, problems(t, err))

	_, err = config.Load(environ("ENVIRONMENT", "local", "DATABASE_URL", "postgres://db/x"), config.NeedDatabase, config.NeedStorage)
	require.Len(t, problems(t, err), 1)
	require.ErrorContains(t, err, "DIALOGSYNC_STORAGE_URL: is missing")

	_, err = config.Load(environ(), config.NeedAll)
	lines := problems(t, err)
	require.Len(t, lines, 2, "what hangs on the environment is not reported for its sake")
	require.Contains(t, lines[1], "DIALOGSYNC_ENVIRONMENT: is missing; set it to local, tt02, yt01 or prod")

	_, err = config.Load(environ("ENVIRONMENT", "tt02"), config.NeedAll)
	names := make([]string, 0)
	for _, line := range problems(t, err) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, strings.TrimPrefix(name, "DIALOGSYNC_"))
	}
	require.Equal(t, []string{"ALTINN2_URL", "DATABASE_URL", "EVENTS_SECRET", "MASKINPORTEN_CLIENT_ID", "MASKINPORTEN_JWK"}, names)
}

func TestOneLineForEachFault(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"DATABASE_URL", "mysql://root:hunter2@db/x", "is not a URL of the form postgres://"},
		{"DATABASE_URL", "postgres://u:hunter2%zz@db/x", "is not a URL of the form postgres://"},
		{"ENVIRONMENT", "production", "set it to local, tt02, yt01 or prod"},
		{"PLATFORM_URL", "platform.altinn.no", "is not an absolute http or https URL"},
		{"PLATFORM_URL", "ftp://platform.altinn.no", "is not an absolute http or https URL"},
		{"DIALOGPORTEN_URL", "https://user:hunter2@x.example", "must not hold a user name or password"},
		{"ORGS_URL", "https://x.example/a?b=c", "must not have a query or a fragment"},
		{"ALTINN_HOST", "https://altinn.no", "is not a bare host name"},
		{"ALTINN_HOST", "altinn.no/x", "is not a bare host name"},
		{"MASKINPORTEN_JWK", `{"d":"hunter2"}`, "is not standard base64 of a JWK"},
		{"SERVICEBUS_CONNECTION", "SharedAccessKey=hunter2", "DIALOGSYNC_SERVICEBUS_QUEUE: is missing"},
		{"SERVICEBUS_QUEUE", "q", "DIALOGSYNC_SERVICEBUS_CONNECTION: is missing"},
		{"SUBMISSION_TRANSMISSIONS", "yes", "is neither true nor false"},
		{"MESSAGE_MIN_AGE", "a=14d", "write resource=336h"},
		{"MESSAGE_MIN_AGE", "336h", "write resource=336h"},
		{"HTTP_ADDR", "8080", "is not an address"},
		{"HTTP_ADDR", ":http-alt", "is not an address"},
		{"LOG_LEVEL", "fatal", "is none of debug, info, warn and error"},
		{"LOG_LEVEL", "loud", "is none of debug, info, warn and error"},
		{"LOG_FORMAT", "xml", "is neither json nor console"},
		{"DATABSE_URL", "x", "is not a setting; is DIALOGSYNC_DATABASE_URL meant?"},
		{"EVENTS_SECRET_FIL", "x", "is not a setting; is DIALOGSYNC_EVENTS_SECRET_FILE meant?"},
		{"COLOUR", "x", "is not a setting; remove it"},
		{"PORT_8080_TCP_ADDR", "10.0.0.1", "enableServiceLinks: false"},
		{"SERVICE_HOST", "10.0.0.1", "enableServiceLinks: false"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(environ(test.name, test.value))
			require.Len(t, problems(t, err), 1)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "hunter2", "no secret is shown")
		})
	}

	all := make([]string, 0)
	for _, test := range tests {
		if !slices.Contains(all, test.name) {
			all = append(all, test.name, test.value)
		}
	}
	_, err := config.Load(environ(all...))
	require.Greater(t, len(problems(t, err)), 15, "all are told at once")
}

func TestSettingsFromFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	c, err := config.Load(environ("DATABASE_URL_FILE", file("db", "postgres://db/x\n"), "LOG_LEVEL_FILE", file("level", "warn")))
	require.NoError(t, err)
	require.Equal(t, "postgres://db/x", c.DatabaseURL.Reveal())
	require.Equal(t, zapcore.WarnLevel, c.LogLevel)

	_, err = config.Load(environ("DATABASE_URL_FILE", filepath.Join(folder, "none"), "EVENTS_SECRET_FILE", file("empty", "\n"),
		"LOG_LEVEL", "info", "LOG_LEVEL_FILE", file("again", "warn")), config.NeedDatabase)
	lines := problems(t, err)
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "DIALOGSYNC_DATABASE_URL_FILE: cannot be read")
	require.Contains(t, lines[1], "DIALOGSYNC_EVENTS_SECRET_FILE: names an empty file")
	require.Equal(t, "DIALOGSYNC_LOG_LEVEL: is given twice; unset it or DIALOGSYNC_LOG_LEVEL_FILE", lines[2])

	for _, name := range config.Names() {
		_, err := config.Load([]string{name + "_FILE=" + filepath.Join(folder, "none")})
		require.ErrorContains(t, err, name+"_FILE: cannot be read")
	}
}

func TestAnEmptyValueIsNotSet(t *testing.T) {
	t.Parallel()
	c, err := config.Load(environ("SUBSCRIPTION_KEY", "", "LOG_LEVEL", "", "UNKNOWN", ""))
	require.NoError(t, err)
	require.False(t, c.SubscriptionKey.IsSet())
}

func TestSecretsShowNothing(t *testing.T) {
	t.Parallel()
	c := config.Config{DatabaseURL: config.NewSecret("hunter2"), Maskinporten: &config.Maskinporten{JWK: config.NewSecret("hunter2")}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, c), "hunter2")
		require.NotContains(t, fmt.Sprintf(verb, c), "68756e74657232")
		require.NotContains(t, fmt.Sprintf(verb, *c.Maskinporten), "hunter2")
		require.Equal(t, "***", fmt.Sprintf(verb, c.DatabaseURL))
	}
	encoded, err := json.Marshal(map[string]any{"c": c, "s": c.DatabaseURL, "p": &c.DatabaseURL})
	require.NoError(t, err)
	require.NotContains(t, string(encoded), "hunter2")
	require.Contains(t, string(encoded), `"s":"***"`)

	var out strings.Builder
	logger, err := telemetry.NewLogger(telemetry.LogConfig{Output: &out})
	require.NoError(t, err)
	logger.Sugar().Infow("x", "config", c, "secret", c.DatabaseURL, "error", errors.New(c.DatabaseURL.String()))
	require.NotContains(t, out.String(), "hunter2")
	require.Empty(t, config.Secret{}.String())
}

func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	for _, name := range config.Names() {
		require.Contains(t, string(text), "`"+name+"`")
	}
}
