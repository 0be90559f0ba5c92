package altinnsim

import (
	"context"
	"fmt"
	"sync"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
)

// busDoor is how the service bus is reached.
type busDoor struct {
	control *servicebus.Control
	fill    sync.Once
	mu      sync.Mutex
	servers []*servicebus.Server
}

func (s *Sim) setUpServiceBus() error {
	broker, err := servicebus.New(s.options.ServiceBus)
	if err != nil {
		return fmt.Errorf("service bus: %w", err)
	}
	s.ServiceBus, s.bus.control = broker, servicebus.NewControl(broker)
	s.closers = append(s.closers, s.closeServiceBus)
	return nil
}

// ListenServiceBus lets AMQP clients in at an address, and has the outbox fill the first queue from then on: a queue that
// nobody empties would only grow. Close ends it.
func (s *Sim) ListenServiceBus(ctx context.Context, address string) (*servicebus.Server, error) {
	server, err := s.ServiceBus.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("service bus: %w", err)
	}
	s.bus.control.Serve(server)
	s.bus.fill.Do(func() { s.Outbox.AddBus(s.ServiceBus.First()) })
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.servers = append(s.bus.servers, server)
	return server, nil
}

func (s *Sim) closeServiceBus() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	for _, server := range s.bus.servers {
		_ = server.Close() // its port may be closed already
	}
}
