package httpserver

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/live"
)

// Types of Altinn's events (Storage reference 15.1, 15.4). An app may have more of its own, which say nothing of its
// instances' state.
const (
	typeCreated    = "app.instance.created"
	typeCompleted  = "app.instance.process.completed"
	typeMovedTo    = "app.instance.process.movedTo."
	typeSubstatus  = "app.instance.substatus.changed"
	typeValidation = "platform.events.validatesubscription"
)

// webhook takes what Altinn Events pushes. Nothing is signed and no credential is sent (Storage reference 15.5): whoever
// knows the path may send, and what is sent is only a hint to read the instance.
//
// Subjects are people. No attribute but those that name the instance is read, and none is logged.
func (i *Intake) webhook(w http.ResponseWriter, r *http.Request) {
	if !sameSecret(r.PathValue("secret"), i.EventsSecret) {
		// As if there were nothing here.
		i.Requests.add(r.Context(), live.IntakeWebhook, resultRefused, 1)
		http.NotFound(w, r)
		return
	}
	body, ok := i.body(w, r, live.IntakeWebhook)
	if !ok {
		return
	}
	events, err := eventsOf(r, body)
	if err != nil {
		i.refuse(w, r, live.IntakeWebhook, resultMalformed, http.StatusBadRequest, "the body is no CloudEvent")
		return
	}
	commands, counts := commandsOf(events)
	for _, result := range [...]string{resultIgnored, resultValidation} {
		i.Requests.add(r.Context(), live.IntakeWebhook, result, counts[result])
	}
	if len(commands) > 0 && !i.accept(w, r, live.IntakeWebhook, commands) {
		return
	}
	if counts[resultMalformed] > 0 {
		// The good ones of a batch are accepted; sent again they do no harm (Invariant 2).
		i.refuse(w, r, live.IntakeWebhook, resultMalformed, http.StatusBadRequest, "an event names no instance")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// sameSecret takes as long for any wrong text.
func sameSecret(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// eventsOf reads the three forms of CloudEvents over HTTP: in headers, as an object, as a list of them. Altinn sends objects as
// application/json, so the content type tells nothing.
func eventsOf(r *http.Request, body []byte) ([]event.Event, error) {
	var events []event.Event
	switch trimmed := bytes.TrimSpace(body); {
	case r.Header.Get("Ce-Specversion") != "":
		r.Body = io.NopCloser(bytes.NewReader(body))
		one, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			return nil, fmt.Errorf("read event in headers: %w", err)
		}
		events = []event.Event{*one}
	case bytes.HasPrefix(trimmed, []byte("[")):
		if err := json.Unmarshal(trimmed, &events); err != nil {
			return nil, fmt.Errorf("read batch of events: %w", err)
		}
	default:
		var one event.Event
		if err := json.Unmarshal(trimmed, &one); err != nil {
			return nil, fmt.Errorf("read event: %w", err)
		}
		events = []event.Event{one}
	}
	for n := range events {
		if events[n].Type() == "" || events[n].Source() == "" {
			return nil, errors.New("an event lacks its type or source")
		}
	}
	return events, nil
}

// commandsOf tells what events ask for, and counts those that ask for nothing.
func commandsOf(events []event.Event) (commands []live.Command, counts map[string]int) {
	counts = map[string]int{}
	for n := range events {
		e := &events[n]
		switch kind := e.Type(); {
		case kind == typeValidation:
			counts[resultValidation]++
		case kind == typeCreated, kind == typeCompleted, kind == typeSubstatus, strings.HasPrefix(kind, typeMovedTo):
			command, ok := commandOf(e)
			if !ok || command.Check() != nil {
				counts[resultMalformed]++
				continue
			}
			commands = append(commands, command)
		default:
			counts[resultIgnored]++
		}
	}
	return commands, counts
}

// commandOf reads which instance an event is about: from its source, the app's address of the instance, or else from its
// resource and resourceinstance (Storage reference 15.2).
func commandOf(e *event.Event) (live.Command, bool) {
	command := live.Command{Intake: live.IntakeWebhook}
	if u, err := url.Parse(e.Source()); err == nil {
		const segments = 5 // org, app, instances, party, guid
		parts := strings.Split(strings.Trim(u.Path, "/"), "/")
		if len(parts) >= segments && parts[2] == "instances" {
			if id, err := altinn.ParseInstanceID(parts[3] + "/" + parts[4]); err == nil {
				command.ID, command.AppID = id, parts[0]+"/"+parts[1]
				return command, true
			}
		}
	}
	attributes := e.Extensions()
	resource, _ := attributes["resource"].(string)
	instance, _ := attributes["resourceinstance"].(string)
	id, err := altinn.ParseInstanceID(instance)
	rest, isApp := strings.CutPrefix(resource, "urn:altinn:resource:app_")
	org, app, found := strings.Cut(rest, "_") // codes of organisations hold no underscore
	if err != nil || !isApp || !found || org == "" || app == "" {
		return command, false
	}
	command.ID, command.AppID = id, org+"/"+app
	return command, true
}
