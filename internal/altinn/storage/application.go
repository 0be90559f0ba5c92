package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

// ErrMalformedAppID tells that a text is not `org/app`.
var ErrMalformedAppID = errors.New("malformed app id")

// Application reads an application's metadata; nil when Storage has none. Only Storage's own answer counts as "none": a
// gateway's 404 is a transient error, since an application without settings allows deletions that its settings forbid.
func (c *Client) Application(ctx context.Context, appID string) (*altinn.Application, error) {
	path, ok := applicationPath(appID)
	if !ok {
		return nil, fmt.Errorf("read application: %w", ErrMalformedAppID)
	}
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, fmt.Errorf("read application %s: %w", appID, err)
	}
	if answer.Status == http.StatusNotFound {
		if text, isText := answer.Text(); isText && strings.HasPrefix(text, "Could not find an application") {
			return nil, nil //nolint:nilnil // No application is an ordinary answer.
		}
		failure := answer.Err()
		failure.Cause, failure.Note = transport.Transient, "not from Storage itself: proves nothing about the application"
		return nil, fmt.Errorf("read application %s: %w", appID, failure)
	}
	var application altinn.Application
	if err := answer.Decode(&application); err != nil {
		return nil, fmt.Errorf("read application %s: %w", appID, err)
	}
	return &application, nil
}

// Orgs gives the codes of all organisations that have applications, sorted, letter case kept: the ones to walk for
// instances (Storage reference, 6). The list of applications is megabytes and is not held as a whole.
func (c *Client) Orgs(ctx context.Context) ([]string, error) {
	orgs := map[string]struct{}{}
	err := c.listApplications(ctx, func(id, org string) {
		if org == "" {
			org, _, _ = strings.Cut(id, "/")
		}
		if org != "" {
			orgs[org] = struct{}{}
		}
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(orgs)), nil
}

// AppIDs gives the ids of all applications, `org/app`, sorted, those of forms from the older platforms included.
func (c *Client) AppIDs(ctx context.Context) ([]string, error) {
	ids := map[string]struct{}{}
	err := c.listApplications(ctx, func(id, _ string) {
		if id != "" {
			ids[id] = struct{}{}
		}
	})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// listApplications gives each application's id and organisation, as they are received, to take.
func (c *Client) listApplications(ctx context.Context, take func(id, org string)) error {
	response, err := c.caller.Open(ctx, transport.Request{Method: http.MethodGet, Path: apiPath + "/applications"})
	if err != nil {
		return fmt.Errorf("list applications: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("list applications: %w", &transport.StatusError{
			Service: serviceName, Method: http.MethodGet, Route: apiPath + "/applications", Status: response.StatusCode,
		})
	}
	if err := readApplications(response.Body, take); err != nil {
		return fmt.Errorf("list applications: %w", err)
	}
	return nil
}

var errNoApplications = &PageError{Problem: "the list of applications has no applications member"}

func readApplications(body io.Reader, take func(id, org string)) error {
	decoder := json.NewDecoder(body)
	if err := enter(decoder, "applications"); err != nil {
		return err
	}
	for decoder.More() {
		var application struct {
			ID  string `json:"id"`
			Org string `json:"org"`
		}
		if err := decoder.Decode(&application); err != nil {
			return fmt.Errorf("read application in list: %w", err)
		}
		take(application.ID, application.Org)
	}
	if _, err := decoder.Token(); err != nil { // a list that was cut off has no end
		return fmt.Errorf("read list of applications: %w", err)
	}
	return nil
}

// enter moves the decoder into the list that is the member name of the outermost object.
func enter(decoder *json.Decoder, name string) error {
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return errNoApplications
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("read list of applications: %w", err)
		}
		if key == name {
			if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
				return errNoApplications
			}
			return nil
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return fmt.Errorf("read list of applications: %w", err)
		}
	}
	return errNoApplications
}
