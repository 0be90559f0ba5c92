package mapping

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// mergeGUIActions puts our own buttons beside those of others (rule 12.2). Dialogporten allows one primary, one secondary
// and five tertiary; the others keep theirs, and ours take the slots left, in order, never above their own rank. What
// finds no slot is dropped.
func mergeGUIActions(existing, own []dialogporten.GUIAction, ids guiActionIDs) []dialogporten.GUIAction {
	var merged []dialogporten.GUIAction
	for i := range existing {
		if !ids.contain(existing[i].ID) {
			merged = append(merged, existing[i])
		}
	}
	external := merged
	waiting := slices.SortedStableFunc(slices.Values(own), func(a, b dialogporten.GUIAction) int {
		return cmp.Or(cmp.Compare(rank(a.Priority), rank(b.Priority)), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for _, slot := range guiSlots() {
		free := slot.limit - countPriority(external, slot.priority)
		if free <= 0 || len(waiting) == 0 || rank(waiting[0].Priority) > rank(slot.priority) {
			continue
		}
		for ; free > 0 && len(waiting) > 0; free-- {
			placed := waiting[0]
			placed.Priority = slot.priority
			merged = append(merged, placed)
			waiting = waiting[1:]
		}
	}
	return merged
}

type guiSlot struct {
	priority dialogporten.GUIActionPriority
	limit    int
}

// guiSlots gives how many buttons of each rank a dialog may have, highest first.
func guiSlots() []guiSlot {
	return []guiSlot{
		{dialogporten.PriorityPrimary, 1},
		{dialogporten.PrioritySecondary, 1},
		{dialogporten.PriorityTertiary, 5},
	}
}

// rank orders priorities, the highest first.
func rank(priority dialogporten.GUIActionPriority) int {
	switch priority {
	case dialogporten.PriorityPrimary:
		return 0
	case dialogporten.PrioritySecondary:
		return 1
	case dialogporten.PriorityTertiary:
	}
	return 2
}

func countPriority(actions []dialogporten.GUIAction, priority dialogporten.GUIActionPriority) int {
	n := 0
	for i := range actions {
		if actions[i].Priority == priority {
			n++
		}
	}
	return n
}
