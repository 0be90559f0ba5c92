package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

// The namespace's only key, unless another is given. It protects nothing.
const (
	DefaultKeyName = "RootManageSharedAccessKey"
	DefaultKey     = "SIMULATED_KEY_VALUE"
	// DefaultQueue is the one that Storage announces changes on (Storage reference 14).
	DefaultQueue = "altinn.dialogportenadapter.webapi"
)

const (
	defaultIdleTimeout = 4 * time.Minute
	fastestSweep       = 10 * time.Millisecond
	slowestSweep       = time.Second
	sweepsInLock       = 8
)

// Options set a Broker up. The zero value has the default key and queue.
type Options struct {
	KeyName, Key string
	Queues       []QueueOptions
	// IdleTimeout is how long a peer may be silent. Default 4 minutes, as the real bus has it.
	IdleTimeout time.Duration
	// Seed makes faults repeatable.
	Seed uint64
}

// Broker holds the queues; it outlives the servers through which they are reached. It is safe for concurrent use.
type Broker struct {
	options Options
	queues  map[string]*Queue // by entity path
	faults  *faultRules
}

// New makes a broker with empty queues.
func New(options Options) (*Broker, error) {
	if options.KeyName == "" {
		options.KeyName = DefaultKeyName
	}
	if options.Key == "" {
		options.Key = DefaultKey
	}
	if options.IdleTimeout == 0 {
		options.IdleTimeout = defaultIdleTimeout
	}
	if options.IdleTimeout < time.Second || options.IdleTimeout > time.Hour {
		return nil, fmt.Errorf("idle time-out %s is not between a second and an hour", options.IdleTimeout)
	}
	if len(options.Queues) == 0 {
		options.Queues = []QueueOptions{{Name: DefaultQueue}}
	}
	b := &Broker{options: options, queues: map[string]*Queue{}, faults: newFaultRules(options.Seed)}
	for _, queue := range options.Queues {
		queue, err := queue.withDefaults()
		if err != nil {
			return nil, err
		}
		q := newQueue(queue, time.Now, b.faults)
		letters := queue
		letters.Name, letters.DuplicateHistory = queue.Name+"/$DeadLetterQueue", -1
		q.dead = newQueue(letters, time.Now, b.faults)
		b.queues[strings.ToLower(queue.Name)] = q
		b.queues[strings.ToLower(queue.Name)+deadLetterSuffix] = q.dead
	}
	return b, nil
}

// Queue gives a queue by its name; nil when there is none.
func (b *Broker) Queue(name string) *Queue { return b.queues[entityPath(name)] }

// First is the queue that Storage's commands go to: the first of the options.
func (b *Broker) First() *Queue { return b.Queue(b.options.Queues[0].Name) }

// Reset empties all queues and takes faults off.
func (b *Broker) Reset() {
	_ = b.faults.set(nil) // no rules are always right
	for _, q := range b.queues {
		q.clear()
	}
}

// SetFaults replaces the fault rules.
func (b *Broker) SetFaults(rules ...Rule) error { return b.faults.set(rules) }

// Faults are the rules, with how often each struck.
func (b *Broker) Faults() []Rule { return b.faults.list() }

// ConnectionString is what clients are configured with. They speak without TLS, since it names a development emulator.
func (b *Broker) ConnectionString(address string) string {
	return fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true",
		address, b.options.KeyName, b.options.Key)
}

// Publish puts a message into the queue, as Storage's sender does. It is an outbox.Bus.
func (q *Queue) Publish(_ context.Context, m outbox.Message) error {
	if q.faults.strikes(EffectBusy, q.options.Name) {
		return errors.New("publish: the bus is busy")
	}
	message := amqp.Message{
		Properties: amqp.Properties{Subject: m.Subject, ContentType: m.ContentType},
		Body:       amqp.Data(m.Body),
	}
	if m.MessageID != "" {
		message.Properties.MessageID = m.MessageID
	}
	if m.CorrelationID != "" {
		message.Properties.CorrelationID = m.CorrelationID
	}
	for name, text := range m.Properties {
		message.Application = append(message.Application, amqp.Entry{Key: name, Value: text})
	}
	if _, err := q.enqueue(message, len(message.Append(nil))); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Server is a broker at an address.
type Server struct {
	broker   *Broker
	listener net.Listener
	ctx      context.Context //nolint:containedctx // the server's life, which Close ends
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// Listen begins to serve at an address; port 0 lets the system choose. Close ends it.
func (b *Broker) Listen(ctx context.Context, address string) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for AMQP on %s: %w", address, err)
	}
	s := &Server{broker: b, listener: listener, conns: map[*conn]struct{}{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(s.accept)
	s.running.Go(s.sweep)
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// ConnectionString is what clients of this server are configured with.
func (s *Server) ConnectionString() string { return s.broker.ConnectionString(s.Addr()) }

// Close ends all connections and waits for what they do. The queues keep what they hold, locks included.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.running.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close AMQP listener: %w", err)
	}
	return nil
}

func (s *Server) accept() {
	for {
		socket, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // that connection failed before it began
		}
		if s.broker.faults.strikes(EffectRefuse, "") {
			_ = socket.Close() // that is the fault
			continue
		}
		c := newConn(s, socket)
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.running.Go(func() {
			c.serve(s.ctx)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// sweep lets time pass in the queues.
func (s *Server) sweep() {
	period := slowestSweep
	for _, q := range s.broker.queues {
		period = min(period, q.options.LockDuration/sweepsInLock)
	}
	ticker := time.NewTicker(max(period, fastestSweep))
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			for _, q := range s.broker.queues {
				q.sweep()
			}
		}
	}
}

// each calls f for every connection.
func (s *Server) each(f func(*conn)) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
	return len(s.conns)
}

// Connections is how many there are.
func (s *Server) Connections() int { return s.each(func(*conn) {}) }

// CutConnections ends all connections without a word, and tells how many.
func (s *Server) CutConnections() int { return s.each(func(c *conn) { _ = c.socket.Close() }) }

// DetachLinks ends all links to queues by force, as the real bus does when it moves an entity.
func (s *Server) DetachLinks() int {
	return s.each(func(c *conn) {
		select {
		case c.detach <- struct{}{}:
		default: // asked for already
		}
	})
}
