package dialogporten

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	dialogsPath = "/api/v1/serviceowner/dialogs"
	// maxBody is what the service takes, in bytes. Beyond it the cloud may answer with a reset connection or a 503, which
	// would look like a system that is down (Dialogporten reference, 15).
	maxBody = 20_000_000
)

const (
	contentTypeJSON   = "application/json"
	headerContentType = "Content-Type"
	headerIfMatch     = "If-Match"
	headerETag        = "ETag"
)

// Client calls Dialogporten. It is safe for use by many goroutines.
type Client struct {
	baseURL string
	client  *http.Client
}

// New makes a client of the Dialogporten at baseURL, which ends before `/api/v1`
// (`https://platform.altinn.no/dialogporten`). hc brings authentication, limits and retries; nil is http.DefaultClient.
func New(baseURL string, hc *http.Client) *Client {
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{baseURL: strings.TrimRight(baseURL, "/"), client: hc}
}

// Get reads a dialog, soft-deleted ones included; nil when there is none.
func (c *Client) Get(ctx context.Context, id uuid.UUID) (*Dialog, error) {
	answer, err := c.call(ctx, request{method: http.MethodGet, path: dialogPath(id)})
	if isStatus(err, http.StatusNotFound) && !isMisrouted(err) {
		return nil, nil //nolint:nilnil // No dialog is an ordinary answer.
	}
	if err != nil {
		return nil, fmt.Errorf("get dialog %s: %w", id, err)
	}
	var dialog Dialog
	if err := json.Unmarshal(answer.body, &dialog); err != nil {
		return nil, fmt.Errorf("get dialog %s: %w", id, err)
	}
	return &dialog, nil
}

// Create makes a dialog and gives its revision. A repeated create fails with an error for which IsAlreadyExists is true;
// that does not tell whether the content is the same.
func (c *Client) Create(ctx context.Context, dialog CreateDialog, silent bool) (revision uuid.UUID, err error) {
	answer, err := c.call(ctx, request{method: http.MethodPost, path: dialogsPath, query: silentQuery(silent), body: dialog})
	if err != nil {
		return uuid.Nil, fmt.Errorf("create dialog %s: %w", dialog.ID, err)
	}
	return answer.revision("create dialog", dialog.ID)
}

// Update replaces a dialog's content and appends its new activities and transmissions, if its revision is still the
// given one, and gives the new revision. An update without effect leaves the revision as it is.
func (c *Client) Update(
	ctx context.Context, id, revision uuid.UUID, dialog UpdateDialog, silent bool,
) (newRevision uuid.UUID, err error) {
	answer, err := c.call(ctx, request{
		method: http.MethodPut, path: dialogPath(id), query: silentQuery(silent), revision: revision, body: dialog,
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("update dialog %s: %w", id, err)
	}
	return answer.revision("update dialog", id)
}

// Delete marks a dialog as deleted, if its revision is still the given one.
func (c *Client) Delete(ctx context.Context, id, revision uuid.UUID, silent bool) error {
	_, err := c.call(ctx, request{
		method: http.MethodDelete, path: dialogPath(id), query: silentQuery(silent), revision: revision,
	})
	if err != nil {
		return fmt.Errorf("delete dialog %s: %w", id, err)
	}
	return nil
}

// Purge removes a dialog for good, if its revision is still the given one. It cannot be undone.
func (c *Client) Purge(ctx context.Context, id, revision uuid.UUID, silent bool) error {
	_, err := c.call(ctx, request{
		method: http.MethodPost, path: dialogPath(id) + "/actions/purge", query: silentQuery(silent), revision: revision,
	})
	if err != nil {
		return fmt.Errorf("purge dialog %s: %w", id, err)
	}
	return nil
}

// Restore takes back a deletion, if the dialog's revision is still the given one, and gives the new revision. A dialog
// that is not deleted keeps its revision.
func (c *Client) Restore(ctx context.Context, id, revision uuid.UUID, silent bool) (newRevision uuid.UUID, err error) {
	answer, err := c.call(ctx, request{
		method: http.MethodPost, path: dialogPath(id) + "/actions/restore", query: silentQuery(silent), revision: revision,
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("restore dialog %s: %w", id, err)
	}
	return answer.revision("restore dialog", id)
}

// UpdateFormSavedTime moves the time of a FormSaved activity, if the dialog's revision is still the given one, and gives
// the new revision. It is always silent and needs the admin scope. A time more than 15 seconds ahead is answered by 500.
func (c *Client) UpdateFormSavedTime(
	ctx context.Context, id, activityID uuid.UUID, at time.Time, revision uuid.UUID,
) (newRevision uuid.UUID, err error) {
	answer, err := c.call(ctx, request{
		method: http.MethodPost, path: dialogPath(id) + "/activities/" + activityID.String() + "/actions/updateFormSavedActivityTime",
		revision: revision, body: TimeOf(at),
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("move activity %s of dialog %s: %w", activityID, id, err)
	}
	return answer.revision("move activity of dialog", id)
}

func dialogPath(id uuid.UUID) string { return dialogsPath + "/" + id.String() }

// silentQuery is always sent, whatever its value.
func silentQuery(silent bool) url.Values {
	return url.Values{"isSilentUpdate": {strconv.FormatBool(silent)}}
}

// request is one call. A zero revision sends no If-Match, a nil body no body.
type request struct {
	method, path string
	query        url.Values
	revision     uuid.UUID
	body         any
}

type answer struct {
	header http.Header
	body   []byte
}

// call sends a request and reads its answer; any other than 2xx is an *Error.
func (c *Client) call(ctx context.Context, q request) (*answer, error) {
	r, err := c.newRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call dialogporten: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of dialogporten: %w", err)
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return nil, newError(response, body)
	}
	return &answer{header: response.Header, body: body}, nil
}

func (c *Client) newRequest(ctx context.Context, q request) (*http.Request, error) {
	target := c.baseURL + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	var body io.Reader
	if q.body != nil {
		encoded, err := json.Marshal(q.body)
		if err != nil {
			return nil, fmt.Errorf("write request to dialogporten: %w", err)
		}
		if len(encoded) > maxBody {
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Title: "the body is over 20,000,000 bytes and was not sent"}
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("request to dialogporten: %w", err)
	}
	r.Header.Set("Accept", contentTypeJSON)
	if body != nil {
		r.Header.Set(headerContentType, contentTypeJSON)
	}
	if q.revision != uuid.Nil {
		r.Header.Set(headerIfMatch, q.revision.String())
	}
	return r, nil
}

// ErrNoRevision tells that an answer has no revision where one is needed. The write has been done: read the dialog again.
var ErrNoRevision error = noRevisionError{}

type noRevisionError struct{}

func (noRevisionError) Error() string {
	return "dialogporten's answer has no revision in its ETag header"
}

// Transient tells that reading the dialog again and repeating the write helps.
func (noRevisionError) Transient() bool { return true }

// revision reads the ETag: a bare uuid without quotes.
func (a *answer) revision(doing string, id uuid.UUID) (uuid.UUID, error) {
	const length = 36
	text := strings.TrimSpace(a.header.Get(headerETag))
	revision, err := uuid.Parse(text)
	if err != nil || len(text) != length {
		return uuid.Nil, fmt.Errorf("%s %s: %w", doing, id, ErrNoRevision)
	}
	return revision, nil
}

func isStatus(err error, status int) bool {
	var answered *Error
	return errors.As(err, &answered) && answered.Status == status
}
