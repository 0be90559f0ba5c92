package dialogporten

import (
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// Keys of errors that more than one rule uses (Chapter 3).
const (
	keyDialog         = "Dialog"
	keyDialogEntity   = "DialogEntity"
	keyActivity       = "DialogActivity"
	keyTransmission   = "DialogTransmission"
	keyForbidden      = "Forbidden"
	keyIdempotentKey  = "IdempotentKey"
	keyIfMatch        = "If-Match"
	keySerializer     = "SerializerErrors"
	keyServiceRes     = "ServiceResource"
	keyTransmissions  = "Transmissions"
	keyAttachment     = "Attachment"
	textFrozen        = "User cannot modify frozen dialog"
	textFuture        = "Must be in the future"
	textFutureOrKept  = "Must be in future or current value."
	maxBodySize       = 20_000_000
	typeJSON          = "application/json"
	typeProblem       = "application/problem+json; charset=utf-8"
	rfc7231           = "https://datatracker.ietf.org/doc/html/rfc7231#section-"
	textConcurrency   = "The request conflicted with a concurrent operation. Please try again."
	textInvalidLookup = "Unable to look up name for actor id: "
)

// faults are messages by key, in the order in which they were found.
type faults struct {
	keys     []string
	messages map[string][]string
}

func (f *faults) add(key, message string) {
	if f.messages == nil {
		f.messages = make(map[string][]string)
	}
	if _, ok := f.messages[key]; !ok {
		f.keys = append(f.keys, key)
	}
	f.messages[key] = append(f.messages[key], message)
}

func (f *faults) any() bool { return len(f.keys) > 0 }

// problem is an answer other than success. The zero errors write a body without errors only where the status has none.
type problem struct {
	status       int
	errors       faults
	bare         bool   // no body at all
	authenticate string // WWW-Authenticate, of 401
	plainJSON    bool   // Content-Type application/json
	raw          []byte // a body that is no problem details
}

// problemKind is the type and the title of a status, and its detail where it has one.
func problemKind(status int) (kind, title, detail string) {
	switch status {
	case http.StatusBadRequest:
		return rfc7231 + "6.5.1", "One or more validation errors occurred.", ""
	case http.StatusForbidden:
		return rfc7231 + "6.5.3", "Forbidden.", ""
	case http.StatusNotFound:
		return rfc7231 + "6.5.4", "Resource not found.", ""
	case http.StatusNotAcceptable:
		return rfc7231 + "6.5.6", "Requested content type is not acceptable.", "The Accept header must allow JSON responses."
	case http.StatusConflict:
		return rfc7231 + "6.5.8", "Conflict.", ""
	case http.StatusGone:
		return rfc7231 + "6.5.9", "Resource no longer available.", ""
	case http.StatusPreconditionFailed:
		return "https://datatracker.ietf.org/doc/html/rfc7232#section-4.2", "Precondition failed.", ""
	case http.StatusRequestEntityTooLarge:
		return rfc7231 + "6.5.11", "Payload too large. The maximum allowed size is 20000000 bytes.", ""
	case http.StatusUnprocessableEntity:
		return "https://datatracker.ietf.org/doc/html/rfc4918#section-11.2", "Unprocessable request.", ""
	default:
		return rfc7231 + "6.6.1", "An error occurred while processing the request.", "Something went wrong during the request."
	}
}

// hasErrors is whether the body of a status has the member errors (Chapter 3, Body).
func hasErrors(status int) bool {
	return status != http.StatusPreconditionFailed && status != http.StatusRequestEntityTooLarge &&
		status < http.StatusInternalServerError
}

func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	if p.authenticate != "" {
		w.Header().Set("WWW-Authenticate", p.authenticate)
	}
	switch {
	case p.bare:
		w.WriteHeader(p.status)
		return
	case p.raw != nil:
		writeJSON(w, p.status, p.raw)
		return
	}
	contentType := typeProblem
	if p.plainJSON || p.status >= http.StatusInternalServerError {
		contentType = typeJSON
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body(r.URL.Path))
}

func (p *problem) body(path string) []byte {
	kind, title, detail := problemKind(p.status)
	o := openObject(make([]byte, 0, 512))
	o.text("type", kind)
	o.text("title", title)
	o.number("status", p.status)
	if detail != "" {
		o.text("detail", detail)
	}
	o.text("instance", path)
	if hasErrors(p.status) {
		o.name("errors")
		o.buf = p.errors.append(o.buf)
	}
	o.text("traceId", newTraceID())
	return o.close()
}

func (f *faults) append(buf []byte) []byte {
	buf = append(buf, '{')
	for i, key := range f.keys {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(appendText(buf, key), ':')
		messages := f.messages[key]
		buf = appendList(buf, messages, func(buf []byte, m *string) []byte { return appendText(buf, *m) })
	}
	return append(buf, '}')
}

// newTraceID is a W3C traceparent.
func newTraceID() string {
	const hex = 16
	pad := func(n uint64) string {
		text := strconv.FormatUint(n, hex)
		return "0000000000000000"[len(text):] + text
	}
	return "00-" + pad(rand.Uint64()) + pad(rand.Uint64()) + "-" + pad(rand.Uint64()) + "-01" //nolint:gosec // no secret
}

func problemWith(status int, key, message string) *problem {
	p := &problem{status: status}
	p.errors.add(key, message)
	return p
}

func bare(status int) *problem { return &problem{status: status, bare: true} }

func invalid(f faults) *problem { return &problem{status: http.StatusBadRequest, errors: f} }

func unprocessable(f faults) *problem {
	return &problem{status: http.StatusUnprocessableEntity, errors: f}
}

func forbidden(message string) *problem {
	return problemWith(http.StatusForbidden, keyForbidden, message)
}

func preconditionFailed() *problem { return &problem{status: http.StatusPreconditionFailed} }

func serverError() *problem { return &problem{status: http.StatusInternalServerError} }

func notFound(entity string, key string) *problem {
	return problemWith(http.StatusNotFound, entity, "Entity '"+entity+"' with the following key(s) was not found: ("+key+").")
}

func dialogNotFound(id uuid.UUID) *problem { return notFound(keyDialogEntity, id.String()) }

func dialogGone(id uuid.UUID) *problem {
	return problemWith(http.StatusGone, keyDialogEntity,
		"Entity '"+keyDialogEntity+"' with the following key(s) is removed: ("+id.String()+").")
}

func alreadyExists(entity, keys string) string {
	return "Entity '" + entity + "' with the following key(s) already exists: (" + keys + ")."
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
