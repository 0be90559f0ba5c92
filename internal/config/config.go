package config

import (
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/altinn/dialogsync/internal/telemetry"
)

// Environment names the platform that is worked on.
type Environment string

// Environments.
const (
	Local Environment = "local"
	TT02  Environment = "tt02"
	YT01  Environment = "yt01"
	Prod  Environment = "prod"
)

// Config is everything the program is told by its environment. URLs have no final slash. What a command does not need
// may be empty.
type Config struct {
	// DatabaseURL is PostgreSQL's, password included.
	DatabaseURL Secret
	Environment Environment

	// PlatformURL is the gateway that Authentication lies under; the services have their own paths under theirs.
	PlatformURL       string
	StorageURL        string
	RegisterURL       string
	CorrespondenceURL string
	// DialogportenURL ends before `/api/v1`.
	DialogportenURL string
	// Altinn2URL is the A2 export's.
	Altinn2URL string
	// OrgsURL is the whole address of altinn-orgs.json.
	OrgsURL string

	// AltinnHost is the host that links in dialogs are made from: `altinn.no`.
	AltinnHost string
	// AdapterURL is the base of the delete-action links in dialogs.
	AdapterURL string

	// SubscriptionKey is the API gateway's; unset: none is sent.
	SubscriptionKey Secret
	// Maskinporten is nil when no token is sent.
	Maskinporten *Maskinporten

	// EventsSecret is what webhook senders must know; unset: no webhook is accepted.
	EventsSecret Secret
	// ServiceBus is nil when there is no intake from the bus.
	ServiceBus *ServiceBus

	// MessageResources are the resources whose messages are brought over; empty: all. MessageResourcesDenied are not. MessageMinAge is how
	// old messages of a resource must be. Resource ids are in lower case.
	MessageResources, MessageResourcesDenied map[string]bool
	MessageMinAge                            map[string]time.Duration

	// SubmissionTransmissions turns on the transmissions of the mapping.
	SubmissionTransmissions bool

	// HTTPAddr is where health, metrics, event intake and status are served: `:8080`.
	HTTPAddr  string
	LogLevel  zapcore.Level
	LogFormat telemetry.LogFormat
}

// Maskinporten is how tokens are got.
type Maskinporten struct {
	// URL is also the audience; it has no final slash here.
	URL      string
	ClientID string
	// JWK is standard base64 of the key's JSON text.
	JWK    Secret
	Scopes []string
}

// ServiceBus is where sync commands come from.
type ServiceBus struct {
	// Connection is the connection string, key included.
	Connection Secret
	Queue      string
}

// Need is what a command cannot do without. Needs are joined by |.
type Need uint

// Needs of commands.
const (
	// NeedDatabase is PostgreSQL.
	NeedDatabase Need = 1 << iota
	// NeedStorage is Altinn Storage, for listing and reading instances.
	NeedStorage
	// NeedRegister is Altinn Register.
	NeedRegister
	// NeedDialogporten is Dialogporten.
	NeedDialogporten
	// NeedCorrespondence is Altinn 3 Correspondence.
	NeedCorrespondence
	// NeedAltinn2 is the A2 export.
	NeedAltinn2
	// NeedOrgs is the list of organisations.
	NeedOrgs
	// NeedLinks is what links in dialogs are made from.
	NeedLinks
	// NeedEvents is the webhook intake's secret. Environment local may do without; then no webhook is accepted.
	NeedEvents
)

// Needs of the larger commands.
const (
	// NeedDelivery is what it takes to bring over an app instance.
	NeedDelivery = NeedDatabase | NeedStorage | NeedRegister | NeedDialogporten | NeedLinks
	// NeedMessages is what it takes to bring over an A2 message.
	NeedMessages = NeedDatabase | NeedAltinn2 | NeedCorrespondence | NeedDialogporten
	// NeedAll is what the worker takes.
	NeedAll = NeedDelivery | NeedMessages | NeedOrgs | NeedEvents
)

// needsPlatform are the needs for which the environment must be known.
const needsPlatform = NeedAll &^ NeedDatabase

// needsToken are the needs whose services want a token.
const needsToken = NeedStorage | NeedRegister | NeedDialogporten | NeedCorrespondence

// has tells whether any of wanted is needed.
func (n Need) has(wanted Need) bool { return n&wanted != 0 }
