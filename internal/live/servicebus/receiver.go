package servicebus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// Defaults of Config.
const (
	DefaultBatch       = 500
	DefaultBatches     = 2
	DefaultMaxBody     = 64 << 10
	DefaultFirstRetry  = time.Second
	DefaultLongestWait = time.Minute
)

const (
	maxBatch = 5000 // what the SDK allows to be asked for at once
	// probeTimeout bounds the making of a connection, and the question whether it still works.
	probeTimeout = 30 * time.Second
	// idleProbe is after how long without a message it is asked.
	idleProbe = time.Minute
	// settleTimeout is shorter than the SDK's first pause (3.2 s): after a lost connection it would, for every message
	// that came over the old one, tear down the new one too.
	settleTimeout = 3 * time.Second
	// grace is how long work under way may go on after the end was asked for.
	grace        = 5 * time.Second
	closeTimeout = 5 * time.Second
)

// Config is what a Receiver needs. Zero numbers become the defaults.
type Config struct {
	// Connection is the connection string, key included. With `UseDevelopmentEmulator=true` it is spoken to without TLS.
	Connection string
	Queue      string
	Accepter   live.Accepter
	// Logger and Meter may be nil.
	Logger *zap.Logger
	Meter  metric.Meter

	// Batch is how many messages are received, and accepted, at once. It is also all the credit the bus is given.
	Batch int
	// Batches is how many are worked on side by side.
	Batches int
	// MaxBody is the longest body of a command, in bytes.
	MaxBody int
	// FirstRetry and LongestWait are the pauses after failures.
	FirstRetry, LongestWait time.Duration
}

func (c *Config) complete() error {
	switch {
	case c.Connection == "" || c.Queue == "":
		return errors.New("the connection string or the queue is missing")
	case c.Accepter == nil:
		return errors.New("nobody accepts commands")
	case c.Batch < 0 || c.Batch > maxBatch:
		return fmt.Errorf("a batch of %d messages is not between 1 and %d", c.Batch, maxBatch)
	case c.Batches < 0 || c.MaxBody < 0 || c.FirstRetry < 0 || c.LongestWait < 0:
		return errors.New("a number is negative")
	}
	for _, number := range [...]struct {
		value     *int
		byDefault int
	}{{&c.Batch, DefaultBatch}, {&c.Batches, DefaultBatches}, {&c.MaxBody, DefaultMaxBody}} {
		if *number.value == 0 {
			*number.value = number.byDefault
		}
	}
	if c.FirstRetry == 0 {
		c.FirstRetry = DefaultFirstRetry
	}
	if c.LongestWait == 0 {
		c.LongestWait = DefaultLongestWait
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Meter == nil {
		c.Meter = noop.Meter{}
	}
	return nil
}

// Receiver is the intake from one queue. Several may compete for it, in one process or many.
type Receiver struct {
	config   Config
	logger   *zap.Logger
	counters *counters
	now      func() time.Time

	taken atomic.Int64 // commands committed

	mu    sync.Mutex
	state State

	unknown sync.Once // the first message that is not ours is told of; all are counted
}

// New makes a receiver. It does not connect: only what is wrong in the configuration itself is an error here, and that
// never shows the connection string.
func New(config Config) (*Receiver, error) {
	if err := config.complete(); err != nil {
		return nil, fmt.Errorf("service bus: %w", err)
	}
	if _, err := connect(config); err != nil {
		return nil, fmt.Errorf("service bus: read DIALOGSYNC_SERVICEBUS_CONNECTION: %s", telemetry.Redact(err.Error()))
	}
	if strings.Contains(strings.ToLower(config.Connection), "usedevelopmentemulator=true") {
		config.Logger.Warn("the service bus is spoken to without encryption: DIALOGSYNC_SERVICEBUS_CONNECTION names a development emulator")
	}
	counters, err := newCounters(config.Meter)
	if err != nil {
		return nil, err
	}
	r := &Receiver{config: config, logger: config.Logger, counters: counters, now: time.Now}
	r.state = State{Reason: ReasonStopped, Since: r.now().UTC()}
	return r, nil
}

// connect makes a client. It opens no connection yet, and one attempt of it is one attempt: Run does the waiting.
func connect(config Config) (*azservicebus.Client, error) {
	client, err := azservicebus.NewClientFromConnectionString(config.Connection, &azservicebus.ClientOptions{
		ApplicationID: "dialogsync", RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return client, nil
}

// Run receives until ctx is done; then what was received and is not accepted is given back. A bus that is away, refuses or
// lacks the queue is tried again, for ever: State and the log tell. Run is called once.
func (r *Receiver) Run(ctx context.Context) error {
	defer r.enter(ReasonStopped)
	r.enter(ReasonConnecting)
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(r.config.FirstRetry),
		backoff.WithMaxInterval(r.config.LongestWait), backoff.WithMaxElapsedTime(0))
	for {
		err := r.receive(ctx, pauses.Reset)
		if ctx.Err() != nil {
			return nil
		}
		wait := pauses.NextBackOff()
		if errors.Is(err, errLost) {
			r.logger.Info("the connection to the service bus was lost; making a new one", zap.String(telemetry.LogKeyQueue, r.config.Queue))
		} else {
			r.lost(err, wait)
		}
		pause(ctx, wait)
	}
}

// link is a connection's two ways to the queue. The SDK lets go of a way's links when receiving fails, and whoever uses it
// at that moment makes new ones, each for itself, and loses most of them. So receiving has a way of its own, which one
// goroutine uses; the other has no credit, and is what many settle over: a message knows the link that it came by.
type link struct {
	receiving, settling *azservicebus.Receiver
}

// errLost tells that the connection or the link has ended: a new one is to be made.
var errLost = errors.New("the connection was lost")

// receive works with one client until that fails or ctx is done, and returns when all its batches have ended.
func (r *Receiver) receive(ctx context.Context, connected func()) error {
	client, err := connect(r.config)
	if err != nil {
		return err
	}
	var l link
	for _, way := range [...]**azservicebus.Receiver{&l.receiving, &l.settling} {
		if *way, err = client.NewReceiverForQueue(r.config.Queue, nil); err != nil {
			return fmt.Errorf("make receiver: %w", err)
		}
	}
	var left leftovers
	err = r.receiveFrom(ctx, l, &left, connected)

	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	// The receiving link has credit: what is given back while it is there would at once come again, and stay locked.
	if err := l.receiving.Close(ending); err != nil {
		r.logger.Debug("close service bus receiver", zap.String(telemetry.LogKeyError, telemetry.Redact(err.Error())))
	}
	newSettler(ctx, r, l.settling).abandon(ending, left.messages)
	if err := client.Close(ending); err != nil {
		r.logger.Debug("close service bus client", zap.String(telemetry.LogKeyError, telemetry.Redact(err.Error())))
	}
	return err
}

// leftovers are messages that were received and not accepted, known by their locks alone: their link will be closed.
type leftovers struct {
	mu       sync.Mutex
	messages []*azservicebus.ReceivedMessage
}

func (l *leftovers) add(messages []*azservicebus.ReceivedMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		l.messages = append(l.messages, &azservicebus.ReceivedMessage{LockToken: m.LockToken})
	}
}

func (r *Receiver) receiveFrom(ctx context.Context, l link, left *leftovers, connected func()) error {
	// Batches end when this client does: their locks cannot be renewed then.
	ctx, cancel := context.WithCancel(ctx)
	var batches sync.WaitGroup
	defer batches.Wait()
	defer cancel()
	slots := make(chan struct{}, r.config.Batches)
	for probe := true; ; {
		if probe {
			if err := r.probe(ctx, l.settling); err != nil {
				return err
			}
			connected()
			r.receiving()
		}
		// Nothing is received that nobody has time for: its lock would run out.
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		messages, err := r.next(ctx, l.receiving)
		if probe = len(messages) == 0; probe {
			<-slots
			if err != nil {
				return err
			}
			continue // nothing came for long
		}
		batches.Go(func() {
			defer func() { <-slots }()
			left.add(r.handle(ctx, l.settling, messages))
		})
	}
}

// probe asks for a look at the queue: the answer shows that connection, key and queue are good.
func (r *Receiver) probe(ctx context.Context, queue *azservicebus.Receiver) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var first int64
	if _, err := queue.PeekMessages(ctx, 1, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &first}); err != nil {
		return fmt.Errorf("look at queue: %w", err)
	}
	return nil
}

// next waits for messages. None and no error: it is time to look whether the bus is still there. When the connection or the
// link ends while it waits, the SDK says nothing at all: that is errLost.
func (r *Receiver) next(ctx context.Context, queue *azservicebus.Receiver) ([]*azservicebus.ReceivedMessage, error) {
	waiting, cancel := context.WithTimeout(ctx, idleProbe)
	defer cancel()
	messages, err := queue.ReceiveMessages(waiting, r.config.Batch, nil)
	switch {
	case len(messages) > 0:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("receive messages: %w", err)
	default:
		return nil, errLost
	}
	r.counters.received.Add(ctx, int64(len(messages)))
	again := 0
	for _, m := range messages {
		if m.DeliveryCount > 1 {
			again++
		}
	}
	r.counters.redelivered.Add(ctx, int64(again))
	r.mu.Lock()
	r.state.LastReceived = r.now().UTC()
	r.mu.Unlock()
	return messages, nil
}
