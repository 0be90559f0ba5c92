package correspondence

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Migrated is the answer to a migrate call.
type Migrated struct {
	CorrespondenceID uuid.UUID `json:"correspondenceId"`
	// AttachmentStatuses is nil when the message had been stored before: only new events were added then (5.8).
	AttachmentStatuses []AttachmentStatus `json:"attachmentStatuses"`
	// DialogID is nil without makeAvailable. The empty text tells that the dialog is yet to be made, which is no failure here.
	DialogID *string `json:"dialogId"`
}

// AttachmentStatus is always "Initialized", whatever is true.
type AttachmentStatus struct {
	AttachmentID uuid.UUID `json:"attachmentId"`
	Status       string    `json:"status"`
}

// IsRepeat tells whether the message had been stored before.
func (m *Migrated) IsRepeat() bool { return m.AttachmentStatuses == nil }

// Migrate stores a message, or adds what is new to one that is stored already. It may be repeated.
func (c *Client) Migrate(ctx context.Context, request *MigrateRequest) (*Migrated, error) {
	var answered Migrated
	if err := c.post(ctx, "/correspondence", request, &answered); err != nil {
		return nil, fmt.Errorf("migrate message %d: %w", request.Altinn2CorrespondenceID, err)
	}
	if answered.CorrespondenceID == uuid.Nil {
		return nil, fmt.Errorf("migrate message %d: %w", request.Altinn2CorrespondenceID, errNoID)
	}
	return &answered, nil
}

// errNoID is an answer without the id that it is asked for: not the service's own, so the call is worth another try.
var errNoID error = noIDError{}

type noIDError struct{}

func (noIDError) Error() string { return "correspondence's answer has no id" }

// Transient tells that repeating the call helps.
func (noIDError) Transient() bool { return true }
