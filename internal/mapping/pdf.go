package mapping

import (
	"github.com/altinn/dialogsync/internal/altinn"
)

// PDFsComplete tells whether every task whose form data gives a PDF has got its PDF (rule 9.4). They come seconds after
// a submission. A PDF that does not say what it was made from counts for no task (the reference fails there, rule 21.8).
func PDFsComplete(application *altinn.Application, instance *altinn.Instance) bool {
	expected := make(map[string]struct{})   // tasks that have form data to make a PDF of
	makerTasks := make(map[string]struct{}) // tasks of all data types that make PDFs
	for i := range application.DataTypes {
		dataType := &application.DataTypes[i]
		if !dataType.MakesPDF() {
			continue
		}
		makerTasks[dataType.TaskID] = struct{}{}
		if hasElementOfType(instance, dataType.ID) {
			expected[dataType.TaskID] = struct{}{}
		}
	}
	if len(makerTasks) == 0 {
		return true
	}
	made := 0
	for i := range instance.Data {
		if element := &instance.Data[i]; element.DataType == altinn.DataTypePDF && isGeneratedFromAny(element, makerTasks) {
			made++
		}
	}
	return len(expected) <= made
}

func hasElementOfType(instance *altinn.Instance, dataTypeID string) bool {
	for i := range instance.Data {
		if instance.Data[i].DataType == dataTypeID && dataTypeID != "" {
			return true
		}
	}
	return false
}

func isGeneratedFromAny(element *altinn.DataElement, tasks map[string]struct{}) bool {
	for _, reference := range element.References {
		if reference.Relation != altinn.RelationGeneratedFrom {
			continue
		}
		if _, found := tasks[reference.Value]; found {
			return true
		}
	}
	return false
}

// effectiveTime is when an element counts as made (rule 9.2): a PDF belongs to the form it was made from, whenever it
// was finished. Nil when that form is gone: such an element comes first and enters no transmission (rule 21.8).
func (s *subject) effectiveTime(element *altinn.DataElement, considered []*altinn.DataElement) *altinn.Time {
	task, found := generatedFrom(element)
	if !found {
		return element.Created
	}
	dataType := s.dataTypeOfTask(task)
	if dataType == "" {
		return element.Created
	}
	for _, source := range considered {
		if source.DataType == dataType {
			return source.Created
		}
	}
	return nil
}

// generatedFrom gives the task that an element was made from: the value of its first such reference.
func generatedFrom(element *altinn.DataElement) (task string, found bool) {
	for _, reference := range element.References {
		if reference.Relation == altinn.RelationGeneratedFrom {
			return reference.Value, true
		}
	}
	return "", false
}

// dataTypeOfTask gives the id of the application's first data type of a task, empty when there is none.
func (s *subject) dataTypeOfTask(task string) string {
	if task == "" {
		return ""
	}
	for i := range s.Application.DataTypes {
		if s.Application.DataTypes[i].TaskID == task {
			return s.Application.DataTypes[i].ID
		}
	}
	return ""
}
