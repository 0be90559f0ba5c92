package servicebus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
)

const (
	queueName = "altinn.test"
	patience  = 2 * time.Minute
	moment    = time.Millisecond
)

func deadLetter(reason string) *azservicebus.DeadLetterOptions {
	return &azservicebus.DeadLetterOptions{Reason: &reason}
}

// bundle is a bus, and a client of the real SDK.
type bundle struct {
	broker *servicebus.Broker
	server *servicebus.Server
	queue  *servicebus.Queue
	client *azservicebus.Client
}

func setup(t *testing.T, options servicebus.QueueOptions) *bundle {
	t.Helper()
	options.Name = queueName
	broker, err := servicebus.New(servicebus.Options{Queues: []servicebus.QueueOptions{options}})
	require.NoError(t, err)
	server, err := broker.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	b := &bundle{broker: broker, server: server, queue: broker.Queue(queueName)}
	b.client = b.connect(t, server.ConnectionString())
	return b
}

func (b *bundle) connect(t *testing.T, connection string) *azservicebus.Client {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 3, RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(context.Background())) })
	return client
}

func (b *bundle) publish(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, b.queue.Publish(t.Context(), outbox.Message{
			Body: fmt.Appendf(nil, `{"n":%d}`, i), MessageID: fmt.Sprintf("m%d", i), Subject: "Test", ContentType: "application/json",
			Properties: map[string]string{"attempts": "0"},
		}))
	}
}

func (b *bundle) receiver(t *testing.T, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	receiver, err := b.client.NewReceiverForQueue(queueName, options)
	require.NoError(t, err)
	return receiver
}

// receive waits for n messages.
func receive(t *testing.T, receiver *azservicebus.Receiver, n int) []*azservicebus.ReceivedMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []*azservicebus.ReceivedMessage
	for len(out) < n {
		got, err := receiver.ReceiveMessages(ctx, n-len(out), nil)
		require.NoError(t, err)
		out = append(out, got...)
	}
	return out
}

func TestPeekLock(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	b.publish(t, 2)
	receiver := b.receiver(t, nil)
	got := receive(t, receiver, 2)
	first := got[0]
	assert.JSONEq(t, `{"n":0}`, string(first.Body))
	assert.Equal(t, "m0", first.MessageID)
	assert.Equal(t, "Test", *first.Subject)
	assert.Equal(t, "application/json", *first.ContentType)
	assert.Equal(t, "0", first.ApplicationProperties["attempts"])
	assert.EqualValues(t, 1, first.DeliveryCount)
	assert.EqualValues(t, 1, *first.SequenceNumber)
	assert.WithinDuration(t, time.Now().Add(servicebus.DefaultLockDuration), *first.LockedUntil, 30*time.Second)
	assert.WithinDuration(t, time.Now(), *first.EnqueuedTime, 30*time.Second)
	assert.Equal(t, 2, b.queue.Counts().Locked)

	before := *first.LockedUntil
	require.NoError(t, receiver.RenewMessageLock(t.Context(), first, nil))
	assert.False(t, first.LockedUntil.Before(before))

	peeked, err := receiver.PeekMessages(t.Context(), 10, nil)
	require.NoError(t, err)
	assert.Len(t, peeked, 2, "locked messages are seen too")

	require.NoError(t, receiver.CompleteMessage(t.Context(), first, nil))
	require.NoError(t, receiver.AbandonMessage(t.Context(), got[1], nil))
	again := receive(t, receiver, 1)
	assert.Equal(t, "m1", again[0].MessageID)
	assert.EqualValues(t, 2, again[0].DeliveryCount)
	require.NoError(t, receiver.CompleteMessage(t.Context(), again[0], nil))
	counts := b.queue.Counts()
	assert.Equal(t, [4]int{0, 0, 2, 1}, [4]int{counts.Active, counts.Locked, counts.Completed, counts.Abandoned})
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{MaxDeliveries: 2})
	b.publish(t, 2)
	receiver := b.receiver(t, nil)
	got := receive(t, receiver, 2)
	reason, description := "why", "because"
	require.NoError(t, receiver.DeadLetterMessage(t.Context(), got[0], &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &description}))
	require.NoError(t, receiver.AbandonMessage(t.Context(), got[1], nil))
	require.NoError(t, receiver.AbandonMessage(t.Context(), receive(t, receiver, 1)[0], nil))

	letters := b.queue.DeadLetters(10)
	require.Len(t, letters, 2)
	assert.Equal(t, [3]string{"m0", "why", "because"}, [3]string{letters[0].MessageID, letters[0].Reason, letters[0].Description})
	assert.Equal(t, "MaxDeliveryCountExceeded", letters[1].Reason)

	dead := b.receiver(t, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	found := receive(t, dead, 2)
	assert.Equal(t, "why", *found[0].DeadLetterReason)
	for _, m := range found {
		require.NoError(t, dead.CompleteMessage(t.Context(), m, nil))
	}
	assert.Zero(t, b.queue.Counts().DeadLettered)
}

func TestLocksExpire(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{LockDuration: 50 * time.Millisecond})
	b.publish(t, 1)
	receiver := b.receiver(t, nil)
	first := receive(t, receiver, 1)[0]
	require.Eventually(t, func() bool { return b.queue.Counts().LocksLost == 1 }, patience, moment)
	err := receiver.CompleteMessage(t.Context(), first, nil)
	var known *azservicebus.Error
	require.ErrorAs(t, err, &known)
	assert.Equal(t, azservicebus.CodeLockLost, known.Code)
	err = receiver.RenewMessageLock(t.Context(), first, nil)
	require.ErrorAs(t, err, &known)
	assert.Equal(t, azservicebus.CodeLockLost, known.Code)
}

// Two receivers share 10,000 messages, and none is lost or handled twice.
func TestCompetingReceivers(t *testing.T) {
	t.Parallel()
	const messages = 10_000
	b := setup(t, servicebus.QueueOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var mu sync.Mutex
	handled, share := map[string]int{}, [2]int{}
	var running sync.WaitGroup
	for i := range share {
		client := b.connect(t, b.server.ConnectionString())
		receiver, err := client.NewReceiverForQueue(queueName, nil)
		require.NoError(t, err)
		running.Go(func() {
			for ctx.Err() == nil {
				got, err := receiver.ReceiveMessages(ctx, 200, nil)
				if err != nil {
					continue
				}
				var settling sync.WaitGroup
				for _, m := range got {
					settling.Go(func() { assert.NoError(t, receiver.CompleteMessage(ctx, m, nil)) })
				}
				settling.Wait()
				mu.Lock()
				for _, m := range got {
					handled[m.MessageID]++
				}
				share[i] += len(got)
				if len(handled) == messages {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	b.publish(t, messages)
	running.Wait()
	assert.Len(t, handled, messages)
	for id, n := range handled {
		assert.Equal(t, 1, n, id)
	}
	assert.Positive(t, min(share[0], share[1]), "both had some")
	assert.Zero(t, b.queue.Counts().Active+b.queue.Counts().Locked)
}

func TestSending(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{MaxMessageSize: 200 << 10})
	sender, err := b.client.NewSender(queueName, nil)
	require.NoError(t, err)
	id, large := "same", []byte(strings.Repeat("x", 150<<10)) // more than one frame
	for range 2 {
		require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: large}, nil))
	}
	assert.Equal(t, 1, b.queue.Counts().Duplicates)

	batch, err := sender.NewMessageBatch(t.Context(), nil)
	require.NoError(t, err)
	for _, text := range []string{"a", "b"} {
		require.NoError(t, batch.AddMessage(&azservicebus.Message{Body: []byte(text)}, nil))
	}
	require.NoError(t, sender.SendMessageBatch(t.Context(), batch, nil))

	sequences, err := sender.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: []byte("later")}, {Body: []byte("never")}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	require.NoError(t, sender.CancelScheduledMessages(t.Context(), sequences[1:], nil))
	assert.Equal(t, 1, b.queue.Counts().Scheduled)

	got := receive(t, b.receiver(t, nil), 3)
	assert.Equal(t, [3]string{string(large), "a", "b"}, [3]string{string(got[0].Body), string(got[1].Body), string(got[2].Body)})

	err = sender.SendMessage(t.Context(), &azservicebus.Message{Body: []byte(strings.Repeat("x", 200<<10))}, nil)
	require.ErrorIs(t, err, azservicebus.ErrMessageTooLarge)
}

func TestDeferredMessages(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	b.publish(t, 1)
	receiver := b.receiver(t, nil)
	require.NoError(t, receiver.DeferMessage(t.Context(), receive(t, receiver, 1)[0], nil))
	assert.Equal(t, 1, b.queue.Counts().Deferred)
	got, err := receiver.ReceiveDeferredMessages(t.Context(), []int64{1}, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "m0", got[0].MessageID)
}

func TestReceiveAndDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	b.publish(t, 3)
	receive(t, b.receiver(t, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete}), 3)
	assert.Equal(t, [2]int{0, 0}, [2]int{b.queue.Counts().Active, b.queue.Counts().Locked})
}

func TestWhoMayCome(t *testing.T) {
	t.Parallel()
	b := setup(t, servicebus.QueueOptions{})
	good := b.server.ConnectionString()
	cases := map[string]struct {
		connection, queue string
		code              azservicebus.Code
	}{
		"wrong key":     {strings.Replace(good, servicebus.DefaultKey, "other", 1), queueName, azservicebus.CodeUnauthorizedAccess},
		"wrong name":    {strings.Replace(good, servicebus.DefaultKeyName, "other", 1), queueName, azservicebus.CodeUnauthorizedAccess},
		"missing queue": {good, "nowhere", azservicebus.CodeNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver, err := b.connect(t, c.connection).NewReceiverForQueue(c.queue, nil)
			require.NoError(t, err)
			_, err = receiver.ReceiveMessages(t.Context(), 1, nil)
			var known *azservicebus.Error
			require.ErrorAs(t, err, &known)
			assert.Equal(t, c.code, known.Code)
		})
	}
}

func TestConnectionsAreLost(t *testing.T) {
	t.Parallel()
	for _, effect := range []servicebus.Effect{servicebus.EffectCut, servicebus.EffectDetach, servicebus.EffectRefuse, servicebus.EffectSlow} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			b := setup(t, servicebus.QueueOptions{LockDuration: time.Second, MaxDeliveries: 1000})
			require.NoError(t, b.broker.SetFaults(servicebus.Rule{Effect: effect, Count: 2, LatencyMS: 1}))
			b.publish(t, 200)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			receiver := b.receiver(t, nil)
			handled := map[string]bool{}
			for b.queue.Counts().Completed < 200 && ctx.Err() == nil {
				waiting, cancel := context.WithTimeout(ctx, time.Second)
				got, err := receiver.ReceiveMessages(waiting, 50, nil)
				cancel()
				if err != nil {
					continue
				}
				for _, m := range got {
					handled[m.MessageID] = true
					// Shorter than the SDK's own pauses: what came over a lost connection comes again, or was done already.
					settling, cancel := context.WithTimeout(ctx, time.Second)
					_ = receiver.CompleteMessage(settling, m, nil)
					cancel()
				}
			}
			assert.Len(t, handled, 200)
			assert.Equal(t, 2, b.broker.Faults()[0].Struck)
		})
	}
}
