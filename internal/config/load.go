package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/altinn/dialogsync/internal/telemetry"
)

const defaultHTTPAddr = ":8080"

// Load reads the settings of an environment (os.Environ) and checks that those are there that the command needs. Its
// error is an *Error that lists everything that is wrong.
func Load(environ []string, needs ...Need) (Config, error) {
	var need Need
	for _, n := range needs {
		need |= n
	}
	l := loader{source: newSource(environ), need: need}
	config := Config{
		DatabaseURL: l.databaseURL(),
		Environment: l.environment(),
	}
	l.preset = presetOf(config.Environment)
	l.services(&config)
	l.links(&config)
	l.intake(&config)
	config.SubscriptionKey = NewSecret(l.source.text(nameSubscriptionKey, ""))
	config.Maskinporten = l.maskinporten(config.Environment)
	config.MessageResources = l.set(nameMessageResources)
	config.MessageResourcesDenied = l.set(nameMessageResourcesDenied)
	config.MessageMinAge = l.ages(nameMessageMinAge)
	config.SubmissionTransmissions = l.truth(nameSubmissionTransmissions)
	config.HTTPAddr = l.httpAddr()
	config.LogLevel = l.logLevel()
	config.LogFormat = l.logFormat()
	if err := l.source.problems.result(); err != nil {
		return Config{}, err
	}
	return config, nil
}

// loader reads settings one group at a time.
type loader struct {
	source *source
	need   Need
	preset preset
}

func (l *loader) databaseURL() Secret {
	value := l.source.text(nameDatabaseURL, "")
	if value == "" {
		if l.need.has(NeedDatabase) {
			l.source.require(nameDatabaseURL, value, "is missing; set it to postgres://user:password@host:5432/database")
		}
		return Secret{}
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		l.source.fail(nameDatabaseURL, "is not a URL of the form postgres://user:password@host:5432/database")
	}
	return NewSecret(value)
}

func (l *loader) environment() Environment {
	switch value := Environment(l.source.text(nameEnvironment, "")); value {
	case Local, TT02, YT01, Prod:
		return value
	case "":
		if l.need.has(needsPlatform) {
			l.source.require(nameEnvironment, "", "is missing; set it to local, tt02, yt01 or prod")
		}
	default:
		l.source.fail(nameEnvironment, fmt.Sprintf("is %q; set it to local, tt02, yt01 or prod", value))
	}
	return ""
}

// services reads the addresses of what is called.
func (l *loader) services(config *Config) {
	config.PlatformURL = l.url(namePlatformURL, l.preset.platformURL)
	config.StorageURL = l.url(nameStorageURL, config.PlatformURL)
	config.RegisterURL = l.url(nameRegisterURL, config.PlatformURL)
	config.CorrespondenceURL = l.url(nameCorrespondenceURL, config.PlatformURL)
	config.DialogportenURL = l.url(nameDialogportenURL, l.preset.dialogportenURL)
	config.Altinn2URL = l.url(nameAltinn2URL, "")
	config.OrgsURL = l.url(nameOrgsURL, l.defaultOrgsURL(config))

	const setURL = "is missing; set it to an address such as http://localhost:8090"
	underPlatform := setURL + ", or set " + namePlatformURL
	l.requireFor(NeedStorage, nameStorageURL, config.StorageURL, underPlatform)
	l.requireFor(NeedRegister, nameRegisterURL, config.RegisterURL, underPlatform)
	l.requireFor(NeedCorrespondence, nameCorrespondenceURL, config.CorrespondenceURL, underPlatform)
	l.requireFor(NeedOrgs, nameOrgsURL, config.OrgsURL, underPlatform)
	l.requireFor(NeedDialogporten, nameDialogportenURL, config.DialogportenURL, setURL)
	l.requireFor(NeedAltinn2, nameAltinn2URL, config.Altinn2URL, "is missing; set it to the address of the A2 export")
}

// defaultOrgsURL is the public list, or a simulated platform's.
func (l *loader) defaultOrgsURL(config *Config) string {
	switch {
	case config.Environment != Local && config.Environment != "":
		return orgsURL
	case config.PlatformURL != "":
		return config.PlatformURL + orgsPath
	default:
		return ""
	}
}

// set reads names, in lower case.
func (l *loader) set(name string) map[string]bool {
	var names map[string]bool
	for word := range strings.FieldsSeq(l.source.text(name, "")) {
		if names == nil {
			names = map[string]bool{}
		}
		names[strings.ToLower(word)] = true
	}
	return names
}

// ages reads name=duration, names in lower case.
func (l *loader) ages(name string) map[string]time.Duration {
	var ages map[string]time.Duration
	for word := range strings.FieldsSeq(l.source.text(name, "")) {
		key, text, _ := strings.Cut(word, "=")
		age, err := time.ParseDuration(text)
		if err != nil || age <= 0 || key == "" {
			l.source.fail(name, fmt.Sprintf("has %q; write resource=336h, with blanks between several", word))
			continue
		}
		if ages == nil {
			ages = map[string]time.Duration{}
		}
		ages[strings.ToLower(key)] = age
	}
	return ages
}

// links reads what links in dialogs are made from.
func (l *loader) links(config *Config) {
	config.AltinnHost = l.source.text(nameAltinnHost, l.preset.altinnHost)
	if config.AltinnHost != "" && !isHost(config.AltinnHost) {
		l.source.fail(nameAltinnHost, "is not a bare host name such as altinn.no")
	}
	// Dialogporten refuses links that are not https, so a simulated platform's own address will not do.
	adapter := ""
	switch {
	case strings.HasPrefix(config.PlatformURL, "https://"):
		adapter = config.PlatformURL + adapterPath
	case config.AltinnHost != "":
		adapter = "https://platform." + config.AltinnHost + adapterPath
	}
	config.AdapterURL = l.url(nameAdapterURL, adapter)
	if strings.HasPrefix(config.AdapterURL, "http://") {
		l.source.fail(nameAdapterURL, "is not an https URL; Dialogporten refuses other links")
	}
	l.requireFor(NeedLinks, nameAltinnHost, config.AltinnHost, "is missing; set it to the host of links, such as altinn.no")
	l.requireFor(NeedLinks, nameAdapterURL, config.AdapterURL, "is missing; set it to the base of delete-action links")
}

// intake reads how events come in.
func (l *loader) intake(config *Config) {
	config.EventsSecret = NewSecret(l.source.text(nameEventsSecret, ""))
	if config.Environment != Local {
		l.requireFor(NeedEvents, nameEventsSecret, config.EventsSecret.Reveal(),
			"is missing; set it to the secret that webhook senders are given")
	}
	connection, queue := l.source.text(nameServiceBusConnection, ""), l.source.text(nameServiceBusQueue, "")
	if connection == "" && queue == "" {
		return
	}
	l.source.require(nameServiceBusConnection, connection, "is missing although "+nameServiceBusQueue+" is set; set both or neither")
	l.source.require(nameServiceBusQueue, queue, "is missing although "+nameServiceBusConnection+" is set; set both or neither")
	config.ServiceBus = &ServiceBus{Connection: NewSecret(connection), Queue: queue}
}

// maskinporten reads how tokens are got. Environment local does without when none of the settings is there.
func (l *loader) maskinporten(environment Environment) *Maskinporten {
	m := Maskinporten{
		URL:      l.url(nameMaskinportenURL, ""),
		ClientID: l.source.text(nameMaskinportenClientID, ""),
		JWK:      NewSecret(l.source.text(nameMaskinportenJWK, "")),
		Scopes:   strings.Fields(l.source.text(nameMaskinportenScopes, "")),
	}
	given := m.URL != "" || m.ClientID != "" || m.JWK.IsSet() || len(m.Scopes) > 0
	if !given && (environment == Local || environment == "" || !l.need.has(needsToken)) {
		return nil
	}
	if m.URL == "" {
		m.URL = l.preset.maskinportenURL
	}
	if len(m.Scopes) == 0 {
		m.Scopes = defaultScopes()
	}
	if l.need.has(needsToken) {
		l.source.require(nameMaskinportenURL, m.URL, "is missing although other settings of Maskinporten are there; set it")
		l.source.require(nameMaskinportenClientID, m.ClientID, "is missing; set it to the id of the client registered at Maskinporten")
		l.source.require(nameMaskinportenJWK, m.JWK.Reveal(), "is missing; set it to the base64 of the client's private key, a JWK")
	}
	if m.JWK.IsSet() {
		if _, err := base64.StdEncoding.DecodeString(m.JWK.Reveal()); err != nil {
			l.source.fail(nameMaskinportenJWK, "is not standard base64 of a JWK")
		}
	}
	return &m
}

// requireFor reports a missing setting that the command needs. Without a known environment most would be missing for
// that one reason.
func (l *loader) requireFor(need Need, name, value, text string) {
	if l.need.has(need) && !l.source.failed[nameEnvironment] {
		l.source.require(name, value, text)
	}
}

// url reads an absolute address and takes its final slash off.
func (l *loader) url(name, byDefault string) string {
	value, given := l.source.values[name]
	if !given {
		if l.source.failed[name] {
			return ""
		}
		return byDefault
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		l.source.fail(name, "is not an absolute http or https URL")
	case u.User != nil:
		l.source.fail(name, "must not hold a user name or password")
	case u.RawQuery != "" || u.Fragment != "":
		l.source.fail(name, "must not have a query or a fragment")
	}
	return strings.TrimRight(value, "/")
}

func (l *loader) truth(name string) bool {
	switch strings.ToLower(l.source.text(name, "false")) {
	case "true":
		return true
	case "false":
	default:
		l.source.fail(name, "is neither true nor false")
	}
	return false
}

func (l *loader) httpAddr() string {
	value := l.source.text(nameHTTPAddr, defaultHTTPAddr)
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		l.source.fail(nameHTTPAddr, "is not an address of the form host:port or :port")
	}
	return value
}

func (l *loader) logLevel() zapcore.Level {
	level, err := zapcore.ParseLevel(strings.ToLower(l.source.text(nameLogLevel, "info")))
	if err != nil || level > zapcore.ErrorLevel {
		l.source.fail(nameLogLevel, "is none of debug, info, warn and error")
	}
	return level
}

func (l *loader) logFormat() telemetry.LogFormat {
	switch value := telemetry.LogFormat(strings.ToLower(l.source.text(nameLogFormat, string(telemetry.LogFormatJSON)))); value {
	case telemetry.LogFormatJSON, telemetry.LogFormatConsole:
		return value
	default:
		l.source.fail(nameLogFormat, "is neither json nor console")
		return ""
	}
}

func isHost(value string) bool {
	u, err := url.Parse("https://" + value)
	return err == nil && u.Host == value && u.Hostname() != ""
}
