package outbox

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// What a message is known by (Storage reference, chapter 14).
const (
	Subject     = "Altinn.DialogportenAdapter.SyncInstanceCommand"
	ContentType = "application/json"
	source      = "Altinn.Platform.Storage"
)

// Message is a SyncInstanceCommand as it lies on the bus (Storage reference, chapter 14).
type Message struct {
	Body          []byte // UTF-8 JSON
	MessageID     string // another for every sending, also of a repeated one
	Subject       string
	ContentType   string
	CorrelationID string // "" none
	// Properties are the application properties, as the sender's framework writes them: all of them text.
	Properties map[string]string
}

// Bus takes messages over. When Publish has returned without an error, the bus has the message; after an error it may
// have it or not. Publish is called by one goroutine at a time.
type Bus interface {
	Publish(ctx context.Context, message Message) error
}

// Command is the body of a message.
type Command struct {
	AppID       string `json:"appId"`
	PartyID     string `json:"partyId"`
	InstanceID  string `json:"instanceId"`
	CreatedAt   string `json:"instanceCreatedAt"`
	IsMigration bool   `json:"isMigration"`
	EventType   int    `json:"eventType"`
}

// message writes the message of a row. Ids are drawn from the dice.
func (r Row) message(now time.Time, roll *world.Dice) Message {
	body := answer.Marshal(Command{
		AppID: r.AppID, PartyID: strconv.Itoa(int(r.PartyID)), InstanceID: r.Instance.String(),
		// What PostgreSQL keeps: microseconds, and no zeros at the end.
		CreatedAt:   r.Created.UTC().Truncate(time.Microsecond).Format("2006-01-02T15:04:05.999999Z07:00"),
		IsMigration: r.IsMigration, EventType: r.EventType,
	})
	// The framework separates the decimals by a colon.
	sent := strings.Replace(now.UTC().Format("2006-01-02 15:04:05.000000 Z"), ".", ":", 1)
	return Message{
		Body: body, MessageID: roll.UUID().String(), Subject: Subject, ContentType: ContentType,
		Properties: map[string]string{
			"conversation-id": roll.UUID().String(), "source": source, "sent-at": sent, "accepted-content-types": ContentType,
			"attempts": "0", "wolverine-protocol-version": "1.0",
		},
	}
}

// eventTypes are the names of the numbers (Storage reference, chapter 5).
func eventTypes() []string {
	return []string{
		"None", "Created", "Saved", "Submited", "Deleted", "Undeleted", "ConfirmedComplete", "SubstatusUpdated",
		"process_StartEvent", "process_EndEvent", "process_StartTask", "process_EndTask", "process_AbandonTask", "Signed",
		"SentToSign", "SentToPayment", "SentToSendIn", "SentToFormFill", "InstanceForwarded", "InstanceRightRevoked",
		"NotificationSentSms", "MessageArchived", "MessageRead",
	}
}

// NumberOf is the number of an event type, 0 (None) for a type that has none. Case does not matter.
func NumberOf(eventType string) int {
	for n, name := range eventTypes() {
		if strings.EqualFold(name, eventType) {
			return n
		}
	}
	return 0
}

// NameOf is the event type with that number.
func NameOf(number int) string {
	if names := eventTypes(); number >= 0 && number < len(names) {
		return names[number]
	}
	return strconv.Itoa(number)
}

// Delays by event type: the defaults of the real service's settings (Storage reference, chapter 13).
const (
	delayUrgent = 0
	delayHigh   = 5 * time.Second
	delayLow    = 60 * time.Second
)

// Change is what Storage tells when it stores an event.
type Change struct {
	Instance  uuid.UUID
	AppID     string
	PartyID   int32
	Created   time.Time // of the instance
	EventType string
	// Data tells that a data element was created, not an instance: the request's path ends in /data.
	Data bool
	// Migration tells of an archived form that arrived or was replaced: sent without delay.
	Migration bool
}

// Delay is how long a change waits before it may be sent.
func (c Change) Delay() time.Duration {
	switch {
	case c.Migration, c.EventType == "Deleted", c.EventType == "Created" && !c.Data:
		return delayUrgent
	case c.EventType == "Saved", c.EventType == "SubstatusUpdated", strings.HasPrefix(c.EventType, "process_"):
		return delayLow
	}
	return delayHigh
}
