package dialogporten

import "strings"

// contentKind is a field of a dialog's or a transmission's content (Chapter 7, Content).
type contentKind int

const (
	contentTitle contentKind = iota
	contentNonSensitiveTitle
	contentSummary
	contentNonSensitiveSummary
	contentSenderName
	contentAdditionalInfo
	contentExtendedStatus
	contentMainReference
	// A transmission's fields share the space: no content has both.
	contentTransmissionTitle
	contentTransmissionSummary
	contentReference
	contentKinds
)

// kindRange is the fields of one kind of content.
type kindRange struct{ first, last contentKind }

func dialogContent() kindRange { return kindRange{contentTitle, contentMainReference} }

func transmissionContent() kindRange { return kindRange{contentTransmissionTitle, contentReference} }

const (
	mediaPlain            = "text/plain"
	mediaMarkdown         = "text/markdown"
	mediaHTML             = "text/html"
	mediaEmbedPrefix      = "application/vnd.dialogporten.frontchannelembed"
	mediaEmbedMarkdown    = mediaEmbedPrefix + "-url;type=text/markdown"
	mediaEmbedHTML        = mediaEmbedPrefix + "-url;type=text/html"
	mediaEmbedMarkdownOld = mediaEmbedPrefix + "+json;type=markdown"
	mediaEmbedHTMLOld     = mediaEmbedPrefix + "+json;type=html"
)

const (
	maxShortText          = 255
	maxCorrespondenceText = 512
	maxLongText           = 1023
	maxExtendedStatusText = 25
)

func (k contentKind) typeName() string {
	return nth(int(k)+1, "Title", "NonSensitiveTitle", "Summary", "NonSensitiveSummary", "SenderName", "AdditionalInfo",
		"ExtendedStatus", "MainContentReference", "Title", "Summary", "ContentReference")
}

func (k contentKind) name() string {
	return nth(int(k)+1, "title", "nonSensitiveTitle", "summary", "nonSensitiveSummary", "senderName", "additionalInfo",
		"extendedStatus", "mainContentReference", "title", "summary", "contentReference")
}

// maxLength is in UTF-16 units; the correspondence scope has more room in the short texts.
func (k contentKind) maxLength(correspondence bool) int {
	switch k {
	case contentExtendedStatus:
		return maxExtendedStatusText
	case contentAdditionalInfo, contentMainReference, contentReference:
		return maxLongText
	default:
		if correspondence {
			return maxCorrespondenceText
		}
		return maxShortText
	}
}

// mediaTypes are the allowed ones, without the old aliases.
func (k contentKind) mediaTypes(legacyHTML bool) []string {
	switch k {
	case contentAdditionalInfo:
		if legacyHTML {
			return []string{mediaPlain, mediaMarkdown, mediaHTML}
		}
		return []string{mediaPlain, mediaMarkdown}
	case contentMainReference, contentReference:
		if legacyHTML {
			return []string{mediaEmbedMarkdown, mediaEmbedHTML}
		}
		return []string{mediaEmbedMarkdown}
	default:
		return []string{mediaPlain}
	}
}

func (k contentKind) allows(mediaType string, legacyHTML bool) bool {
	switch k {
	case contentAdditionalInfo:
		return mediaType == mediaPlain || mediaType == mediaMarkdown || legacyHTML && mediaType == mediaHTML
	case contentMainReference, contentReference:
		return mediaType == mediaEmbedMarkdown || mediaType == mediaEmbedMarkdownOld ||
			legacyHTML && (mediaType == mediaEmbedHTML || mediaType == mediaEmbedHTMLOld)
	default:
		return mediaType == mediaPlain
	}
}

// currentMediaType rewrites an old alias.
func currentMediaType(mediaType string) string {
	switch mediaType {
	case mediaEmbedMarkdownOld:
		return mediaEmbedMarkdown
	case mediaEmbedHTMLOld:
		return mediaEmbedHTML
	}
	return mediaType
}

// embeds is whether the values of a content field are addresses.
func embeds(mediaType string) bool {
	return len(mediaType) >= len(mediaEmbedPrefix) && strings.EqualFold(mediaType[:len(mediaEmbedPrefix)], mediaEmbedPrefix)
}
