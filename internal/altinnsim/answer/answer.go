// Package answer writes the answers that the simulated services have in common: JSON, JSON strings and problem details.
// What a service says lies with the service.
package answer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Content types of answers.
const (
	TypeJSON    = "application/json; charset=utf-8"
	TypeProblem = "application/problem+json; charset=utf-8"
)

// Raw writes JSON text as it stands.
func Raw(w http.ResponseWriter, status int, body []byte) {
	write(w, status, TypeJSON, body)
}

// JSON writes a value, without the escaping of HTML characters that encoding/json does by default.
func JSON(w http.ResponseWriter, status int, value any) {
	Raw(w, status, Marshal(value))
}

// Text writes a JSON string, which is how Storage words most of its errors.
func Text(w http.ResponseWriter, status int, text string) {
	JSON(w, status, text)
}

// Problem is an RFC 9457 body.
type Problem struct {
	Type    string              `json:"type"`
	Title   string              `json:"title"`
	Status  int                 `json:"status"`
	Detail  string              `json:"detail,omitempty"`
	TraceID string              `json:"traceId,omitempty"`
	Errors  map[string][]string `json:"errors,omitempty"`
}

// traceID is the same in all answers: nothing may depend on it.
const traceID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

// WriteProblem writes problem details. Type, title and trace id are filled in when they are empty.
func WriteProblem(w http.ResponseWriter, p Problem) {
	if p.Type == "" {
		p.Type = "https://tools.ietf.org/html/rfc9110#section-" + section(p.Status)
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.TraceID == "" {
		p.TraceID = traceID
	}
	write(w, p.Status, TypeProblem, Marshal(p))
}

// section is where RFC 9110 describes a status.
func section(status int) string {
	if status >= http.StatusInternalServerError {
		return "15.6." + strconv.Itoa(status-http.StatusInternalServerError+1)
	}
	return "15.5." + strconv.Itoa(status-http.StatusBadRequest+1)
}

// Empty writes a status alone.
func Empty(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
}

// Unauthorized is the answer to a missing or bad token (Storage reference, 2.4).
func Unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.WriteHeader(http.StatusUnauthorized)
}

// Marshal is JSON without HTML escaping. The values that the simulator answers with can always be written; one that
// cannot is written as null.
func Marshal(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}

// write ignores a failure to write: the client is gone, and there is nobody left to tell.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
