package telemetry

// Keys of log fields. Units stand in the key. A key means the same everywhere.
const (
	// LogKeyAction is what an operator asked for.
	LogKeyAction = "action"
	// LogKeyActor is who asked for it, a user name of the machine.
	LogKeyActor = "actor"
	// LogKeyAppID is `org/app`.
	LogKeyAppID = "app_id"
	// LogKeyAttempt counts from 1.
	LogKeyAttempt = "attempt"
	// LogKeyBackfillID is a backfill's number.
	LogKeyBackfillID = "backfill_id"
	// LogKeyBackTo is a history watermark: from this time on coverage has no hole.
	LogKeyBackTo = "back_to"
	// LogKeyClass is an error's class (transport.Class).
	LogKeyClass = "class"
	// LogKeyCoalesced counts events that had nothing left to do.
	LogKeyCoalesced = "coalesced"
	// LogKeyConcurrency is how many requests may be in flight.
	LogKeyConcurrency = "concurrency"
	// LogKeyCount is a number of whatever the message names.
	LogKeyCount = "count"
	// LogKeyCreated, LogKeyUpdated and so on count deliveries by outcome.
	LogKeyCreated = "created"
	// LogKeyDeleted counts soft deletes.
	LogKeyDeleted = "deleted"
	// LogKeyDialogID is a dialog's id.
	LogKeyDialogID = "dialog_id"
	// LogKeyDryRun tells that nothing is changed.
	LogKeyDryRun = "dry_run"
	// LogKeyDuration is in milliseconds.
	LogKeyDuration = "duration_ms"
	// LogKeyEnvironment is local, tt02, yt01 or prod.
	LogKeyEnvironment = "environment"
	// LogKeyEpoch is a window's fencing number.
	LogKeyEpoch = "epoch"
	// LogKeyError is an error's text.
	LogKeyError = "error"
	// LogKeyETA is when a backfill is expected to end, in seconds from now.
	LogKeyETA = "eta_s"
	// LogKeyEventID is the id of an event taken in.
	LogKeyEventID = "event_id"
	// LogKeyFailed counts deliveries that failed.
	LogKeyFailed = "failed"
	// LogKeyFrom is the newer end of a backfill, the older end of a window.
	LogKeyFrom = "from"
	// LogKeyGaps counts items that the source has and the ledger lacks.
	LogKeyGaps = "gaps"
	// LogKeyIntake is the way that an event came in by.
	LogKeyIntake = "intake"
	// LogKeyItem is an item's key.
	LogKeyItem = "item"
	// LogKeyJobID is River's number of a job.
	LogKeyJobID = "job_id"
	// LogKeyJobKind is the kind of a job.
	LogKeyJobKind = "job_kind"
	// LogKeyLag is how far behind a live stream is.
	LogKeyLag = "lag_s"
	// LogKeyListeningAddr is the address that the HTTP server listens on.
	LogKeyListeningAddr = "listening_addr"
	// LogKeyMappingVersion is the mapping's version.
	LogKeyMappingVersion = "mapping_version"
	// LogKeyMethod is an HTTP method.
	LogKeyMethod = "method"
	// LogKeyNextRetry is the wait before the next attempt.
	LogKeyNextRetry = "next_retry_s"
	// LogKeyOrg is an organisation's code.
	LogKeyOrg = "org"
	// LogKeyOutcome is a delivery's outcome.
	LogKeyOutcome = "outcome"
	// LogKeyPages counts pages read.
	LogKeyPages = "pages"
	// LogKeyPanic is the value a goroutine panicked with.
	LogKeyPanic = "panic"
	// LogKeyPosition is an item's time on its stream's axis.
	LogKeyPosition = "position"
	// LogKeyPurged counts purges.
	LogKeyPurged = "purged"
	// LogKeyPutOff counts items that are tried again later.
	LogKeyPutOff = "put_off"
	// LogKeyQuarantined counts items in quarantine.
	LogKeyQuarantined = "quarantined"
	// LogKeyQueue is the name of a queue.
	LogKeyQueue = "queue"
	// LogKeyRate is items a second.
	LogKeyRate = "rate_per_s"
	// LogKeyRateLimit is the items a second that are allowed.
	LogKeyRateLimit = "rate_limit_per_s"
	// LogKeyReach is a way of polling a source: catch-up, batch, days.
	LogKeyReach = "reach"
	// LogKeyReason is a stable code or an operator's words.
	LogKeyReason = "reason"
	// LogKeyRestored counts restored dialogs.
	LogKeyRestored = "restored"
	// LogKeyRoute is a request's path without ids.
	LogKeyRoute = "route"
	// LogKeySchemaVersion is a database schema's version.
	LogKeySchemaVersion = "schema_version"
	// LogKeySourceCount is the source's own count of a window's items.
	LogKeySourceCount = "source_count"
	// LogKeySeen counts items met.
	LogKeySeen = "seen"
	// LogKeyService is a service of the platform: storage, register, dialogporten.
	LogKeyService = "service"
	// LogKeySignal is the signal that ended the program.
	LogKeySignal = "signal"
	// LogKeySkipped counts items that need no dialog.
	LogKeySkipped = "skipped"
	// LogKeySource is a source's name.
	LogKeySource = "source"
	// LogKeyStatus is an HTTP status.
	LogKeyStatus = "status"
	// LogKeyStream is live or history.
	LogKeyStream = "stream"
	// LogKeyTo is the older end of a backfill, the newer end of a window.
	LogKeyTo = "to"
	// LogKeyTraceID is a delivery's W3C trace id.
	LogKeyTraceID = "trace_id"
	// LogKeyUnchanged counts deliveries that changed nothing.
	LogKeyUnchanged = "unchanged"
	// LogKeyUpdated counts updates.
	LogKeyUpdated = "updated"
	// LogKeyVersion is the program's version.
	LogKeyVersion = "version"
	// LogKeyWatermark is a live watermark: every change up to this time is delivered.
	LogKeyWatermark = "watermark"
	// LogKeyWindow is a window's range.
	LogKeyWindow = "window"
	// LogKeyWindowID is a window's number.
	LogKeyWindowID = "window_id"
	// LogKeyWorker names the process that did it.
	LogKeyWorker = "worker"
)
