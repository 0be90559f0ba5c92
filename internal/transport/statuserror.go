package transport

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

// StatusError is an answer that a client did not want. Its text has no ids of people: the route is a template and the
// body is left out, since services put values into their messages.
type StatusError struct {
	// Service and Route name the call; Route has no ids in it.
	Service, Method, Route string
	// Status is the answer's.
	Status int
	// Keys are the keys of a problem document's errors object; empty when there is none.
	Keys []string
	// RetryAfter is the wait the service asked for, 0 for none.
	RetryAfter time.Duration
	// Cause overrides what the status means; 0: the status's own meaning.
	Cause Class
	// Note is a fixed text that tells what was understood of the body; empty: nothing.
	Note string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answered %s %s with %d", e.Service, e.Method, e.Route, e.Status)
	if len(e.Keys) > 0 {
		text += " [" + strings.Join(e.Keys, ", ") + "]"
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	return text
}

// HTTPStatus is the status of the answer.
func (e *StatusError) HTTPStatus() int { return e.Status }

// WaitAsked is the wait the service asked for, 0 for none.
func (e *StatusError) WaitAsked() time.Duration { return e.RetryAfter }

// ProblemKeys are the keys of the problem document's errors object.
func (e *StatusError) ProblemKeys() []string { return e.Keys }

// Systemic tells whether the answer is about the whole system, whatever its status.
func (e *StatusError) Systemic() bool { return e.Cause == Systemic }

// Transient tells whether the answer is expected to change, whatever its status.
func (e *StatusError) Transient() bool { return e.Cause == Transient }

// Gone tells whether the answer can only mean "removed", whatever its status.
func (e *StatusError) Gone() bool { return e.Cause == Gone }

// Permanent tells whether the answer stays, whatever its status.
func (e *StatusError) Permanent() bool { return e.Cause == Permanent }

// newStatusError reads what is safe to keep of an answer.
func newStatusError(service string, request *http.Request, response *http.Response, body []byte) *StatusError {
	return &StatusError{
		Service: service, Method: request.Method, Route: RouteTemplate(request.URL.Path), Status: response.StatusCode,
		Keys: problemKeys(body), RetryAfter: httpanswer.RetryAfter(response.Header, time.Now()),
	}
}
