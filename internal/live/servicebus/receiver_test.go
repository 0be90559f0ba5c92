package servicebus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	bus "github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/live/servicebus"
	"github.com/altinn/dialogsync/internal/telemetry"
)

var errDown = errors.New("the database is down")

// Invariant 1: nothing is completed before it is committed.
func TestCompletedOnlyAfterTheCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{})
	entered, commit := make(chan struct{}, 10), make(chan struct{})
	r.book.setRefuse(func(context.Context, []live.Command) error {
		entered <- struct{}{}
		<-commit
		return nil
	})
	ids := r.publish(t, 3)
	receiver, _ := start(t, r.config())
	<-entered
	eventually(t, func() bool { return r.queue.Counts().Locked == 3 })
	assert.Zero(t, r.queue.Counts().Completed)
	close(commit)
	eventually(t, func() bool { return r.queue.Counts().Completed == 3 })
	for _, id := range ids {
		assert.Equal(t, 1, r.book.times(id))
	}
	state := receiver.State()
	assert.True(t, state.Healthy())
	assert.False(t, state.LastReceived.IsZero())
	eventually(t, func() bool { return r.metric(t, "dialogsync_bus_messages")["accepted"] == 3 })
	assert.Equal(t, map[string]int64{"": 3}, r.metric(t, "dialogsync_bus_received"))
}

// A process that dies between the commit and the completion leaves the message on the bus.
func TestRedeliveredWhenNotCompleted(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{LockDuration: 200 * time.Millisecond})
	require.NoError(t, r.broker.SetFaults(bus.Rule{Effect: bus.EffectCutBeforeSettling, Count: 1}))
	id := r.publish(t, 1)[0]
	start(t, r.config())
	eventually(t, r.settled)
	assert.Equal(t, 1, r.queue.Counts().Completed)
	assert.GreaterOrEqual(t, r.book.times(id), 1)
}

// Nothing is lost, and no delivery is used up, while commands cannot be committed.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{MaxDeliveries: 2})
	down := make(chan struct{})
	r.book.setRefuse(func(context.Context, []live.Command) error {
		select {
		case <-down:
			return nil
		default:
			return errDown
		}
	})
	r.publish(t, 20)
	receiver, _ := start(t, r.config())
	eventually(t, func() bool {
		r.book.mu.Lock()
		defer r.book.mu.Unlock()
		return r.book.calls > 100
	})
	state := receiver.State()
	assert.Equal(t, servicebus.ReasonNotAccepted, state.Reason)
	assert.Contains(t, state.NextStep, "PostgreSQL")
	close(down)
	eventually(t, r.settled)
	assert.Equal(t, 20, r.book.len())
	counts := r.queue.Counts()
	assert.Equal(t, [3]int{20, 0, 0}, [3]int{counts.Completed, counts.Abandoned, counts.DeadLettered})
	assert.True(t, receiver.State().Healthy())
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("cannot be committed").Len(), "it is told once")
}

// One command that cannot be committed does not hold up the others.
func TestBadCommandAmongGoodOnes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"fails every time":   {errors.New("constraint"), "MaxDeliveryCountExceeded"},
		"is refused forever": {fmt.Errorf("accept: %w", &live.CommandError{Problem: "no such thing"}), "command_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, bus.QueueOptions{MaxDeliveries: 3})
			ids := r.publish(t, 300)
			bad := ids[123]
			r.book.setRefuse(func(_ context.Context, commands []live.Command) error {
				for _, command := range commands {
					if command.ID.GUID == bad {
						return c.err
					}
				}
				return nil
			})
			start(t, r.config())
			// Others keep coming: that is how a bad command is told from a bad database.
			eventually(t, func() bool {
				r.publish(t, 1)
				return r.queue.Counts().DeadLettered == 1
			})
			letters := r.queue.DeadLetters(10)
			assert.Equal(t, c.reason, letters[0].Reason)
			assert.Contains(t, letters[0].Body, bad.String())
			eventually(t, r.settled)
			for _, id := range ids {
				if id != bad {
					assert.Equal(t, 1, r.book.times(id))
				}
			}
		})
	}
}

func TestPoisonAndForeignMessages(t *testing.T) {
	t.Parallel()
	const person = "13897197123"
	r := newRig(t, bus.QueueOptions{})
	r.publishBody(t, outbox.Subject, []byte(`{"partyId":"`+person))
	r.publishBody(t, outbox.Subject, []byte(`{"appId":"ttd/a","partyId":"`+person+`","instanceId":"`+uuid.NewString()+`"}`))
	r.publishBody(t, outbox.Subject, []byte(`{"x":"`+strings.Repeat(person, 10_000)+`"}`))
	r.publishBody(t, "Altinn.Other.Command", []byte(`{}`))
	r.publishBody(t, "", []byte(person))
	id := r.publish(t, 1)[0]
	start(t, r.config())
	eventually(t, func() bool { return r.settled() && r.queue.Counts().DeadLettered == 3 })
	assert.Equal(t, 1, r.book.times(id))
	assert.Equal(t, 3, r.queue.Counts().Completed)
	reasons := map[string]bool{}
	for _, letter := range r.queue.DeadLetters(10) {
		reasons[letter.Reason] = true
		assert.NotEmpty(t, letter.Description)
		assert.NotContains(t, letter.Description, person)
	}
	assert.Equal(t, map[string]bool{"body_malformed": true, "instance_id_malformed": true, "body_too_large": true}, reasons)
	eventually(t, func() bool {
		return assert.ObjectsAreEqual(map[string]int64{
			"accepted": 1, "unknown": 2, "dead_lettered body_malformed": 1, "dead_lettered instance_id_malformed": 1, "dead_lettered body_too_large": 1,
		}, r.metric(t, "dialogsync_bus_messages"))
	})
	for _, entry := range r.logs.All() {
		assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), person)
	}
}

// Locks are renewed as long as the commit takes.
func TestSlowCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{LockDuration: 3 * time.Second})
	commit := make(chan struct{})
	r.book.setRefuse(func(context.Context, []live.Command) error { <-commit; return nil })
	r.publish(t, 2)
	start(t, r.config())
	eventually(t, func() bool { return r.queue.Counts().Renewed >= 6 })
	close(commit)
	eventually(t, r.settled)
	counts := r.queue.Counts()
	assert.Equal(t, [3]int{2, 0, 2}, [3]int{counts.Completed, counts.LocksLost, counts.Delivered})
}

// What was locked too long comes again, and its first completion does no harm.
func TestLocksAreLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{})
	entered, commit := make(chan struct{}, 10), make(chan struct{})
	r.book.setRefuse(func(context.Context, []live.Command) error {
		entered <- struct{}{}
		<-commit
		return nil
	})
	id := r.publish(t, 1)[0]
	start(t, r.config())
	<-entered
	r.queue.LoseLocks()
	<-entered
	close(commit)
	eventually(t, r.settled)
	assert.Equal(t, 2, r.book.times(id))
	counts := r.queue.Counts()
	assert.Equal(t, [2]int{1, 1}, [2]int{counts.Completed, counts.LocksLost})
	eventually(t, func() bool { return r.metric(t, "dialogsync_bus_messages")["unsettled accepted"] == 1 })
	assert.Equal(t, map[string]int64{"": 1}, r.metric(t, "dialogsync_bus_redelivered"))
}

// What is not accepted when the end comes is given back.
func TestStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{})
	entered := make(chan struct{}, 1000)
	r.book.setRefuse(func(context.Context, []live.Command) error { entered <- struct{}{}; return errDown })
	r.publish(t, 5)
	receiver, stop := start(t, r.config())
	<-entered
	stop()
	counts := r.queue.Counts()
	assert.Equal(t, [3]int{5, 0, 0}, [3]int{counts.Active, counts.Locked, counts.Completed})
	assert.Equal(t, servicebus.ReasonStopped, receiver.State().Reason)
	assert.Zero(t, receiver.Bus(), "nobody asks it for more")
}

// Two receivers share 10,000 messages while their connections are cut, links detached, locks lost and answers dropped:
// each message is committed at least once, and none is left or buried.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	const messages = 10_000
	r := newRig(t, bus.QueueOptions{LockDuration: 5 * time.Second, MaxDeliveries: 1000})
	require.NoError(t, r.broker.SetFaults(
		bus.Rule{Effect: bus.EffectCut, Skip: 20, Count: 1}, bus.Rule{Effect: bus.EffectDetach, Skip: 40, Count: 2},
		bus.Rule{Effect: bus.EffectLockLost, Probability: 0.001, Count: 20}, bus.Rule{Effect: bus.EffectDouble, Probability: 0.001, Count: 20},
		bus.Rule{Effect: bus.EffectCutBeforeSettling, Skip: 3000, Count: 1}, bus.Rule{Effect: bus.EffectCutAfterSettling, Skip: 5000, Count: 1},
	))
	config := r.config()
	config.Batch = 200
	for range 2 {
		start(t, config)
	}
	ids := r.publish(t, messages)
	eventually(t, func() bool { return r.book.len() == messages && r.settled() })
	for _, id := range ids {
		assert.Positive(t, r.book.times(id))
	}
	assert.Zero(t, r.queue.Counts().DeadLettered)
}

// The bus goes away and comes back at the same place.
func TestBusRestarts(t *testing.T) {
	t.Parallel()
	r := newRig(t, bus.QueueOptions{})
	receiver, _ := start(t, r.config())
	r.publish(t, 10)
	eventually(t, r.settled)

	address := r.server.Addr()
	require.NoError(t, r.server.Close())
	eventually(t, func() bool { return receiver.State().Reason == servicebus.ReasonUnreachable })
	r.publish(t, 10)
	r.listen(t, r.broker, address)
	eventually(t, r.settled)
	assert.Equal(t, 20, r.book.len())
	eventually(t, func() bool { return receiver.State().Healthy() })
}

// A refusal is told with what to do about it, and tried again until it is mended.
func TestRefusals(t *testing.T) {
	t.Parallel()
	other := func(t *testing.T, options bus.Options) *bus.Broker {
		t.Helper()
		broker, err := bus.New(options)
		require.NoError(t, err)
		return broker
	}
	for name, c := range map[string]struct {
		options      bus.Options
		reason, step string
	}{
		"wrong key":     {bus.Options{Key: "another", Queues: []bus.QueueOptions{{Name: queueName}}}, servicebus.ReasonUnauthorized, "DIALOGSYNC_SERVICEBUS_CONNECTION"},
		"missing queue": {bus.Options{Queues: []bus.QueueOptions{{Name: "another"}}}, servicebus.ReasonQueueMissing, "DIALOGSYNC_SERVICEBUS_QUEUE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, bus.QueueOptions{})
			config := r.config()
			address := r.server.Addr()
			require.NoError(t, r.server.Close())
			r.listen(t, other(t, c.options), address)

			receiver, _ := start(t, config)
			eventually(t, func() bool { return receiver.State().Reason == c.reason })
			assert.False(t, receiver.State().Healthy())
			told := receiver.Bus()
			assert.True(t, told.Configured)
			assert.True(t, strings.HasPrefix(told.Trouble, c.reason+": "), told.Trouble)
			assert.WithinDuration(t, time.Now(), told.Since, time.Hour)
			eventually(t, func() bool { return r.logs.FilterLevelExact(zap.WarnLevel).FilterMessageSnippet(c.step).Len() > 1 })
			for _, entry := range r.logs.All() {
				assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), bus.DefaultKey)
			}

			require.NoError(t, r.server.Close())
			r.listen(t, r.broker, address)
			r.publish(t, 1)
			eventually(t, r.settled)
			eventually(t, func() bool { return receiver.State().Healthy() })
			assert.Equal(t, 1, r.logs.FilterMessageSnippet("receiving sync commands").Len())
			assert.Equal(t, c.reason, r.logs.FilterMessageSnippet(c.step).FilterMessageSnippet("no sync commands").All()[0].ContextMap()[telemetry.LogKeyReason])
		})
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	good := servicebus.Config{
		Connection: "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=geheim", Queue: "q", Accepter: newBook(),
	}
	_, err := servicebus.New(good)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*servicebus.Config){
		"no connection":      func(c *servicebus.Config) { c.Connection = "" },
		"no queue":           func(c *servicebus.Config) { c.Queue = "" },
		"nobody":             func(c *servicebus.Config) { c.Accepter = nil },
		"too large a batch":  func(c *servicebus.Config) { c.Batch = 5001 },
		"not a string of it": func(c *servicebus.Config) { c.Connection = "geheim" },
		"no key": func(c *servicebus.Config) {
			c.Connection = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=geheim"
		},
		"an emulator on http": func(c *servicebus.Config) { c.Connection = "Endpoint=geheim://x;UseDevelopmentEmulator=true" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			spoil(&config)
			_, err := servicebus.New(config)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "service bus")
		})
	}
}
