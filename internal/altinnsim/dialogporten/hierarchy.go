package dialogporten

import (
	"slices"
	"strings"

	"github.com/google/uuid"
)

const (
	maxHierarchyDepth = 100
	maxHierarchyWidth = 100
	transmissionType  = "DialogTransmission"
)

// hierarchy is who relates to whom among the transmissions of a dialog (Chapter 7, Transmission).
type hierarchy struct {
	order  []uuid.UUID
	parent map[uuid.UUID]uuid.UUID
	known  map[uuid.UUID]bool
}

func hierarchyOf(lists ...[]transmission) *hierarchy {
	h := &hierarchy{}
	for _, list := range lists {
		for i := range list {
			if list[i].related.given {
				h.build(lists)
				return h
			}
		}
	}
	return h // nothing relates to anything
}

func (h *hierarchy) build(lists [][]transmission) {
	h.parent, h.known = map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]bool{}
	for _, list := range lists {
		for i := range list {
			id := list[i].id.id
			h.order = append(h.order, id)
			h.known[id] = true
			if list[i].related.given {
				h.parent[id] = list[i].related.id
			}
		}
	}
}

// check reports references to nowhere; without those, what is too deep, goes in circles or is too wide.
func (h *hierarchy) check(f *faults) {
	if missing := h.missing(); len(missing) > 0 {
		f.add(keyTransmissions, "Hierarchy reference violation found. "+transmissionType+" with the following referenced ids "+
			"does not exist: "+idList(missing)+".")
		return
	}
	deep, circular := h.depths()
	if len(deep) > 0 {
		f.add(keyTransmissions, "Hierarchy depth violation found. "+transmissionType+" with the following ids is at depth "+
			itoa(maxHierarchyDepth+1)+", exceeding the max allowed depth of "+itoa(maxHierarchyDepth)+". It, and all its referencing "+
			"children is in violation of the depth constraint. "+idList(deep)+".")
	}
	if len(circular) > 0 {
		f.add(keyTransmissions, "Hierarchy cyclic reference violation found. "+transmissionType+" with the following ids is part "+
			"of a cyclic reference chain (showing first 10): "+idList(circular[:min(10, len(circular))])+".")
	}
	if wide := h.wide(); len(wide) > 0 {
		f.add(keyTransmissions, "Hierarchy width violation found. '"+transmissionType+"' with the following ids has to many "+
			"referring "+transmissionType+", exceeding the max allowed width of "+itoa(maxHierarchyWidth)+": "+idList(wide)+".")
	}
}

func idList(ids []uuid.UUID) string {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		texts = append(texts, id.String())
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func (h *hierarchy) missing() []uuid.UUID {
	var missing []uuid.UUID
	for _, id := range h.order {
		if parent, ok := h.parent[id]; ok && !h.known[parent] && !slices.Contains(missing, parent) {
			missing = append(missing, parent)
		}
	}
	return missing
}

// depths finds the transmissions just beyond the allowed depth and those of a circle. A root is at depth 1.
func (h *hierarchy) depths() (deep, circular []uuid.UUID) {
	for _, id := range h.order {
		depth, at, seen := 1, id, map[uuid.UUID]bool{id: true}
		for {
			parent, ok := h.parent[at]
			if !ok {
				break
			}
			if seen[parent] {
				depth = 0
				if parent == id {
					circular = append(circular, id)
				}
				break
			}
			seen[parent] = true
			at = parent
			depth++
		}
		if depth == maxHierarchyDepth+1 {
			deep = append(deep, id)
		}
	}
	return deep, circular
}

func (h *hierarchy) wide() []uuid.UUID {
	children := map[uuid.UUID]int{}
	for _, parent := range h.parent {
		children[parent]++
	}
	var wide []uuid.UUID
	for _, id := range h.order {
		if children[id] > maxHierarchyWidth {
			wide = append(wide, id)
		}
	}
	return wide
}
