package mapping

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
)

// Data values that the mapping looks at; of the archive references only the presence counts.
const (
	dataValueA1Reference = "A1ArchRef"
	dataValueA2Reference = "A2ArchRef"
)

// subject is one instance with what all parts of its dialog need.
type subject struct {
	Input

	// elementID is the current task's element id, empty when there is none.
	elementID string
	status    derivedStatus
	links     links
	switches  altinn.SyncAdapterSettings
}

func newSubject(in Input) (*subject, error) {
	if err := checkInput(in); err != nil {
		return nil, err
	}
	links, err := newLinks(in.Settings, in.Instance)
	if err != nil {
		return nil, err
	}
	s := &subject{
		Input:    in,
		status:   deriveStatus(in.Instance, in.Events),
		links:    links,
		switches: in.Application.SyncSettings(),
	}
	if task := in.Instance.CurrentTask(); task != nil {
		s.elementID = task.ElementID
	}
	return s, nil
}

// checkInput finds what makes any dialog impossible.
func checkInput(in Input) error {
	switch {
	case in.Instance == nil:
		return &Error{Reason: ReasonInstanceMissing}
	case in.Application == nil:
		return &Error{Reason: ReasonApplicationMissing}
	case in.DialogID == uuid.Nil:
		return &Error{Reason: ReasonDialogMissing, Member: "id"}
	case in.Now.IsZero():
		return &Error{Reason: ReasonSettingsInvalid, Member: "Now"}
	case in.Instance.AppID == "":
		return incomplete("appId")
	case in.Instance.Org == "":
		return incomplete("org")
	case in.Instance.Created == nil:
		return incomplete("created")
	}
	if _, err := in.Instance.InstanceID(); err != nil {
		return incomplete("id")
	}
	if in.Party == "" {
		return &Error{Reason: ReasonPartyNotFound}
	}
	return nil
}

func incomplete(member string) error {
	return &Error{Reason: ReasonInstanceIncomplete, Member: member}
}

// isA1 and isA2 tell whether the instance is an archived form of an older Altinn (rule 12 of Storage's reference).
func isA1(instance *altinn.Instance) bool { return instance.HasDataValue(dataValueA1Reference) }
func isA2(instance *altinn.Instance) bool { return instance.HasDataValue(dataValueA2Reference) }
