package correspondence

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const migrationPath = "/correspondence/api/v1/migration"

const (
	contentTypeJSON   = "application/json"
	contentTypeBytes  = "application/octet-stream"
	headerContentType = "Content-Type"
	// maxAnswer bounds what is read of an answer, in bytes: a list of 500 items with the texts of their errors stays far below.
	maxAnswer = 32 << 20
)

// Client calls the migration endpoints. It is safe for use by many goroutines.
type Client struct {
	baseURL string
	client  *http.Client
	uploads *http.Client
}

// New makes a client of the Correspondence below baseURL (`https://platform.altinn.no`). hc makes all calls but uploads, which
// take longer than others: up to 2 GB each. nil is http.DefaultClient, for uploads whatever hc is.
func New(baseURL string, hc, uploads *http.Client) *Client {
	if hc == nil {
		hc = http.DefaultClient
	}
	if uploads == nil {
		uploads = hc
	}
	return &Client{baseURL: strings.TrimRight(baseURL, "/"), client: hc, uploads: uploads}
}

// post sends a JSON body and reads the answer into answered; any answer other than 2xx is an *Error.
func (c *Client) post(ctx context.Context, path string, body, answered any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write request to correspondence: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+migrationPath+path, bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("request to correspondence: %w", err)
	}
	r.Header.Set(headerContentType, contentTypeJSON)
	return send(c.client, r, answered)
}

func send(client *http.Client, r *http.Request, answered any) error {
	r.Header.Set("Accept", contentTypeJSON)
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("call correspondence: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer of correspondence: %w", err)
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return newError(response, body)
	}
	if err := json.Unmarshal(body, answered); err != nil {
		return fmt.Errorf("read answer of correspondence: %w", err)
	}
	return nil
}
