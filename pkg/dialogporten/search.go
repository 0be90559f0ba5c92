package dialogporten

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MaxSearchLimit is the largest page of a search.
const MaxSearchLimit = 1000

// SearchQuery asks for the dialogs of the token's own organisation, in the order of their creation. Search needs its own
// scope; admins see no more than others (Dialogporten reference, 10).
type SearchQuery struct {
	// Labels must all be there. A trailing `*` makes one a prefix, in which `_` and `%` are wildcards. The service compares
	// in lower case.
	Labels []string
	// ServiceResources: one of them, at most 20; empty: any.
	ServiceResources []string
	// Deleted tells what of soft-deleted dialogs; default DeletedInclude.
	Deleted DeletedFilter
	// CreatedAfter and CreatedBefore bound createdAt, both included; zero: no bound.
	CreatedAfter, CreatedBefore time.Time
	// Limit is the size of a page, 1–1000; default 100.
	Limit int
	// Token is the page before's.
	Token string
}

func (q SearchQuery) values() url.Values {
	values := url.Values{"orderBy": {"createdAt_asc"}, "deleted": {string(DeletedInclude)}}
	if q.Deleted != "" {
		values.Set("deleted", string(q.Deleted))
	}
	for _, label := range q.Labels {
		values.Add("serviceOwnerLabels", label)
	}
	for _, resource := range q.ServiceResources {
		values.Add("serviceResource", resource)
	}
	setTime(values, "createdAfter", q.CreatedAfter)
	setTime(values, "createdBefore", q.CreatedBefore)
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(min(q.Limit, MaxSearchLimit)))
	}
	if q.Token != "" {
		values.Set("continuationToken", q.Token)
	}
	return values
}

func setTime(values url.Values, name string, t time.Time) {
	if !t.IsZero() {
		values.Set(name, TimeOf(t).String())
	}
}

// Search gives one page. A 404 is an empty page.
func (c *Client) Search(ctx context.Context, q SearchQuery) (SearchPage, error) {
	answer, err := c.call(ctx, request{method: http.MethodGet, path: dialogsPath, query: q.values()})
	if isStatus(err, http.StatusNotFound) {
		return SearchPage{}, nil
	}
	if err != nil {
		return SearchPage{}, fmt.Errorf("search dialogs: %w", err)
	}
	var page SearchPage
	if err := json.Unmarshal(answer.body, &page); err != nil {
		return SearchPage{}, fmt.Errorf("search dialogs: %w", err)
	}
	return page, nil
}

// SearchByLabel gives the dialogs that carry a label, soft-deleted ones included. Of a label that ought to be on one
// dialog the first page tells enough.
func (c *Client) SearchByLabel(ctx context.Context, label string) (SearchPage, error) {
	return c.Search(ctx, SearchQuery{Labels: []string{label}})
}

// ErrNoContinuation tells that a page announces another one and does not say where.
var ErrNoContinuation = errors.New("the page of dialogs has no token for the next one")

// SearchAll walks all pages, of 1,000 dialogs if the query does not say. It ends after the first error. Dialogs created
// during the walk are met at its end.
func (c *Client) SearchAll(ctx context.Context, q SearchQuery) iter.Seq2[DialogListItem, error] {
	if q.Limit <= 0 {
		q.Limit = MaxSearchLimit
	}
	return func(yield func(DialogListItem, error) bool) {
		for {
			page, err := c.Search(ctx, q)
			if err != nil {
				yield(DialogListItem{}, err)
				return
			}
			for i := range page.Items {
				if !yield(page.Items[i], nil) {
					return
				}
			}
			if !page.HasNextPage {
				return
			}
			if page.ContinuationToken == nil || *page.ContinuationToken == "" || *page.ContinuationToken == q.Token {
				yield(DialogListItem{}, ErrNoContinuation)
				return
			}
			q.Token = *page.ContinuationToken
		}
	}
}
