package dialogporten

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

// Keys of a problem document's errors object that callers branch on (Dialogporten reference, 3).
const (
	KeyDialog        = "Dialog"
	KeyIdempotentKey = "IdempotentKey"
)

// Error is an answer other than 2xx. Its text has the status, the keys and the trace id: the messages quote what was
// sent, which may be a national identity number or a title.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Title and TraceID are the problem document's; empty when there was none.
	Title   string
	TraceID string
	// Detail is the problem document's. Like Errors it may quote what was sent: keep it out of logs.
	Detail string
	// Errors are the problem document's messages by key.
	Errors map[string][]string
	// RetryAfter is the wait the service asked for, 0 for none.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := "dialogporten answered " + strconv.Itoa(e.Status)
	if keys := e.ProblemKeys(); len(keys) > 0 {
		text += " [" + strings.Join(keys, ", ") + "]"
	}
	if e.has(KeyDialog, isKeyClash) {
		text += ": its id exists already"
	}
	if e.TraceID != "" {
		text += fmt.Sprintf(" (trace %s)", e.TraceID)
	}
	return text
}

// HTTPStatus is the status of the answer.
func (e *Error) HTTPStatus() int { return e.Status }

// WaitAsked is the wait the service asked for, 0 for none.
func (e *Error) WaitAsked() time.Duration { return e.RetryAfter }

// ProblemKeys are the keys of the messages, sorted. The key of a write race is empty and stands as `""`; one that is no path of
// a member stands as `?`, since it might say anything.
func (e *Error) ProblemKeys() []string {
	keys := slices.Sorted(maps.Keys(e.Errors))
	for i, key := range keys {
		switch {
		case key == "":
			keys[i] = `""`
		case !memberPath.MatchString(key):
			keys[i] = "?"
		}
	}
	return keys
}

// memberPath is what keys look like: `dto.attachments[0].urls[1].url`, `If-Match`, `DialogActivity`.
var memberPath = regexp.MustCompile(`^[$A-Za-z][A-Za-z0-9_.\[\]-]{0,99}$`)

// Transient tells that the answer is not Dialogporten's own: a 404 that does not say in its words that an entity is missing
// comes from a gateway and tells nothing of the dialog (Dialogporten reference, 3).
func (e *Error) Transient() bool {
	return e.Status == http.StatusNotFound && e.Title != titleNotFound && !e.namesEntity()
}

// titleNotFound is the title of Dialogporten's own 404.
const titleNotFound = "Resource not found."

// namesEntity tells whether the problem is about one of Dialogporten's entities.
func (e *Error) namesEntity() bool {
	for key := range e.Errors {
		if strings.HasPrefix(key, "Dialog") {
			return true
		}
	}
	return false
}

func isMisrouted(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Transient()
}

// Permanent tells that a body too large stays too large.
func (e *Error) Permanent() bool { return e.Status == http.StatusRequestEntityTooLarge }

func (e *Error) has(key string, matches func(message string) bool) bool {
	return slices.ContainsFunc(e.Errors[key], matches)
}

func isKeyClash(message string) bool { return strings.HasPrefix(message, "Key ('") }

// IsAlreadyExists tells whether a create met a dialog that has its id or its idempotency key: most likely its own earlier
// self. The dialog may be deleted, and it may be another organisation's (Dialogporten reference, 6).
func IsAlreadyExists(err error) bool {
	var answered *Error
	if !errors.As(err, &answered) {
		return false
	}
	switch answered.Status {
	case http.StatusUnprocessableEntity:
		return answered.has(KeyDialog, isKeyClash)
	case http.StatusConflict:
		return len(answered.Errors[KeyIdempotentKey]) > 0
	default:
		return false
	}
}

// IsConflict tells whether another write came in between (409).
func IsConflict(err error) bool { return isStatus(err, http.StatusConflict) }

// IsPreconditionFailed tells whether the dialog has another revision than the write was based on (412).
func IsPreconditionFailed(err error) bool { return isStatus(err, http.StatusPreconditionFailed) }

// IsGone tells whether the dialog is soft-deleted, which most writes refuse (410).
func IsGone(err error) bool { return isStatus(err, http.StatusGone) }

// IsNotFound tells whether there is no such dialog, or none that we may see (404).
func IsNotFound(err error) bool { return isStatus(err, http.StatusNotFound) }

// newError reads an answer; a body that is no problem document leaves everything but the status empty.
func newError(response *http.Response, body []byte) *Error {
	var problem struct {
		Title   string                     `json:"title"`
		Detail  string                     `json:"detail"`
		TraceID string                     `json:"traceId"`
		Errors  map[string]json.RawMessage `json:"errors"`
	}
	failure := &Error{Status: response.StatusCode, RetryAfter: httpanswer.RetryAfter(response.Header, time.Now())}
	if json.Unmarshal(body, &problem) != nil {
		return failure
	}
	failure.Title, failure.Detail = problem.Title, problem.Detail
	failure.TraceID = httpanswer.TraceID(problem.TraceID)
	if len(problem.Errors) > 0 {
		failure.Errors = make(map[string][]string, len(problem.Errors))
	}
	for key, raw := range problem.Errors {
		var messages []string
		_ = json.Unmarshal(raw, &messages) // a message of another shape leaves its key
		failure.Errors[key] = messages
	}
	return failure
}
