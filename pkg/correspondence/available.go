package correspondence

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Availability is what became of one item that was to be made available. What it means is the caller's to judge: OK with an empty
// DialogID is a refusal (correspondence reference, 6).
type Availability struct {
	CorrespondenceID uuid.UUID `json:"correspondenceId"`
	DialogID         *string   `json:"dialogId"`
	// ErrorText may quote anything: keep it out of logs.
	ErrorText *string `json:"error"`
	OK        bool    `json:"ok"`
}

// Dialog is the id of the item's dialog; uuid.Nil when it has none.
func (a *Availability) Dialog() uuid.UUID {
	if a.DialogID == nil {
		return uuid.Nil
	}
	id, err := uuid.Parse(*a.DialogID)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// IsUnknown tells whether the service has no such item. A text that quotes an exception is about something behind it: "404 (Not Found)".
func (a *Availability) IsUnknown() bool {
	return !a.OK && a.says("not found") && !a.says("exception") && !a.says("(not found)")
}

// IsPurged tells whether the item is purged and therefore has no dialog, ever.
func (a *Availability) IsPurged() bool {
	return !a.OK && a.says("is purged and cannot be made available")
}

func (a *Availability) says(text string) bool {
	return a.ErrorText != nil && strings.Contains(strings.ToLower(*a.ErrorText), text)
}

type availableRequest struct {
	CorrespondenceID  *uuid.UUID  `json:"correspondenceId,omitempty"`
	CorrespondenceIDs []uuid.UUID `json:"correspondenceIds,omitempty"`
	BatchSize         int         `json:"batchSize,omitempty"`
	CreatedFrom       *time.Time  `json:"createdFrom,omitempty"`
	CreatedTo         *time.Time  `json:"createdTo,omitempty"`
	CreateEvents      bool        `json:"createEvents"`
}

// MakeAvailable gives an item its dialog, silently, and drops its hidden flag; or tells the dialog that it has. It may be repeated.
func (c *Client) MakeAvailable(ctx context.Context, id uuid.UUID) (Availability, error) {
	found, err := c.available(ctx, availableRequest{CorrespondenceID: &id}, []uuid.UUID{id})
	if err != nil {
		return Availability{}, fmt.Errorf("make correspondence %s available: %w", id, err)
	}
	return found[0], nil
}

// MakeAvailableAll does the same for several items, one after the other over there. The answer has one entry an id, in the order of
// ids, which must not be empty and must not repeat.
func (c *Client) MakeAvailableAll(ctx context.Context, ids []uuid.UUID) ([]Availability, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := c.available(ctx, availableRequest{CorrespondenceIDs: ids}, ids)
	if err != nil {
		return nil, fmt.Errorf("make %d correspondences available: %w", len(ids), err)
	}
	return found, nil
}

// MakeOneAvailableWithEvents gives the hidden item created at the instant its dialog, with events, which only the batch mode
// does: of several items of one instant any one may be taken (17.10). The answer is empty when none is hidden.
func (c *Client) MakeOneAvailableWithEvents(ctx context.Context, created time.Time) ([]Availability, error) {
	from := created.UTC().Truncate(time.Millisecond)
	to := from.Add(time.Millisecond)
	request := availableRequest{BatchSize: 1, CreatedFrom: &from, CreatedTo: &to, CreateEvents: true}
	var answered availableAnswer
	if err := c.post(ctx, availablePath, request, &answered); err != nil {
		return nil, fmt.Errorf("make a correspondence available with events: %w", err)
	}
	return answered.Statuses, nil
}

const availablePath = "/makemigratedcorrespondenceavailable"

type availableAnswer struct {
	Statuses []Availability `json:"statuses"`
}

func (c *Client) available(ctx context.Context, request availableRequest, ids []uuid.UUID) ([]Availability, error) {
	var answered availableAnswer
	if err := c.post(ctx, availablePath, request, &answered); err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]Availability, len(answered.Statuses))
	for _, status := range answered.Statuses {
		byID[status.CorrespondenceID] = status
	}
	found := make([]Availability, len(ids))
	for i, id := range ids {
		status, ok := byID[id]
		if !ok {
			return nil, errNoID
		}
		found[i] = status
	}
	return found, nil
}
