package message

import (
	"path"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

// Attachments are a message's files in their order, each once: the same file again would be linked twice (P20).
func Attachments(m *altinn2.Message) []altinn2.Attachment {
	return firsts(m.Attachments, func(a altinn2.Attachment) string { return a.ID })
}

// Upload is what is told of a file when it is uploaded (chapter 4). Warnings tell what was changed of its names. An error is an *Error.
func Upload(m *altinn2.Message, a *altinn2.Attachment) (correspondence.Attachment, []Warning, error) {
	who, err := identify(m)
	if err != nil {
		return correspondence.Attachment{}, nil, err
	}
	var w warnings
	created := a.Created
	if created.IsZero() {
		created = m.Created
	}
	upload := correspondence.Attachment{
		ResourceID: who.resource, Sender: who.sender, SenderPartyUUID: m.Sender.PartyUUID,
		Altinn2SendersReference: valid(a.SendersReference), Altinn2AttachmentID: a.ID, IsEncrypted: a.Encrypted,
		FileName: fileName(valid(a.FileName), &w), DisplayName: displayName(a, &w), Checksum: checksum(a.MD5), Created: created.UTC(),
	}
	return upload, w, nil
}

// fileName keeps the extension of a name that is cut: it decides the media type in the dialog.
func fileName(name string, w *warnings) string {
	if isBlank(name) {
		return ""
	}
	if units(name) <= maxText {
		return name
	}
	w.add(WarnNameCut, true)
	extension := path.Ext(name)
	if units(extension) > maxText/2 {
		extension = ""
	}
	return head(strings.TrimSuffix(name, extension), maxText-units(extension)) + extension
}

// displayName is empty where the file's name does. With neither, Dialogporten would refuse the dialog (9.11): the id stands in.
func displayName(a *altinn2.Attachment, w *warnings) string {
	if !isBlank(a.DisplayName) {
		name, cut := shorten(valid(a.DisplayName))
		w.add(WarnNameCut, cut)
		return name
	}
	if !isBlank(a.FileName) {
		return ""
	}
	w.add(WarnNameMade, true)
	return head(a.ID, maxText)
}

// checksum is an MD5 in the form that the service takes; empty for anything else.
func checksum(text string) string {
	const digits = 32
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) != digits || strings.Trim(text, "0123456789abcdef") != "" {
		return ""
	}
	return text
}
