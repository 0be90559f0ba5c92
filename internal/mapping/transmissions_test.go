package mapping_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// submitted is an archived form with two submissions, at 10:00 and 12:00, and files at 09:00, 11:00 and 13:00.
func submitted(t testing.TB) mapping.Input {
	t.Helper()
	in := archived(t)
	in.Events = []altinn.InstanceEvent{
		event(t, 1, "Submited", "2025-06-18T10:00:00Z"),
		event(t, 2, "Submited", "2025-06-18T12:00:00Z"),
	}
	in.Instance.Data = altinn.List[altinn.DataElement]{
		element(t, 3, "vedlegg", "2025-06-18T13:00:00Z"),
		element(t, 1, "vedlegg", "2025-06-18T09:00:00Z"),
		element(t, 2, "vedlegg", "2025-06-18T11:00:00Z"),
	}
	return in
}

// awaitingPDF makes form data of the first element, whose PDF is not there yet.
func awaitingPDF(t testing.TB) mapping.Input {
	t.Helper()
	in := submitted(t)
	in.Application.DataTypes = altinn.List[altinn.DataType]{{ID: "skjema", TaskID: "Task_1", AppLogic: &altinn.AppLogic{}}}
	in.Instance.Data[1].DataType = "skjema"
	return in
}

func pdfOf(t testing.TB, n int, task, created string) altinn.DataElement {
	t.Helper()
	pdf := element(t, n, altinn.DataTypePDF, created)
	pdf.References = altinn.List[altinn.Reference]{{Relation: altinn.RelationGeneratedFrom, Value: task, ValueType: "Task"}}
	return pdf
}

func names(attachments []dialogporten.Attachment) []string {
	var list []string
	for _, attachment := range attachments {
		list = append(list, attachment.DisplayName[0].Value)
	}
	return list
}

func TestFilesGoToTheSubmissionTheyWereMadeBefore(t *testing.T) {
	t.Parallel()
	body := mustCreate(t, submitted(t)).Body
	require.Len(t, body.Transmissions, 2)
	assert.Equal(t, []string{"fil1.pdf"}, names(body.Transmissions[0].Attachments))
	assert.Equal(t, []string{"fil2.pdf"}, names(body.Transmissions[1].Attachments))
	assert.Equal(t, []string{"fil3.pdf"}, names(body.Attachments))
	assert.Equal(t, body.Activities[0].ID, body.Transmissions[0].ID, "a transmission has its activity's id")
	assert.Equal(t, "Submission #2", body.Transmissions[1].Content.Title.Value[2].Value)
	assert.Equal(t, uuid.Nil, body.Transmissions[0].Attachments[0].URLs[0].ID)
	assert.NotEqual(t, body.Attachments[0].ID, uuid.Nil)
	assert.Equal(t, body.Attachments[0].ID, body.Attachments[0].URLs[0].ID)
}

func TestFileMadeAtTheMomentOfSubmission(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Instance.Data = altinn.List[altinn.DataElement]{
		element(t, 1, "vedlegg", "2025-06-18T10:00:00Z"),
		element(t, 2, "vedlegg", "2025-06-18T12:00:00.0000001Z"),
	}
	body := mustCreate(t, in).Body
	assert.Equal(t, []string{"fil1.pdf"}, names(body.Transmissions[0].Attachments))
	assert.Empty(t, body.Transmissions[1].Attachments, "100 ns late is late")
	assert.Equal(t, []string{"fil2.pdf"}, names(body.Attachments))
}

func TestFilesOfTheOwnerAndReceipts(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Instance.Data[1].LastChangedBy = "991825827"
	in.Instance.Data = append(in.Instance.Data,
		element(t, 4, altinn.DataTypePDF, "2025-06-18T13:30:00Z"),
		element(t, 5, "REF-DATA-AS-PDF", "2025-06-18T12:30:00Z"))
	body := mustCreate(t, in).Body
	assert.Empty(t, body.Transmissions[0].Attachments)
	assert.Equal(t, []string{"fil1.pdf", "fil5.pdf", "fil3.pdf"}, names(body.Attachments),
		"the owner's first, then by time; receipts, exactly so spelt, never")
}

func TestTransmissionsOff(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*mapping.Input){
		"feature": func(in *mapping.Input) { in.Settings.SubmissionTransmissions = false },
		"switch": func(in *mapping.Input) {
			in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{
				SyncAdapterSettings: &altinn.SyncAdapterSettings{DisableAddTransmissions: true},
			}
		},
	}
	for name, off := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := awaitingPDF(t)
			off(&in)
			created := mustCreate(t, in)
			assert.Empty(t, created.Body.Transmissions)
			assert.Equal(t, []string{"fil3.pdf", "fil1.pdf", "fil2.pdf"}, names(created.Body.Attachments), "delivered order")
			assert.True(t, created.WaitForPDF, "the reference waits here too")
			assert.Empty(t, created.Withheld, "but no transmission is owed")
		})
	}
}

func TestA2FormGivesEverythingToItsFirstSubmission(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Instance.DataValues = map[string]string{"A2ArchRef": "1"}
	body := mustCreate(t, in).Body
	assert.Equal(t, []string{"fil1.pdf", "fil2.pdf", "fil3.pdf"}, names(body.Transmissions[0].Attachments))
	assert.Empty(t, body.Transmissions[1].Attachments)
	assert.Empty(t, body.Attachments)
}

func TestA1FormHidesItsSignaturePage(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Events = nil
	in.Instance.Data[0].DataType = "signature-presentation"
	assert.Len(t, mustCreate(t, in).Body.Attachments, 3)
	in.Instance.DataValues = map[string]string{"A1ArchRef": "1"}
	assert.Equal(t, []string{"fil1.pdf", "fil2.pdf"}, names(mustCreate(t, in).Body.Attachments))
}

func TestPDFCountsAsItsForm(t *testing.T) {
	t.Parallel()
	in := awaitingPDF(t)
	in.Instance.Data = append(in.Instance.Data, pdfOf(t, 4, "Task_1", "2025-06-18T23:00:00Z"))
	created := mustCreate(t, in)
	assert.Equal(t, []string{"fil1.pdf", "fil4.pdf"}, names(created.Body.Transmissions[0].Attachments))
	assert.False(t, created.WaitForPDF)

	in.Application.DataTypes = append(altinn.List[altinn.DataType]{{ID: "borte", TaskID: "Task_1"}}, in.Application.DataTypes...)
	body := mustCreate(t, in).Body
	assert.Empty(t, body.Transmissions[0].Attachments, "the PDF of a form that is gone blocks the queue")
	assert.Equal(t, []string{"fil1.pdf", "fil2.pdf", "fil3.pdf"}, names(body.Attachments))
}

func TestTransmissionsWaitForPDFs(t *testing.T) {
	t.Parallel()
	in := awaitingPDF(t)
	created := mustCreate(t, in)
	assert.Empty(t, created.Body.Transmissions)
	assert.True(t, created.WaitForPDF)
	require.Len(t, created.Withheld, 2)
	assert.Equal(t, []string{"fil1.pdf", "fil2.pdf", "fil3.pdf"}, names(created.Body.Attachments))

	in.Existing = stored(t, created.Body)
	again := mustUpdate(t, in)
	assert.True(t, again.Unchanged)
	assert.False(t, again.WaitForPDF, "the reference forgets the submission here")
	assert.Equal(t, created.Withheld, again.Withheld, "the caller still knows what is owed")

	in.Attempt = mapping.MaxPDFWaitAttempts
	assert.Equal(t, created.Withheld, mustUpdate(t, in).Withheld)
	in.Attempt = mapping.MaxPDFWaitAttempts + 1
	last := mustUpdate(t, in)
	assert.False(t, last.Unchanged)
	require.Len(t, last.Body.Transmissions, 2, "after the last attempt the submission is sent without its PDF")
	assert.Equal(t, created.Withheld[0], last.Body.Transmissions[0].ID)
	assert.Empty(t, last.Withheld)
}

func TestOnlyMissingTransmissionsAreOwed(t *testing.T) {
	t.Parallel()
	in := awaitingPDF(t)
	in.Attempt = mapping.MaxPDFWaitAttempts + 1
	in.Existing = stored(t, mustCreate(t, in).Body)
	in.Attempt = 1
	third := event(t, 3, "Submited", "2025-06-18T14:00:00Z")
	in.Events = append(in.Events, third)
	change := mustUpdate(t, in)
	assert.True(t, change.WaitForPDF)
	assert.Empty(t, change.Body.Transmissions)
	require.Len(t, change.Withheld, 1)
	assert.Equal(t, change.Body.Activities[0].ID, change.Withheld[0])
}

func TestTransmissionsCatchUpOnceThePDFIsThere(t *testing.T) {
	t.Parallel()
	in := awaitingPDF(t)
	in.Existing = stored(t, mustCreate(t, in).Body)
	in.Attempt = 2
	in.Instance.Data = append(in.Instance.Data, pdfOf(t, 4, "Task_1", "2025-06-18T10:00:20Z"))
	change := mustUpdate(t, in)
	require.Len(t, change.Body.Transmissions, 2)
	assert.Equal(t, []string{"fil1.pdf", "fil4.pdf"}, names(change.Body.Transmissions[0].Attachments))
	assert.Equal(t, []string{"fil3.pdf"}, names(change.Body.Attachments), "they are no longer the dialog's")
	assert.Empty(t, change.Withheld)
}

func TestPDFsComplete(t *testing.T) {
	t.Parallel()
	maker := altinn.DataType{ID: "skjema", TaskID: "Task_1", AppLogic: &altinn.AppLogic{}}
	silent := altinn.DataType{ID: "skjema", TaskID: "Task_1", AppLogic: &altinn.AppLogic{}, EnablePDFCreation: new(false)}
	sameTask := altinn.DataType{ID: "skjema2", TaskID: "Task_1", AppLogic: &altinn.AppLogic{}, EnablePDFCreation: new(true)}
	secondTask := altinn.DataType{ID: "skjema2", TaskID: "Task_2", AppLogic: &altinn.AppLogic{}}
	form, form2 := altinn.DataElement{DataType: "skjema"}, altinn.DataElement{DataType: "skjema2"}
	cases := map[string]struct {
		types []altinn.DataType
		data  []altinn.DataElement
		want  bool
	}{
		"no makers":                          {[]altinn.DataType{{ID: "vedlegg"}}, []altinn.DataElement{form}, true},
		"creation off":                       {[]altinn.DataType{silent}, []altinn.DataElement{form}, true},
		"form without PDF":                   {[]altinn.DataType{maker}, []altinn.DataElement{form}, false},
		"no form":                            {[]altinn.DataType{maker}, nil, true},
		"form and PDF":                       {[]altinn.DataType{maker}, []altinn.DataElement{form, pdfOf(t, 1, "Task_1", "2025-06-18T10:00:00Z")}, true},
		"PDF of another task":                {[]altinn.DataType{maker}, []altinn.DataElement{form, pdfOf(t, 1, "Task_9", "2025-06-18T10:00:00Z")}, false},
		"PDF without references":             {[]altinn.DataType{maker}, []altinn.DataElement{form, {DataType: altinn.DataTypePDF}}, false},
		"two forms of a task":                {[]altinn.DataType{maker, sameTask}, []altinn.DataElement{form, form2, pdfOf(t, 1, "Task_1", "2025-06-18T10:00:00Z")}, true},
		"two tasks, one PDF":                 {[]altinn.DataType{maker, secondTask}, []altinn.DataElement{form, form2, pdfOf(t, 1, "Task_1", "2025-06-18T10:00:00Z")}, false},
		"two tasks, two PDFs of one of them": {[]altinn.DataType{maker, secondTask}, []altinn.DataElement{form, form2, pdfOf(t, 1, "Task_1", "2025-06-18T10:00:00Z"), pdfOf(t, 2, "Task_1", "2025-06-18T10:00:00Z")}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mapping.PDFsComplete(&altinn.Application{DataTypes: c.types}, &altinn.Instance{Data: c.data})
			assert.Equal(t, c.want, got)
		})
	}
}

func TestIncompleteDataElements(t *testing.T) {
	t.Parallel()
	in := submitted(t)
	in.Events = nil
	in.Instance.Data[0].Created = nil
	_, err := mapping.Create(in)
	assert.Equal(t, "created", requireReason(t, err, mapping.ReasonDataElementIncomplete).Member)
	in.Instance.Data[0].ID = "x"
	_, err = mapping.Create(in)
	assert.Equal(t, "id", requireReason(t, err, mapping.ReasonDataElementIncomplete).Member)
}
