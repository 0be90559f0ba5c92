package correspondence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

const (
	typeJSON       = "application/json"
	typeCloudEvent = "application/cloudevents+json"
)

// Scopes that outgoing calls carry (3.1).
func outgoingScopes() []string {
	return []string{
		"digdir:dialogporten.serviceprovider", "digdir:dialogporten.serviceprovider.admin", "digdir:dialogporten.correspondence",
		"altinn:events.publish", "altinn:events.publish.admin", "altinn:register/partylookup.admin", "altinn:correspondence.sblbridge",
	}
}

// OutgoingScopes are the scopes of the service's own token.
func OutgoingScopes() []string { return outgoingScopes() }

// subjectKey marks the context of outgoing requests.
type subjectKey struct{}

// Subject is the Altinn 2 id of the message that an outgoing request is about.
func Subject(ctx context.Context) (int32, bool) {
	id, ok := ctx.Value(subjectKey{}).(int32)
	return id, ok
}

func about(ctx context.Context, item Item) context.Context {
	return context.WithValue(ctx, subjectKey{}, item.Altinn2ID)
}

// newRequest makes a request that a handler can answer in this process.
func newRequest(ctx context.Context, method, path, query string, body []byte, contentType string) *http.Request {
	r := (&http.Request{
		Method: method, URL: &url.URL{Scheme: "http", Host: "platform", Path: path, RawQuery: query}, Host: "platform",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"User-Agent": {"altinn-correspondence"}},
		Body: http.NoBody, RemoteAddr: "127.0.0.1:0", RequestURI: path,
	}).WithContext(ctx)
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// received takes an answer.
type received struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *received) Header() http.Header { return r.header }

func (r *received) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *received) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b) //nolint:wrapcheck // a buffer takes everything
}

// errConnection is a connection that ended before the answer was whole.
var errConnection = errors.New("the connection ended")

// roundTrip lets a handler answer. A handler that hangs up is an error, like a broken connection.
func roundTrip(handler http.Handler, r *http.Request) (status int, body []byte, err error) {
	taken := &received{header: http.Header{}}
	defer func() {
		switch fault := recover(); fault {
		case nil:
		case http.ErrAbortHandler:
			status, body, err = 0, nil, errConnection
		default:
			panic(fault)
		}
	}()
	handler.ServeHTTP(taken, r)
	taken.WriteHeader(http.StatusOK)
	return taken.status, taken.body.Bytes(), nil
}

// reply is what another service answered.
type reply struct {
	status int
	body   []byte
}

func (r reply) ok() bool { return r.status >= http.StatusOK && r.status < http.StatusMultipleChoices }

// exists says whether a refusal means that what was to be made is there.
func (r reply) exists() bool {
	return r.status == http.StatusUnprocessableEntity && strings.Contains(strings.ToLower(string(r.body)), "already exists")
}

// refusal is an answer that is an error.
type refusal struct {
	method, path string
	reply
}

func (e refusal) Error() string {
	const shown = 300
	text := string(e.body)
	if len(text) > shown {
		text = text[:shown]
	}
	return fmt.Sprintf("Response from %s %s was not successful: %d: %s", e.method, e.path, e.status, text)
}

// send asks another service, and again when the answer may get better (13.2). The error is that of the last attempt.
func (s *Service) send(ctx context.Context, item Item, method, path, query string, body any, contentType string) (reply, error) {
	var raw []byte
	if body != nil {
		raw = answer.Marshal(body)
	}
	ctx = about(ctx, item)
	for attempt := 0; ; attempt++ {
		status, answered, err := roundTrip(s.config.Outgoing, newRequest(ctx, method, path, query, raw, contentType))
		if err == nil && !transient(status) || attempt >= len(s.config.Pauses) {
			if err != nil {
				err = fmt.Errorf("%s %s: %w", method, path, err)
			}
			return reply{status, answered}, err
		}
		if err := wait(ctx, s.config.Pauses[attempt]); err != nil {
			return reply{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
}

func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const dialogsPath = "/api/v1/serviceowner/dialogs"

// dialog asks Dialogporten about one dialog.
func (s *Service) dialog(ctx context.Context, item Item, method, id, rest, query string, body any) (reply, error) {
	return s.send(ctx, item, method, dialogsPath+"/"+id+rest, query, body, typeJSON)
}

const silently = "isSilentUpdate=true"

// event tells Events of something. A refusal changes nothing: it would only be logged (7.5).
func (s *Service) event(ctx context.Context, item Item, name, party string) {
	subject, alternative := eventSubject(party)
	_, _ = s.send(ctx, item, http.MethodPost, "/events/api/v1/events", "", map[string]any{
		"specversion": "1.0", "id": s.mint.v4().String(), "type": "no.altinn.correspondence." + name, "time": formatInstant(s.now()),
		"resource": resourcePrefix + item.ResourceID, "resourceinstance": item.ID.String(), "subject": subject,
		"alternativesubject": alternative, "source": s.config.Base + pathItems,
	}, typeCloudEvent)
}

// eventSubject is a party's URN and what it was called before, nil when it was not (7.5).
func eventSubject(party string) (urn string, alternative any) {
	number := party
	if i := strings.LastIndexByte(party, ':'); i >= 0 {
		number = party[i+1:]
	}
	digits := strings.Trim(number, "0123456789") == ""
	switch {
	case digits && len(number) == organisationDigits:
		return urnOrganisation + number, "/organisation/" + number
	case digits && len(number) == personDigits:
		return urnPerson + number, "/person/" + number
	}
	return party, nil
}

// registerRecipient tells Altinn 2 that a party has messages in Altinn 3 (5.7).
func (s *Service) registerRecipient(ctx context.Context, item Item) error {
	r, err := s.send(ctx, item, http.MethodPost, "/storage/api/v1/sblbridge/correspondencerecipient",
		fmt.Sprintf("partyId=%d", item.PartyID), map[string]any{"partyId": item.PartyID}, typeJSON)
	if err == nil && !r.ok() {
		err = refusal{http.MethodPost, "correspondencerecipient", r}
	}
	return err
}

func itemRoot(base string, id uuid.UUID) string {
	return strings.TrimSuffix(base, "/") + pathItems + "/" + id.String()
}
