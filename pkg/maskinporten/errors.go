package maskinporten

import (
	"fmt"
	"net/http"
	"strings"
)

// Error is a refusal by Maskinporten or by Altinn's exchange.
type Error struct {
	// Endpoint is "maskinporten" or "exchange".
	Endpoint string
	// Status is the HTTP status of the answer.
	Status int
	// Code is OAuth's error code, such as invalid_scope; empty when the body had none.
	Code string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s answered %d", e.Endpoint, e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	switch {
	case e.Code == "invalid_grant":
		text += ": check client id, key and this machine's clock"
	case e.Code == "invalid_scope":
		text += ": the client is not registered for all scopes asked for"
	case e.Configuration() && e.Endpoint == endpointExchange:
		text += ": the Maskinporten token was refused; check that both belong to one environment"
	case e.Configuration():
		text += ": check the client's registration"
	}
	return text
}

// Configuration tells whether the settings are at fault: trying again does not help (Storage reference, 2.1).
func (e *Error) Configuration() bool {
	return e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError &&
		e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

// Systemic tells that no item is to blame: without a token nothing goes.
func (e *Error) Systemic() bool { return true }

// UnreachableError tells that an endpoint could not be reached or gave no sensible answer.
type UnreachableError struct {
	Endpoint string
	// Err is the cause; nil: the answer was no token.
	Err error
}

func (e *UnreachableError) Error() string {
	if e.Err == nil {
		return e.Endpoint + " gave no token in its answer"
	}
	return "call " + e.Endpoint + ": " + e.Err.Error()
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Systemic tells that no item is to blame, unless the call was ended by its own caller.
func (e *UnreachableError) Systemic() bool { return !endedByCaller(e.Err) }

// plainCode lets only what an OAuth error code is made of into an error's text.
func plainCode(code string) string {
	const longest = 40
	if len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}
