package message

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Limits in UTF-16 units, those of the migration API (chapters 4 and 5) or, where tighter, of Dialogporten (9.11).
const (
	maxText          = 255 // title, summary, shown sender, names of files, link texts
	maxReference     = 255 // as the dialog's externalReference; the API takes 4096
	maxPropertyKey   = 50
	maxPropertyValue = 300
	maxProperties    = 10
	maxReferences    = 10
	maxProcess       = 255 // what its column holds
	maxAddress       = 1023
	maxSummary       = 512 // of a summary as it stands in the dialog
	maxTag           = 63
)

// Warning is the code of something that was left out or cut so that a message can be brought over.
type Warning string

// The warnings.
const (
	WarnTitleCut           Warning = "title_cut"
	WarnSummaryCut         Warning = "summary_cut"
	WarnMessageSenderCut   Warning = "message_sender_cut"
	WarnReferenceCut       Warning = "senders_reference_cut"
	WarnReferenceMade      Warning = "senders_reference_made"
	WarnReplyDropped       Warning = "reply_address_dropped"
	WarnReplyTextCut       Warning = "reply_text_cut"
	WarnPropertyDropped    Warning = "property_dropped"
	WarnPropertyCut        Warning = "property_cut"
	WarnReferenceDropped   Warning = "external_reference_dropped"
	WarnNameCut            Warning = "attachment_name_cut"
	WarnNameMade           Warning = "attachment_name_made"
	WarnNoteCut            Warning = "forwarding_note_cut"
	WarnTargetDropped      Warning = "forwarding_target_dropped"
	WarnAttachmentRepeated Warning = "attachment_repeated"
	WarnHeldBack           Warning = "event_ahead_held_back"
)

// warnings collects each warning once.
type warnings []Warning

func (w *warnings) add(warning Warning, is bool) {
	if !is {
		return
	}
	if !slices.Contains(*w, warning) {
		*w = append(*w, warning)
	}
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// orNil is nil for a blank text.
func orNil(s string) *string {
	if isBlank(s) {
		return nil
	}
	return &s
}

// language is the one of the three that the service takes, in lower case (17.5).
func language(code string) string {
	const bokmaal, nynorsk, english = "nb", "nn", "en"
	switch code = strings.ToLower(strings.TrimSpace(code)); code {
	case bokmaal, nynorsk, english:
		return code
	default:
		return bokmaal
	}
}

func content(text altinn2.Text, w *warnings) *correspondence.Content {
	title, titleCut := shorten(valid(text.Title))
	w.add(WarnTitleCut, titleCut)
	return &correspondence.Content{
		Language: language(text.Language), MessageTitle: title, MessageSummary: summary(valid(text.Summary), w),
		MessageBody: valid(text.Body),
	}
}

// summary is short enough for the API, and for Dialogporten after its special characters are written as entities (9.5, 9.11).
func summary(text string, w *warnings) string {
	short, cut := shorten(text)
	w.add(WarnSummaryCut, cut)
	for entities(short) > maxSummary {
		w.add(WarnSummaryCut, true)
		short = head(strings.TrimSuffix(short, ellipsis), units(short)-2*len(ellipsis)) + ellipsis
	}
	return short
}

var (
	// tag is one of HTML as Markdown knows it: it vanishes.
	tag = regexp.MustCompile("<(?:[A-Za-z][A-Za-z0-9-]*(?:\\s+[A-Za-z_:][\\w:.-]*(?:\\s*=\\s*(?:\"[^\"]*\"|'[^']*'|[^\\s\"'=<>`]+))?)*\\s*/?" +
		"|/[A-Za-z][A-Za-z0-9-]*\\s*)>")
	// entity is a character that is written as one: it stays, or becomes shorter.
	entity = regexp.MustCompile("&(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#[xX][0-9A-Fa-f]+);")
)

// entities is the most that a text is long whose tags are taken out and whose special characters are written as `&amp;` and the like.
func entities(s string) int {
	const amp, angle, quote = len("&amp;") - 1, len("&lt;") - 1, len("&quot;") - 1
	s = tag.ReplaceAllLiteralString(s, "")
	ands := strings.Count(s, "&") - len(entity.FindAllStringIndex(s, -1))
	return units(s) + amp*ands + angle*(strings.Count(s, "<")+strings.Count(s, ">")) + quote*strings.Count(s, `"`)
}

// sendersReference is never blank: it is demanded (5.3).
func sendersReference(m *altinn2.Message, w *warnings) string {
	reference := valid(m.SendersReference)
	if isBlank(reference) {
		w.add(WarnReferenceMade, true)
		if reference = valid(m.ArchiveUnitReference); isBlank(reference) {
			reference = strconv.Itoa(int(m.ID))
		}
	}
	short := head(reference, maxReference)
	w.add(WarnReferenceCut, short != reference)
	return short
}

// properties puts the archive unit's reference first, and leaves out repeats (17.5). Two values that are one search tag but for the case
// would have the dialog refused (9.11); exact repeats of a tag the service leaves out itself (9.6).
func properties(m *altinn2.Message, w *warnings) correspondence.Properties {
	const archiveUnit = "Altinn2ArchiveUnitReference"
	kept := correspondence.Properties{}
	keys, values, tags := map[string]bool{}, map[string]bool{}, map[string]string{}
	add := func(key, value string) {
		shortKey, shortValue := head(valid(key), maxPropertyKey), head(valid(value), maxPropertyValue)
		w.add(WarnPropertyCut, shortKey != key || shortValue != value)
		trimmed := strings.TrimSpace(shortValue)
		searched := head(trimmed, maxTag)
		foldedKey, foldedValue, foldedTag := strings.ToLower(shortKey), strings.ToLower(trimmed), strings.ToLower(searched)
		other, repeated := tags[foldedTag]
		if len(kept) == maxProperties || keys[foldedKey] || trimmed != "" && (values[foldedValue] || repeated && other != searched) {
			w.add(WarnPropertyDropped, true)
			return
		}
		keys[foldedKey], values[foldedValue], tags[foldedTag] = true, true, searched
		kept = append(kept, correspondence.Property{Key: shortKey, Value: shortValue})
	}
	if !isBlank(m.ArchiveUnitReference) {
		add(archiveUnit, m.ArchiveUnitReference)
	}
	for _, property := range m.Properties {
		add(property.Key, property.Value)
	}
	return kept
}

// externalReferences leaves out what would hide the message for good (type 3), what the service refuses (type 5) and what
// Dialogporten would refuse later, unseen (a process that is no URI).
func externalReferences(m *altinn2.Message, w *warnings) []correspondence.ExternalReference {
	kept := make([]correspondence.ExternalReference, 0, len(m.ExternalReferences))
	for _, reference := range m.ExternalReferences {
		made := correspondence.ExternalReference{
			ReferenceValue: valid(reference.Value), ReferenceType: correspondence.ReferenceType(reference.Type),
		}
		if !isUsable(made) || len(kept) == maxReferences {
			w.add(WarnReferenceDropped, true)
			continue
		}
		kept = append(kept, made)
	}
	return kept
}

func isUsable(r correspondence.ExternalReference) bool {
	switch r.ReferenceType {
	case correspondence.ReferenceDialog, correspondence.ReferenceTransmission:
		return false
	case correspondence.ReferenceProcess:
		return units(r.ReferenceValue) <= maxProcess && isWellFormed(r.ReferenceValue)
	case correspondence.ReferenceTransmissionType:
		return isTransmissionType(r.ReferenceValue)
	default:
		return true
	}
}

// isTransmissionType tells whether a text names or numbers a type of transmissions (chapter 11).
func isTransmissionType(s string) bool {
	names := [...]string{"Information", "Acceptance", "Rejection", "Request", "Alert", "Decision", "Submission", "Correction"}
	for i, name := range names {
		if strings.EqualFold(s, name) || s == strconv.Itoa(i+1) {
			return true
		}
	}
	return false
}

// replyOptions leaves out addresses that are not https: Dialogporten would refuse the whole dialog, unseen (9.11).
func replyOptions(m *altinn2.Message, w *warnings) []correspondence.ReplyOption {
	kept := make([]correspondence.ReplyOption, 0, len(m.ReplyOptions))
	for _, option := range m.ReplyOptions {
		address := strings.TrimSpace(option.URL)
		if !isHTTPS(address) || units(address) > maxAddress {
			w.add(WarnReplyDropped, true)
			continue
		}
		text, cut := shorten(valid(option.Text))
		w.add(WarnReplyTextCut, cut)
		kept = append(kept, correspondence.ReplyOption{LinkURL: address, LinkText: orNil(text)})
	}
	return kept
}
