package dialogporten

import "github.com/google/uuid"

// optional is a text that may be absent.
type optional struct {
	text  string
	given bool
}

func some(text string) optional { return optional{text: text, given: true} }

// optionalInt is a number that may be absent.
type optionalInt struct {
	n     int
	given bool
}

// The types below are what a request binds to and, once normalised, what a dialog is made of (Chapter 7).

type localization struct{ language, text string }

type contentValue struct {
	given     bool
	mediaType string
	values    []localization
}

// content holds the fields of a dialog's or a transmission's content, by contentKind.
type content struct {
	given  bool
	fields [contentKinds]contentValue
}

type actor struct {
	given bool
	kind  int
	id    optional
	name  optional
}

type attachmentURL struct {
	id        optionalID
	url       uri
	mediaType optional
	consumer  int
}

type attachment struct {
	id          optionalID
	displayName []localization
	name        optional
	urls        []attachmentURL
	expiresAt   instant
}

type guiAction struct {
	id             optionalID
	action         optional
	url            uri
	attribute      optional
	isDeleteDialog bool
	method         int
	priority       int
	title          []localization
	prompt         []localization
}

type apiEndpoint struct {
	id             optionalID
	version        optional
	url            uri
	method         int
	documentation  uri
	requestSchema  uri
	responseSchema uri
	deprecated     bool
	sunsetAt       instant
}

type apiAction struct {
	id        optionalID
	action    optional
	attribute optional
	name      optional
	endpoints []apiEndpoint
}

type activity struct {
	id           optionalID
	createdAt    instant
	extendedType uri
	kind         int
	transmission optionalID
	performedBy  actor
	description  []localization
}

type navigationalAction struct {
	title     []localization
	url       uri
	expiresAt instant
}

type transmission struct {
	id                optionalID
	idempotentKey     optional
	createdAt         instant
	attribute         optional
	extendedType      uri
	externalReference optional
	related           optionalID
	kind              int
	sender            actor
	content           content
	attachments       []attachment
	navigation        []navigationalAction
	silent            bool // isSilentUpdate in the body, of PUT transmission
}

// aggregate is what a dialog has below its own members.
type aggregate struct {
	content       content
	tags          []optional
	attachments   []attachment
	transmissions []transmission
	guiActions    []guiAction
	apiActions    []apiAction
	activities    []activity
}

// dialogBody is the body of POST and PUT dialog.
type dialogBody struct {
	aggregate
	id                optionalID
	idempotentKey     optional
	serviceResource   optional
	party             optional
	progress          optionalInt
	extendedStatus    optional
	externalReference optional
	visibleFrom       instant
	dueAt             instant
	expiresAt         instant
	process           optional
	precedingProcess  optional
	isAPIOnly         bool
	createdAt         instant
	updatedAt         instant
	status            int
	statusGiven       bool
	systemLabel       int
	labels            []optional
}

func newDialogBody() *dialogBody {
	return &dialogBody{visibleFrom: noInstant, dueAt: noInstant, expiresAt: noInstant, createdAt: noInstant, updatedAt: noInstant}
}

// seenEntry is a view of the dialog by an end user.
type seenEntry struct {
	id              uuid.UUID
	at              instant
	actor           actor
	viaServiceOwner bool
}
