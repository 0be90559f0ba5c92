package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
)

const tokenParameter = "continuationToken"

// Page is one page of instances.
type Page struct {
	Instances []Listed
	// NextToken is opaque, for Query.Token; empty on the last page. Don't keep it: keep times.
	NextToken string
	// Full tells that the page has as many rows as were asked for, so that more may follow.
	Full bool
}

// Listed is one row of a page. A row that cannot be read is a bad item and not a failed page.
type Listed struct {
	// Raw is the row as received.
	Raw json.RawMessage
	// Instance is nil when Err is not.
	Instance *altinn.Instance
	// ID is the instance's, zero when Err is not nil.
	ID  altinn.InstanceID
	Err error
}

// PageError tells that a page cannot be trusted. Asking again may give a better one.
type PageError struct{ Problem string }

func (e *PageError) Error() string { return "page of instances: " + e.Problem }

// Transient tells that the walk's items are not to blame.
func (e *PageError) Transient() bool { return true }

// envelope is the answer to a listing (Storage reference, 3.7). Instances is nil when the member is missing.
type envelope struct {
	Next      *string            `json:"next"`
	Instances *[]json.RawMessage `json:"instances"`
}

// ListInstances asks for one page. Errors: ErrDescendingToken, ErrUnboundedQuery, *PageError, *transport.StatusError.
func (c *Client) ListInstances(ctx context.Context, q Query) (Page, error) {
	query, err := q.encode()
	if err != nil {
		return Page{}, fmt.Errorf("list instances: %w", err)
	}
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: instancesPath, Query: query})
	if err != nil {
		return Page{}, fmt.Errorf("list instances: %w", err)
	}
	if !answer.IsSuccess() {
		return Page{}, fmt.Errorf("list instances: %w", listingError(answer))
	}
	var received envelope
	if err := answer.Decode(&received); err != nil {
		return Page{}, fmt.Errorf("list instances: %w", err)
	}
	page, err := received.page(q)
	if err != nil {
		return Page{}, fmt.Errorf("list instances: %w", err)
	}
	return page, nil
}

func (e envelope) page(q Query) (Page, error) {
	if e.Instances == nil {
		return Page{}, &PageError{Problem: "the answer has no instances member"}
	}
	page := Page{Instances: make([]Listed, 0, len(*e.Instances)), Full: len(*e.Instances) >= q.size()}
	for _, raw := range *e.Instances {
		page.Instances = append(page.Instances, readListed(raw))
	}
	if e.Next == nil || *e.Next == "" {
		return page, nil
	}
	token, err := tokenOf(*e.Next)
	if err != nil {
		return Page{}, err
	}
	if !q.Descending && goesBack(q, token) {
		return Page{}, &PageError{Problem: "the continuation token goes back in time"}
	}
	page.NextToken = token
	return page, nil
}

func readListed(raw json.RawMessage) Listed {
	var instance *altinn.Instance
	if err := json.Unmarshal(raw, &instance); err != nil {
		return Listed{Raw: raw, Err: fmt.Errorf("read listed instance: %w", err)}
	}
	if instance == nil {
		return Listed{Raw: raw, Err: errNullInstance}
	}
	id, err := instance.InstanceID()
	if err != nil {
		return Listed{Raw: raw, Err: fmt.Errorf("read listed instance: %w", err)}
	}
	return Listed{Raw: raw, Instance: instance, ID: id}
}

var errNullInstance = errors.New("read listed instance: null")

// tokenOf takes the token out of a `next` link. The link's host is never called: it is always the public one, and a
// token or gateway key must not follow it. The token is encoded twice and decoded once here, so that encoding it for
// the next request gives what the link said.
func tokenOf(next string) (string, error) {
	link, err := url.Parse(next)
	if err != nil {
		return "", &PageError{Problem: "the next link is malformed"}
	}
	if !strings.HasSuffix(link.Path, instancesPath) {
		return "", &PageError{Problem: "the next link leads elsewhere"}
	}
	// By hand: url.ParseQuery drops parameters with a raw semicolon.
	for parameter := range strings.SplitSeq(link.RawQuery, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(name, tokenParameter) {
			continue
		}
		if token, err := url.QueryUnescape(value); err == nil && token != "" {
			return token, nil
		}
	}
	return "", &PageError{Problem: "the next link has no continuation token"}
}

// goesBack finds the token of a row without a last-changed time, which would start the walk anew (Storage reference,
// 3.6). A token whose inside is not understood is left alone.
func goesBack(q Query, token string) bool {
	next, ok := ticksOf(token)
	if !ok {
		return false
	}
	for _, bound := range [...]time.Time{q.From, q.At} {
		if !bound.IsZero() && next < ticksOfTime(bound) {
			return true
		}
	}
	before, ok := ticksOf(q.Token)
	return ok && next < before
}

func ticksOf(token string) (int64, bool) {
	if decoded, err := url.QueryUnescape(token); err == nil {
		token = decoded
	}
	first, _, found := strings.Cut(token, ";")
	if !found {
		return 0, false
	}
	ticks, err := strconv.ParseInt(first, 10, 64)
	return ticks, err == nil
}

// ticksOfTime counts 100 ns since year 1, at the microsecond that PostgreSQL keeps.
func ticksOfTime(t time.Time) int64 {
	const ticksAtUnixEpoch, ticksAMicrosecond = 621355968000000000, 10
	return t.UnixMicro()*ticksAMicrosecond + ticksAtUnixEpoch
}

// listingError reads an answer other than a page (Storage reference, 3.8).
func listingError(answer *transport.Answer) error {
	failure := answer.Err()
	if answer.Status != http.StatusBadRequest {
		return failure
	}
	text, isText := answer.Text()
	lower := strings.ToLower(text)
	switch {
	case isText && (strings.Contains(lower, "stream") || strings.Contains(lower, "timeout")):
		failure.Cause, failure.Note = transport.Transient, "a database timeout, as older deployments report it"
	case !isText && len(failure.Keys) == 0:
		failure.Cause, failure.Note = transport.Systemic, "the token has no organisation claim"
	}
	return failure
}
