package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
)

// What an error may tell of itself. Clients in pkg/ must not import this package, so these are matched by their methods.
type (
	// answered is an error made from an HTTP answer.
	answered interface {
		error
		HTTPStatus() int
	}
	// keyed is an answer with a problem document: the keys of its errors object; empty when there was no such document.
	keyed interface {
		error
		ProblemKeys() []string
	}
	// stored is an error of PostgreSQL (pgconn.PgError).
	stored interface {
		error
		SQLState() string
	}
	// systemic is a fault of the whole system, whatever its status: a token endpoint that fails, say.
	systemic interface{ Systemic() bool }
	// gone is an answer that can only mean "removed".
	gone interface{ Gone() bool }
	// transient is a fault that goes away, whatever its status: a 404 that proves nothing, say.
	transient interface{ Transient() bool }
	// permanent is a fault that stays.
	permanent interface{ Permanent() bool }
)

// Keys under which Dialogporten reports a 422 that is about the state of things and not about the body
// (Dialogporten reference, 3 and 6).
const (
	problemKeyDialog          = "Dialog"
	problemKeyServiceResource = "ServiceResource"
	problemKeyOrg             = "Org"
	problemKeyActorID         = "ActorId"
)

// Classify tells what err means. It looks through wrapped and joined errors. Of several joined ones that mean something
// the gravest counts, in the order of the Class constants: a call that failed beside others was often only canceled by
// them.
//
// A deadline that ran out is Transient: an attempt's own deadline and the caller's look alike, so a caller whose
// context may be done looks at that first. An error that says nothing of itself is Permanent: it came from reading
// what was received, and reading it again gives the same.
func Classify(err error) Class {
	if err == nil {
		return OK
	}
	if class, known := classify(err); known {
		return class
	}
	return Permanent
}

func classify(err error) (class Class, known bool) {
	for link := err; link != nil; link = errors.Unwrap(link) {
		if class, known := declaredClass(link); known {
			return class, true
		}
		if joined, ok := link.(interface{ Unwrap() []error }); ok {
			return gravest(joined.Unwrap())
		}
	}
	if answer, ok := errors.AsType[answered](err); ok {
		var keys []string
		if problem, ok := errors.AsType[keyed](err); ok {
			keys = problem.ProblemKeys()
		}
		return classifyStatus(answer.HTTPStatus(), keys), true
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled, true
	case errors.Is(err, context.DeadlineExceeded):
		return Transient, true
	}
	if _, ok := errors.AsType[stored](err); ok {
		return Transient, true
	}
	return classifyWire(err)
}

func gravest(errs []error) (class Class, known bool) {
	for _, err := range errs {
		if of, ok := classify(err); ok {
			class, known = max(class, of), true
		}
	}
	return class, known
}

// declaredClass asks one link of the chain for itself.
func declaredClass(link error) (class Class, known bool) {
	if e, ok := link.(systemic); ok && e.Systemic() {
		return Systemic, true
	}
	if e, ok := link.(gone); ok && e.Gone() {
		return Gone, true
	}
	if e, ok := link.(transient); ok && e.Transient() {
		return Transient, true
	}
	if e, ok := link.(permanent); ok && e.Permanent() {
		return Permanent, true
	}
	return OK, false
}

// classifyStatus is the table of HTTP answers. The stack has refreshed the token and made its short retries before.
func classifyStatus(status int, keys []string) Class {
	switch status {
	case http.StatusUnauthorized, http.StatusServiceUnavailable:
		return Systemic
	case http.StatusForbidden:
		// A missing scope answers without a problem document; a refusal of this one thing has one.
		if len(keys) == 0 {
			return Systemic
		}
		return Permanent
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Conflict
	case http.StatusGone:
		return Gone
	case http.StatusUnprocessableEntity:
		return classifyUnprocessable(keys)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return Transient
	case http.StatusNotImplemented:
		return Permanent // app instances reference 14; messages are tried again (correspondence reference 17.4), as their clients tell
	}
	switch {
	case status >= http.StatusInternalServerError:
		return Transient
	case status >= http.StatusMultipleChoices:
		return Permanent
	default:
		return OK
	}
}

// classifyUnprocessable tells the 422s apart: an id that exists is our own earlier create; a resource, organisation or
// actor that is not known may be newer than the caches over there.
func classifyUnprocessable(keys []string) Class {
	if slices.Contains(keys, problemKeyDialog) {
		return Conflict
	}
	late := func(key string) bool {
		return key == problemKeyServiceResource || key == problemKeyOrg || key == problemKeyActorID
	}
	if len(keys) > 0 && !slices.ContainsFunc(keys, func(key string) bool { return !late(key) }) {
		return Transient
	}
	return Permanent
}

// classifyWire tells what a request that got no answer, or half of one, means.
func classifyWire(err error) (class Class, known bool) {
	if isUnreachable(err) {
		return Systemic, true
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Permanent, true
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok { // cut off on the way, or a gateway's page
		return Transient, true
	}
	for _, broken := range [...]error{io.ErrUnexpectedEOF, io.EOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return Transient, true
		}
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if failed.Op == "parse" {
			return Permanent, true
		}
		return Transient, true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return Transient, true
	}
	return OK, false
}

// isUnreachable tells whether nobody answers at the other end, or somebody we do not trust.
func isUnreachable(err error) bool {
	for _, refused := range [...]error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, refused) {
			return true
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	return untrusted
}
