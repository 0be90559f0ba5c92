package storage

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

// Languages are the languages dialogs are written in, in the order they are asked for.
func Languages() []string { return []string{"nb", "nn", "en"} }

// Texts reads an application's texts in one language; nil when there are none. A gateway's HTML page does not count as
// that.
func (c *Client) Texts(ctx context.Context, appID, language string) (*altinn.TextResource, error) {
	path, ok := applicationPath(appID)
	if !ok {
		return nil, fmt.Errorf("read texts: %w", ErrMalformedAppID)
	}
	answer, err := c.caller.Call(ctx, transport.Request{
		Method: http.MethodGet, Path: path + "/texts/" + url.PathEscape(language),
	})
	if err != nil {
		return nil, fmt.Errorf("read texts of %s in %s: %w", appID, language, err)
	}
	if answer.Status == http.StatusNotFound {
		if !strings.Contains(answer.MediaType(), "html") {
			return nil, nil //nolint:nilnil // No texts is an ordinary answer.
		}
		failure := answer.Err()
		failure.Cause, failure.Note = transport.Transient, "not from Storage itself: proves nothing about the texts"
		return nil, fmt.Errorf("read texts of %s in %s: %w", appID, language, failure)
	}
	var texts altinn.TextResource
	if err := answer.Decode(&texts); err != nil {
		return nil, fmt.Errorf("read texts of %s in %s: %w", appID, language, err)
	}
	if texts.Language == "" {
		texts.Language = language
	}
	return &texts, nil
}
