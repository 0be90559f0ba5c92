package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

// ErrInstanceGone tells that Storage has no such instance (any more): the one 404 that can only mean that (Invariant 11).
var ErrInstanceGone error = goneError{}

type goneError struct{}

func (goneError) Error() string { return "storage has no such instance" }

// Gone tells transport.Classify that the instance is removed.
func (goneError) Gone() bool { return true }

// ErrOtherInstance tells that Storage answered with an instance other than the one asked for.
var ErrOtherInstance = errors.New("storage answered with another instance")

// GetInstance reads one instance. The party id of the answer may differ from the one asked for; the answer's is right
// (Storage reference, 4). Errors: ErrInstanceGone when it is removed, *transport.StatusError; every other 404 than the
// one meaning "gone" is transient.
func (c *Client) GetInstance(ctx context.Context, id altinn.InstanceID) (*altinn.Instance, error) {
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: instancesPath + "/" + id.String()})
	if err != nil {
		return nil, fmt.Errorf("read instance %s: %w", id, err)
	}
	if answer.Status == http.StatusNotFound {
		return nil, fmt.Errorf("read instance %s: %w", id, absence(answer, id.GUID))
	}
	var instance altinn.Instance
	if err := answer.Decode(&instance); err != nil {
		return nil, fmt.Errorf("read instance %s: %w", id, err)
	}
	answered, err := instance.InstanceID()
	if err != nil {
		return nil, fmt.Errorf("read instance %s: %w", id, err)
	}
	if answered.GUID != id.GUID {
		return nil, fmt.Errorf("read instance %s: %w", id, ErrOtherInstance)
	}
	return &instance, nil
}

// absence tells the two meanings of a 404 apart: "gone" is a JSON string that ends with the GUID; an inner failure goes
// on with an exception's text, and a gateway's page is no JSON string at all (Storage reference, 4).
func absence(answer *transport.Answer, guid uuid.UUID) error {
	failure := answer.Err()
	failure.Cause = transport.Transient
	text, isText := answer.Text()
	if !isText {
		failure.Note = "not from Storage itself: proves nothing about the instance"
		return failure
	}
	named, found := strings.CutPrefix(text, "Unable to find instance ")
	if found && strings.EqualFold(named, guid.String()) {
		return ErrInstanceGone
	}
	failure.Note = "the read failed inside Storage: proves nothing about the instance"
	return failure
}
