package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

const (
	specVersion     = "1.0"
	resourcePrefix  = "urn:altinn:resource:"
	appPrefix       = resourcePrefix + "app_"
	partySubject    = "/party/"
	eventTimeFormat = "2006-01-02T15:04:05.9999999Z07:00"
)

// Types of app events (15.1). An app may have others of its own.
const (
	TypeInstanceCreated  = "app.instance.created"
	TypeProcessMovedTo   = "app.instance.process.movedTo." // and the task's id
	TypeProcessCompleted = "app.instance.process.completed"
	TypeSubstatusChanged = "app.instance.substatus.changed"
)

// Event is an event that an app posts about one of its instances.
type Event struct {
	Type         string
	Org, App     string
	PartyID      int32
	InstanceGUID uuid.UUID
	// AlternativeSubject is /org/{orgnr}, /person/{national id} or an external identifier. Empty: none.
	AlternativeSubject string
	// Source is the instance's URL. Default: made of the fields above.
	Source string
}

// cloudEvent is an event as it is pushed and pulled, its members in the order of 15.2.
type cloudEvent struct {
	SpecVersion        string          `json:"specversion"`
	ID                 string          `json:"id"`
	Time               string          `json:"time,omitempty"`
	Type               string          `json:"type"`
	Source             string          `json:"source"`
	Subject            string          `json:"subject,omitempty"`
	Resource           string          `json:"resource,omitempty"`
	ResourceInstance   string          `json:"resourceinstance,omitempty"`
	AlternativeSubject string          `json:"alternativesubject,omitempty"`
	Data               json.RawMessage `json:"data,omitempty"`
}

// stored is an event that has arrived. It does not change any more.
type stored struct {
	seq      uint64
	id       string
	kind     string
	subject  string
	resource string
	time     time.Time
	arrived  time.Time
	json     json.RawMessage
}

// Publish takes an event as if its app had posted it. What becomes of it is told by Counts; an error is a faulty event.
func (s *Service) Publish(ctx context.Context, e Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	source := e.Source
	if source == "" {
		source = fmt.Sprintf("https://%s.apps.%s/%s/%s/instances/%d/%s", e.Org, s.config.Host, e.Org, e.App, e.PartyID, e.InstanceGUID)
	}
	_, err := s.publishApp(cloudEvent{
		Type: e.Type, Source: source, Subject: partySubject + strconv.FormatInt(int64(e.PartyID), 10),
		AlternativeSubject: e.AlternativeSubject,
	})
	return err
}

// publishApp takes an app event: Events itself gives it its id, its time and, out of its source, its resource (15.2).
func (s *Service) publishApp(e cloudEvent) (id string, err error) {
	at, ok := parseSource(e.Source)
	switch {
	case !ok:
		return "", errors.New("source is not the URL of an instance")
	case e.Type == "":
		return "", errors.New("type is missing")
	case !strings.HasPrefix(e.Subject, partySubject):
		return "", errors.New("subject is not " + partySubject + "{partyId}")
	}
	now := s.config.Now().UTC()
	e.SpecVersion, e.ID, e.Time = specVersion, uuid.NewString(), now.Format(eventTimeFormat)
	e.Resource, e.ResourceInstance = appResource(at.org, at.app), at.instance
	s.accept(&stored{
		id: e.ID, kind: e.Type, subject: e.Subject, resource: e.Resource, time: now, arrived: now, json: answer.Marshal(e),
	})
	return e.ID, nil
}

// PublishCloudEvent takes an event that is not an app's, as structured JSON; it keeps the sender's id. An error is a faulty
// event.
func (s *Service) PublishCloudEvent(ctx context.Context, raw json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return errors.New("the body is not one CloudEvent")
	}
	for name := range members {
		// CloudEvents 1.0: attribute names are of lower-case letters and digits.
		if name != "data_base64" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Errorf("attribute name %q is not in lower case", name)
		}
	}
	var e cloudEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return errors.New("an attribute is of the wrong type")
	}
	if e.SpecVersion != specVersion {
		return errors.New("specversion is not " + specVersion)
	}
	for _, required := range [...][2]string{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if required[1] == "" {
			return errors.New(required[0] + " is missing")
		}
	}
	if !strings.HasPrefix(e.Resource, resourcePrefix) || len(e.Resource) == len(resourcePrefix) {
		return errors.New("resource is not one of the registry (" + resourcePrefix + "…)")
	}
	if _, err := url.Parse(e.Source); err != nil {
		return errors.New("source is not a URI")
	}
	now := s.config.Now().UTC()
	at := now
	if e.Time == "" {
		members["time"] = answer.Marshal(now.Format(eventTimeFormat))
	} else {
		var err error
		if at, err = time.Parse(time.RFC3339, e.Time); err != nil {
			return errors.New("time is not RFC 3339")
		}
	}
	s.accept(&stored{
		id: e.ID, kind: e.Type, subject: e.Subject, resource: e.Resource, time: at, arrived: now, json: answer.Marshal(members),
	})
	return nil
}

// accept keeps an event and pushes it, unless it is lost.
func (s *Service) accept(e *stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Published++
	if s.roll() < s.settings.Lose {
		s.counts.Lost++
		return
	}
	s.keep(e)
	for _, target := range s.match(e) {
		s.schedule(target, e)
	}
}

// instancePath is what a source names.
type instancePath struct{ org, app, instance string }

// parseSource reads an instance's URL: segments 1 and 2 are org and app, 4 and 5 party and guid (15.2).
func parseSource(source string) (instancePath, bool) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return instancePath{}, false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) != 5 || parts[2] != "instances" || parts[0] == "" || parts[1] == "" {
		return instancePath{}, false
	}
	if _, err := strconv.ParseInt(parts[3], 10, 32); err != nil {
		return instancePath{}, false
	}
	if _, err := uuid.Parse(parts[4]); err != nil {
		return instancePath{}, false
	}
	return instancePath{org: parts[0], app: parts[1], instance: parts[3] + "/" + parts[4]}, true
}

func appResource(org, app string) string { return appPrefix + org + "_" + app }

// splitAppResource is the org and the app of an app's resource.
func splitAppResource(resource string) (org, app string, ok bool) {
	rest, ok := strings.CutPrefix(resource, appPrefix)
	if !ok {
		return "", "", false
	}
	org, app, ok = strings.Cut(rest, "_")
	return org, app, ok && org != "" && app != ""
}
