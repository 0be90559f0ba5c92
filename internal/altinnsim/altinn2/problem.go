package altinn2

import (
	"fmt"
	"net/http"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// refusal is an answer that is a problem document (16.2).
type refusal struct {
	status int
	code   string
	text   string
}

func (e refusal) Error() string { return e.text }

type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func (e refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", answer.TypeProblem)
	w.WriteHeader(e.status)
	// The client is gone if this fails.
	_, _ = w.Write(answer.Marshal(problem{"about:blank", http.StatusText(e.status), e.status, e.text, e.code}))
}

func invalid(format string, values ...any) *refusal {
	return &refusal{http.StatusBadRequest, "parameterInvalid", fmt.Sprintf(format, values...)}
}

var (
	errCursor  = &refusal{http.StatusBadRequest, "cursorInvalid", "The cursor is damaged, or belongs to another walk."}
	errMissing = &refusal{http.StatusNotFound, "notFound", "There is no such message or attachment."}
)

// bare are the errors that others answer for the export: without a body, or with a plain text.
func bare(status int) refusal {
	switch status {
	case http.StatusUnauthorized:
		return refusal{status, "unauthorized", "A valid token is needed."}
	case http.StatusNotFound:
		return refusal{status, "notFound", "There is no such path."}
	case http.StatusMethodNotAllowed:
		return refusal{status, "methodNotAllowed", "The path is for reading."}
	case http.StatusRequestedRangeNotSatisfiable:
		return refusal{status, "rangeNotSatisfiable", "The attachment has no such range."}
	}
	return refusal{status, "error", http.StatusText(status)}
}

// problemWriter makes problem documents of errors that are none yet: those of the mux, of a missing token and of
// http.ServeContent.
type problemWriter struct {
	http.ResponseWriter

	replaced bool
}

// WriteHeader implements http.ResponseWriter.
func (w *problemWriter) WriteHeader(status int) {
	header := w.Header()
	if status < http.StatusBadRequest || header.Get("Content-Type") == answer.TypeProblem {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.replaced = true
	header.Del("Content-MD5") // that of a file which is not sent
	bare(status).write(w.ResponseWriter)
}

// Write implements http.ResponseWriter. The text that a document stands in for is dropped.
func (w *problemWriter) Write(b []byte) (int, error) {
	if w.replaced {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b) //nolint:wrapcheck // it stands for the writer
}
