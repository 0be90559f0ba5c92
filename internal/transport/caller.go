package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Media types of requests and answers.
const (
	MediaTypeJSON        = "application/json"
	MediaTypeProblemJSON = "application/problem+json"
)

// Caller makes the calls of one of Altinn's services: a request with an optional JSON body, an answer read whole.
type Caller struct {
	// Service names it in errors.
	Service string
	// BaseURL has no final slash.
	BaseURL string
	// Client sends.
	Client *http.Client
}

// NewCaller gives a caller; client nil means http.DefaultClient.
func NewCaller(service, baseURL string, client *http.Client) Caller {
	if client == nil {
		client = http.DefaultClient
	}
	return Caller{Service: service, BaseURL: strings.TrimRight(baseURL, "/"), Client: client}
}

// Request is one call. Path and Query are escaped as they shall stand in the URL; Query has no question mark.
type Request struct {
	Method string
	Path   string
	Query  string
	// Body is sent as JSON; nil: no body.
	Body any
}

// Answer is an answer read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	service  string
	response *http.Response
}

// IsSuccess tells whether the status is 2xx.
func (a *Answer) IsSuccess() bool { return a.Status/100 == http.StatusOK/100 }

// MediaType is the answer's content type without parameters, in lower case.
func (a *Answer) MediaType() string {
	mediaType, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// Text is the body when it is one JSON string, as Storage's error bodies are.
func (a *Answer) Text() (string, bool) {
	var text *string
	if json.Unmarshal(a.Body, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// Err is the answer as an error with its status's own meaning.
func (a *Answer) Err() *StatusError {
	return newStatusError(a.service, a.response.Request, a.response, a.Body)
}

// Decode reads the body of a successful answer into v; any other answer is a *StatusError.
func (a *Answer) Decode(v any) error {
	if !a.IsSuccess() {
		return a.Err()
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("read answer of %s: %w", a.service, err)
	}
	return nil
}

// Call sends the request and reads the answer, whatever its status. An error means that there was no whole answer.
func (c Caller) Call(ctx context.Context, request Request) (*Answer, error) {
	response, err := c.Open(ctx, request) //nolint:bodyclose // ReadAnswer closes it
	if err != nil {
		return nil, err
	}
	return ReadAnswer(c.Service, response)
}

// ReadAnswer reads a service's answer whole and closes it.
func ReadAnswer(service string, response *http.Response) (*Answer, error) {
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", service, err)
	}
	return &Answer{
		Status: response.StatusCode, Header: response.Header, Body: body, service: service, response: response,
	}, nil
}

// Open sends the request and leaves the answer's body to the caller, who must close it.
func (c Caller) Open(ctx context.Context, request Request) (*http.Response, error) {
	target := c.BaseURL + request.Path
	if request.Query != "" {
		target += "?" + request.Query
	}
	var body io.Reader
	if request.Body != nil {
		encoded, err := json.Marshal(request.Body)
		if err != nil {
			return nil, fmt.Errorf("write request to %s: %w", c.Service, err)
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, request.Method, target, body)
	if err != nil {
		return nil, fmt.Errorf("request to %s: %w", c.Service, err)
	}
	r.Header.Set("Accept", MediaTypeJSON)
	if body != nil {
		r.Header.Set("Content-Type", MediaTypeJSON)
	}
	response, err := c.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", c.Service, err)
	}
	return response, nil
}

// problemKeys gives the keys of a problem document's errors object, sorted; nil when body is something else.
func problemKeys(body []byte) []string {
	var problem struct {
		Errors map[string]json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &problem) != nil || len(problem.Errors) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(problem.Errors))
	for i, key := range keys {
		if !memberPath.MatchString(key) {
			keys[i] = "?" // it might say anything
		}
	}
	return keys
}

// memberPath is what keys of errors look like: `size`, `instanceOwner.partyId`, `data[3]`.
var memberPath = regexp.MustCompile(`^[$A-Za-z][A-Za-z0-9_.\[\]-]{0,99}$`)
