package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Rehearsal collects, in order, the requests that a dry run did not send. Its zero value is ready; it is safe for use
// by several stacks at once.
type Rehearsal struct {
	// Answer may give the answer to a captured request instead of the built-in ones; nil or a nil answer: built in.
	Answer func(r *http.Request, body []byte) *http.Response

	mu      sync.Mutex
	planned []PlannedRequest
}

// PlannedRequest is one request that would change something, as it would be sent, without token and gateway key.
type PlannedRequest struct {
	Method  string               `json:"method"`
	Path    string               `json:"path"`
	Query   map[string]OneOrMany `json:"query"`
	Headers map[string]string    `json:"headers"`
	Body    json.RawMessage      `json:"body,omitempty"`
	Omitted *OmittedBody         `json:"omittedBody,omitempty"`
}

// OmittedBody stands for a body that is not JSON.
type OmittedBody struct {
	ContentType string `json:"contentType"`
	Bytes       int64  `json:"bytes"`
}

// OneOrMany is the value of a query parameter: a JSON string, or a list of them when the parameter is repeated.
type OneOrMany []string

// MarshalJSON writes a single value as a string.
func (v OneOrMany) MarshalJSON() ([]byte, error) {
	var shown any = []string(v)
	if len(v) == 1 {
		shown = v[0]
	}
	encoded, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("write query values: %w", err)
	}
	return encoded, nil
}

// Planned gives what was captured so far.
func (p *Rehearsal) Planned() []PlannedRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.planned)
}

// rehearse is the dry run: it stands outside of everything else, so that what would change something reaches no
// network, needs no token and leaves no trace in metrics. Reads go through.
type rehearse struct {
	next      http.RoundTripper
	rehearsal *Rehearsal
}

func (h rehearse) RoundTrip(r *http.Request) (*http.Response, error) {
	if isRead(r) {
		return h.next.RoundTrip(r)
	}
	var body []byte
	var planned PlannedRequest
	if r.Header.Get("Content-Type") == mediaTypeBytes && r.ContentLength >= 0 {
		// A file may have gigabytes: its length is known without reading it.
		closeBody(r)
		planned = plan(r, nil)
		planned.Omitted = &OmittedBody{ContentType: mediaTypeBytes, Bytes: r.ContentLength}
	} else {
		var err error
		if body, err = readBody(r); err != nil {
			return nil, err
		}
		planned = plan(r, body)
	}
	h.rehearsal.add(planned)
	if h.rehearsal.Answer != nil {
		if response := h.rehearsal.Answer(r, body); response != nil {
			return response, nil
		}
	}
	return plausibleAnswer(r, body), nil
}

const mediaTypeBytes = "application/octet-stream"

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read request body: %w", err)
	}
	return body, nil
}

func (p *Rehearsal) add(request PlannedRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.planned = append(p.planned, request)
}

// isRead tells whether a request changes nothing. Register's look-ups are POSTs.
func isRead(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "":
		return true
	case http.MethodPost:
		return strings.HasSuffix(r.URL.Path, "/parties/query") || strings.HasSuffix(r.URL.Path, "/parties/lookup")
	default:
		return false
	}
}

func plan(r *http.Request, body []byte) PlannedRequest {
	planned := PlannedRequest{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: map[string]OneOrMany{}, Headers: map[string]string{},
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		for name, values := range query {
			planned.Query[name] = values
		}
	}
	for name, values := range r.Header {
		switch name {
		case "Authorization", headerSubscriptionKey, headerTraceParent, headerUserAgent:
		default:
			planned.Headers[name] = strings.Join(values, ", ")
		}
	}
	switch {
	case len(body) == 0:
	case json.Valid(body):
		planned.Body = body
	default:
		planned.Omitted = &OmittedBody{ContentType: r.Header.Get("Content-Type"), Bytes: int64(len(body))}
	}
	return planned
}

// plausibleAnswer is what the service would most likely have said: 201 with the id of the body for a create, 200 for
// Storage's data values, else 204; each with a fresh revision.
func plausibleAnswer(r *http.Request, body []byte) *http.Response {
	header := http.Header{"Etag": {uuid.NewString()}}
	const jsonType = "application/json"
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/dialogs"):
		var created struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(body, &created) != nil || created.ID == "" {
			created.ID = uuid.NewString()
		}
		header.Set("Content-Type", jsonType)
		return answer(r, http.StatusCreated, header, `"`+created.ID+`"`)
	case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/datavalues"):
		header.Set("Content-Type", jsonType)
		return answer(r, http.StatusOK, header, "{}")
	default:
		return answer(r, http.StatusNoContent, header, "")
	}
}

func answer(r *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r,
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}
