package altinn2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/transport"
)

const (
	serviceName  = "altinn2"
	messagesPath = "/a2/v1/correspondences"
)

// MaxLimit is how many messages a page has at most.
const MaxLimit = 500

// Client calls the export. It is safe for use by many goroutines.
type Client struct {
	caller  transport.Caller
	content transport.Caller
}

// New makes a client of the export below baseURL; hc brings authentication, limits and retries (transport.NewClient). The bytes of
// attachments are read through content, since they take longer than other answers; nil: through hc.
func New(baseURL string, hc, content *http.Client) *Client {
	if content == nil {
		content = hc
	}
	return &Client{
		caller: transport.NewCaller(serviceName, baseURL, hc), content: transport.NewCaller(serviceName, baseURL, content),
	}
}

// Errors that callers branch on.
var (
	// ErrNoMessage tells that the export knows no such message: it answers for purged ones too.
	ErrNoMessage error = missingError{"the export has no such message"}
	// ErrNoContent tells that the message or its attachment is not there.
	ErrNoContent error = missingError{"the export has no such attachment"}
	// ErrCursor tells that a cursor is damaged or belongs to another walk: begin anew, from a time.
	ErrCursor = errors.New("the export refuses the cursor")
	// ErrOtherMessage tells that the export answered with a message other than the one asked for.
	ErrOtherMessage = errors.New("the export answered with another message")
)

type missingError struct{ text string }

func (e missingError) Error() string { return e.text }

// Permanent tells that asking again gives the same.
func (missingError) Permanent() bool { return true }

// problem is what a refusal says of itself.
type problem struct {
	Title  *string `json:"title"`
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
}

// refusal gives the meaning of an answer that is no success. A 404 is the export's own only if it is a problem document; another
// comes from a gateway and proves nothing (Invariant 11).
func refusal(answer *transport.Answer, missing error) error {
	failure := answer.Err()
	var document problem
	own := json.Unmarshal(answer.Body, &document) == nil && document.Title != nil
	switch {
	case answer.Status == http.StatusNotFound && own:
		return missing
	case answer.Status == http.StatusNotFound:
		failure.Cause, failure.Note = transport.Transient, "not from the export itself: proves nothing about the message"
	case answer.Status == http.StatusBadRequest && document.Code == "cursorInvalid":
		return ErrCursor
	case answer.Status == http.StatusNotImplemented:
		failure.Cause = transport.Transient // like every 5xx of this lane (17.4)
	case answer.Status == http.StatusForbidden:
		failure.Cause = transport.Systemic // rights to the export are for all messages or none
	}
	return failure
}

// Message reads one. Errors: ErrNoMessage, ErrOtherMessage, *transport.StatusError.
func (c *Client) Message(ctx context.Context, id int32) (*Message, error) {
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: messagePath(id)})
	if err != nil {
		return nil, fmt.Errorf("read message %d: %w", id, err)
	}
	if !answer.IsSuccess() {
		return nil, fmt.Errorf("read message %d: %w", id, refusal(answer, ErrNoMessage))
	}
	var message Message
	if err := answer.Decode(&message); err != nil {
		return nil, fmt.Errorf("read message %d: %w", id, err)
	}
	if message.ID != id {
		return nil, fmt.Errorf("read message %d: %w", id, ErrOtherMessage)
	}
	return &message, nil
}

func messagePath(id int32) string { return messagesPath + "/" + strconv.Itoa(int(id)) }

// Count tells how many messages there are.
type Count struct {
	Count int64
	// Days has the counts of days, UTC, if they were asked for; days without a message may be left out.
	Days []DayCount
}

// DayCount is the count of one day.
type DayCount struct {
	Day   string `json:"day"` // 2006-01-02
	Count int64  `json:"count"`
}

// CountBetween counts the messages created in [from, to), of one resource or, with an empty one, of all; by days if byDay.
func (c *Client) CountBetween(ctx context.Context, from, to time.Time, resourceID string, byDay bool) (Count, error) {
	q := url.Values{"createdFrom": {instant(from)}, "createdTo": {instant(to)}}
	if resourceID != "" {
		q.Set("resourceId", resourceID)
	}
	if byDay {
		q.Set("groupBy", "day")
	}
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: messagesPath + "/count", Query: q.Encode()})
	if err != nil {
		return Count{}, fmt.Errorf("count messages: %w", err)
	}
	if !answer.IsSuccess() {
		return Count{}, fmt.Errorf("count messages: %w", refusal(answer, answer.Err()))
	}
	var counted struct {
		Count *int64     `json:"count"`
		Days  []DayCount `json:"days"`
	}
	if err := answer.Decode(&counted); err != nil {
		return Count{}, fmt.Errorf("count messages: %w", err)
	}
	total := Count{Days: counted.Days}
	if counted.Count != nil {
		total.Count = *counted.Count
		return total, nil
	}
	for _, day := range counted.Days {
		total.Count += day.Count
	}
	return total, nil
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
