package dialogporten

// Status is the status of a dialog. Answers hold the values without "input only"; newer ones may occur.
type Status string

// Values of Status.
const (
	StatusNew               Status = "New"  // input only; stored as NotApplicable
	StatusSent              Status = "Sent" // input only; stored as Awaiting
	StatusInProgress        Status = "InProgress"
	StatusDraft             Status = "Draft"
	StatusRequiresAttention Status = "RequiresAttention"
	StatusCompleted         Status = "Completed"
	StatusNotApplicable     Status = "NotApplicable"
	StatusAwaiting          Status = "Awaiting"
)

// SystemLabel is a label of the end user's side.
type SystemLabel string

// Values of SystemLabel. A dialog has exactly one of the first three.
const (
	SystemLabelDefault          SystemLabel = "Default"
	SystemLabelBin              SystemLabel = "Bin"
	SystemLabelArchive          SystemLabel = "Archive"
	SystemLabelMarkedAsUnopened SystemLabel = "MarkedAsUnopened"
	SystemLabelSent             SystemLabel = "Sent"
)

// ActivityType is the kind of an activity.
type ActivityType string

// Values of ActivityType.
const (
	ActivityDialogCreated           ActivityType = "DialogCreated"
	ActivityDialogClosed            ActivityType = "DialogClosed"
	ActivityInformation             ActivityType = "Information"
	ActivityTransmissionOpened      ActivityType = "TransmissionOpened"
	ActivityPaymentMade             ActivityType = "PaymentMade"
	ActivitySignatureProvided       ActivityType = "SignatureProvided"
	ActivityDialogOpened            ActivityType = "DialogOpened"
	ActivityDialogDeleted           ActivityType = "DialogDeleted"
	ActivityDialogRestored          ActivityType = "DialogRestored"
	ActivitySentToSigning           ActivityType = "SentToSigning"
	ActivitySentToFormFill          ActivityType = "SentToFormFill"
	ActivitySentToSendIn            ActivityType = "SentToSendIn"
	ActivitySentToPayment           ActivityType = "SentToPayment"
	ActivityFormSubmitted           ActivityType = "FormSubmitted"
	ActivityFormSaved               ActivityType = "FormSaved"
	ActivityCorrespondenceOpened    ActivityType = "CorrespondenceOpened"
	ActivityCorrespondenceConfirmed ActivityType = "CorrespondenceConfirmed"
)

// TransmissionType is the kind of a transmission.
type TransmissionType string

// Values of TransmissionType. The last two come from the party.
const (
	TransmissionInformation TransmissionType = "Information"
	TransmissionAcceptance  TransmissionType = "Acceptance"
	TransmissionRejection   TransmissionType = "Rejection"
	TransmissionRequest     TransmissionType = "Request"
	TransmissionAlert       TransmissionType = "Alert"
	TransmissionDecision    TransmissionType = "Decision"
	TransmissionSubmission  TransmissionType = "Submission"
	TransmissionCorrection  TransmissionType = "Correction"
)

// ActorType tells on which side an actor stands.
type ActorType string

// Values of ActorType.
const (
	ActorPartyRepresentative ActorType = "PartyRepresentative"
	ActorServiceOwner        ActorType = "ServiceOwner"
)

// GUIActionPriority is the rank of a button.
type GUIActionPriority string

// Values of GUIActionPriority; a dialog has at most one primary, one secondary and five tertiary actions.
const (
	PriorityPrimary   GUIActionPriority = "Primary"
	PrioritySecondary GUIActionPriority = "Secondary"
	PriorityTertiary  GUIActionPriority = "Tertiary"
)

// ConsumerType tells whom an attachment's URL is for.
type ConsumerType string

// Values of ConsumerType.
const (
	ConsumerGUI ConsumerType = "Gui"
	ConsumerAPI ConsumerType = "Api"
)

// HTTPVerb is the method of an action.
type HTTPVerb string

// Values of HTTPVerb; GUI actions take GET, POST and DELETE only.
const (
	VerbGet     HTTPVerb = "GET"
	VerbPost    HTTPVerb = "POST"
	VerbPut     HTTPVerb = "PUT"
	VerbPatch   HTTPVerb = "PATCH"
	VerbDelete  HTTPVerb = "DELETE"
	VerbHead    HTTPVerb = "HEAD"
	VerbOptions HTTPVerb = "OPTIONS"
	VerbTrace   HTTPVerb = "TRACE"
	VerbConnect HTTPVerb = "CONNECT"
)

// DeletedFilter tells which dialogs a search looks at.
type DeletedFilter string

// Values of DeletedFilter.
const (
	DeletedExclude DeletedFilter = "Exclude"
	DeletedInclude DeletedFilter = "Include"
	DeletedOnly    DeletedFilter = "Only"
)

// Media types of content values.
const (
	MediaTypePlain    = "text/plain"
	MediaTypeMarkdown = "text/markdown"
	// MediaTypeEmbedMarkdownURL marks a content reference: the value is the address of a markdown text.
	MediaTypeEmbedMarkdownURL = "application/vnd.dialogporten.frontchannelembed-url;type=text/markdown"
)
