package altinn2

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/transport"
)

// Listed is an entry of a page: a message, or what could not be read as one. A malformed record must not hide its neighbours
// (Invariant 8).
type Listed struct {
	// ID and Created are what can be known of a malformed record too; zero where they cannot.
	ID      int32
	Created time.Time
	// Message is nil when Err is set.
	Message *Message
	Err     error
	// Raw is the record itself where it has no number to tell it by; it may hold a person.
	Raw json.RawMessage
}

// Page is a page of a walk.
type Page struct {
	Items []Listed
	// NextCursor goes on from here. Empty: the walk of history is at its end; the walk of changes never is.
	NextCursor string
	// HasMore tells whether the next page has something now.
	HasMore bool
	// AsOf is how far, in time, the export is complete.
	AsOf time.Time
}

// ChangesQuery asks for changes, oldest first. The zero value begins at the start.
type ChangesQuery struct {
	// Cursor goes on from a page; empty: Since counts.
	Cursor string
	// Since is where a walk without a cursor begins; zero: at the start.
	Since time.Time
	// Limit is messages a page, 1 to MaxLimit; 0: the export's own default.
	Limit int
	// ResourceID narrows to one resource; empty: all.
	ResourceID string
}

// Changes reads a page of changes in ascending order of their number. A message changed again comes again. Errors: ErrCursor,
// *transport.StatusError.
func (c *Client) Changes(ctx context.Context, query ChangesQuery) (*Page, error) {
	q := pageQuery(query.Cursor, query.ResourceID, query.Limit)
	if query.Cursor == "" && !query.Since.IsZero() {
		q.Set("since", instant(query.Since))
	}
	page, err := c.page(ctx, "/changes", q)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	return page, nil
}

// HistoryQuery asks for messages by their creation, newest first and within an instant by the greater id first (P2b).
type HistoryQuery struct {
	// Cursor goes on from a page; empty: CreatedBefore counts.
	Cursor string
	// CreatedBefore is where a walk begins, exclusive; CreatedFrom where it ends, inclusive; zero: with the oldest.
	CreatedBefore, CreatedFrom time.Time
	// Limit and ResourceID are as for changes.
	Limit      int
	ResourceID string
}

// History reads a page. Errors are as for Changes.
func (c *Client) History(ctx context.Context, query HistoryQuery) (*Page, error) {
	q := pageQuery(query.Cursor, query.ResourceID, query.Limit)
	// The cursor carries a fingerprint of these, so they go along with it.
	q.Set("createdBefore", instant(query.CreatedBefore))
	if !query.CreatedFrom.IsZero() {
		q.Set("createdFrom", instant(query.CreatedFrom))
	}
	page, err := c.page(ctx, "/history", q)
	if err != nil {
		return nil, fmt.Errorf("list history: %w", err)
	}
	return page, nil
}

func pageQuery(cursor, resourceID string, limit int) url.Values {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if resourceID != "" {
		q.Set("resourceId", resourceID)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(min(limit, MaxLimit)))
	}
	return q
}

func (c *Client) page(ctx context.Context, path string, q url.Values) (*Page, error) {
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: messagesPath + path, Query: q.Encode()})
	if err != nil {
		return nil, err
	}
	if !answer.IsSuccess() {
		return nil, refusal(answer, answer.Err())
	}
	var raw struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"nextCursor"`
		HasMore    bool              `json:"hasMore"`
		AsOf       time.Time         `json:"asOf"`
	}
	if err := answer.Decode(&raw); err != nil {
		return nil, err
	}
	page := &Page{HasMore: raw.HasMore, AsOf: raw.AsOf, Items: make([]Listed, 0, len(raw.Items))}
	if raw.NextCursor != nil {
		page.NextCursor = *raw.NextCursor
	}
	for _, item := range raw.Items {
		page.Items = append(page.Items, listed(item))
	}
	return page, nil
}

func listed(raw json.RawMessage) Listed {
	var message Message
	if err := json.Unmarshal(raw, &message); err != nil {
		var key struct {
			ID      int32     `json:"altinn2CorrespondenceId"`
			Created time.Time `json:"created"`
		}
		_ = json.Unmarshal(raw, &key) // as far as it goes
		return Listed{ID: key.ID, Created: key.Created, Err: fmt.Errorf("read record of message %d: %w", key.ID, err), Raw: rawOf(key.ID, raw)}
	}
	return Listed{ID: message.ID, Created: message.Created, Message: &message, Raw: rawOf(message.ID, raw)}
}

// rawOf keeps a record that has no number.
func rawOf(id int32, raw json.RawMessage) json.RawMessage {
	if id > 0 {
		return nil
	}
	return raw
}
