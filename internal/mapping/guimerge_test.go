package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// priorities reads "PSTT" as four actions' priorities.
func priorities(text string) []dialogporten.GUIActionPriority {
	var list []dialogporten.GUIActionPriority
	for _, letter := range text {
		list = append(list, map[rune]dialogporten.GUIActionPriority{
			'P': dialogporten.PriorityPrimary, 'S': dialogporten.PrioritySecondary, 'T': dialogporten.PriorityTertiary,
		}[letter])
	}
	return list
}

func TestButtonsOfOthersGoFirst(t *testing.T) {
	t.Parallel()
	for external, want := range map[string]string{
		"":       "read P, delete S, instantiate T",
		"P":      "read S, delete T, instantiate T",
		"S":      "read P, delete T, instantiate T",
		"PS":     "read T, delete T, instantiate T",
		"PSTTTT": "read T",
		"TTTTT":  "read P, delete S",
		"PTTTTT": "read S",
		"STTTTT": "read P",
		"PPS":    "read T, delete T, instantiate T",
		"TTT":    "read P, delete S, instantiate T",
	} {
		t.Run(external, func(t *testing.T) {
			t.Parallel()
			in := archived(t)
			in.Application.CopyInstanceSettings = &altinn.CopyInstanceSettings{Enabled: true}
			in.Existing = stored(t, mustCreate(t, in).Body)
			for i, priority := range priorities(external) {
				in.Existing.GUIActions = append(in.Existing.GUIActions, dialogporten.GUIAction{
					ID: uuid.MustParse("0197823f-0000-7000-8000-" + pad(i)), Action: "other", URL: "https://example.com/", Priority: priority,
				})
			}
			actions := mustUpdate(t, in).Body.GUIActions
			var kept, own []string
			for _, action := range actions {
				entry := action.Action + " " + string(action.Priority)[:1]
				if action.Action == "other" {
					kept = append(kept, entry[len(entry)-1:])
				} else {
					own = append(own, entry)
				}
			}
			assert.Equal(t, external, strings.Join(kept, ""), "others keep their order and rank")
			assert.Equal(t, want, strings.Join(own, ", "))
		})
	}
}

func TestCopyButton(t *testing.T) {
	t.Parallel()
	in := archived(t)
	assert.Len(t, mustCreate(t, in).Body.GUIActions, 2)
	in.Application.CopyInstanceSettings = &altinn.CopyInstanceSettings{Enabled: true}
	created := mustCreate(t, in).Body
	assert.Equal(t, "instantiate", created.GUIActions[2].Action)

	in.Existing = stored(t, created)
	in.Instance.Status.IsArchived = false
	assert.Len(t, mustUpdate(t, in).Body.GUIActions, 2, "an own copy button left from earlier goes")
}

func TestTaskAttribute(t *testing.T) {
	t.Parallel()
	body := mustCreate(t, draft(t)).Body
	assert.Equal(t, "urn:altinn:task:Task_1", text(body.GUIActions[0].AuthorizationAttribute))
	assert.Equal(t, "urn:altinn:task:Task_1", text(body.GUIActions[1].AuthorizationAttribute))
	in := draft(t)
	in.Instance.Process.CurrentTask.ElementID = ""
	assert.Nil(t, mustCreate(t, in).Body.GUIActions[0].AuthorizationAttribute)
}
