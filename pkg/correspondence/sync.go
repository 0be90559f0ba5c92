package correspondence

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// SyncStatusEvents tells what happened to an item since: reads, confirmations, archivings and deletions; others are dropped over
// there without an error (7.2). Events must not be empty. An unknown item is an *Error of CodeNotFound.
func (c *Client) SyncStatusEvents(ctx context.Context, id uuid.UUID, events []StatusEvent) error {
	return c.sync(ctx, "/correspondence/syncStatusEvent", id, struct {
		ID     uuid.UUID     `json:"correspondenceId"`
		Events []StatusEvent `json:"syncedStatusEvents"`
	}{id, events})
}

// SyncNotifications tells of notifications that Altinn 2 sent since. They must not be empty.
func (c *Client) SyncNotifications(ctx context.Context, id uuid.UUID, notifications []Notification) error {
	return c.sync(ctx, "/correspondence/syncNotificationEvent", id, struct {
		ID     uuid.UUID      `json:"correspondenceId"`
		Events []Notification `json:"syncedNotificationEvents"`
	}{id, notifications})
}

// SyncForwardings tells to whom a message was sent on since. They must not be empty.
func (c *Client) SyncForwardings(ctx context.Context, id uuid.UUID, forwardings []Forwarding) error {
	return c.sync(ctx, "/correspondence/syncForwardingEvent", id, struct {
		ID     uuid.UUID    `json:"correspondenceId"`
		Events []Forwarding `json:"syncedForwardingEvents"`
	}{id, forwardings})
}

func (c *Client) sync(ctx context.Context, path string, id uuid.UUID, body any) error {
	var answered uuid.UUID
	if err := c.post(ctx, path, body, &answered); err != nil {
		return fmt.Errorf("synchronise correspondence %s: %w", id, err)
	}
	if answered != id {
		return fmt.Errorf("synchronise correspondence %s: %w", id, errNoID)
	}
	return nil
}
