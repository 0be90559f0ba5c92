package mapping

import "github.com/altinn/dialogsync/pkg/dialogporten"

// summary is rule 7.2: the substatus' description outranks the application's texts, and these the built-in ones.
func (s *subject) summary() []dialogporten.Localization {
	if substatus := s.substatus(); !isBlank(substatus.Description) {
		return s.textsByValue(substatus.Description, maxText)
	}
	return s.conventionOr(textSummary, builtInSummary(s.status))
}

func builtInSummary(status derivedStatus) []dialogporten.Localization {
	switch status {
	case archivedUnconfirmed:
		return builtIn(
			"Innsendingen er maskinelt kontrollert og formidlet, venter på endelig bekreftelse.",
			"Innsendinga er maskinelt kontrollert og formidla, ventar på endeleg stadfesting.",
			"The submission has been automatically checked and forwarded, awaiting final confirmation.")
	case archivedConfirmed:
		return builtIn(
			"Innsendingen er bekreftet mottatt.",
			"Innsendinga er stadfesta motteken.",
			"The submission has been confirmed as received.")
	case rejected:
		return builtIn(
			"Innsendingen ble avvist. Åpne dialogen for mer informasjon.",
			"Innsendinga vart avvist. Opne dialogen for meir informasjon.",
			"The submission was rejected. Open the dialog for more information.")
	case awaitingServiceOwnerFeedback:
		return builtIn(
			"Innsendingen er maskinelt kontrollert og formidlet, venter på tilbakemelding.",
			"Innsendinga er maskinelt kontrollert og formidla, ventar på tilbakemelding.",
			"The submission has been automatically checked and forwarded, awaiting feedback.")
	case awaitingConfirmation:
		return builtIn(
			"Innsendingen må bekreftes for å gå til neste steg.",
			"Innsendinga må stadfestast for å gå til neste steg.",
			"The submission must be confirmed to proceed to the next step.")
	case awaitingSignature:
		return builtIn(
			"Innsendingen må signeres for å gå til neste steg.",
			"Innsendinga må signerast for å gå til neste steg.",
			"The submission must be signed to proceed to the next step.")
	case awaitingAdditionalUserInput:
		return builtIn(
			"Innsendingen er under arbeid og trenger flere opplysninger for å gå til neste steg.",
			"Innsendinga er under arbeid og treng fleire opplysningar for å gå til neste steg.",
			"The submission is in progress and requires more information to proceed to the next step.")
	case awaitingInitialUserInput, awaitingInitialUserInputFromPrefill:
	}
	return builtIn(
		"Innsendingen er klar for å fylles ut.",
		"Innsendinga er klar til å fyllast ut.",
		"The submission is ready to be filled out.")
}
