package altinn2

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"
)

const (
	cursorVersion = 1
	laneHistory   = "history"
	laneChanges   = "changes"
)

// cursor is a position. Its text means nothing to anybody else.
type cursor struct {
	Version  int           `json:"v"`
	Lane     string        `json:"lane"`
	Filter   string        `json:"filter"`
	Sequence int64         `json:"seq,omitempty"`
	History  *historyPlace `json:"at,omitempty"`
}

// historyPlace is the last message of a page.
type historyPlace struct {
	Created int64 `json:"created"` // microseconds
	ID      int32 `json:"id"`
	Floor   int64 `json:"-"` // createdFrom; included
}

// passed says whether a row comes after the place: created < c OR (created = c AND id < i). Order and comparison agree.
func (p historyPlace) passed(r *row) bool {
	return r.created < p.Created || r.created == p.Created && r.id < p.ID
}

func (c cursor) String() string {
	raw, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readCursor reads a cursor of a lane and a filter; false for foreign and damaged ones.
func readCursor(text, lane, filter string) (cursor, bool) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return cursor{}, false
	}
	ok := c.Version == cursorVersion && c.Lane == lane && c.Filter == filter && (c.History != nil) == (lane == laneHistory) && c.Sequence >= 0
	return c, ok
}

// fingerprint stands for the world and the filters that a walk began with.
func fingerprint(world int64, filters ...string) string {
	h := fnv.New64a()
	for _, f := range append(filters, strconv.FormatInt(world, 10)) {
		_, _ = h.Write([]byte(f + "\x00")) // never fails
	}
	return strconv.FormatUint(h.Sum64(), 36)
}
