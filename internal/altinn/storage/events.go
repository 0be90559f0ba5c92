package storage

import (
	"context"
	"fmt"
	"net/http"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

// eventTypes are the event types that dialogs are made from, in the order the existing consumer asks for them (mapping
// rules, 3.1). One of them is misspelt over there.
func eventTypes() []string {
	return []string{
		"Created", "Deleted", "Saved", "Submited", "Undeleted", "SubstatusUpdated", "Signed", "SentToSign",
		"SentToPayment", "SentToSendIn", "SentToFormFill", "InstanceForwarded", "InstanceRightRevoked",
		"NotificationSentSms", "MessageArchived", "MessageRead",
	}
}

// Events reads an instance's events of the types dialogs are made from, in the order received: by the text of their
// times, which is not always the order of the times. An instance that does not exist has an empty list; nil means that
// there was a 404, which Storage itself does not answer.
func (c *Client) Events(ctx context.Context, id altinn.InstanceID) ([]altinn.InstanceEvent, error) {
	var query parameters
	for _, eventType := range eventTypes() {
		query.add("eventTypes", eventType) // a list with commas would be taken as one type
	}
	answer, err := c.caller.Call(ctx, transport.Request{
		Method: http.MethodGet, Path: instancesPath + "/" + id.String() + "/events", Query: query.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("read events of instance %s: %w", id, err)
	}
	if answer.Status == http.StatusNotFound {
		return nil, nil
	}
	var received altinn.InstanceEventList
	if err := answer.Decode(&received); err != nil {
		return nil, fmt.Errorf("read events of instance %s: %w", id, err)
	}
	if received.InstanceEvents == nil {
		return []altinn.InstanceEvent{}, nil
	}
	return received.InstanceEvents, nil
}
