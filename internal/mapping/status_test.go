package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// summaryOf names the derived status by the built-in English summary.
func summaryOf(c mapping.Creation) string {
	list := c.Body.Content.Summary.Value
	return list[len(list)-1].Value
}

func TestStatus(t *testing.T) {
	t.Parallel()
	inTask := func(kind string) func(*mapping.Input) {
		return func(in *mapping.Input) { in.Instance.Process.CurrentTask.AltinnTaskType = kind }
	}
	archive := func(in *mapping.Input) { in.Instance.Status.IsArchived = true }
	cases := map[string]struct {
		change  []func(*mapping.Input)
		status  dialogporten.Status
		summary string
	}{
		"data task": {nil, dialogporten.StatusDraft, "The submission is ready to be filled out."},
		"no process": {
			[]func(*mapping.Input){func(in *mapping.Input) { in.Instance.Process = nil }},
			dialogporten.StatusDraft, "The submission is ready to be filled out.",
		},
		"no status": {
			[]func(*mapping.Input){func(in *mapping.Input) { in.Instance.Status = nil }},
			dialogporten.StatusDraft, "The submission is ready to be filled out.",
		},
		"unknown task": {[]func(*mapping.Input){inTask("eFormidling")}, dialogporten.StatusDraft, "The submission is ready to be filled out."},
		"reject": {
			[]func(*mapping.Input){inTask("Reject")},
			dialogporten.StatusRequiresAttention,
			"The submission was rejected. Open the dialog for more information.",
		},
		"feedback": {
			[]func(*mapping.Input){inTask("feedback")},
			dialogporten.StatusAwaiting,
			"The submission has been automatically checked and forwarded, awaiting feedback.",
		},
		"confirmation": {
			[]func(*mapping.Input){inTask("confirmation")},
			dialogporten.StatusInProgress,
			"The submission must be confirmed to proceed to the next step.",
		},
		"signing": {
			[]func(*mapping.Input){inTask("SIGNING")},
			dialogporten.StatusInProgress,
			"The submission must be signed to proceed to the next step.",
		},
		"after feedback": {
			[]func(*mapping.Input){func(in *mapping.Input) {
				in.Events = []altinn.InstanceEvent{{
					EventType: "process_EndTask",
					ProcessInfo: &altinn.Process{
						CurrentTask: &altinn.Task{AltinnTaskType: "FEEDBACK"},
					},
				}}
			}},
			dialogporten.StatusInProgress,
			"The submission is in progress and requires more information to proceed to the next step.",
		},
		"prefilled": {
			[]func(*mapping.Input){func(in *mapping.Input) {
				in.Events = []altinn.InstanceEvent{{EventType: "x", User: &altinn.EventActor{OrgID: "ttd"}}}
			}},
			dialogporten.StatusInProgress, "The submission is ready to be filled out.",
		},
		"only the first event as delivered makes a prefill": {
			[]func(*mapping.Input){func(in *mapping.Input) {
				in.Events = []altinn.InstanceEvent{{EventType: "x"}, {EventType: "x", User: &altinn.EventActor{OrgID: "ttd"}}}
			}},
			dialogporten.StatusDraft, "The submission is ready to be filled out.",
		},
		"archived": {
			[]func(*mapping.Input){archive, inTask("signing")},
			dialogporten.StatusAwaiting,
			"The submission has been automatically checked and forwarded, awaiting final confirmation.",
		},
		"archived and confirmed": {
			[]func(*mapping.Input){archive, func(in *mapping.Input) {
				in.Instance.CompleteConfirmations = []altinn.CompleteConfirmation{{}}
			}},
			dialogporten.StatusCompleted, "The submission has been confirmed as received.",
		},
		"archived A1 form": {
			[]func(*mapping.Input){archive, func(in *mapping.Input) {
				in.Instance.DataValues = map[string]string{"A1ArchRef": ""}
			}},
			dialogporten.StatusCompleted, "The submission has been confirmed as received.",
		},
		"an archive reference alone confirms nothing": {
			[]func(*mapping.Input){func(in *mapping.Input) {
				in.Instance.DataValues = map[string]string{"A2ArchRef": "1"}
			}},
			dialogporten.StatusDraft, "The submission is ready to be filled out.",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			for _, change := range c.change {
				change(&in)
			}
			created := mustCreate(t, in)
			assert.Equal(t, c.status, created.Body.Status)
			assert.Equal(t, c.summary, summaryOf(created))
		})
	}
}

func TestMarkCompletedSwitch(t *testing.T) {
	t.Parallel()
	in := archived(t)
	in.Instance.DataValues = map[string]string{"A2ArchRef": "1"}
	in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{
		SyncAdapterSettings: &altinn.SyncAdapterSettings{DisableMarkCompletedWhenConfirmed: true},
	}
	created := mustCreate(t, in)
	assert.Equal(t, dialogporten.StatusAwaiting, created.Body.Status)
	assert.Equal(t, "The submission has been confirmed as received.", summaryOf(created), "texts stay those of the confirmed state")

	in.Existing = stored(t, created.Body)
	assert.Equal(t, dialogporten.StatusAwaiting, mustUpdate(t, in).Body.Status)
	in.Existing.Status = dialogporten.StatusCompleted
	assert.Equal(t, dialogporten.StatusCompleted, mustUpdate(t, in).Body.Status, "what was completed stays completed")
}
