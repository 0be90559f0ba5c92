package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/openid"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/telemetry"
)

const (
	// acceptTimeout is how long a sender waits for its events to be committed. Altinn Events gives up after 45 s (Storage
	// reference 15.5), and the server's own limit is writeTimeout.
	acceptTimeout = 20 * time.Second
	// retryAfter is what a sender is told whose events could not be taken.
	retryAfter = 5 * time.Second
	// largestBody of an event or a batch of them, in bytes. Events hold no content: one has a thousand.
	largestBody = 1 << 20
)

// InstanceReader reads instances from Storage.
type InstanceReader interface {
	// GetInstance gives storage.ErrInstanceGone for an instance that Storage does not have.
	GetInstance(ctx context.Context, id altinn.InstanceID) (*altinn.Instance, error)
}

// TokenChecker accepts bearer tokens. Its errors are those of package openid.
type TokenChecker interface {
	Check(ctx context.Context, token string) error
}

// Intake is how commands come in over HTTP.
type Intake struct {
	Accepter live.Accepter
	// EventsSecret is the part of the webhook's path that only its senders know; empty: there is no webhook.
	EventsSecret string
	// Instances answers what a command that names an instance alone leaves out.
	Instances InstanceReader
	// Tokens checks who sends sync commands; nil: everybody may, which only environment local allows.
	Tokens TokenChecker
	// Requests counts; nil counts nothing.
	Requests *IntakeCounter
	Log      *zap.Logger
}

// routes adds the intake's to the server's.
func (i *Intake) routes(mux *http.ServeMux) {
	if i.Log == nil {
		i.Log = zap.NewNop()
	}
	if i.EventsSecret != "" {
		mux.HandleFunc("POST /events/{secret}", i.webhook)
	}
	mux.HandleFunc("POST /storage/dialogporten/api/v1/syncDialog", i.authorized(i.syncDialog))
	mux.HandleFunc("POST /storage/dialogporten/api/v1/syncDialog/simple/{partyId}/{guid}", i.authorized(i.syncDialogSimple))
}

// Results of requests, as counters have them.
const (
	resultAccepted    = "accepted"
	resultIgnored     = "ignored"
	resultValidation  = "validation"
	resultMalformed   = "malformed"
	resultUnknown     = "unknown"
	resultRefused     = "refused"
	resultUnavailable = "unavailable"
)

// IntakeCounter counts what came in over HTTP.
type IntakeCounter struct{ messages metric.Int64Counter }

// NewIntakeCounter registers the counter.
func NewIntakeCounter(meter metric.Meter) (*IntakeCounter, error) {
	messages, err := meter.Int64Counter("dialogsync_intake_messages", metric.WithDescription("Events and commands that came in over HTTP, by "+
		"intake and result: accepted, ignored, validation, malformed, unknown, refused, unavailable."))
	if err != nil {
		return nil, fmt.Errorf("register counter of intakes: %w", err)
	}
	return &IntakeCounter{messages: messages}, nil
}

func (c *IntakeCounter) add(ctx context.Context, intake live.Intake, result string, n int) {
	if c != nil && n > 0 {
		c.messages.Add(ctx, int64(n), metric.WithAttributes(attribute.String("intake", string(intake)), attribute.String("result", result)))
	}
}

// accept commits commands and answers. 204 is sent only when they are safe in PostgreSQL (Invariant 1).
func (i *Intake) accept(w http.ResponseWriter, r *http.Request, intake live.Intake, commands []live.Command) (accepted bool) {
	ctx, cancel := context.WithTimeout(r.Context(), acceptTimeout)
	defer cancel()
	err := i.Accepter.Accept(ctx, commands...)
	var malformed *live.CommandError
	switch {
	case err == nil:
		i.Requests.add(ctx, intake, resultAccepted, len(commands))
		return true
	case errors.As(err, &malformed):
		i.refuse(w, r, intake, resultMalformed, http.StatusBadRequest, malformed.Problem)
	default:
		i.Log.Warn("events were not accepted", zap.String(telemetry.LogKeyIntake, string(intake)),
			zap.Int(telemetry.LogKeyCount, len(commands)), zap.Error(err))
		i.unavailable(w, r, intake)
	}
	return false
}

// refuse answers in a few fixed words: what was sent may hold a person.
func (i *Intake) refuse(w http.ResponseWriter, r *http.Request, intake live.Intake, result string, status int, problem string) {
	i.Requests.add(r.Context(), intake, result, 1)
	answer(w, status, http.StatusText(status), problem)
}

func (i *Intake) unavailable(w http.ResponseWriter, r *http.Request, intake live.Intake) {
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	i.refuse(w, r, intake, resultUnavailable, http.StatusServiceUnavailable, "try again")
}

// body reads a request's body, or answers why not.
func (i *Intake) body(w http.ResponseWriter, r *http.Request, intake live.Intake) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, true
	case errors.As(err, &tooLarge):
		i.refuse(w, r, intake, resultMalformed, http.StatusRequestEntityTooLarge, "")
	default:
		i.refuse(w, r, intake, resultMalformed, http.StatusBadRequest, "the body was cut off")
	}
	return nil, false
}

// authorized lets in who has a token of Altinn's with the sync adapter's scope.
func (i *Intake) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if i.Tokens == nil {
			next(w, r)
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = ""
		}
		err := i.Tokens.Check(r.Context(), strings.TrimSpace(token))
		var scope *openid.ScopeError
		var unavailable *openid.UnavailableError
		switch {
		case err == nil:
			next(w, r)
		case errors.As(err, &scope):
			i.refuse(w, r, live.IntakeCommand, resultRefused, http.StatusForbidden, scope.Error())
		case errors.As(err, &unavailable):
			i.Log.Warn("tokens cannot be checked", zap.Error(err))
			i.unavailable(w, r, live.IntakeCommand)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			i.refuse(w, r, live.IntakeCommand, resultRefused, http.StatusUnauthorized, "")
		}
	}
}
