package faults

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// keptPage is a page that was sent.
type keptPage struct{ answer *kept }

// maxWalks is how many walks a rule remembers the last page of.
const maxWalks = 64

// walkOf is what the requests of a walk have in common: all of the query but where they are.
func walkOf(r *http.Request) string {
	var out strings.Builder
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(name, "lastChanged") && !strings.EqualFold(name, "continuationToken") {
			// The service's own links spell values in another way than its callers do.
			if plain, err := url.QueryUnescape(pair); err == nil {
				pair = plain
			}
			out.WriteString(pair + "&")
		}
	}
	return out.String()
}

// repeatPage sends the page before, when there is one and struck says so, and remembers this one.
func (i *Injector) repeatPage(r *rule, before *keptPage, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		page := keep(next, request)
		if read, ok := readPage(page); ok && read.Count > 0 {
			i.mu.Lock()
			if r.pages == nil || len(r.pages) >= maxWalks {
				r.pages = map[string]*keptPage{}
			}
			r.pages[walkOf(request)] = &keptPage{answer: page}
			i.mu.Unlock()
		}
		if before != nil {
			page = before.answer
		}
		page.send(w)
	})
}

// missingPage sends the page after the one that is asked for. A last page is sent as it is.
func missingPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := keep(next, r)
		if read, ok := readPage(page); ok && read.Next != nil {
			if link, err := url.Parse(*read.Next); err == nil {
				skipped := r.Clone(r.Context())
				skipped.URL.RawQuery = link.RawQuery
				page = keep(next, skipped)
			}
		}
		page.send(w)
	})
}

type envelope struct {
	Count int     `json:"count"`
	Next  *string `json:"next"`
}

func readPage(page *kept) (envelope, bool) {
	var read envelope
	return read, page.status == http.StatusOK && json.Unmarshal(page.body.Bytes(), &read) == nil
}
