package servicebus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/live"
)

// commandSubject is the message type of a sync command. Whatever has another, or none, is not ours (Storage reference 14).
const commandSubject = "Altinn.DialogportenAdapter.SyncInstanceCommand"

// Reasons for dead letters: stable codes.
const (
	reasonBodyMissing        = "body_missing"
	reasonBodyTooLarge       = "body_too_large"
	reasonBodyMalformed      = "body_malformed"
	reasonInstanceIDMissing  = "instance_id_missing"
	reasonInstanceIDBad      = "instance_id_malformed"
	reasonPartyIDMissing     = "party_id_missing"
	reasonAppIDBad           = "app_id_malformed"
	reasonCreatedAtMalformed = "instance_created_at_malformed"
	// reasonCommandRefused: the body is right and the accepter will never have the command.
	reasonCommandRefused = "command_refused"
)

// poisonError tells why a message can never be a command. Its text repeats nothing of the message (Invariant 12).
type poisonError struct{ reason, detail string }

func (e *poisonError) Error() string { return e.reason + ": " + e.detail }

// isOurs tells whether a message is a sync command.
func isOurs(m *azservicebus.ReceivedMessage) bool {
	return m.Subject != nil && *m.Subject == commandSubject
}

// bodyOf is a message's content: one data section or several, or a text or binary value.
func bodyOf(m *azservicebus.ReceivedMessage) []byte {
	if len(m.Body) > 0 || m.RawAMQPMessage == nil {
		return m.Body
	}
	if sections := m.RawAMQPMessage.Body.Data; len(sections) > 0 {
		return bytes.Join(sections, nil)
	}
	switch value := m.RawAMQPMessage.Body.Value.(type) {
	case string:
		return []byte(value)
	case []byte:
		return value
	}
	return nil
}

// partyID is digits, as a string or as a number.
type partyID string

func (p *partyID) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		*p = partyID(bytes.TrimPrefix(data, []byte("null")))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("party id: %w", err)
	}
	*p = partyID(strings.TrimSpace(text))
	return nil
}

// wire is the body. Names are read in any letter case; what else there is, the event type included, decides nothing and
// is not read (Storage reference 13).
type wire struct {
	AppID             string  `json:"appId"`
	PartyID           partyID `json:"partyId"`
	InstanceID        string  `json:"instanceId"`
	InstanceCreatedAt *string `json:"instanceCreatedAt"`
	IsMigration       bool    `json:"isMigration"`
}

// parseCommand reads a body. The error is a *poisonError.
func parseCommand(body []byte, maxBody int) (live.Command, error) {
	const byteOrderMark = "\xef\xbb\xbf"
	switch body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte(byteOrderMark))); {
	case len(body) == 0:
		return live.Command{}, &poisonError{reasonBodyMissing, "the message has no body"}
	case len(body) > maxBody:
		detail := fmt.Sprintf("the body has %d bytes; commands have at most %d", len(body), maxBody)
		return live.Command{}, &poisonError{reasonBodyTooLarge, detail}
	}
	var in wire
	// The decoder's own words repeat what it read.
	if err := json.Unmarshal(body, &in); err != nil {
		return live.Command{}, &poisonError{reasonBodyMalformed, "the body is not the JSON object of a sync command"}
	}
	id, err := in.instance()
	if err != nil {
		return live.Command{}, err
	}
	app, isApp := in.app()
	if !isApp {
		return live.Command{}, &poisonError{reasonAppIDBad, "appId is missing or not of the form org/app"}
	}
	command := live.Command{ID: id, AppID: app, Migration: in.IsMigration, Intake: live.IntakeBus}
	if in.InstanceCreatedAt != nil && strings.TrimSpace(*in.InstanceCreatedAt) != "" {
		created, err := altinn.ParseTime(strings.TrimSpace(*in.InstanceCreatedAt))
		if err != nil {
			return live.Command{}, &poisonError{reasonCreatedAtMalformed, "instanceCreatedAt is not an ISO 8601 time"}
		}
		command.Created = created.Time
	}
	return command, nil
}

func (in wire) instance() (altinn.InstanceID, error) {
	guid := strings.TrimSpace(in.InstanceID)
	switch {
	case guid == "":
		return altinn.InstanceID{}, &poisonError{reasonInstanceIDMissing, "instanceId is missing"}
	case in.PartyID == "":
		return altinn.InstanceID{}, &poisonError{reasonPartyIDMissing, "partyId is missing"}
	}
	id, err := altinn.ParseInstanceID(string(in.PartyID) + "/" + guid)
	switch {
	case err != nil:
		return altinn.InstanceID{}, &poisonError{reasonInstanceIDBad, err.Error()}
	case id.GUID == uuid.Nil:
		return altinn.InstanceID{}, &poisonError{reasonInstanceIDBad, "malformed instance id: the GUID is all zeros"}
	}
	return id, nil
}

// app is `org/app`.
func (in wire) app() (id string, ok bool) {
	id = strings.TrimSpace(in.AppID)
	org, app, found := strings.Cut(id, "/")
	return id, found && org != "" && app != "" && !strings.Contains(app, "/")
}
