package mapping

import (
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// files are the data elements of an instance, shared out.
type files struct {
	attachments   []dialogporten.Attachment
	transmissions []dialogporten.Transmission
	// withheld are the ids of transmissions that wait for PDFs.
	withheld []uuid.UUID
}

// splitFiles shares the data elements out between the dialog and a transmission for each submission (rule 9.3).
func (s *subject) splitFiles(submitted []dialogporten.Activity) (files, error) {
	considered := s.consideredElements()
	if !s.Settings.SubmissionTransmissions || s.switches.DisableAddTransmissions {
		attachments, err := s.dialogAttachments(considered)
		return files{attachments: attachments}, err
	}
	owners, queue := s.queue(considered)
	var split files
	if s.Attempt > MaxPDFWaitAttempts || PDFsComplete(s.Application, s.Instance) {
		for i := range submitted {
			taken := s.countUntil(queue, submitted[i].CreatedAt)
			transmission, err := s.transmission(i+1, submitted[i], queue[:taken])
			if err != nil {
				return files{}, err
			}
			split.transmissions = append(split.transmissions, transmission)
			queue = queue[taken:]
		}
	} else {
		for i := range submitted {
			split.withheld = append(split.withheld, submitted[i].ID)
		}
	}
	for _, left := range queue {
		owners = append(owners, left.element)
	}
	var err error
	split.attachments, err = s.dialogAttachments(owners)
	return split, err
}

// queued is a user's data element and when it counts as made; nil comes first.
type queued struct {
	element *altinn.DataElement
	at      *altinn.Time
}

// queue parts the elements of the service owner, in delivered order, from those of users, in order of time.
func (s *subject) queue(considered []*altinn.DataElement) (owners []*altinn.DataElement, queue []queued) {
	for _, element := range considered {
		if isChangedByOwner(element) {
			owners = append(owners, element)
			continue
		}
		queue = append(queue, queued{element: element, at: s.effectiveTime(element, considered)})
	}
	slices.SortStableFunc(queue, func(a, b queued) int { return compareTimes(a.at, b.at) })
	return owners, queue
}

// isChangedByOwner takes whoever has a name of nine code units for an organisation (rules 9.3 and 21.10).
func isChangedByOwner(element *altinn.DataElement) bool {
	const organizationNumberLength = 9
	name := element.LastChangedBy
	return len(name) >= organizationNumberLength && len(name) <= organizationNumberLength*utf8.UTFMax &&
		len(utf16.Encode([]rune(name))) == organizationNumberLength
}

// countUntil tells how many elements at the head of the queue belong to a submission: those made before it, or all of
// them for an A2 form, whose elements carry other times.
func (s *subject) countUntil(queue []queued, submitted dialogporten.Time) int {
	if isA2(s.Instance) {
		return len(queue)
	}
	n := 0
	for n < len(queue) && queue[n].at != nil && !queue[n].at.After(submitted.Time) {
		n++
	}
	return n
}

// transmission is the nth submission of the instance (rule 9.8). Its id is the activity's: both are made of one event.
func (s *subject) transmission(n int, submitted dialogporten.Activity, taken []queued) (dialogporten.Transmission, error) {
	transmission := dialogporten.Transmission{
		ID:        submitted.ID,
		CreatedAt: submitted.CreatedAt,
		Type:      dialogporten.TransmissionSubmission,
		Sender:    submitted.PerformedBy,
		Content: &dialogporten.TransmissionContent{
			Title:            plainText(submissionTitle(n)),
			ContentReference: s.receiptReference(submitted.ID),
		},
		Attachments: make([]dialogporten.Attachment, 0, len(taken)),
	}
	for _, entry := range taken {
		attachment, err := s.transmissionAttachment(submitted.ID, entry.element)
		if err != nil {
			return dialogporten.Transmission{}, err
		}
		transmission.Attachments = append(transmission.Attachments, attachment)
	}
	return transmission, nil
}

func submissionTitle(n int) []dialogporten.Localization {
	number := strconv.Itoa(n)
	return builtIn("Innsending #"+number, "Innsending #"+number, "Submission #"+number)
}

func (s *subject) receiptReference(transmissionID uuid.UUID) *dialogporten.ContentValue {
	link := func(language string) string { return s.links.receipt(s.DialogID, transmissionID, language) }
	return &dialogporten.ContentValue{
		Value:     builtIn(link(bokmal), link(nynorsk), link(english)),
		MediaType: dialogporten.MediaTypeEmbedMarkdownURL,
	}
}
