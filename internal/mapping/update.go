package mapping

// Update gives what to change in an existing dialog so that it shows its instance (rule 12). Others' parts of the dialog,
// and members that this program does not know, stay. The error is an *Error.
func Update(in Input) (Change, error) {
	if in.Existing == nil {
		return Change{}, &Error{Reason: ReasonDialogMissing}
	}
	s, err := newSubject(in)
	if err != nil {
		return Change{}, err
	}
	p, err := s.parts()
	if err != nil {
		return Change{}, err
	}
	body, err := s.merge(p)
	if err != nil {
		return Change{}, err
	}
	change := Change{Body: body}
	if !s.switches.DisableAddActivities {
		change.Moves = formSavedMoves(in.Existing, p.activities)
	}
	change.AddsFormSubmitted = hasFormSubmitted(body.Activities)
	change.WaitForPDF = change.AddsFormSubmitted && !PDFsComplete(in.Application, in.Instance)
	change.Withheld = stillWithheld(p.files.withheld, in.Existing)
	change.BodyUnchanged = changesNothing(body, in.Existing)
	change.Unchanged = change.BodyUnchanged && len(change.Moves) == 0
	return change, nil
}
