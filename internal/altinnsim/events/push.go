package events

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// TypeValidate is the event that an endpoint must answer before it gets any other (15.4).
const TypeValidate = "platform.events.validatesubscription"

// maxDead is how many dead letters are remembered.
const maxDead = 1000

// deliverySchedule are the waits after each failed push; after the last one it is given up (15.5).
func deliverySchedule() []time.Duration {
	return []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 12 * time.Hour,
	}
}

// validationSchedule are the waits after each failed validation (15.4).
func validationSchedule() []time.Duration {
	return []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
	}
}

// target is where an event is pushed to. It is a copy: a subscription that is deleted meanwhile still receives.
type target struct {
	subscription int
	endPoint     string
}

// schedule queues the pushes of an event to a target. The caller holds the lock.
func (s *Service) schedule(to target, e *stored) {
	times := 1
	if s.roll() < s.settings.Double {
		s.counts.Doubled++
		times++
	}
	for range times {
		due := s.config.Now().Add(time.Duration(s.roll() * float64(s.settings.Shuffle)))
		s.queue.add(due, func(ctx context.Context) { s.deliver(ctx, to, e, 0) })
	}
}

// deliver pushes an event once. failures is how often that failed before.
func (s *Service) deliver(ctx context.Context, to target, e *stored, failures int) {
	ok := s.push(ctx, to.endPoint, e.json)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // a reset or the end
	}
	s.counts.Pushes++
	if ok {
		s.counts.Delivered++
		return
	}
	s.counts.Failed++
	waits := deliverySchedule()
	if failures == len(waits) {
		s.counts.DeadLettered++
		s.dead = append(s.dead, DeadLetter{SubscriptionID: to.subscription, EventID: e.id, Attempts: failures + 1})
		if len(s.dead) > maxDead {
			s.dead = s.dead[1:]
		}
		return
	}
	due := s.config.Now().Add(s.settings.wait(waits[failures]))
	s.queue.add(due, func(ctx context.Context) { s.deliver(ctx, to, e, failures+1) })
}

// startValidation sends the validation event and repeats it until it is answered. The caller holds the lock.
func (s *Service) startValidation(subscription *Subscription) {
	to := target{subscription: subscription.ID, endPoint: subscription.EndPoint}
	event := answer.Marshal(cloudEvent{
		SpecVersion: specVersion, ID: uuid.NewString(), Type: TypeValidate,
		Source: "https://platform." + s.config.Host + Prefix + "/subscriptions/" + strconv.Itoa(subscription.ID),
	})
	s.queue.add(s.config.Now(), func(ctx context.Context) { s.validate(ctx, to, event, 0) })
}

// validate sends a validation event once. failures is how often that failed before.
func (s *Service) validate(ctx context.Context, to target, event []byte, failures int) {
	ok := s.push(ctx, to.endPoint, event)
	s.mu.Lock()
	defer s.mu.Unlock()
	subscription, exists := s.subscriptions[to.subscription]
	if ctx.Err() != nil || !exists {
		return
	}
	if ok {
		subscription.Validated = true
		return
	}
	waits := validationSchedule()
	if failures == len(waits) {
		return
	}
	due := s.config.Now().Add(s.settings.wait(waits[failures]))
	s.queue.add(due, func(ctx context.Context) { s.validate(ctx, to, event, failures+1) })
}

// maxAnswer bounds what is read of an endpoint's answer, in bytes, so that connections are used again.
const maxAnswer = 1 << 16

// push posts one event. Only a 2xx within the time-out is a success; the body is ignored.
func (s *Service) push(ctx context.Context, endPoint string, event []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Settings().Timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endPoint, bytes.NewReader(event))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", answer.TypeJSON)
	response, err := s.client.Do(r)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // only the status counts
	_ = response.Body.Close()
	return response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusMultipleChoices
}
