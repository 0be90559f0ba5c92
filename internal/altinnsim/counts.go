package altinnsim

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// busyItem is an item with the number of its requests.
type busyItem struct {
	Item     string `json:"item,omitempty"`   // {partyId}/{guid}
	Dialog   string `json:"dialog,omitempty"` // of dialogs and of whatever else has an id
	Requests int    `json:"requests"`
}

// itemStats is what is known of items' requests.
type itemStats struct {
	Known     int        `json:"known"`     // items and dialogs that are counted one by one
	Forgotten int        `json:"forgotten"` // those whose counts were given up, the ones not asked for lately first
	Busiest   []busyItem `json:"busiest"`
}

const defaultBusiest = 10

var errBusiest = errors.New("busiest: not a number from 0 on")

// itemStats reads ?busiest=n.
func (s *Sim) itemStats(r *http.Request) (itemStats, error) {
	most := defaultBusiest
	if text := r.URL.Query().Get("busiest"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 0 {
			return itemStats{}, badInput(errBusiest)
		}
	}
	busiest, known, forgotten := s.Requests.Busiest(most)
	out := itemStats{Known: known, Forgotten: forgotten, Busiest: make([]busyItem, 0, len(busiest))}
	for _, b := range busiest {
		item := busyItem{Requests: b.Requests, Dialog: b.ID.String()}
		if row, _, ok := s.Storage.Row(b.ID); ok {
			item.Item, item.Dialog = row.Key(), ""
		}
		out.Busiest = append(out.Busiest, item)
	}
	return out, nil
}

// countsOf are the requests that named an instance or its dialog, by method and endpoint.
func (s *Sim) countsOf(guid uuid.UUID) map[string]int {
	ids := []uuid.UUID{guid}
	if dialog, ok := s.dialogOf(guid); ok && dialog != guid {
		ids = append(ids, dialog)
	}
	return s.Requests.Item(ids...)
}
