package mapping

import (
	"cmp"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const missingFilename = "Navn på vedlegg mangler"

// consideredElements are the data elements that can become attachments: all of the instance, except the signature pages
// of A1 forms (rule 9.1). Elements marked as deleted stay: the reference keeps them (rule 21.9).
func (s *subject) consideredElements() []*altinn.DataElement {
	hideSignatures := isA1(s.Instance)
	elements := make([]*altinn.DataElement, 0, len(s.Instance.Data))
	for i := range s.Instance.Data {
		element := &s.Instance.Data[i]
		if hideSignatures && element.DataType == altinn.DataTypeSignaturePresentation {
			continue
		}
		elements = append(elements, element)
	}
	return elements
}

// dialogAttachments makes attachments of the elements, receipts as PDF excepted (rule 20.17).
func (s *subject) dialogAttachments(elements []*altinn.DataElement) ([]dialogporten.Attachment, error) {
	attachments := make([]dialogporten.Attachment, 0, len(elements))
	for _, element := range elements {
		if element.DataType == altinn.DataTypePDF {
			continue
		}
		id, err := dialogAttachmentID(element)
		if err != nil {
			return nil, err
		}
		attachment := s.attachment(element)
		attachment.ID = id
		attachment.URLs[0].ID = id
		attachments = append(attachments, attachment)
	}
	return attachments, nil
}

func dialogAttachmentID(element *altinn.DataElement) (uuid.UUID, error) {
	guid, err := uuid.Parse(element.ID)
	if err != nil {
		return uuid.Nil, &Error{Reason: ReasonDataElementIncomplete, Member: "id"}
	}
	if element.Created == nil {
		return uuid.Nil, &Error{Reason: ReasonDataElementIncomplete, Member: "created", ID: guid.String()}
	}
	return dialogid.V7(guid, element.Created.Time), nil
}

// transmissionAttachment makes an attachment whose id depends on the transmission: an element can be an attachment of
// the dialog too (rule 20.14). Its URL has no id.
func (s *subject) transmissionAttachment(transmissionID uuid.UUID, element *altinn.DataElement) (dialogporten.Attachment, error) {
	if element.ID == "" {
		return dialogporten.Attachment{}, &Error{Reason: ReasonDataElementIncomplete, Member: "id"}
	}
	id, err := subID(transmissionID, element.ID)
	if err != nil {
		return dialogporten.Attachment{}, err
	}
	attachment := s.attachment(element)
	attachment.ID = id
	return attachment, nil
}

// attachment is what both kinds share (rule 9.6): everything but the ids.
func (s *subject) attachment(element *altinn.DataElement) dialogporten.Attachment {
	consumer := s.consumer(element)
	address := s.links.dataElement(element)
	if consumer == dialogporten.ConsumerGUI {
		address = s.links.portal(address)
	}
	return dialogporten.Attachment{
		DisplayName: []dialogporten.Localization{{LanguageCode: bokmal, Value: displayName(element)}},
		Name:        nonEmpty(element.DataType),
		URLs: []dialogporten.AttachmentURL{{
			URL:          address,
			MediaType:    nonEmpty(element.ContentType),
			ConsumerType: consumer,
		}},
	}
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// displayName is the file name, else the data type; a long one is cut so that its extension remains (rule 9.7).
func displayName(element *altinn.DataElement) string {
	name := cmp.Or(element.Filename, element.DataType, missingFilename)
	if units(name) <= maxText {
		return name
	}
	extension := fileExtension(name)
	if room := maxText - units(extension); room > 0 {
		return firstUnits(name, room) + extension
	}
	return firstUnits(name, maxText)
}

// fileExtension is the name from its last dot on; empty when the dot ends the name or stands before a slash.
func fileExtension(name string) string {
	file := name[strings.LastIndexByte(name, '/')+1:]
	dot := strings.LastIndexByte(file, '.')
	if dot < 0 || dot == len(file)-1 {
		return ""
	}
	return file[dot:]
}
