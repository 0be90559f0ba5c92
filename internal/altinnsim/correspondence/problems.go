package correspondence

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// apiError is a numbered refusal (3.3).
type apiError struct {
	number, status int
	text           string
}

func (e apiError) Error() string { return e.text }

// The refusals that a migrator can meet.
var (
	errUnknownItem     = apiError{1001, http.StatusNotFound, "The requested correspondence was not found"}
	errNoContent       = apiError{1019, http.StatusBadRequest, "The Content field must be provided for the correspondence"}
	errNoTitle         = apiError{1020, http.StatusBadRequest, "Message title cannot be empty"}
	errUnknownLanguage = apiError{
		1023, http.StatusBadRequest,
		"Invalid language chosen. Supported languages is Norsk bokmål (nb), Nynorsk (nn) and English (en)",
	}
	errUploadFailed = apiError{2002, http.StatusBadGateway, "Error occurred during upload"}
	errEmptyFile    = apiError{2004, http.StatusBadRequest, "File must have content and has a max file size of 2GB"}
)

// statusError is a refusal without a body.
type statusError int

func (s statusError) Error() string { return http.StatusText(int(s)) }

// modelError is the outcome of parsing or validation.
type modelError struct {
	faults modelFaults
}

func (e modelError) Error() string {
	return "the request is not valid: " + strings.Join(e.faults.keys, ", ")
}

func invalidModel(faults modelFaults) error { return modelError{faults} }

// errDatabase is what the database refuses, which the real service does not foresee.
var errDatabase = errors.New("the database refuses it")

func databaseError(format string, values ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, values...), errDatabase)
}

// traceID is the same in all answers: nothing may depend on it.
const traceID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

const (
	rfc9110 = "https://tools.ietf.org/html/rfc9110#section-"
	rfc7725 = "https://tools.ietf.org/html/rfc7725#section-3"
)

func problemType(status int) string {
	section := map[int]string{
		http.StatusBadRequest: "15.5.1", http.StatusUnauthorized: "15.5.2", http.StatusForbidden: "15.5.4", http.StatusNotFound: "15.5.5",
		http.StatusRequestTimeout: "15.5.9", http.StatusConflict: "15.5.10", http.StatusUnprocessableEntity: "15.5.21",
		http.StatusInternalServerError: "15.6.1", http.StatusBadGateway: "15.6.3",
	}
	if status == http.StatusUnavailableForLegalReasons {
		return rfc7725
	}
	return rfc9110 + section[status]
}

type validationError struct {
	Code        string   `json:"code"`
	Description string   `json:"description"`
	Paths       []string `json:"paths"`
}

type problem struct {
	Type       string              `json:"type"`
	Title      string              `json:"title"`
	Status     int                 `json:"status"`
	Detail     string              `json:"detail,omitempty"`
	Code       string              `json:"code,omitempty"`
	ErrorCode  int                 `json:"errorCode,omitempty"`
	Instance   string              `json:"instance,omitempty"`
	TraceID    string              `json:"traceId,omitempty"`
	Validation []validationError   `json:"validationErrors,omitempty"`
	Errors     map[string][]string `json:"errors,omitempty"`
}

func newProblem(status int) problem {
	return problem{Type: problemType(status), Title: http.StatusText(status), Status: status, TraceID: traceID}
}

// writeError answers what went wrong.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	if status, ok := errors.AsType[statusError](err); ok {
		answer.Empty(w, int(status))
		return
	}
	var p problem
	if refused, ok := errors.AsType[apiError](err); ok {
		p = newProblem(refused.status)
		p.Detail, p.ErrorCode, p.Code = refused.text, refused.number, fmt.Sprintf("CORR-%05d", refused.number)
	} else if invalid, ok := errors.AsType[modelError](err); ok {
		p = invalidProblem(invalid.faults)
	} else {
		p = newProblem(http.StatusInternalServerError)
		p.Instance = r.URL.Path
	}
	writeJSON(w, p.Status, answer.TypeProblem, answer.Marshal(p))
}

func invalidProblem(faults modelFaults) problem {
	p := newProblem(http.StatusBadRequest)
	p.Code, p.Errors = "STD-00000", faults.texts
	for _, key := range faults.keys {
		for _, text := range faults.texts[key] {
			p.Validation = append(p.Validation, validationError{
				Code: "CORR.VLD-00000", Description: text, Paths: []string{strings.ReplaceAll(key, ".", "/")},
			})
		}
		if strings.HasSuffix(key, ".MessageTitle") && p.ErrorCode == 0 && len(faults.texts[key]) > 1 {
			p.Detail, p.ErrorCode = errNoTitle.text, errNoTitle.number
		}
	}
	return p
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// The client is gone if this fails.
	_, _ = w.Write(body)
}
