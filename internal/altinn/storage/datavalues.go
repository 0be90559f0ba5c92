package storage

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

// DataValueDialogID is the key under which an instance's dialog is noted.
const DataValueDialogID = "dialog.id"

// WriteDialogID notes the dialog's id on the instance. It does not move the instance's last-changed time and wakes no
// stream. Read the instance before: for one that does not exist the answer is a 500 (Storage reference, 8).
func (c *Client) WriteDialogID(ctx context.Context, id altinn.InstanceID, dialogID uuid.UUID) error {
	answer, err := c.caller.Call(ctx, transport.Request{
		Method: http.MethodPut, Path: instancesPath + "/" + id.String() + "/datavalues",
		Body: dataValues{Values: map[string]string{DataValueDialogID: dialogID.String()}},
	})
	if err != nil {
		return fmt.Errorf("write dialog id of instance %s: %w", id, err)
	}
	if !answer.IsSuccess() {
		return fmt.Errorf("write dialog id of instance %s: %w", id, answer.Err())
	}
	return nil
}

type dataValues struct {
	Values map[string]string `json:"values"`
}
