package correspondence

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

// Code is the number of a fault, `errorCode` in a problem document (correspondence reference 3.3).
type Code int

// The numbers that can reach a migrator.
const (
	// CodeNotFound is an item that does not exist, with 404.
	CodeNotFound Code = 1001
	// CodeContentMissing, CodeTitleEmpty and CodeLanguage are faults of a message's content, with 400.
	CodeContentMissing Code = 1019
	CodeTitleEmpty     Code = 1020
	CodeLanguage       Code = 1023
	// CodeUpload is a storage that failed, with 502.
	CodeUpload Code = 2002
	// CodeNoBytes is an attachment of no bytes, or one sent without its length, with 400.
	CodeNoBytes Code = 2004
)

func (c Code) text() string {
	switch c {
	case CodeNotFound:
		return "the correspondence was not found"
	case CodeContentMissing:
		return "the content is missing"
	case CodeTitleEmpty:
		return "the title is empty"
	case CodeLanguage:
		return "the language is unknown"
	case CodeUpload:
		return "the upload failed"
	case CodeNoBytes:
		return "the attachment is empty"
	default:
		return "error " + strconv.Itoa(int(c))
	}
}

// Error is an answer other than 2xx. Its text has the status, the number and the paths of the members at fault: the messages
// themselves may quote what was sent.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the number of the fault; 0: none was given.
	Code Code
	// Paths are the members that validation refused, in the server's own names (`SyncedEvents[0].MailboxSupplier`), sorted.
	Paths []string
	// Messages are the validation's texts by path. They may quote what was sent: keep them out of logs.
	Messages map[string][]string
	// TraceID is the problem document's; empty when there was none.
	TraceID string
	// RetryAfter is the wait the service asked for, 0 for none.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := "correspondence answered " + strconv.Itoa(e.Status)
	if len(e.Paths) > 0 {
		text += " [" + strings.Join(e.Paths, ", ") + "]"
	}
	if e.Code != 0 {
		text += ": " + e.Code.text()
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

// Transient tells that a 404 without the service's own number comes from a gateway and tells nothing of the item, and that a 501 is
// tried again like every 5xx (correspondence reference 17.4).
func (e *Error) Transient() bool {
	return e.Status == http.StatusNotFound && e.Code != CodeNotFound || e.Status == http.StatusNotImplemented
}

// Permanent tells that what the service refused for its content stays refused. A 403 is about rights and never about a message:
// it is for no item to bear (correspondence reference 3.1).
func (e *Error) Permanent() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}

// Systemic tells that the service refuses us, whatever the item.
func (e *Error) Systemic() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// HasCode tells whether err is an answer with this number.
func HasCode(err error, code Code) bool {
	var answered *Error
	return errors.As(err, &answered) && answered.Code == code
}

// memberPath is what paths look like: `CorrespondenceData.Correspondence.Content.MessageTitle`, `$.created`.
var memberPath = regexp.MustCompile(`^[$A-Za-z][A-Za-z0-9_.\[\]-]{0,149}$`)

// newError reads a problem document as far as the answer has one.
func newError(response *http.Response, body []byte) *Error {
	failure := &Error{Status: response.StatusCode, RetryAfter: httpanswer.RetryAfter(response.Header, time.Now())}
	var problem struct {
		ErrorCode json.Number                `json:"errorCode"`
		TraceID   string                     `json:"traceId"`
		Errors    map[string]json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return failure
	}
	failure.TraceID = httpanswer.TraceID(problem.TraceID)
	if number, err := problem.ErrorCode.Int64(); err == nil {
		failure.Code = Code(number)
	}
	for path, raw := range problem.Errors {
		var messages []string
		_ = json.Unmarshal(raw, &messages) // a message of another shape leaves its path
		if string(raw) == "[]" {
			continue // keys without faults may be there
		}
		if !memberPath.MatchString(path) {
			path = "?" // it might say anything
		}
		if failure.Messages == nil {
			failure.Messages = make(map[string][]string, len(problem.Errors))
		}
		failure.Messages[path] = append(failure.Messages[path], messages...)
		if !slices.Contains(failure.Paths, path) {
			failure.Paths = append(failure.Paths, path)
		}
	}
	slices.Sort(failure.Paths)
	return failure
}
