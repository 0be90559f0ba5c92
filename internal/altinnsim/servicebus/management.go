package servicebus

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

// answerTo addresses an answer to whoever asked.
func answerTo(request amqp.Message) amqp.Message {
	correlation := request.Properties.CorrelationID
	if correlation == nil {
		correlation = request.Properties.MessageID
	}
	return amqp.Message{Properties: amqp.Properties{To: request.Properties.ReplyTo, CorrelationID: correlation}}
}

// putToken is the only operation of the $cbs node.
func (c *conn) putToken(request amqp.Message) amqp.Message {
	answer := answerTo(request)
	status, description := c.judge(request)
	answer.Application = amqp.Map{
		{Key: "status-code", Value: status}, {Key: "status-description", Value: description},
	}
	answer.Body = amqp.Value(nil)
	return answer
}

func (c *conn) judge(request amqp.Message) (status int32, description string) {
	audience, _ := request.Application.Get("name").(string) // an absent name is the namespace's
	path := entityPath(audience)
	entity := c.broker.entity(path)
	if operation := request.Application.Get("operation"); operation != "put-token" {
		return http.StatusBadRequest, "The operation is not supported."
	}
	if request.Application.Get("type") != tokenType || c.broker.faults.strikes(EffectUnauthorized, entity) {
		return http.StatusUnauthorized, errTokenMalformed.Error()
	}
	_, value, err := request.Content()
	token, isText := value.(string)
	if err != nil || !isText {
		return http.StatusUnauthorized, errTokenMalformed.Error()
	}
	claim, err := verify(token, audience, c.broker.options.KeyName, c.broker.options.Key, time.Now())
	if err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	if path != "" && (c.broker.queues[entity] == nil || c.broker.faults.strikes(EffectNotFound, entity)) {
		return http.StatusNotFound, "The messaging entity '" + audience + "' could not be found."
	}
	c.claims[claim.path] = claim
	return http.StatusAccepted, "Accepted"
}

// entity is the queue's path in the path of a node.
func (b *Broker) entity(path string) string {
	if n := len(path) - len(managementSuffix); n > 0 && path[n:] == managementSuffix {
		return path[:n]
	}
	return path
}

// manage does what is asked of a queue's $management node.
func (q *Queue) manage(request amqp.Message) amqp.Message {
	answer := answerTo(request)
	status, body, condition, description := q.operate(request)
	answer.Application = amqp.Map{{Key: "statusCode", Value: status}, {Key: "statusDescription", Value: description}}
	if condition != "" {
		answer.Application = answer.Application.With("errorCondition", condition)
	}
	answer.Body = amqp.Value(body)
	return answer
}

// operate gives status, body, error condition and description.
func (q *Queue) operate(request amqp.Message) (status int32, body any, condition amqp.Symbol, description string) {
	_, value, err := request.Content()
	arguments, isMap := value.(amqp.Map)
	if err != nil || !isMap {
		return http.StatusBadRequest, nil, conditionDecode, "The body is not a map."
	}
	switch request.Application.Get("operation") {
	case "com.microsoft:renew-lock":
		until, err := q.renew(tokens(arguments))
		if err != nil {
			return http.StatusGone, nil, conditionLockLost, err.Error()
		}
		expirations := make(amqp.Array, 0, len(until))
		for _, t := range until {
			expirations = append(expirations, t)
		}
		return http.StatusOK, amqp.Map{{Key: "expirations", Value: expirations}}, "", "OK"
	case "com.microsoft:peek-message":
		from, _ := arguments.Get("from-sequence-number").(int64) // absent: from the beginning
		count, _ := arguments.Get("message-count").(int32)
		found := q.peek(from, int(count))
		if len(found) == 0 {
			return http.StatusNoContent, amqp.Map{}, "", "No messages"
		}
		list := make(amqp.List, 0, len(found))
		for _, message := range found {
			list = append(list, amqp.Map{{Key: "message", Value: message}})
		}
		return http.StatusOK, amqp.Map{{Key: "messages", Value: list}}, "", "OK"
	case "com.microsoft:schedule-message":
		return q.schedule(arguments)
	case "com.microsoft:cancel-scheduled-message":
		q.cancel(numbers(arguments))
		return http.StatusOK, amqp.Map{}, "", "OK"
	case "com.microsoft:update-disposition":
		return q.update(arguments)
	case "com.microsoft:receive-by-sequence-number":
		return q.receiveDeferred(arguments)
	}
	return http.StatusNotImplemented, nil, conditionUnsupported, "The operation is not supported."
}

// update settles without the link that the messages came over.
func (q *Queue) update(arguments amqp.Map) (status int32, body any, condition amqp.Symbol, description string) {
	modified, _ := arguments.Get("properties-to-modify").(amqp.Map) // absent: none
	var outcome any
	switch arguments.Get("disposition-status") {
	case "completed":
		outcome = amqp.Accepted{}
	case "abandoned":
		outcome = amqp.Modified{Annotations: modified}
	case "defered": // so the bus spells it
		outcome = amqp.Modified{UndeliverableHere: true, Annotations: modified}
	case "suspended":
		info := append(amqp.Map{}, modified...)
		info = info.With(propertyReason, arguments.Get("deadletter-reason"))
		info = info.With(propertyDescription, arguments.Get("deadletter-description"))
		outcome = amqp.Rejected{Error: &amqp.Error{Info: info}}
	default:
		return http.StatusBadRequest, nil, conditionDecode, "The disposition is not known."
	}
	for _, token := range tokens(arguments) {
		if err := q.settle(token, outcome); errors.Is(err, errLockLost) {
			return http.StatusGone, nil, conditionLockLost, err.Error()
		}
	}
	return http.StatusOK, nil, "", "OK"
}

func (q *Queue) schedule(arguments amqp.Map) (status int32, body any, condition amqp.Symbol, description string) {
	list, _ := arguments.Get("messages").(amqp.List) // nothing to schedule is refused below
	sequences := make(amqp.Array, 0, len(list))
	for _, item := range list {
		wrapped, _ := item.(amqp.Map)
		raw, _ := wrapped.Get("message").([]byte)
		message, err := amqp.ParseMessage(raw)
		if err != nil || len(raw) == 0 {
			return http.StatusBadRequest, nil, conditionDecode, "A message cannot be read."
		}
		sequence, err := q.enqueue(message, len(raw))
		if err != nil {
			return http.StatusBadRequest, nil, conditionTooLarge, err.Error()
		}
		sequences = append(sequences, sequence)
	}
	if len(sequences) == 0 {
		return http.StatusBadRequest, nil, conditionDecode, "There are no messages."
	}
	return http.StatusOK, amqp.Map{{Key: "sequence-numbers", Value: sequences}}, "", "OK"
}

func (q *Queue) receiveDeferred(arguments amqp.Map) (status int32, body any, condition amqp.Symbol, description string) {
	deliveries, found := q.takeDeferred(numbers(arguments))
	if !found {
		return http.StatusNotFound, nil, "com.microsoft:message-not-found", "A message is not there, or not deferred."
	}
	list := make(amqp.List, 0, len(deliveries))
	for _, d := range deliveries {
		list = append(list, amqp.Map{{Key: "lock-token", Value: amqp.UUID(d.token)}, {Key: "message", Value: d.payload}})
	}
	return http.StatusOK, amqp.Map{{Key: "messages", Value: list}}, "", "OK"
}

func tokens(arguments amqp.Map) []uuid.UUID {
	var out []uuid.UUID
	array, _ := arguments.Get("lock-tokens").(amqp.Array) // what is not there is not renewed
	for _, item := range array {
		if id, ok := item.(amqp.UUID); ok {
			out = append(out, uuid.UUID(id))
		}
	}
	return out
}

func numbers(arguments amqp.Map) []int64 {
	var out []int64
	array, _ := arguments.Get("sequence-numbers").(amqp.Array)
	for _, item := range array {
		if n, ok := item.(int64); ok {
			out = append(out, n)
		}
	}
	return out
}
