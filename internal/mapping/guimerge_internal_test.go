package mapping

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// Own buttons may go down in rank and never up.
func TestButtonsAreNotPromoted(t *testing.T) {
	t.Parallel()
	own := []dialogporten.GUIAction{
		{Action: actionInstantiate, Priority: dialogporten.PriorityTertiary},
		{Action: actionDelete, Priority: dialogporten.PrioritySecondary},
	}
	merged := mergeGUIActions(nil, own, guiActionIDs{})
	assert.Equal(t, []dialogporten.GUIAction{own[1], own[0]}, merged, "the primary slot stays empty")
	assert.Equal(t, own[:1], mergeGUIActions(nil, own[:1], guiActionIDs{}))
}
