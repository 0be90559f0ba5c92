package mapping

import (
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// derivedStatus is where an instance stands; its value is the part of a text key that names it (rule 6.2).
type derivedStatus string

const (
	archivedUnconfirmed                 derivedStatus = "archivedunconfirmed"
	archivedConfirmed                   derivedStatus = "archivedconfirmed"
	rejected                            derivedStatus = "rejected"
	awaitingServiceOwnerFeedback        derivedStatus = "awaitingserviceownerfeedback"
	awaitingConfirmation                derivedStatus = "awaitingconfirmation"
	awaitingSignature                   derivedStatus = "awaitingsignature"
	awaitingAdditionalUserInput         derivedStatus = "awaitingadditionaluserinput"
	awaitingInitialUserInput            derivedStatus = "awaitinginitialuserinput"
	awaitingInitialUserInputFromPrefill derivedStatus = "awaitinginitialuserinputfromprefill"
)

// Task types, compared without regard to letter case.
const (
	taskReject       = "reject"
	taskFeedback     = "feedback"
	taskConfirmation = "confirmation"
	taskSigning      = "signing"
)

// deriveStatus is rule 5: the first match wins.
func deriveStatus(instance *altinn.Instance, events []altinn.InstanceEvent) derivedStatus {
	if instance.IsArchived() {
		if isConfirmed(instance) {
			return archivedConfirmed
		}
		return archivedUnconfirmed
	}
	switch taskType(instance.Process) {
	case taskReject:
		return rejected
	case taskFeedback:
		return awaitingServiceOwnerFeedback
	case taskConfirmation:
		return awaitingConfirmation
	case taskSigning:
		return awaitingSignature
	}
	switch {
	case hadFeedback(events):
		return awaitingAdditionalUserInput
	case isPrefilled(events):
		return awaitingInitialUserInputFromPrefill
	default:
		return awaitingInitialUserInput
	}
}

// isConfirmed tells whether the service owner has received the instance. Forms of older Altinns have no confirmations.
func isConfirmed(instance *altinn.Instance) bool {
	return isA1(instance) || isA2(instance) || len(instance.CompleteConfirmations) > 0
}

func taskType(process *altinn.Process) string {
	if process == nil || process.CurrentTask == nil {
		return ""
	}
	return strings.ToLower(process.CurrentTask.AltinnTaskType)
}

// hadFeedback tells whether the instance has been with the service owner before.
func hadFeedback(events []altinn.InstanceEvent) bool {
	for i := range events {
		if taskType(events[i].ProcessInfo) == taskFeedback {
			return true
		}
	}
	return false
}

// isPrefilled tells whether the service owner started the instance: the first event as delivered, unsorted, is its own.
func isPrefilled(events []altinn.InstanceEvent) bool {
	return len(events) > 0 && events[0].User != nil && events[0].User.OrgID != ""
}

// dialogStatus is the status that Dialogporten gets (rules 5 and 13); disableSyncStatus is applied elsewhere.
func (s *subject) dialogStatus() dialogporten.Status {
	switch s.status {
	case archivedConfirmed:
		if s.switches.DisableMarkCompletedWhenConfirmed && !s.isCompleted() {
			return dialogporten.StatusAwaiting
		}
		return dialogporten.StatusCompleted
	case archivedUnconfirmed, awaitingServiceOwnerFeedback:
		return dialogporten.StatusAwaiting
	case rejected:
		return dialogporten.StatusRequiresAttention
	case awaitingConfirmation, awaitingSignature, awaitingAdditionalUserInput, awaitingInitialUserInputFromPrefill:
		return dialogporten.StatusInProgress
	case awaitingInitialUserInput:
		return dialogporten.StatusDraft
	}
	return dialogporten.StatusDraft
}

// isCompleted tells whether somebody has completed the existing dialog already.
func (s *subject) isCompleted() bool {
	return s.Existing != nil && s.Existing.Status == dialogporten.StatusCompleted
}
