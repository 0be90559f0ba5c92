package events

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// contentTypeEvent is that of events that are not an app's.
const contentTypeEvent = "application/cloudevents+json"

// postAppEvent takes an event from an app. The real service wants the app's own platform token; here a token of the
// organisation that owns the app stands for it.
func (s *Service) postAppEvent(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	if mediaType := mediaTypeOf(r); mediaType != "application/json" && mediaType != contentTypeEvent {
		return &refusal{status: http.StatusUnsupportedMediaType}
	}
	var in struct {
		Source             string          `json:"source"`
		Subject            string          `json:"subject"`
		Type               string          `json:"type"`
		AlternativeSubject string          `json:"alternativesubject"`
		Data               json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return badRequest("The JSON value could not be converted.")
	}
	at, ok := parseSource(in.Source)
	if ok && !caller.Admin && !strings.EqualFold(caller.Org, at.org) {
		return forbidden("Not authorized to publish events of this app.")
	}
	id, err := s.publishApp(cloudEvent{
		Type: in.Type, Source: in.Source, Subject: in.Subject, AlternativeSubject: in.AlternativeSubject, Data: in.Data,
	})
	if err != nil {
		return badRequest(err.Error())
	}
	answer.Text(w, http.StatusCreated, id)
	return nil
}

// postEvent takes an event that is not an app's (Correspondence reference, 7.5).
func (s *Service) postEvent(w http.ResponseWriter, r *http.Request, caller auth.Caller) error {
	if !caller.Has(ScopePublish) && !caller.Has(ScopePublish+".admin") {
		return &refusal{status: http.StatusForbidden}
	}
	if mediaTypeOf(r) != contentTypeEvent {
		return &refusal{status: http.StatusUnsupportedMediaType}
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return badRequest("The body cannot be read.")
	}
	if err := s.PublishCloudEvent(r.Context(), raw); err != nil {
		return badRequest(err.Error())
	}
	answer.Empty(w, http.StatusOK)
	return nil
}

func mediaTypeOf(r *http.Request) string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return mediaType
}
