package config

// Names of the settings. Each may be given by `<NAME>_FILE` instead.
const (
	prefix     = "DIALOGSYNC_"
	fileSuffix = "_FILE"

	nameDatabaseURL             = prefix + "DATABASE_URL"
	nameEnvironment             = prefix + "ENVIRONMENT"
	namePlatformURL             = prefix + "PLATFORM_URL"
	nameStorageURL              = prefix + "STORAGE_URL"
	nameRegisterURL             = prefix + "REGISTER_URL"
	nameCorrespondenceURL       = prefix + "CORRESPONDENCE_URL"
	nameDialogportenURL         = prefix + "DIALOGPORTEN_URL"
	nameAltinn2URL              = prefix + "ALTINN2_URL"
	nameAltinnHost              = prefix + "ALTINN_HOST"
	nameAdapterURL              = prefix + "ADAPTER_URL"
	nameOrgsURL                 = prefix + "ORGS_URL"
	nameSubscriptionKey         = prefix + "SUBSCRIPTION_KEY"
	nameMaskinportenURL         = prefix + "MASKINPORTEN_URL"
	nameMaskinportenClientID    = prefix + "MASKINPORTEN_CLIENT_ID"
	nameMaskinportenJWK         = prefix + "MASKINPORTEN_JWK"
	nameMaskinportenScopes      = prefix + "MASKINPORTEN_SCOPES"
	nameEventsSecret            = prefix + "EVENTS_SECRET"
	nameServiceBusConnection    = prefix + "SERVICEBUS_CONNECTION"
	nameServiceBusQueue         = prefix + "SERVICEBUS_QUEUE"
	nameMessageResources        = prefix + "MESSAGE_RESOURCES"
	nameMessageResourcesDenied  = prefix + "MESSAGE_RESOURCES_DENIED"
	nameMessageMinAge           = prefix + "MESSAGE_MIN_AGE"
	nameSubmissionTransmissions = prefix + "SUBMISSION_TRANSMISSIONS"
	nameHTTPAddr                = prefix + "HTTP_ADDR"
	nameLogLevel                = prefix + "LOG_LEVEL"
	nameLogFormat               = prefix + "LOG_FORMAT"
)

// Names gives all settings in the order of the documentation.
func Names() []string {
	return []string{
		nameDatabaseURL, nameEnvironment, namePlatformURL, nameStorageURL, nameRegisterURL, nameCorrespondenceURL,
		nameDialogportenURL, nameAltinn2URL, nameAltinnHost, nameAdapterURL, nameOrgsURL, nameSubscriptionKey,
		nameMaskinportenURL, nameMaskinportenClientID, nameMaskinportenJWK, nameMaskinportenScopes, nameEventsSecret,
		nameServiceBusConnection, nameServiceBusQueue, nameMessageResources, nameMessageResourcesDenied, nameMessageMinAge,
		nameSubmissionTransmissions, nameHTTPAddr, nameLogLevel, nameLogFormat,
	}
}
